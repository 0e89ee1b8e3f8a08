"""Which files are bundles, and which are refused before anything of them is used."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tui_manager_protos.rules.files.agent_bundle import (
    BundleError,
    Signature,
    check_contents,
    check_host,
    decode_manifest,
    encode_manifest,
    find_signer,
    parse_key,
    parse_update_keys,
    read_head,
    write_bundle,
)
from tui_manager_protos.rules.files.agent_bundle_contents import check_members, unpack
from tui_manager_protos.rules.files.plain_tar import END, Member, TarError, header, padding

from tests.support.programs.bundles import (
    FILES,
    new_key,
    public,
    small_bundle,
    small_contents,
    small_manifest,
)
from tui_manager.agent_bundle.opened_bundle import open_bundle, require_signer, verify
from tui_manager.domain.errors import InvalidInputError

KEY = new_key()
PUBLIC = public(KEY)


def check(data: bytes, trusted: str = PUBLIC) -> None:
    """All that a host checks before it unpacks a bundle."""
    file = io.BytesIO(data)
    head = read_head(file)
    find_signer(head, (trusted,), verify)
    check_contents(file, head)


def unpack_into(data: bytes, folder: Path) -> None:
    """Unpacks without looking at the signature."""
    file = io.BytesIO(data)
    unpack(file, read_head(file), folder)


def test_a_bundle_is_a_tar_that_tar_reads() -> None:
    data = small_bundle([KEY])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == ["manifest.json", "signatures", "agent.tar.gz"]
        member = tar.extractfile("agent.tar.gz")
        assert member is not None
        with tarfile.open(fileobj=member, mode="r:gz") as contents:
            modes = {item.name: item.mode for item in contents}
    assert modes == {
        "bin": 0o755,
        "share": 0o755,
        "bin/tui-manager-agent": 0o755,
        "share/update-keys": 0o644,
    }
    check(data)


@pytest.mark.parametrize("shift", [0, 3])
def test_a_bit_that_is_flipped_anywhere_is_noticed(shift: int) -> None:
    data = bytearray(small_bundle([KEY]))
    for place in range(len(data)):
        flip = 1 << (place + shift) % 8
        data[place] ^= flip
        with pytest.raises(BundleError):
            check(bytes(data))
        data[place] ^= flip
    check(bytes(data))


def test_a_bundle_that_is_cut_anywhere_is_refused() -> None:
    data = small_bundle([KEY])
    for length in range(len(data)):
        with pytest.raises(BundleError):
            check(data[:length])


def test_nothing_may_follow() -> None:
    with pytest.raises(BundleError, match=r"something after agent\.tar\.gz"):
        check(small_bundle([KEY]) + bytes(512))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "it is cut"),
        (b"#!/bin/sh\n" * 100, "something is no header"),
        (bytes(4096), "there is no manifest.json"),
        (header(Member("agent.tar.gz", 1)), "no manifest.json, but agent.tar.gz"),
        (header(Member("manifest.json", 64 * 1024 + 1)), "65536 are allowed"),
        (header(Member("manifest.json", 8**11 - 1)), "65536 are allowed"),
        (header(Member("manifest.json", is_folder=True)), "no manifest.json"),
        (header(Member("manifest.json", 2)) + b"{}" + bytes(510), "not one of tui-manager-agent"),
    ],
)
def test_other_files_are_refused_with_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        check(data)


def test_a_link_in_place_of_a_member_is_refused() -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        link = tarfile.TarInfo("manifest.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(BundleError, match="neither a file nor a folder"):
        check(file.getvalue())


def test_only_trusted_keys_count() -> None:
    other = new_key()
    check(small_bundle([other, KEY]))
    with pytest.raises(BundleError, match=r"is signed by ed25519:.*, which is not trusted here"):
        check(small_bundle([other]))
    with pytest.raises(BundleError, match="is not signed"):
        check(small_bundle([]))


def test_a_signature_of_another_manifest_is_refused() -> None:
    contents = small_contents()
    manifest = encode_manifest(small_manifest(contents, 1))
    file = io.BytesIO()
    signature = Signature(KEY.public_key().public_bytes_raw(), KEY.sign(manifest))
    write_bundle(file, manifest, [signature], io.BytesIO(contents))
    with pytest.raises(BundleError, match=r"The signature by ed25519:.* is wrong"):
        check(file.getvalue())


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("version", "../../etc", "wrong version"),
        ("version", "", "wrong version"),
        ("build", "0" * 12, "of other contents"),
        ("arch", "x86/64", "wrong arch"),
        ("libc", "musl 1.2", "wrong libc"),
        ("sha256", "A" * 64, "wrong sha256"),
        ("size", 0, "wrong size"),
        ("size", True, "wrong size"),
        ("size", 1e3, "wrong size"),
        ("unpacked", 2 * 1024**3 + 1, "wrong unpacked"),
        ("unpacked", "1", "wrong unpacked"),
        ("python", None, "wrong python"),
        ("format", 2, "has format 2, and this program reads format 1"),
        ("program", "other", "not one of tui-manager-agent"),
    ],
)
def test_a_manifest_with_a_wrong_value_is_refused(name: str, value: object, sentence: str) -> None:
    shape = json.loads(encode_manifest(small_manifest(b"x", 1)))
    with pytest.raises(BundleError, match=sentence):
        decode_manifest(json.dumps({**shape, name: value}).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"[" * 100_000, b"\xff", b"1" * 5000, b'{"a": NaN'])
def test_a_manifest_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        decode_manifest(data)


def test_a_manifest_may_have_more_fields() -> None:
    """A later version may add some, without another format."""
    manifest = small_manifest(b"x", 1)
    shape = json.loads(encode_manifest(manifest))
    assert decode_manifest(json.dumps({**shape, "later": [1]}).encode()) == manifest


def test_sizes_that_lie_are_refused() -> None:
    contents = small_contents()
    with pytest.raises(BundleError, match=r"and the manifest"):
        small_bundle([KEY], contents=contents, size=len(contents) + 1)
    data = small_bundle([KEY], contents=contents)
    longer = header(Member("agent.tar.gz", len(contents) + 1))
    changed = data.replace(header(Member("agent.tar.gz", len(contents))), longer)
    with pytest.raises(BundleError, match="and the manifest says"):
        check(changed)


@pytest.mark.parametrize(
    "text", ["", "ed25519:", "ed25519:" + "A" * 44, PUBLIC + "=", "x" + PUBLIC, PUBLIC[8:], "é"]
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match="is no public key"):
        parse_key(text)


def test_the_keys_of_updates_stand_one_a_line() -> None:
    other = public(new_key())
    assert parse_update_keys(f"{PUBLIC}\n\n{other}\n") == (PUBLIC, other)
    with pytest.raises(BundleError):
        parse_update_keys(f"{PUBLIC} {other}\n")


@pytest.mark.parametrize(
    ("system", "arch", "libc", "sentence"),
    [
        ("linux", "x86_64", "glibc 2.17", ""),
        ("linux", "x86_64", "glibc 2.36", ""),
        ("linux", "x86_64", "glibc 3.0", ""),
        ("linux", "x86_64", "glibc 2.36-9+deb12u4", ""),
        ("linux", "x86_64", "glibc 2.9", "needs glibc 2.17, and the host has glibc 2.9"),
        ("linux", "x86_64", "musl 1.2", "the host has no glibc"),
        ("linux", "x86_64", "", "the host has no glibc"),
        ("linux", "aarch64", "glibc 2.36", "is for linux x86_64, and the host is linux aarch64"),
        ("darwin", "x86_64", "", "the host is darwin x86_64"),
    ],
)
def test_a_bundle_fits_a_host_or_says_why_not(
    system: str, arch: str, libc: str, sentence: str
) -> None:
    manifest = small_manifest(b"x", 1)
    if not sentence:
        check_host(manifest, system, arch, libc)
        return
    with pytest.raises(BundleError, match=sentence):
        check_host(manifest, system, arch, libc)


def test_unpacking_makes_the_files_with_their_modes(tmp_path: Path) -> None:
    long = f"lib/{'a' * 90}/{'b' * 90}/file"
    parents = [long.rsplit("/", 1)[0], long.rsplit("/", 2)[0]]
    files = {**FILES, long: b"x" * 2000}
    contents = gzip.decompress(small_contents(FILES))[: -len(END)]
    for path in ("lib", *reversed(parents)):
        contents += header(Member(path, is_folder=True))
    contents += header(Member(long, 2000)) + b"x" * 2000 + bytes(padding(2000)) + END
    data = small_bundle([KEY], files, contents=gzip.compress(contents))
    unpack_into(data, tmp_path / "new")
    for path, content in files.items():
        made = tmp_path / "new" / path
        assert made.read_bytes() == content
        assert made.stat().st_mode & 0o777 == (0o755 if path.startswith("bin/") else 0o644)
    with pytest.raises(FileExistsError):
        unpack_into(data, tmp_path / "new")


def raw_member(change: Callable[[tarfile.TarInfo], None]) -> bytes:
    """A tar with one member as tarfile makes it, which may be anything."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo("file")
        info.mtime = 315_532_800
        change(info)
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    return file.getvalue()


def named(name: str) -> Callable[[tarfile.TarInfo], None]:
    return lambda info: setattr(info, "name", name)


def typed(kind: bytes) -> Callable[[tarfile.TarInfo], None]:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = kind, "/etc/passwd"

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (named("../evil"), "is not relative, has '..'"),
        (named("a/../../evil"), "is not relative, has '..'"),
        (named("/evil"), "is not relative"),
        (named("./evil"), "is not relative"),
        (named("a//evil"), "is not relative"),
        (named("ev\nil"), "unusual character"),
        (typed(tarfile.SYMTYPE), "neither a file nor a folder"),
        (typed(tarfile.LNKTYPE), "neither a file nor a folder"),
        (typed(tarfile.CHRTYPE), "neither a file nor a folder"),
        (typed(tarfile.FIFOTYPE), "neither a file nor a folder"),
        (typed(tarfile.XHDTYPE), "neither a file nor a folder"),
        (lambda info: setattr(info, "mode", 0o4755), "is damaged"),
        (lambda info: setattr(info, "uid", 7), "is damaged"),
    ],
)
def test_contents_that_break_a_rule_are_refused(
    change: Callable[[tarfile.TarInfo], None], sentence: str, tmp_path: Path
) -> None:
    data = small_bundle([KEY], contents=gzip.compress(raw_member(change)), unpacked=1)
    with pytest.raises(BundleError, match=sentence):
        unpack_into(data, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert list((tmp_path / "new").iterdir()) == []


def test_contents_unpack_to_as_many_bytes_as_the_manifest_says(tmp_path: Path) -> None:
    size = sum(map(len, FILES.values()))
    for name, unpacked, sentence in (("a", size - 1, "larger"), ("b", size + 1, "smaller")):
        with pytest.raises(BundleError, match=f"{sentence} than its manifest"):
            unpack_into(small_bundle([KEY], unpacked=unpacked), tmp_path / name)


def test_a_file_that_unpacks_to_much_more_is_not_unpacked(tmp_path: Path) -> None:
    bomb = header(Member("zeros", 50_000_000)) + bytes(50_000_000) + END
    data = small_bundle([KEY], contents=gzip.compress(bomb), unpacked=1000)
    with pytest.raises(BundleError, match="larger than its manifest"):
        unpack_into(data, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_contents_with_a_path_twice_are_refused(tmp_path: Path) -> None:
    twice = 2 * (header(Member("file", 1)) + b"x" + bytes(511)) + END
    data = small_bundle([KEY], contents=gzip.compress(twice), unpacked=2)
    with pytest.raises(BundleError, match="have file twice"):
        unpack_into(data, tmp_path / "new")
    orphan = header(Member("missing/file")) + END
    data = small_bundle([KEY], contents=gzip.compress(orphan), unpacked=1)
    with pytest.raises(BundleError, match="have missing/file twice, or before its folder"):
        unpack_into(data, tmp_path / "other")


@pytest.mark.parametrize(
    "contents",
    [b"no gzip", small_contents()[:-9], gzip.compress(b""), gzip.compress(bytes(512))],
    ids=["no gzip", "cut", "nothing", "no end"],
)
def test_contents_that_are_no_tar_or_cut_are_refused(contents: bytes, tmp_path: Path) -> None:
    size = sum(map(len, FILES.values()))
    with pytest.raises(BundleError):
        unpack_into(small_bundle([KEY], contents=contents, unpacked=size), tmp_path / "new")


def test_a_header_has_no_path_that_is_too_long() -> None:
    with pytest.raises(TarError, match="too long"):
        header(Member("a" * 101, 1))


def test_opening_says_which_file_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "agent.bundle"
    path.write_bytes(small_bundle([KEY]))
    bundle = open_bundle(path)
    assert (bundle.signers, bundle.manifest.version) == ((PUBLIC,), "0.2.0")
    path.write_bytes(small_bundle([]))
    with pytest.raises(InvalidInputError, match=r"agent\.bundle: The bundle is not signed"):
        open_bundle(path)
    evil = gzip.compress(raw_member(typed(tarfile.SYMTYPE)))
    path.write_bytes(small_bundle([KEY], contents=evil, unpacked=1))
    with pytest.raises(InvalidInputError, match="neither a file nor a folder"):
        open_bundle(path)
    with pytest.raises(InvalidInputError, match="cannot be read: No such file"):
        open_bundle(tmp_path / "none")
    with pytest.raises(InvalidInputError, match="cannot be read: Is a directory"):
        open_bundle(tmp_path)


def test_what_is_signed_with_the_own_key_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "agent.bundle"
    evil = gzip.compress(raw_member(typed(tarfile.SYMTYPE)))
    path.write_bytes(small_bundle([KEY], contents=evil, unpacked=1))
    assert open_bundle(path, PUBLIC).signers == (PUBLIC,)
    with pytest.raises(InvalidInputError, match="neither a file nor a folder"):
        open_bundle(path, public(new_key()))
    path.write_bytes(path.read_bytes().replace(evil, bytes(len(evil))))
    with pytest.raises(InvalidInputError, match="another SHA-256"):
        open_bundle(path, PUBLIC)


def test_a_bundle_of_somebody_else_must_be_trusted_by_name(tmp_path: Path) -> None:
    path = tmp_path / "agent.bundle"
    path.write_bytes(small_bundle([KEY]))
    require_signer(open_bundle(path), [public(new_key()), PUBLIC])
    with pytest.raises(InvalidInputError, match="is signed with ed25519:"):
        require_signer(open_bundle(path), [public(new_key())])


def test_contents_have_a_limited_number_of_members(tmp_path: Path) -> None:
    folders = b"".join(header(Member(f"f{number}", is_folder=True)) for number in range(10_001))
    data = small_bundle([KEY], contents=gzip.compress(folders + END), unpacked=1)
    file = io.BytesIO(data)
    with pytest.raises(BundleError, match="larger than its manifest"):
        check_members(file, read_head(file))

"""The file that brings an agent with its own Python to a host: how it is read and what is signed.

A bundle is an uncompressed tar of three members: `manifest.json`, `signatures` and `agent.tar.gz`.
Each byte of it can have one value only: see `plain_tar.py` for the headers; a signature covers the
manifest, and the manifest has the SHA-256 of `agent.tar.gz`. The standard library has no
Ed25519, so each side gives the function that checks a signature. What `agent.tar.gz` holds is
unpacked by `agent_bundle_contents.py`.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from typing import BinaryIO, Final

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.plain_tar import (
    BLOCK,
    END,
    Member,
    TarError,
    check_zeros,
    header,
    padding,
    read_header,
)

FORMAT: Final = 1
PROGRAM: Final = "tui-manager-agent"
MANIFEST: Final = "manifest.json"
SIGNATURES: Final = "signatures"
CONTENTS: Final = "agent.tar.gz"
BUILD_LENGTH: Final = 12  # hex digits of the SHA-256 of the contents

MANIFEST_SIZE: Final = 64 * 1024  # bytes at most, as the next ones
SIGNATURES_SIZE: Final = 16 * 1024
CONTENTS_SIZE: Final = 512 * 1024 * 1024
UNPACKED_SIZE: Final = 2 * 1024 * 1024 * 1024

_SIGNED = b"tui-manager agent bundle 1\n"
_KEY = "ed25519:"
_KEY_LENGTH, _SIGNATURE_LENGTH = 32, 64  # bytes
_PIECE = 256 * 1024  # bytes that are read at once
_SHOWN = 80  # characters of a wrong value in an error

_FORMS = {
    "version": re.compile(r"[0-9][0-9A-Za-z.+]{0,31}"),
    "build": re.compile(r"[0-9a-f]{12}"),
    "system": re.compile(r"[a-z0-9]{1,16}"),
    "arch": re.compile(r"[a-z0-9_]{1,16}"),
    "libc": re.compile(r"glibc [0-9]{1,4}\.[0-9]{1,4}"),
    "python": re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9A-Za-z.+]{1,16}"),
    "sha256": re.compile(r"[0-9a-f]{64}"),
}
_SIZES = {"size": CONTENTS_SIZE, "unpacked": UNPACKED_SIZE}

# Whether a signature of a message was made with a key: (public key, signature, message).
Verify = Callable[[bytes, bytes, bytes], bool]


class BundleError(ValueError):
    """A file that is no bundle, or one that must not be used; a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle says of itself.

    Attributes:
        version: of the agent.
        build: the first hex digits of `sha256`; tells bundles of one version apart.
        system: `linux`.
        arch: as `uname -m` prints it.
        libc: name and version of the least C library that it runs with, such as `glibc 2.34`.
        python: version of the Python in it.
        sha256: of the contents, in hex.
        size: bytes of the contents.
        unpacked: bytes of all files in the contents.
    """

    version: str
    build: str
    system: str
    arch: str
    libc: str
    python: str
    sha256: str
    size: int
    unpacked: int

    @property
    def folder(self) -> str:
        """The name of the folder into which a host unpacks it."""
        return f"{self.version}-{self.build}"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of a manifest, by the key that it names; not checked yet."""

    key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleHead:
    """What stands before the contents of a bundle.

    Attributes:
        signed: the bytes that each signature is made of.
        offset: of the contents in the file.
    """

    manifest: Manifest
    signatures: tuple[Signature, ...]
    signed: bytes
    offset: int


def read_head(file: BinaryIO) -> BundleHead:
    """Reads a bundle up to its contents; neither signatures nor contents are checked.

    Reads a bounded number of bytes, whatever the file is.

    Raises:
        BundleError: it is no bundle. OSError: it cannot be read.
    """
    manifest_bytes = _read_member(file, MANIFEST, MANIFEST_SIZE)
    manifest = decode_manifest(manifest_bytes)
    signatures = decode_signatures(_read_member(file, SIGNATURES, SIGNATURES_SIZE))
    size = _read_header(file, CONTENTS, CONTENTS_SIZE)
    if size != manifest.size:
        raise BundleError(
            f"The bundle is damaged: {CONTENTS} has {size} bytes, and the manifest says "
            f"{manifest.size}."
        )
    offset = sum(
        BLOCK + length + padding(length)
        for length in (len(manifest_bytes), len(encode_signatures(signatures)))
    )
    return BundleHead(
        manifest=manifest,
        signatures=signatures,
        signed=signed_bytes(manifest_bytes),
        offset=offset + BLOCK,
    )


def check_contents(file: BinaryIO, head: BundleHead, check: Callable[[], object] = int) -> None:
    """Reads the contents and what follows them, and compares them with the manifest.

    Calls `check` before each piece; it raises what ends the work.

    Raises:
        BundleError: they are others, or the file goes on after them. OSError: it cannot be read.
    """
    from hashlib import sha256  # loads OpenSSL, which costs memory

    file.seek(head.offset)
    hashed, left = sha256(), head.manifest.size
    while left:
        check()
        piece = file.read(min(left, _PIECE))
        if not piece:
            raise BundleError(f"The bundle is cut: {left} bytes are missing.")
        hashed.update(piece)
        left -= len(piece)
    if hashed.hexdigest() != head.manifest.sha256:
        raise BundleError(f"The bundle is damaged: {CONTENTS} has another SHA-256.")
    _check_zeros(file, padding(head.manifest.size) + len(END))
    if file.read(1):
        raise BundleError(f"The bundle has something after {CONTENTS}.")


def find_signer(head: BundleHead, trusted: Iterable[str], verify: Verify) -> str:
    """The first trusted key, as text, that has signed the manifest.

    Args:
        trusted: keys as text.

    Raises:
        BundleError: none has.
    """
    keys = {parse_key(text): text for text in trusted}
    for one in head.signatures:
        if one.key in keys:
            if not verify(one.key, one.signature, head.signed):
                raise BundleError(f"The signature by {format_key(one.key)} is wrong.")
            return keys[one.key]
    if not head.signatures:
        raise BundleError("The bundle is not signed.")
    by = ", ".join(format_key(one.key) for one in head.signatures)
    raise BundleError(f"The bundle is signed by {by}, which is not trusted here.")


def check_name(version: str, build: str) -> None:
    """Raises BundleError unless a bundle may have this version and build, which name its folder."""
    for name, value in (("version", version), ("build", build)):
        if not _FORMS[name].fullmatch(value):
            raise BundleError(f"{value!r:.{_SHOWN}} is no {name} of a bundle.")


def check_host(manifest: Manifest, system: str, arch: str, libc: str) -> None:
    """Raises BundleError unless a bundle can run on a host.

    Args:
        system: of the host, as `uname -s` in small letters.
        arch: of the host, as `uname -m`.
        libc: of the host, such as `glibc 2.36`; empty, or another name: it has no glibc.
    """
    ours, theirs = f"{manifest.system} {manifest.arch}", f"{system} {arch}"
    if ours != theirs:
        raise BundleError(f"The bundle is for {ours}, and the host is {theirs}.")
    found = re.fullmatch(r"glibc ([0-9]+)\.([0-9]+)[0-9A-Za-z.+-]*", libc)
    if not found:
        raise BundleError(f"The bundle needs {manifest.libc}, and the host has no glibc.")
    if (int(found[1]), int(found[2])) < _numbers(manifest.libc):
        raise BundleError(f"The bundle needs {manifest.libc}, and the host has {libc}.")


def _numbers(libc: str) -> tuple[int, int]:
    major, minor = libc.partition(" ")[2].split(".")
    return int(major), int(minor)


def write_bundle(
    file: BinaryIO, manifest_bytes: bytes, signatures: Iterable[Signature], contents: BinaryIO
) -> None:
    """Writes a bundle. Raises OSError, and BundleError for contents of another size."""
    manifest = decode_manifest(manifest_bytes)
    for name, data in (
        (MANIFEST, manifest_bytes),
        (SIGNATURES, encode_signatures(signatures)),
    ):
        file.write(header(Member(name, len(data))) + data + bytes(padding(len(data))))
    file.write(header(Member(CONTENTS, manifest.size)))
    written = 0
    while piece := contents.read(_PIECE):
        file.write(piece)
        written += len(piece)
    if written != manifest.size:
        raise BundleError(f"{CONTENTS} has {written} bytes, and the manifest {manifest.size}.")
    file.write(bytes(padding(written)) + END)


def signed_bytes(manifest_bytes: bytes) -> bytes:
    """What a signature is made of."""
    return _SIGNED + manifest_bytes


def encode_manifest(manifest: Manifest) -> bytes:
    """The member `manifest.json`."""
    shape = {"format": FORMAT, "program": PROGRAM, **asdict(manifest)}
    return json.dumps(shape, indent=1).encode() + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """What a manifest says; fields that are not known are ignored.

    Raises:
        BundleError: it is none, or one of another format or program.
    """
    shape = read_shape(data)
    values = {item.name: shape.get(item.name) for item in fields(Manifest)}
    for name, form in _FORMS.items():
        value = values[name]
        if not isinstance(value, str) or not form.fullmatch(value):
            raise BundleError(f"The manifest has a wrong {name}: {value!r:.{_SHOWN}}.")
    for name, most in _SIZES.items():
        value = values[name]
        if type(value) is not int or not 0 < value <= most:
            raise BundleError(
                f"The manifest has a wrong {name}: {value!r:.{_SHOWN}}, which is not a number "
                f"from 1 to {most}."
            )
    manifest = Manifest(**values)  # type: ignore[arg-type]
    if manifest.build != manifest.sha256[:BUILD_LENGTH]:
        raise BundleError(f"The manifest has the build {manifest.build} of other contents.")
    return manifest


def read_shape(data: bytes) -> dict[str, object]:
    """The fields of a manifest of this format and program, not checked. Raises BundleError."""
    try:
        shape = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"The manifest is no JSON: {error}.") from error
    if not isinstance(shape, dict) or shape.get("program") != PROGRAM:
        raise BundleError(f"The manifest is not one of {PROGRAM}.")
    if shape.get("format") != FORMAT:
        raise BundleError(
            f"The bundle has format {shape.get('format')!r:.{_SHOWN}}, and this program reads "
            f"format {FORMAT}."
        )
    return shape


def encode_signatures(signatures: Iterable[Signature]) -> bytes:
    """The member `signatures`: a line for each."""
    lines = (f"{format_key(one.key)} {_base64(one.signature)}\n" for one in signatures)
    return "".join(lines).encode()


def decode_signatures(data: bytes) -> tuple[Signature, ...]:
    """The signatures; none is checked. Raises BundleError."""
    wrong = BundleError("The signatures of the bundle are damaged.")
    signatures = []
    for line in data.decode(errors="replace").splitlines():
        key, _, signature = line.partition(" ")
        made_of = _from_base64(signature, _SIGNATURE_LENGTH)
        if made_of is None:
            raise wrong
        signatures.append(Signature(parse_key(key), made_of))
    if encode_signatures(signatures) != data:
        raise wrong
    return tuple(signatures)


def format_key(key: bytes) -> str:
    """A public key as text: `ed25519:` and the base64 of its 32 bytes."""
    return _KEY + _base64(key)


def parse_key(text: str) -> bytes:
    """The public key in a text. Raises BundleError."""
    key = _from_base64(text.removeprefix(_KEY), _KEY_LENGTH)
    if not text.startswith(_KEY) or key is None:
        raise BundleError(f"{text!r:.{_SHOWN}} is no public key: {_KEY} and 44 characters.")
    return key


def format_update_keys(keys: Iterable[str]) -> str:
    """The file `update-keys`: the keys whose updates a host takes, one a line."""
    return "".join(f"{key}\n" for key in keys)


def parse_update_keys(text: str) -> tuple[str, ...]:
    """The keys of a file `update-keys`, as text; empty lines are ignored. Raises BundleError."""
    keys = tuple(line.strip() for line in text.splitlines() if line.strip())
    for key in keys:
        parse_key(key)
    return keys


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: str, length: int) -> bytes | None:
    """So many bytes; None if the text is not exactly what `_base64` makes of them."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if len(data) == length and _base64(data) == text else None


def _read_member(file: BinaryIO, name: str, most: int) -> bytes:
    size = _read_header(file, name, most)
    data = file.read(size)
    if len(data) < size:
        raise BundleError(f"The bundle is cut within {name}.")
    _check_zeros(file, padding(size))
    return data


def _read_header(file: BinaryIO, name: str, most: int) -> int:
    """The size of the member that must come next. Raises BundleError."""
    try:
        found = read_header(file)
    except TarError as error:
        raise BundleError(f"This is no bundle of {PROGRAM}, or it is damaged: {error}.") from error
    if found is None or found != Member(name, found.size):
        there = f", but {found.path}" if found else ""
        raise BundleError(f"This is no bundle of {PROGRAM}: there is no {name}{there}.")
    if found.size > most:
        raise BundleError(f"{name} of the bundle has {found.size} bytes; {most} are allowed.")
    return found.size


def _check_zeros(file: BinaryIO, size: int) -> None:
    try:
        check_zeros(file, size)
    except TarError as error:
        raise BundleError(f"The bundle is damaged: {error}.") from error

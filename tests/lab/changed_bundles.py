"""Bundles of the real agent in which some files are others: newer ones, and broken ones."""

import gzip
import hashlib
import io
import py_compile
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import BinaryIO, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tui_manager_agent.update import trial
from tui_manager_protos.rules.files.agent_bundle import (
    Manifest,
    Signature,
    encode_manifest,
    read_head,
    signed_bytes,
    write_bundle,
)
from tui_manager_protos.rules.files.plain_tar import END, Member, header, padding, read_header

from tests.support.programs.built_bundles import built_bundle
from tui_manager.agent_bundle.source_files import LIBRARY

PROGRAM = "bin/tui-manager-agent"
# They say their version, as a new one is asked for it, and then: end at once; hang and dial nobody.
_START = '#!/bin/sh\ncase " $* " in *" --version "*) echo \'tui-manager-agent {}\'; exit ;; esac\n'
ENDS = _START + "exit 2\n"  # with this status no service manager starts it again
HANGS = _START + "exec sleep 100000\n"
# Small broken bundles are signed and unpacked as large ones, and nothing of these is used.
_NEEDED_BY_SCRIPT = ("manifest.json", "bin", "share")
_TRIAL = f"tui_manager_agent/update/{Path(trial.__file__).name}"
_WITHIN = "\nWITHIN = 120 * clock.SECOND "
_BUILD_LENGTH = 12


def changed_bundle(path: Path, key: Ed25519PrivateKey, files: Mapping[str, bytes]) -> Manifest:
    """Writes the bundle of this checkout with these files in place of others, or as new ones in a
    folder that it has, signed by a key."""
    return _write_changed(path, key, files, keep=("",))


def bundle_of_script(path: Path, key: Ed25519PrivateKey, program: str) -> Manifest:
    """A bundle whose program is such a script. It has no Python and no libraries."""
    version = built_bundle().manifest.version
    files = {PROGRAM: program.format(version).encode()}
    return _write_changed(path, key, files, keep=_NEEDED_BY_SCRIPT)


def shorter_trial(seconds: int) -> dict[str, bytes]:
    """The files of an agent that gives a new version so many seconds instead of two minutes."""
    files = _members()
    source = files[f"{LIBRARY}/{_TRIAL}"].decode()
    assert source.count(_WITHIN) == 1
    source = source.replace(_WITHIN, _WITHIN.replace("120", str(seconds)))
    with tempfile.TemporaryDirectory() as folder:
        changed, compiled = Path(folder, "changed.py"), Path(folder, "compiled")
        changed.write_text(source)
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH  # as `agent bundle` makes it
        py_compile.compile(str(changed), str(compiled), doraise=True, invalidation_mode=mode)
        code = compiled.read_bytes()
    cached = cache_from_source(f"{LIBRARY}/{_TRIAL}")
    assert cached in files
    return {f"{LIBRARY}/{_TRIAL}": source.encode(), cached: code}


def _write_changed(
    path: Path, key: Ed25519PrivateKey, files: Mapping[str, bytes], *, keep: tuple[str, ...]
) -> Manifest:
    """Writes a bundle of the members whose path begins with one of `keep`, and of these files."""
    made = io.BytesIO()
    unpacked, left = 0, dict(files)
    with gzip.GzipFile("", "wb", 1, made, mtime=0) as packed:
        for member, data in _contents():
            if member.path.startswith(keep):
                changed = left.pop(member.path, data)
                unpacked += len(changed)
                _add(packed, replace(member, size=len(changed)), changed)
        for name, data in left.items():
            unpacked += len(data)
            _add(packed, Member(name, len(data)), data)
        packed.write(END)
    return write_signed(path, key, made.getvalue(), unpacked)


def write_signed(
    path: Path, key: Ed25519PrivateKey, contents: bytes, unpacked: int, **changed: object
) -> Manifest:
    """Writes a bundle of these contents; values of its manifest may be others."""
    sha256 = hashlib.sha256(contents).hexdigest()
    values: dict[str, object] = {
        "build": sha256[:_BUILD_LENGTH],
        "sha256": sha256,
        "size": len(contents),
        "unpacked": unpacked,
        **changed,
    }
    manifest = replace(built_bundle().manifest, **values)  # type: ignore[arg-type]
    encoded = encode_manifest(manifest)
    signature = Signature(key.public_key().public_bytes_raw(), key.sign(signed_bytes(encoded)))
    with path.open("wb") as file:
        write_bundle(file, encoded, [signature], io.BytesIO(contents))
    return manifest


@cache
def _contents() -> list[tuple[Member, bytes]]:
    """The members of the bundle of this checkout, and their bytes."""
    bundle = built_bundle()
    with bundle.path.open("rb") as file:
        file.seek(read_head(file).offset)
        tar = io.BytesIO(gzip.decompress(file.read(bundle.manifest.size)))
    found = []
    while (member := read_header(tar)) is not None:
        found.append((member, tar.read(member.size)))
        tar.seek(padding(member.size), io.SEEK_CUR)
    return found


def _members() -> dict[str, bytes]:
    return {member.path: data for member, data in _contents()}


def _add(packed: gzip.GzipFile, member: Member, data: bytes) -> None:
    tar = cast("BinaryIO", packed)
    tar.write(header(member))
    if not member.is_folder:
        tar.write(data + bytes(padding(len(data))))

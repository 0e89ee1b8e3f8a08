"""Bundles of the real agent in which some files are others: newer ones, and broken ones."""

import gzip
import hashlib
import io
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tui_manager_protos.rules.agent_bundle import (
    Manifest,
    Signature,
    encode_manifest,
    read_head,
    signed_bytes,
    write_bundle,
)
from tui_manager_protos.rules.plain_tar import END, Member, header, padding, read_header

from tests.support.built_bundles import built_bundle

PROGRAM = "bin/tui-manager-agent"
# They say their version, as a new one is asked for it, and then: end at once; hang and dial nobody.
_START = '#!/bin/sh\ncase " $* " in *" --version "*) echo \'tui-manager-agent {}\'; exit ;; esac\n'
ENDS = _START + "exit 2\n"  # with this status no service manager starts it again
HANGS = _START + "exec sleep 100000\n"
_BUILD_LENGTH = 12


def changed_bundle(path: Path, key: Ed25519PrivateKey, files: Mapping[str, bytes]) -> Manifest:
    """Writes the bundle of this checkout with these files in place of others, or as new ones in a
    folder that it has, signed by a key."""
    contents, unpacked = _contents()
    made = io.BytesIO()
    with gzip.GzipFile("", "wb", 1, made, mtime=0) as packed:
        tar = io.BytesIO(contents)
        left = dict(files)
        while (member := read_header(tar)) is not None:
            data = tar.read(member.size)
            tar.seek(padding(member.size), io.SEEK_CUR)
            if member.path in left:
                unpacked -= member.size
                data = left.pop(member.path)
                unpacked += len(data)
            _add(packed, replace(member, size=len(data)), data)
        for name, data in left.items():
            unpacked += len(data)
            _add(packed, Member(name, len(data)), data)
        packed.write(END)
    return write_signed(path, key, made.getvalue(), unpacked)


def bundle_of_script(path: Path, key: Ed25519PrivateKey, program: str) -> Manifest:
    """A bundle whose program is such a script."""
    version = built_bundle().manifest.version
    return changed_bundle(path, key, {PROGRAM: program.format(version).encode()})


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
def _contents() -> tuple[bytes, int]:
    """The tar in the bundle of this checkout, and the bytes of its files."""
    bundle = built_bundle()
    with bundle.path.open("rb") as file:
        file.seek(read_head(file).offset)
        packed = file.read(bundle.manifest.size)
    unpacked = io.BytesIO()
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as tar:
        shutil.copyfileobj(tar, unpacked)
    return unpacked.getvalue(), bundle.manifest.unpacked


def _add(packed: gzip.GzipFile, member: Member, data: bytes) -> None:
    tar = cast("BinaryIO", packed)
    tar.write(header(member))
    if not member.is_folder:
        tar.write(data + bytes(padding(len(data))))

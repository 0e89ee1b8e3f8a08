"""Small bundles, made by hand: what they hold is no agent."""

import gzip
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tui_manager_protos.rules.files.agent_bundle import (
    Manifest,
    Signature,
    encode_manifest,
    format_key,
    signed_bytes,
    write_bundle,
)
from tui_manager_protos.rules.files.plain_tar import END, Member, header, padding

FILES: Mapping[str, bytes] = {
    "bin/tui-manager-agent": b"#!/bin/sh\necho tui-manager-agent 0.2.0\n",
    "share/update-keys": b"",
}


def new_key() -> Ed25519PrivateKey:
    """A key that signs bundles."""
    return Ed25519PrivateKey.generate()


def public(key: Ed25519PrivateKey) -> str:
    """Its public key as text."""
    return format_key(key.public_key().public_bytes_raw())


def small_contents(files: Mapping[str, bytes] = FILES) -> bytes:
    """The member `agent.tar.gz`; what is below `bin` may be executed."""
    tar = b""
    parents = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    for folder in sorted(parents - {"."}):
        tar += header(Member(folder, is_folder=True))
    for path, data in files.items():
        tar += header(Member(path, len(data), is_program=path.startswith("bin/")))
        tar += data + bytes(padding(len(data)))
    return gzip.compress(tar + END, mtime=0)


def small_manifest(contents: bytes, unpacked: int, **changed: object) -> Manifest:
    """The manifest of contents; some values may be others."""
    sha256 = hashlib.sha256(contents).hexdigest()
    values: dict[str, object] = {
        "version": "0.2.0",
        "build": sha256[:12],
        "system": "linux",
        "arch": "x86_64",
        "libc": "glibc 2.17",
        "python": "3.11.7",
        "sha256": sha256,
        "size": len(contents),
        "unpacked": unpacked,
        **changed,
    }
    return Manifest(**values)  # type: ignore[arg-type]


def small_bundle(
    keys: Sequence[Ed25519PrivateKey],
    files: Mapping[str, bytes] = FILES,
    *,
    contents: bytes | None = None,
    unpacked: int | None = None,
    **changed: object,
) -> bytes:
    """A bundle that is signed by some keys.

    Args:
        contents: instead of what the files make.
        unpacked: bytes of the files; what they have unless given.
        changed: values of the manifest that are others.
    """
    data = small_contents(files) if contents is None else contents
    size = sum(map(len, files.values())) if unpacked is None else unpacked
    manifest = encode_manifest(small_manifest(data, size, **changed))
    signatures = [
        Signature(key.public_key().public_bytes_raw(), key.sign(signed_bytes(manifest)))
        for key in keys
    ]
    file = io.BytesIO()
    write_bundle(file, manifest, signatures, io.BytesIO(data))
    return file.getvalue()

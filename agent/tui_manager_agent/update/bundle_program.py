"""Checks a bundle, and unpacks it. It is a child program, so that the agent stays small.

    python -P -m tui_manager_agent.update.bundle_program check | unpack

reads a record from stdin and writes one to stdout.

- check: `bundle`, the file, of which the contents may be missing; `trusted`, keys with spaces
  between them; `version` and `build` that were announced. Answers `folder` and `signer`, or
  `untrusted`: no trusted key has signed it.
- unpack: `bundle` and `folder`, which is made. Answers `folder`.

Either answers `problem`, a sentence, if the bundle cannot be used.
"""

import os
import sys
from functools import partial
from pathlib import Path

from tui_manager_protos.rules.files.agent_bundle import (
    BundleError,
    BundleHead,
    check_contents,
    check_host,
    find_signer,
    format_key,
    parse_key,
    parse_update_keys,
    read_head,
)
from tui_manager_protos.rules.files.agent_bundle_contents import unpack

from tui_manager_agent.identity.child_process import answer_agent
from tui_manager_agent.installation import UPDATE_KEYS, with_build

KEYS = f"share/{UPDATE_KEYS}"  # in the folder of a version


def check(order: dict[str, str]) -> dict[str, str]:
    """Raises BundleError, OSError."""
    with open(order["bundle"], "rb") as file:
        head = read_head(file)
    manifest = head.manifest
    if (manifest.version, manifest.build) != (order["version"], order["build"]):
        raise BundleError(
            f"The bundle is {with_build(manifest.version, manifest.build)}, and "
            f"{with_build(order['version'], order['build'])} was announced."
        )
    trusted = order["trusted"].split()
    if not {parse_key(text) for text in trusted} & {one.key for one in head.signatures}:
        return {"untrusted": _signers(head)}
    signer = find_signer(head, trusted, _verify)
    system = os.uname()
    check_host(manifest, system.sysname.lower(), system.machine, _libc())
    return {"folder": manifest.folder, "signer": signer, "unpacked": str(manifest.unpacked)}


def unpack_and_sync(order: dict[str, str]) -> dict[str, str]:
    """Raises BundleError, OSError."""
    agent = os.getppid()

    def end_with_agent() -> None:
        if os.getppid() != agent:
            sys.exit("the agent has ended")

    folder = Path(order["folder"])
    with open(order["bundle"], "rb") as file:
        head = read_head(file)
        check_contents(file, head, end_with_agent)
        unpack(file, head, folder, end_with_agent)
    _check_keys(folder / KEYS)
    _sync(folder)
    return {"folder": str(folder)}


def _check_keys(path: Path) -> None:
    """Raises BundleError unless a bundle says which keys may sign the next one."""
    try:
        keys = parse_update_keys(path.read_text("ascii"))
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
        keys = ()
    if not keys:
        raise BundleError(f"The bundle has no keys for updates in {KEYS}.")


def _verify(key: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signers(head: BundleHead) -> str:
    """A sentence about a bundle that no trusted key has signed."""
    if not head.signatures:
        return "The bundle is not signed."
    keys = ", ".join(format_key(one.key) for one in head.signatures)
    what = "the key" if len(head.signatures) == 1 else "any of the keys"
    return f"The host does not trust {what} {keys}, which signed the bundle."


def _libc() -> str:
    """Name and version of the C library; empty: it is not glibc."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ""


def _sync(folder: Path) -> None:
    """Makes all files durable, those of the whole file system at once: there are thousands.

    Raises OSError.
    """
    descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    except (ImportError, AttributeError):  # no ctypes, or not Linux
        os.sync()
    finally:
        os.close(descriptor)


def _answer(verb: str, order: dict[str, str]) -> dict[str, str]:
    try:
        return check(order) if verb == "check" else unpack_and_sync(order)
    except BundleError as error:
        return {"problem": str(error)}
    except OSError as error:
        return {"problem": f"The bundle cannot be unpacked: {error.strerror}: {error.filename}."}


if __name__ == "__main__":
    answer_agent(partial(_answer, sys.argv[1]))

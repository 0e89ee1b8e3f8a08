"""A bundle that was checked before it is used."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.agent_bundle import (
    BundleError,
    Manifest,
    check_contents,
    find_signer,
    format_key,
    read_head,
)
from tui_manager_protos.rules.files.agent_bundle_contents import check_members

from tui_manager.domain.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle whose contents and signatures are right.

    Attributes:
        signers: the public keys that have signed it, as text. Whether they are trusted is for the
            host to say.
    """

    path: Path
    manifest: Manifest
    signers: Sequence[str]


def open_bundle(path: Path, own_key: str = "") -> Bundle:
    """Reads and checks a bundle, with all that is packed in it; that takes about half a second.

    Args:
        own_key: a public key, as text, with which only this program signs. It has made what is
            signed with this key, so that is not unpacked.

    Raises:
        InvalidInputError: it is no bundle, is damaged, is not signed, holds something else than
            files and folders, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = read_head(file)
            check_contents(file, head)
            signers = tuple(format_key(one.key) for one in head.signatures)
            for signer in signers or (None,):
                find_signer(head, () if signer is None else (signer,), verify)
            if own_key not in signers:
                check_members(file, head)
    except BundleError as error:
        raise InvalidInputError("bundle", f"{path}: {error}") from error
    except OSError as error:
        problem = error.strerror or error
        raise InvalidInputError("bundle", f"{path} cannot be read: {problem}.") from error
    return Bundle(path=path, manifest=head.manifest, signers=signers)


def require_signer(bundle: Bundle, trusted: Sequence[str]) -> None:
    """Raises InvalidInputError unless a trusted key, as text, has signed a bundle."""
    if not set(bundle.signers) & set(trusted):
        raise InvalidInputError(
            "bundle",
            f"{bundle.path} is signed with {', '.join(bundle.signers)}, which is not your key. If "
            "that is the key of somebody you trust, name it with --trust.",
        )


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature (Ed25519) of the message was made with a key."""
    with suppress(InvalidSignature, ValueError):
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    return False

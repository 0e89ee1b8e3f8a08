"""Encrypts the secrets of commands before they are stored. They cannot be read from a copy of the
database without the key in the state folder."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tui_manager.domain.errors import StorageError
from tui_manager.security.private_files import private_folder, read_private, write_private

_FILE = "secrets.key"
_KEY_BYTES = 32
_NONCE_BYTES = 12


class SecretBox:
    """Seals and unseals with AES-256-GCM and a key of its own in `folder`.

    Raises:
        StorageError: the key cannot be read or written, or other users can read it.
    """

    def __init__(self, folder: Path) -> None:
        self._cipher = AESGCM(_load_or_make(folder / _FILE))

    def seal(self, value: str, context: str) -> bytes:
        """Encrypts `value` for one `context`. In another row, which has another context, it cannot
        be decrypted."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value.encode(), context.encode())

    def unseal(self, sealed: bytes, context: str) -> str:
        """Decrypts a sealed value.

        Raises:
            StorageError: with another key or for another context, or damaged since.
        """
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, text, context.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise StorageError(
                f"A secret in the database cannot be opened: it was sealed with another {_FILE} "
                "than the one in the state folder, or it is damaged."
            ) from error


def _load_or_make(path: Path) -> bytes:
    private_folder(path.parent)
    key = read_private(path)
    if key is None:
        key = AESGCM.generate_key(_KEY_BYTES * 8)
        write_private(path, key)
    if len(key) != _KEY_BYTES:
        raise StorageError(
            f"{path} is damaged: it has {len(key)} bytes, a key {_KEY_BYTES}. Put the file back "
            "from a backup, or delete it: then the secrets of tasks that have not ended are lost, "
            "and nothing else."
        )
    return key

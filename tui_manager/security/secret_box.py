"""Encrypts the secrets of commands before they are stored. They cannot be read from a copy of the
database without the key, which is elsewhere."""

import os
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tui_manager.domain.errors import StorageError

KEY_BYTES = 32
_NONCE_BYTES = 12


def new_secrets_key() -> bytes:
    """A new key for a SecretBox."""
    return os.urandom(KEY_BYTES)


class SecretBox:
    """Seals and unseals with AES-256-GCM.

    Args:
        key: of KEY_BYTES bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @cached_property
    def _cipher(self) -> AESGCM:
        """Made when it is first needed: it makes OpenSSL load its algorithms."""
        return AESGCM(self._key)

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
                "A secret in the database cannot be opened: it was sealed with another key than "
                "the one that this manager has, or it is damaged."
            ) from error

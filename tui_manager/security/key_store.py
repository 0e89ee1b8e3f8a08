"""Where a manager keeps the keys that never change: that of its authority, that of the enrolment
port, and the one for secrets of commands."""

from pathlib import Path
from typing import Protocol

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.security.keys import PrivateKey, load_key, load_or_make_key
from tui_manager.security.private_files import private_folder, read_private, write_private
from tui_manager.security.secret_box import KEY_BYTES, new_secrets_key

AUTHORITY_CERTIFICATE = "authority.pem"
AUTHORITY_KEY, ENROLLMENT_KEY, SECRETS_KEY = "authority.key", "enrollment.key", "secrets.key"


class KeyStore(Protocol):
    """The keys that all managers of one database share. Each of them makes certificates of its own
    from the keys; those are in `folder`."""

    @property
    def folder(self) -> Path: ...

    def authority_key(self) -> PrivateKey:
        """Signs the certificates of hosts and managers."""
        ...

    def enrollment_key(self) -> PrivateKey:
        """Of the enrolment port; join tokens carry its hash."""
        ...

    def secrets_key(self) -> bytes:
        """Seals the secrets of commands."""
        ...


@dataclass(frozen=True, slots=True)
class FolderKeys:
    """A file for each key, in `folder`. A key that is missing is made when it is needed.

    Its methods raise StorageError if a file cannot be read or written, is damaged, or other users
    can read it.
    """

    folder: Path

    def authority_key(self) -> PrivateKey:
        """See KeyStore. Raises StorageError also if the key is gone and its certificate is not."""
        return self.kept_authority_key() or load_or_make_key(self.folder / AUTHORITY_KEY)

    def enrollment_key(self) -> PrivateKey:
        """See KeyStore."""
        return load_or_make_key(self.folder / ENROLLMENT_KEY)

    def secrets_key(self) -> bytes:
        """See KeyStore."""
        private_folder(self.folder)
        key = self.kept_secrets_key()
        if key is None:
            key = new_secrets_key()
            write_private(self.folder / SECRETS_KEY, key)
        return key

    def kept_authority_key(self) -> PrivateKey | None:
        """The key if there is one; raises as `authority_key`."""
        path, certificate = self.folder / AUTHORITY_KEY, self.folder / AUTHORITY_CERTIFICATE
        key = load_key(path)
        if key is None and certificate.exists():
            raise StorageError(
                f"The key of the authority, {path}, is missing. Every host trusts it. Put it back "
                f"from a backup; or delete {certificate} too, and enrol every host again."
            )
        return key

    def kept_enrollment_key(self) -> PrivateKey | None:
        """The key if there is one."""
        return load_key(self.folder / ENROLLMENT_KEY)

    def kept_secrets_key(self) -> bytes | None:
        """The key if there is one."""
        path = self.folder / SECRETS_KEY
        key = read_private(path)
        if key is not None and len(key) != KEY_BYTES:
            raise StorageError(
                f"{path} is damaged: it has {len(key)} bytes, a key {KEY_BYTES}. Put the file back "
                "from a backup, or delete it: then the secrets of tasks that have not ended are "
                "lost, and nothing else."
            )
        return key

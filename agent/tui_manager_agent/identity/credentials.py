"""The credentials of this host: its key, its certificate, the authorities that it trusts.

All but the key is in one record. A newer record is kept beside it until the manager has accepted
its certificate in a handshake and the certificate has begun. Only then it replaces the older one.
The key is made once and stays. Nothing here parses a certificate: that needs cryptography, which
only child processes load.
"""

import logging
import os
import time
from dataclasses import field
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager_agent.supervisor import record

FOLDER = "credentials"
KEY = "key.pem"
CERTIFICATE = "certificate"
NEWER = "certificate.next"  # not accepted in a handshake yet, or not begun
_LOG = logging.getLogger(__name__)


class DamagedError(Exception):
    """The credentials on disk cannot be used; the text is for the host's owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The identity that a manager gave to this host.

    Attributes:
        server_name: the name in the manager's certificate; empty: the address dialed.
        key_hash: SHA-256 of this host's public key.
        begins, ends: of this host's certificate, in seconds since the epoch.
        chain: this host's certificate and those up to its authority, PEM.
        authorities: one of these has signed the manager's certificate, PEM.
        token_hash: of the join token that this host enrolled with last: its `secret_hash`.
    """

    manager_id: str
    host_id: str
    server_name: str
    key_hash: bytes
    ends: int
    key: bytes = field(repr=False)
    chain: bytes
    authorities: bytes
    token_hash: bytes = b""
    begins: int = 0

    @property
    def ended(self) -> bool:
        """By this host's clock, which may be wrong: the manager's decides."""
        return time.time() >= self.ends

    @property
    def begun(self) -> bool:
        """By this host's clock, as `ended`."""
        return time.time() >= self.begins

    @property
    def in_date(self) -> bool:
        """Begun and not ended, by this host's clock."""
        return self.begun and not self.ended

    @property
    def beginning(self) -> str:
        """The certificate's beginning, for people."""
        return format_time(self.begins)

    @property
    def end(self) -> str:
        """The certificate's end, for people."""
        return format_time(self.ends)


def exist(state_dir: Path) -> bool:
    """Whether this host has enrolled. Changes nothing."""
    return os.path.exists(state_dir / FOLDER / CERTIFICATE)


def folder_in(state_dir: Path) -> Path:
    """The folder of the credentials, private to this user; made if needed. Raises OSError."""
    folder = state_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return folder


def reserve_space(state_dir: Path) -> None:
    """Reserves the disk space that `save` will need. Raises OSError."""
    record.reserve(str(folder_in(state_dir)), CERTIFICATE)


def save(state_dir: Path, fields: dict[str, str]) -> Credentials:
    """Replaces all credentials by what a child has made of the manager's answer, durably.

    Raises OSError, and DamagedError if something is missing; then nothing is kept.
    """
    credentials = _write(state_dir, CERTIFICATE, fields)
    (state_dir / FOLDER / NEWER).unlink(missing_ok=True)
    return credentials


def save_newer(state_dir: Path, fields: dict[str, str]) -> Credentials:
    """As `save`, beside the credentials that work."""
    return _write(state_dir, NEWER, fields)


def accept_newer(state_dir: Path) -> None:
    """Replaces the credentials that worked before by the newer ones. Raises OSError."""
    folder = state_dir / FOLDER
    os.rename(folder / NEWER, folder / CERTIFICATE)
    record.sync_folder(str(folder))


def load_newer(state_dir: Path, held: Credentials) -> Credentials | None:
    """What the manager has issued to the same host, until it replaces `held`. A file that cannot be
    used is left alone: the next one replaces it."""
    folder = state_dir / FOLDER
    try:
        newer = _read(folder, record.read(str(folder / NEWER)))
    except FileNotFoundError:
        return None
    except (DamagedError, OSError) as error:
        _LOG.warning("the newer certificate cannot be read: error=%s", error)
        return None
    same = (newer.manager_id, newer.host_id) == (held.manager_id, held.host_id)
    return newer if same else None


def load(state_dir: Path) -> Credentials | None:
    """Those that work; None if this host has not enrolled. Raises OSError, DamagedError."""
    folder = state_dir / FOLDER
    try:
        fields = record.read(str(folder / CERTIFICATE))
    except FileNotFoundError:
        return None
    return _read(folder, fields)


def _write(state_dir: Path, name: str, fields: dict[str, str]) -> Credentials:
    folder = folder_in(state_dir)
    credentials = _read(folder, fields)
    record.write(str(folder), name, record.encode(fields))
    return credentials


def format_time(seconds: int) -> str:
    """An instant, given in seconds since the epoch."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _read(folder: Path, fields: dict[str, str]) -> Credentials:
    try:
        return Credentials(
            manager_id=fields["manager_id"],
            host_id=fields["host_id"],
            server_name=fields["server_name"],
            key_hash=bytes.fromhex(fields["key_hash"]),
            ends=int(fields["ends"]),
            key=(folder / KEY).read_bytes(),
            chain=fields["chain"].lstrip().encode(),
            authorities=fields["authorities"].lstrip().encode(),
            token_hash=bytes.fromhex(fields.get("token_hash", "")),
            begins=int(fields.get("begins", "0")),
        )
    except (KeyError, ValueError, FileNotFoundError) as error:
        raise DamagedError(
            f"The credentials in {folder} are damaged ({error}). Restore them, or take another "
            "--state-dir and enrol again with a new --join-token."
        ) from error

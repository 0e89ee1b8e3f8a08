"""What makes this host itself to its manager: its key, its certificate, whom it trusts.

All but the key lies in one record, which is replaced as a whole. The key is made once and stays.
Nothing here looks into a certificate: that takes cryptography, which only child processes load.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from tui_manager_agent.supervisor import record

FOLDER = "credentials"
KEY = "key.pem"
CERTIFICATE = "certificate"


class DamagedError(Exception):
    """What lies there cannot be used; the text is for the host's owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The identity that a manager gave to this host.

    Attributes:
        server_name: for which the manager's certificate is made out; empty: for the address dialed.
        key_hash: SHA-256 of this host's public key.
        ends: end of this host's certificate, in seconds since the epoch.
        chain: this host's certificate and what leads to its authority, PEM.
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

    @property
    def ended(self) -> bool:
        """By this host's clock, which may be wrong: the manager's decides."""
        return time.time() >= self.ends

    @property
    def end(self) -> str:
        """The certificate's end, for people."""
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.ends))


def exist(state_dir: Path) -> bool:
    """Whether this host has enrolled; touches nothing."""
    return os.path.exists(state_dir / FOLDER / CERTIFICATE)


def folder_in(state_dir: Path) -> Path:
    """Where credentials lie, for this user alone; made if needed. Raises OSError."""
    folder = state_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return folder


def make_room(state_dir: Path) -> None:
    """Sets space aside for what `save` will keep. Raises OSError when it could not."""
    record.reserve(str(folder_in(state_dir)), CERTIFICATE)


def save(state_dir: Path, fields: dict[str, str]) -> Credentials:
    """Keeps for good what a child has made of the manager's answer.

    Raises OSError, and DamagedError when something is missing, in which case nothing is kept.
    """
    folder = folder_in(state_dir)
    credentials = _read(folder, fields)
    record.write(str(folder), CERTIFICATE, record.encode(fields))
    return credentials


def load(state_dir: Path) -> Credentials | None:
    """None when this host has not enrolled. Raises OSError, DamagedError."""
    folder = state_dir / FOLDER
    try:
        fields = record.read(str(folder / CERTIFICATE))
    except FileNotFoundError:
        return None
    return _read(folder, fields)


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
        )
    except (KeyError, ValueError, FileNotFoundError) as error:
        raise DamagedError(
            f"The credentials in {folder} are damaged ({error}). Restore them, or take another "
            "--state-dir and enrol again with a new --join-token."
        ) from error

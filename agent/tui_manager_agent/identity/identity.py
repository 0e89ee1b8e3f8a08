"""Who this agent is: its state folder, which one agent at a time owns, and the ids kept there."""

import fcntl
import os
import re
import time
import uuid
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.trusted_path import UntrustedPathError, trusted_path

from tui_manager_agent.identity.credentials import Credentials
from tui_manager_agent.supervisor import record

FILE = "identity"
_BEGINS_WITHIN = 5.0  # seconds; for an agent that has locked its folder and not yet written its ids
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # may name a folder


class StateError(Exception):
    """The state folder cannot be used; the text is for the host's owner."""


class LockedError(StateError):
    """Another agent is running on the state folder."""


@dataclass(frozen=True, slots=True)
class KeptIds:
    """The ids in a state folder; `manager_id` and `host_id` are empty before an enrolment."""

    journal_id: str
    manager_id: str
    host_id: str


class Identity:
    """The ids of this agent, durable in its state folder.

    Attributes:
        state_dir: private to this agent as long as it runs.
        journal_id: made with the folder; a lost folder is a lost journal.
        manager_id: the first manager that it was connected to; empty before.
        host_id: the id that this manager gave to this host; empty before.
        instance_id: new with each start.
        boot_id: new with each start of the host.
    """

    def __init__(self, state_dir: Path) -> None:
        """Makes the folder if needed and locks it. Raises StateError."""
        self.state_dir = state_dir = _trusted(state_dir)
        self.instance_id = str(uuid.uuid4())
        self.boot_id = _boot_id()
        self.journal_id = self.manager_id = self.host_id = ""
        try:
            _make_private(state_dir)
            _trusted(state_dir)  # also the folders that were just made
            self._lock = _lock(state_dir / "lock")
            self._load()
        except OSError as error:
            problem = f"The state folder {state_dir} cannot be used: {error.strerror}."
            raise StateError(problem) from error

    def close(self) -> None:
        """Unlocks the state folder."""
        os.close(self._lock)

    def bind(self, manager_id: str, host_id: str) -> None:
        """Remembers the manager that this agent belongs to. Raises ValueError for unsafe ids."""
        if not _SAFE.fullmatch(manager_id):
            raise ValueError(f"{manager_id!r} is no id of a manager")
        if (manager_id, host_id) != (self.manager_id, self.host_id):
            self.manager_id, self.host_id = manager_id, host_id
            self._save()

    def bind_to_issuer(self, credentials: Credentials) -> None:
        """As `bind`, to the manager of these credentials. Raises StateError if there is another."""
        if self.manager_id not in ("", credentials.manager_id):
            raise StateError(
                f"The state folder {self.state_dir} holds credentials of the manager "
                f"{credentials.manager_id}, and what it keeps belongs to {self.manager_id}. "
                "Take another --state-dir and enrol with a new --join-token."
            )
        try:
            self.bind(credentials.manager_id, credentials.host_id)
        except ValueError as error:
            raise StateError(
                f"The credentials in {self.state_dir} are damaged: {error}."
            ) from error

    def manager_dir(self) -> Path:
        """The folder of all that belongs to the manager. There must be one. Raises OSError."""
        folder = self.state_dir / "managers" / self.manager_id
        for part in (folder.parent, folder):
            part.mkdir(mode=0o700, exist_ok=True)
            part.chmod(0o700)
        return folder

    def _load(self) -> None:
        try:
            fields = record.read(str(self.state_dir / FILE))
        except FileNotFoundError:
            fields = {}
        self.journal_id = fields.get("journal_id") or str(uuid.uuid4())
        self.manager_id = fields.get("manager_id", "")
        self.host_id = fields.get("host_id", "")
        if not fields:
            self._save()

    def _save(self) -> None:
        names = ("journal_id", "manager_id", "host_id")
        fields = {name: getattr(self, name) for name in names}
        record.write(str(self.state_dir), FILE, record.encode(fields))


def read_or_make_ids(state_dir: Path) -> KeptIds:
    """The ids in a state folder, which is made if needed. An agent may run on it meanwhile.

    Raises StateError.
    """
    until = time.monotonic() + _BEGINS_WITHIN
    while True:
        try:
            identity = Identity(state_dir)
        except LockedError:
            if (kept := _ids_in(state_dir)) is not None:
                return kept
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            identity.close()
            return KeptIds(identity.journal_id, identity.manager_id, identity.host_id)


def _ids_in(state_dir: Path) -> KeptIds | None:
    try:
        fields = record.read(str(state_dir / FILE))
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = f"The state folder {state_dir} cannot be used: {error.strerror}."
        raise StateError(problem) from error
    return KeptIds(*(fields.get(name, "") for name in ("journal_id", "manager_id", "host_id")))


def host_id_in(state_dir: Path) -> str:
    """The id of the host of a state folder; empty before a manager has given one."""
    try:
        return record.read(str(state_dir / FILE)).get("host_id", "")
    except OSError:
        return ""


def _trusted(state_dir: Path) -> Path:
    """The folder's path without links. Who can change it can make the agent run anything."""
    try:
        return trusted_path(state_dir)
    except UntrustedPathError as error:
        raise StateError(
            f"The state folder {state_dir} cannot be trusted: {error}. Or take another --state-dir."
        ) from None
    except OSError as error:
        problem = f"The state folder {state_dir} cannot be used: {error.strerror or error}."
        raise StateError(problem) from error


def _make_private(state_dir: Path) -> None:
    """Makes the folder and missing ones above it, and lets nobody else in."""
    missing = [folder for folder in (state_dir, *state_dir.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)  # whatever the umask
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(state_dir, flags)
    try:
        owner = os.fstat(descriptor).st_uid
        if owner != os.geteuid():
            raise StateError(
                f"The state folder {state_dir} belongs to another user (number {owner}), who could "
                "replace what the agent runs. Run the agent as that user, give the folder to this "
                f"one (chown {os.geteuid()} {state_dir}), or take another --state-dir."
            )
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LockedError(
            f"Another agent is running on the state folder {path.parent}. "
            "Stop it, or give this one its own folder with --state-dir."
        ) from None
    return descriptor


def machine_id() -> str:
    """The system's permanent id of this machine; empty if it has none."""
    return _first_line("/etc/machine-id") or _first_line("/var/lib/dbus/machine-id")


def _boot_id() -> str:
    if boot_id := _first_line("/proc/sys/kernel/random/boot_id"):
        return boot_id
    import psutil  # only macOS needs it here

    return f"{psutil.boot_time():.0f}"  # seconds since the epoch, steady within a boot


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""

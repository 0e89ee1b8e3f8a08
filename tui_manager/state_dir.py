"""The manager's state folder: makes it private, locks it for one manager, and refuses the wrong
database. The names of its files are in `state_files.py`."""

import fcntl
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tui_manager_protos.rules.files.trusted_path import UntrustedPathError, trusted_path

from tui_manager.domain.errors import AlreadyRunningError, StorageError
from tui_manager.security.private_files import OTHER_USERS, make_folder, write_private
from tui_manager.state_files import DATABASE, ELSEWHERE, LOCK
from tui_manager.storage.engine.database_url import hide_password

_GATEWAY = "gateway"  # the file that names this manager among those of a PostgreSQL database


@contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Makes the folder if it is missing, makes it private (mode 0700), and locks it.

    Raises:
        AlreadyRunningError: another manager has locked it.
        StorageError: it cannot be made or written, belongs to another user, or everybody can write
            there.
    """
    try:
        state_dir = _trusted(state_dir)
        make_folder(state_dir)
        _trusted(state_dir)  # again, because parts of it may have been made
        _make_private(state_dir)
        descriptor = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(
            f"The state folder {state_dir} cannot be written: {error.strerror}. "
            "Name another with --state-dir."
        ) from error
    try:
        _lock(descriptor, state_dir)
        os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _trusted(state_dir: Path) -> Path:
    """The folder's path without links. A user who can change it could take the manager's place."""
    try:
        return trusted_path(state_dir)
    except UntrustedPathError as error:
        raise StorageError(
            f"The state folder {state_dir} cannot be trusted: {error}. "
            "Or name another with --state-dir."
        ) from None


def _make_private(state_dir: Path) -> None:
    """Removes the rights of group and others. Two kinds of folders are refused: one that everybody
    may write, such as /tmp, because others use it too; and one of another user, who could replace
    what is in it, even if the manager runs as root."""
    found = state_dir.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        raise StorageError(
            f"The state folder {state_dir} belongs to another user (number {found.st_uid}), who "
            "could replace the manager's keys. Run the manager as that user, give the folder to "
            f"this one (chown {os.geteuid()} {state_dir}), or name another with --state-dir."
        )
    if mode & stat.S_IWOTH:
        raise StorageError(
            f"Everybody can write in the state folder {state_dir} (mode {mode:04o}). If only the "
            f"manager uses it: chmod 700 {state_dir}. If not, name another with --state-dir."
        )
    if mode & OTHER_USERS:
        state_dir.chmod(0o700)


def _lock(descriptor: int, state_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        raise AlreadyRunningError(
            f"A manager already runs on {state_dir} (process {owner})."
        ) from None


def refuse_wrong_database(state_dir: Path, url: str) -> None:
    """Refuses to start on the wrong database. It would not know the hosts whose keys are in the
    folder, and would send their agents away.

    Args:
        url: of PostgreSQL; empty: the file in the folder.

    Raises:
        StorageError: the manager of this folder has its database elsewhere; or in the folder, and
            it was not migrated.
    """
    noted = state_dir / ELSEWHERE
    if not url and noted.exists():
        raise StorageError(
            f"The manager of {state_dir} keeps its data in PostgreSQL, and the setting database is "
            f"empty. Set it (TUI_MANAGER_DATABASE) to what {noted} says. To begin again with the "
            "file in the state folder, remove that file first."
        )
    if url and not noted.exists() and (state_dir / DATABASE).exists():
        raise StorageError(
            f"The manager of {state_dir} keeps its data in {DATABASE}, and the setting database "
            "names PostgreSQL. `tui-manager database migrate --from FILE` migrates them. To "
            f"leave them behind, move {DATABASE} to another folder first."
        )


def check_manager(state_dir: Path, manager_id: str) -> None:
    """Refuses to go on with the database of another manager, for the same reason.

    Args:
        manager_id: in the database; empty: it is a new one.

    Raises:
        StorageError: the manager of this folder has another database.
    """
    noted = state_dir / ELSEWHERE
    if not noted.exists():
        return
    url, *ids = noted.read_text(encoding="utf-8").split()
    if ids and ids[0] != manager_id:
        what = "another manager's" if manager_id else "empty"
        raise StorageError(
            f"The database of the settings is {what}, and the manager of {state_dir} keeps its "
            f"data in {url}. Correct the setting database. To begin anew, remove {noted} first."
        )


def note_database(state_dir: Path, url: str, manager_id: str) -> None:
    """Writes down that the manager of this folder has its database at a URL.

    Raises:
        StorageError: it cannot be written.
    """
    path, text = state_dir / ELSEWHERE, f"{hide_password(url)}\n{manager_id}\n".encode()
    if not path.exists() or path.read_bytes() != text:
        write_private(path, text)


def gateway_key(state_dir: Path) -> str:
    """What names this manager among those of a PostgreSQL database; made at the first call.

    Raises:
        StorageError: the file cannot be read or written, or holds something else.
    """
    path = state_dir / _GATEWAY
    try:
        if not path.exists():
            write_private(path, f"{uuid.uuid4()}\n".encode())
        return str(uuid.UUID(path.read_text(encoding="utf-8").strip()))
    except (ValueError, OSError) as error:
        raise StorageError(
            f"{path} cannot be read: {error}. Delete it, and this manager gets a new number."
        ) from error

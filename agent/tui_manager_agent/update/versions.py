"""The folder of a bundle's versions on this host: what is prepared in it for an update, and what
the acceptance of an update changes.

    ROOT/versions/VERSION-BUILD/   an unpacked bundle
    ROOT/current                   a link to the version in use
    ROOT/previous                  a link to the one before
    ROOT/update-keys               public keys, a line each; one of them must have signed an update
    ROOT/.update-lock              locked from the unpacking until the trial is over

All that an acceptance needs is prepared under other names. So an acceptance is a few renames, which
also work on a full disk.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tui_manager_protos.rules.files.trusted_path import UntrustedPathError, trusted_path

from tui_manager_agent.files.transfer_work import StopSignal, TransferError
from tui_manager_agent.installation import (
    CURRENT,
    PACKAGES,
    PREVIOUS,
    UPDATE_KEYS,
    VERSIONS,
    Installation,
)
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.policy.trusted_file import UntrustedFileError, read_trusted
from tui_manager_agent.supervisor import record

FEATURE = "update"  # that Hello lists
_LOCK = ".update-lock"
_LOCK_WITHIN = 60.0  # seconds
_LOOK_EVERY = 0.1  # seconds
_KEYS_IN_BUNDLE = f"share/{UPDATE_KEYS}"  # see `bundle_program.py`
_ENTRY = re.compile(r"[0-9][0-9A-Za-z.+]*-[0-9a-f]{12}|\.[^/]*\.[0-9a-f-]{36}(\.old)?")


def why_no_update(installation: Installation) -> str:
    """Why this agent cannot update itself; empty: it can."""
    if installation.installed_by in PACKAGES:
        kind = installation.installed_by
        return f"this agent comes from a {kind} package: update it with the package manager"
    root = installation.root
    if root is None:
        return (
            "this agent does not run from a bundle (tui-manager agent bundle): update it in the "
            "way in which it was installed"
        )
    if not all(map(_may_write, (root, root / VERSIONS))):
        return f"this agent may not write {root}: update it as the user to whom that belongs"
    try:
        trusted_path(root / VERSIONS / installation.name)
    except (UntrustedPathError, OSError) as error:
        return f"the folder of this agent cannot be trusted: {error}"
    return ""


def _may_write(folder: Path) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)


class Versions:
    """The folder ROOT, for the update with one execution id."""

    def __init__(self, root: Path, execution_id: str) -> None:
        self.root = root
        self._id = execution_id

    def folder(self, name: str) -> Path:
        """The folder of a version."""
        return self.root / VERSIONS / name

    def unpacking(self, name: str) -> Path:
        """Where a version is unpacked, before it gets its name."""
        return self.folder(f".{name}.{self._id}")

    def current(self) -> str:
        """The name of the version in use; empty if the link leads elsewhere."""
        try:
            folder, _, name = os.readlink(self.root / CURRENT).rpartition("/")
        except OSError:
            return ""
        return name if folder.rpartition("/")[2] == VERSIONS else ""

    def update_keys(self) -> tuple[str, ...]:
        """The keys that may sign an update if the host has no policy. Raises RefusedError."""
        path = self.root / UPDATE_KEYS
        try:
            text, _ = read_trusted(path)
        except (OSError, UntrustedFileError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise RefusedError("rejected", f"{path} cannot be used: {reason}") from error
        return tuple(line.strip() for line in text.splitlines() if line.strip())

    # ---------------------------------------------------------------------------- the preparation

    def lock(self, stop: StopSignal) -> int:
        """Makes this the only update from here; a descriptor that holds the lock.

        Raises TransferError if another one does not end in time, StoppedError, OSError.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.root / _LOCK, flags, 0o600)
        give_up_at = time.monotonic() + _LOCK_WITHIN
        try:
            while not _try_lock(descriptor):
                stop.check()
                if time.monotonic() >= give_up_at:
                    raise TransferError(
                        f"Another update from {self.root} is not over. Try again when it is."
                    )
                time.sleep(_LOOK_EVERY)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    @contextmanager
    def locked(self, stop: StopSignal) -> Iterator[None]:
        """Holds the lock. Raises as `lock`."""
        descriptor = self.lock(stop)
        try:
            yield
        finally:
            os.close(descriptor)

    def place(self, name: str) -> None:
        """Gives a version that was unpacked its name. One that is there is replaced. Raises
        OSError."""
        old = self._replaced(name)
        with suppress(FileNotFoundError):
            os.rename(self.folder(name), old)
        os.rename(self.unpacking(name), self.folder(name))
        record.sync_folder(str(self.root / VERSIONS))
        _remove(old)

    def prepare(self, old: str, new: str) -> None:
        """Makes all that `accept` will move to its place. Raises OSError."""
        self._remove_prepared()
        for link, name in ((CURRENT, new), (PREVIOUS, old)):
            os.symlink(f"{VERSIONS}/{name}", self._prepared(link))
        keys = (self.folder(new) / _KEYS_IN_BUNDLE).read_bytes()
        descriptor = os.open(
            self._prepared(UPDATE_KEYS), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644
        )
        try:
            record.write_all(descriptor, keys)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        record.sync_folder(str(self.root))

    def discard_own(self, name: str) -> None:
        """Removes what the update with this id has left, but no version that has its name. Raises
        OSError."""
        self._remove_prepared()
        for left in (self.unpacking(name), self._replaced(name)):
            _remove(left)

    def discard(self, name: str) -> None:
        """Removes the version that a failed update has brought, unless it was there before or is in
        use. To be called with the lock. Raises OSError."""
        if name not in (self.current(), self._link(PREVIOUS)) and not is_in_use(self.folder(name)):
            _remove(self.folder(name))

    # ----------------------------------------------------------------------------- the acceptance

    def accept(self) -> None:
        """Makes the new version the one in use, durably. Raises OSError."""
        os.rename(self._prepared(CURRENT), self.root / CURRENT)
        record.sync_folder(str(self.root))

    def finish(self) -> None:
        """Moves the rest to its place after `accept`. May be done again. Raises OSError."""
        for name in (PREVIOUS, UPDATE_KEYS):
            with suppress(FileNotFoundError):
                os.rename(self._prepared(name), self.root / name)
        record.sync_folder(str(self.root))

    def remove_older(self, running: str) -> None:
        """Removes all versions but the one in use, the one before, the one that runs, and those of
        which a process still runs. What cannot be removed stays."""
        keep = {self.current(), self._link(PREVIOUS), running}
        for name in os.listdir(self.root / VERSIONS):
            if name not in keep and _ENTRY.fullmatch(name) and not is_in_use(self.folder(name)):
                shutil.rmtree(self.folder(name), ignore_errors=True)

    def _replaced(self, name: str) -> Path:
        """Where a version goes that another one of its name replaces."""
        return self.folder(f".{name}.{self._id}.old")

    def _prepared(self, name: str) -> Path:
        return self.root / f".{name}.{self._id}"

    def _remove_prepared(self) -> None:
        for name in (CURRENT, PREVIOUS, UPDATE_KEYS):
            self._prepared(name).unlink(missing_ok=True)

    def _link(self, name: str) -> str:
        with suppress(OSError):
            return os.readlink(self.root / name).rpartition("/")[2]
        return ""


def is_in_use(folder: Path) -> bool:
    """Whether a process that this user can see runs a program from there."""
    return any(program.startswith(f"{folder}/") for program in _programs())


def _programs() -> Iterator[str]:
    with suppress(FileNotFoundError):
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with suppress(OSError):
                    yield os.readlink(f"/proc/{entry}/exe")


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)

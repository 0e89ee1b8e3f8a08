"""Whose an execution is: the order's file becomes the claim, and then the result.

It is one file all the way, because each that is made and removed costs the host more than what it
holds, and locked as long as its owner lives.
"""

from __future__ import annotations

import fcntl
import os

from tui_manager_agent.supervisor import record

OWNER = ("pid", "folder", "uid", "cgroup")  # the entries that say whose it is, and where
STATUS = "status"  # the entry that makes a record a result
_OWNED = b"pid="  # the head of a file that has an owner


class Claim:
    """An execution that is this process's own, until it ends.

    Attributes:
        folder: a descriptor of its folder, which reaches it also after it was moved with all
            around it.
        order: what is to be run. It is in memory only from here on, because it holds secrets.
    """

    def __init__(self, descriptor: int, folder: int, order: dict[str, str], said: bytes) -> None:
        self._descriptor = descriptor
        self.folder = folder
        self._said = said
        self.order = order

    def note(self, **fields: object) -> None:
        """Adds to what the file says. Raises OSError."""
        data = record.encode(fields)
        record.write_at(self._descriptor, data, len(self._said))
        self._said += data

    def end(self, **fields: object) -> None:
        """Makes it the result, for good. May be tried again when it raises OSError."""
        data = record.seal(self._said + record.encode(fields))
        record.write_at(self._descriptor, data, 0)
        os.fsync(self._descriptor)
        at = self.folder
        try:
            os.rename(record.CLAIM, record.RESULT, src_dir_fd=at, dst_dir_fd=at)
        except FileNotFoundError:
            if not record.exists(at, record.RESULT):  # else somebody has named it: see `settle`
                raise


def take(folder: str, cgroup: str = "") -> Claim | None:
    """Claims an execution for this process; None if it is claimed already, barred, or gone.

    One rename decides it. The file is locked, and says whose it is, before it gets its new name, so
    that nobody ever sees it otherwise. `cgroup` is where the command's processes will be: whoever
    finds the claim of a dead supervisor looks for them there, and among those of its user.
    """
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    claimed = _take(opened, folder, cgroup)
    if claimed is None:
        os.close(opened)
    return claimed


def _take(opened: int, folder: str, cgroup: str) -> Claim | None:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(record.STARTING, flags, dir_fd=opened)
    except FileNotFoundError:
        return None
    if os.fstat(descriptor).st_uid != os.geteuid():  # not what the agent has journalled
        os.close(descriptor)
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        data = record.read_all(descriptor)
        order = record.decode_whole(data)
        if not order:  # somebody was about to claim it, and died
            os.close(descriptor)
            return None
        owner: dict[str, object] = {"pid": os.getpid(), "folder": folder}
        owner["uid"] = order.get("uid", os.geteuid())
        if cgroup:
            owner["cgroup"] = cgroup
        said = record.encode(owner)
        record.write_at(descriptor, record.pad(said, len(data)), 0)
        os.rename(record.STARTING, record.CLAIM, src_dir_fd=opened, dst_dir_fd=opened)
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        return None
    return Claim(descriptor, opened, order, said)


def is_held(folder: str) -> bool:
    """Whether the process that claimed an execution lives. Raises FileNotFoundError if none did,
    or if it has written the result."""
    descriptor = os.open(f"{folder}/{record.CLAIM}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def bar(folder: str) -> bool:
    """Claims an execution for nobody, so that no supervisor starts it. False if one claimed it."""
    claim = f"{folder}/{record.CLAIM}"
    try:
        os.rename(f"{folder}/{record.STARTING}", claim)
    except FileNotFoundError:
        return not os.path.exists(claim)
    strip(folder)
    return True


def strip(folder: str) -> None:
    """Leaves of a claim what its owner wrote, which is at the head; nothing if it has none.

    The order with its secrets is there else, in whole if whoever barred it died just then, and in
    part if a crash of the host came before all of it was written over. Raises OSError.
    """
    claim = f"{folder}/{record.CLAIM}"
    try:
        with open(claim, "rb", buffering=0) as file:
            said, _, _ = file.read().partition(b"\0\0")
    except FileNotFoundError:
        return
    os.truncate(claim, len(said) + 1 if said.startswith(_OWNED) else 0)


def settle(folder: str) -> None:
    """Finds the result of a supervisor that died, or whose host did, before it had its name."""
    for name in (record.STARTING, record.CLAIM):
        try:
            if STATUS in record.read_whole(f"{folder}/{name}"):
                os.rename(f"{folder}/{name}", f"{folder}/{record.RESULT}")
        except FileNotFoundError:
            pass

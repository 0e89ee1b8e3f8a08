"""Which supervisor has an execution: the order's file becomes the claim, and then the result.

It is the same file all the time, because making and removing a file costs more than writing to it.
Its owner keeps it locked as long as it lives.
"""

from __future__ import annotations

import fcntl
import os

from tui_manager_agent.supervisor import record

STATUS = "status"  # the entry that makes a record a result
_OWNED = b"pid="  # a file with an owner begins so


class Claim:
    """An execution that this process has claimed, until it ends.

    Attributes:
        folder: a descriptor of its folder, which reaches it also after the folder was moved.
        order: what to run. From here on it is in memory only, because it holds secrets.
    """

    def __init__(self, descriptor: int, folder: int, order: dict[str, str], written: bytes) -> None:
        self._descriptor = descriptor
        self.folder = folder
        self._written = written
        self.order = order

    def note(self, **fields: object) -> None:
        """Adds entries to the file. Raises OSError."""
        data = record.encode(fields)
        record.write_at(self._descriptor, data, len(self._written))
        self._written += data

    def end(self, **fields: object) -> None:
        """Makes the file the result, durably. May be tried again if it raises OSError."""
        data = record.seal(self._written + record.encode(fields))
        record.write_at(self._descriptor, data, 0)
        os.fsync(self._descriptor)
        at = self.folder
        try:
            os.rename(record.CLAIM, record.RESULT, src_dir_fd=at, dst_dir_fd=at)
        except FileNotFoundError:
            if not record.exists(at, record.RESULT):  # else it has its name: see `recover_result`
                raise


def take(folder: str, cgroup: str = "") -> Claim | None:
    """Claims an execution for this process. None if it is claimed already, or may not start.

    One rename decides. The file is locked, and names its owner, before it gets its new name, so
    nobody sees a claim without an owner. `cgroup` is where the command's processes will be. An
    agent that finds the claim of a dead supervisor looks for them there, and among those of its
    user.
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
    if os.fstat(descriptor).st_uid != os.geteuid():  # the agent has not journalled this
        os.close(descriptor)
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        data = record.read_all(descriptor)
        order = record.decode_sealed(data)
        if not order:  # a supervisor died while it claimed it
            os.close(descriptor)
            return None
        owner: dict[str, object] = {"pid": os.getpid(), "folder": folder}
        owner["uid"] = order.get("uid", os.geteuid())
        if cgroup:
            owner["cgroup"] = cgroup
        written = record.encode(owner)
        record.write_at(descriptor, record.pad(written, len(data)), 0)
        os.rename(record.STARTING, record.CLAIM, src_dir_fd=opened, dst_dir_fd=opened)
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        return None
    return Claim(descriptor, opened, order, written)


def is_locked(folder: str) -> bool:
    """Whether the process that claimed an execution lives.

    Raises FileNotFoundError if none claimed it, or if it has written the result.
    """
    descriptor = os.open(f"{folder}/{record.CLAIM}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def prevent_start(folder: str) -> bool:
    """Makes a claim without an owner, so that no supervisor starts it. False if one claimed it."""
    claim = f"{folder}/{record.CLAIM}"
    try:
        os.rename(f"{folder}/{record.STARTING}", claim)
    except FileNotFoundError:
        return not os.path.exists(claim)
    remove_order(folder)
    return True


def remove_order(folder: str) -> None:
    """Removes the order, which holds secrets, from a claim. What its owner wrote at the head stays.

    All of the order is there if an agent died in `prevent_start`. A part of it is there if the host
    crashed before the owner had written over it. Raises OSError.
    """
    claim = f"{folder}/{record.CLAIM}"
    try:
        with open(claim, "rb", buffering=0) as file:
            written, _, _ = file.read().partition(b"\0\0")
    except FileNotFoundError:
        return
    os.truncate(claim, len(written) + 1 if written.startswith(_OWNED) else 0)


def recover_result(folder: str) -> None:
    """Gives a result its name, if the supervisor or the host died before that."""
    for name in (record.STARTING, record.CLAIM):
        try:
            if STATUS in record.read_sealed(f"{folder}/{name}"):
                os.rename(f"{folder}/{name}", f"{folder}/{record.RESULT}")
        except FileNotFoundError:
            pass

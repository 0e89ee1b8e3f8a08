"""Finds the processes of a command: descendants, and those with its mark in their environment.

It is used if there is no cgroup, and beside a cgroup for processes that have left it. A search
takes time, and processes start and exit meanwhile. So it may miss some.
"""

from __future__ import annotations

import os

from tui_manager_agent.supervisor.record import MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import TracebackType
    from typing import Self
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms

ON_LINUX = os.path.exists("/proc/self/stat")
# The kernel's own bound of arguments and environment together. A process can make its environment
# look like gigabytes (PR_SET_MM_MAP), which need not be read.
ENVIRONMENT_LIMIT = 6 << 20  # bytes
_BLOCK = 64 << 10  # bytes
_BEGINNING = 4096  # bytes of a file of a process: all of `stat`, and the users in `status`
_KTHREADD = 2  # the parent of all threads of the kernel, which have no environment
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_KEYCTL = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine, 0)  # a number of syscall(2)
_JOIN_SESSION_KEYRING = 1
_PRCTL = _SYSCALL = 0  # the functions' addresses
if ON_LINUX:
    try:
        import _ctypes  # the C module below ctypes: the package takes 2 ms and 0.5 MB

        _LIBC = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]
        _PRCTL = _ctypes.dlsym(_LIBC, "prctl")
        _SYSCALL = _ctypes.dlsym(_LIBC, "syscall")
    except (ImportError, AttributeError, OSError):
        pass

Found = dict[int, tuple[str, int]]  # pid → name, start time


class Process:
    """One process of this host, held by a pidfd, so that its pid cannot come to mean another.

    Use it as a context.

    Without pidfds (an old system, a filter of system calls, too many open files) the pid may mean
    another process, so check it once more before you send.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._pidfd = -1

    def __enter__(self) -> Self:
        if hasattr(os, "pidfd_open"):
            try:
                self._pidfd = os.pidfd_open(self._pid)
            except ProcessLookupError:
                self._pid = 0  # it has ended
            except OSError:
                pass
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)

    def send(self, number: int) -> None:
        """Sends it a signal, unless it has ended. Raises PermissionError."""
        try:
            if self._pidfd >= 0:
                signal.pidfd_send_signal(self._pidfd, number)
            elif self._pid:
                os.kill(self._pid, number)
        except ProcessLookupError:
            pass


def adopt_orphans() -> bool:
    """Makes this process the parent of descendants whose parent exits. False if it cannot."""
    return bool(_PRCTL) and _ctypes.call_function(_PRCTL, (_SUBREAPER, 1, 0, 0, 0)) == 0


def leave_keyring() -> None:
    """Gives this process an empty session keyring, if the system has keyrings and allows it."""
    if _SYSCALL and _KEYCTL:
        _ctypes.call_function(_SYSCALL, (_KEYCTL, _JOIN_SESSION_KEYRING, 0))


def find(execution_id: str, root: int, group: int = 0, user: int = -1) -> Found:
    """The living processes of a command, with names and start times, parents before their
    children: a shell whose child is killed first goes on with the next line of its script.

    Args:
        execution_id: the mark in their environment.
        root: the supervisor's pid; its descendants are found, itself is not; 0: none.
        group: the shell's process group, which is used if there is no /proc; 0: none.
        user: the uid of the command's user, whose environments are read; -1: this process's.
    """
    table = _from_proc() if ON_LINUX else _from_ps(execution_id, group)
    found = _descendants(table, root) if root else {}
    needle = f"\0{MARK}={execution_id}\0".encode()
    user = os.geteuid() if user < 0 else user
    for pid, (parent, name, _, marked) in table.items():
        if not name or pid in found or parent == _KTHREADD:
            continue
        if marked or (ON_LINUX and _is_of(pid, user) and _has_mark(pid, needle)):
            found[pid] = None
    others = {0, 1, root, os.getpid()}
    return {
        pid: (table[pid][1], table[pid][2]) for pid in found if table[pid][1] and pid not in others
    }


def inspect(pid: int) -> tuple[str, int]:
    """Name and start time of a process; an empty name if it has ended."""
    _, name, started = _stat(pid)
    return name, started


def send(pid: int, started: int, number: int) -> bool:
    """Sends a signal to the process that `find` saw, and to no other that has its pid since.

    Returns False if this process may not do that.
    """
    with Process(pid) as process:
        if ON_LINUX and _stat(pid)[2] != started:
            return True
        try:
            process.send(number)
        except PermissionError:
            return False
    return True


def kill_children() -> None:
    """Kills this process's children, the newest first, as soon as each is seen.

    Nobody else can have the pid of a child that was not reaped yet. A process that forks and exits
    faster than `find` works is found here: its parent's exit has made it a child.
    """
    own = os.getpid()
    for pid in sorted((int(entry) for entry in _listed()), reverse=True):
        if _stat(pid)[0] == own:
            try:  # noqa: SIM105 - contextlib is not cheap
                os.kill(pid, signal.SIGKILL)
            except PermissionError:
                pass


_Table = dict[int, tuple[int, str, int, bool]]  # pid → parent, name, start time, marked


def _listed() -> list[str]:
    return [entry for entry in os.listdir("/proc") if entry.isdigit()] if ON_LINUX else []


def _stat(pid: int) -> tuple[int, str, int]:
    """Parent, name (empty: a zombie), start time; zeros if it is gone."""
    try:
        stat = _read_proc(pid, "stat")
    except OSError:
        return 0, "", 0
    head, _, tail = stat.rpartition(b")")  # a name may hold brackets
    fields = tail.split(None, 20)
    if len(fields) < 20:
        return 0, "", 0
    name = "" if fields[0] in b"ZX" else head.partition(b"(")[2].decode("utf-8", "replace")
    return int(fields[1]), name, int(fields[19])


def _read_proc(pid: int, name: str) -> bytes:
    """The beginning of a file of a process. Raises OSError: the process is gone."""
    file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    try:
        return os.read(file, _BEGINNING)
    finally:
        os.close(file)


def _from_proc() -> _Table:
    return {int(entry): (*_stat(int(entry)), False) for entry in _listed()}


def _from_ps(execution_id: str, group: int) -> _Table:
    """For systems without /proc: BSD's `e` adds the environment to the command."""
    import subprocess

    listing = subprocess.run(
        ["/bin/ps", "axeww", "-o", "pid=,ppid=,pgid=,state=,command="],
        capture_output=True,
        check=False,
    ).stdout.decode("utf-8", "replace")
    table: _Table = {}
    for line in listing.splitlines():
        pid, parent, of, state, command = (*line.split(None, 4), *[""] * 5)[:5]
        if pid.isdigit() and parent.isdigit():
            name = "" if state.startswith("Z") else command.split(" ", 1)[0]
            marked = f"{MARK}={execution_id}" in command or (group > 1 and of == str(group))
            table[int(pid)] = (int(parent), name, 0, marked)
    return table


def _descendants(table: _Table, root: int) -> dict[int, None]:
    children: dict[int, list[int]] = {}
    for pid, (parent, *_) in table.items():
        children.setdefault(parent, []).append(pid)
    found: dict[int, None] = {}
    wave = [root]
    while wave:
        wave = [child for pid in wave for child in children.get(pid, ()) if child not in found]
        found.update(dict.fromkeys(wave))
    return found


def _is_of(pid: int, user: int) -> bool:
    """Whether a process is a user's: its real, effective or saved uid.

    For most processes the owner of the folder says it. If a process has hidden its memory, the
    owner is root.
    """
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
        if owner not in (0, user):
            return False
        status = _read_proc(pid, "status")
    except OSError:
        return False
    uids = status.partition(b"\nUid:")[2].split(None, 4)[:4]
    return b"%d" % user in uids


def _has_mark(pid: int, needle: bytes) -> bool:
    """Whether the environment of a process has an entry. `needle` is the entry between NULs."""
    seen = b"\0"
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            for _ in range(ENVIRONMENT_LIMIT // _BLOCK):
                block = file.read(_BLOCK)
                seen += block
                if needle in seen:
                    return True
                if not block:
                    break
                seen = seen[-len(needle) :]
    except OSError:
        pass
    return False

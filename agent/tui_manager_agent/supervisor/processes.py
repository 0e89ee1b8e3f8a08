"""Which processes belong to a command: descendants, and whoever carries its mark."""

from __future__ import annotations

import os

from tui_manager_agent.supervisor.record import MARK

ON_LINUX = os.path.exists("/proc/self/stat")
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_PRCTL = 0  # the function's address
if ON_LINUX:
    try:
        import _ctypes  # the C module below ctypes: the package takes 2 ms and 0.5 MB

        _PRCTL = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
    except (ImportError, AttributeError, OSError):
        pass


def adopt_orphans() -> bool:
    """Makes this process the parent of descendants whose own parent dies; False where it cannot."""
    return bool(_PRCTL) and _ctypes.call_function(_PRCTL, (_SUBREAPER, 1, 0, 0, 0)) == 0


def find(execution_id: str, root: int, group: int = 0) -> dict[int, str]:
    """The living processes of a command, pid to name.

    Args:
        execution_id: what their environment carries.
        root: the supervisor's pid, whose descendants count, and which itself does not; 0: none.
        group: the shell's process group, which counts where there is no /proc; 0: none.
    """
    table = _from_proc() if ON_LINUX else _from_ps(execution_id, group)
    found = _descendants(table, root) if root else set()
    mark = f"{MARK}={execution_id}".encode()
    for pid, (_, name, marked) in table.items():
        if name and pid not in found and (marked or (ON_LINUX and _carries(pid, mark))):
            found.add(pid)
    found -= {0, 1, root, os.getpid()}
    return {pid: table[pid][1] for pid in found if table[pid][1]}


_Table = dict[int, tuple[int, str, bool]]  # pid → parent, name (empty: a zombie), marked


def _from_proc() -> _Table:
    table: _Table = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb", buffering=0) as file:
                stat = file.read()
        except OSError:
            continue
        head, _, tail = stat.rpartition(b")")  # a name may hold brackets
        fields = tail.split(None, 2)
        name = "" if fields[0] in b"ZX" else head.partition(b"(")[2].decode("utf-8", "replace")
        table[int(entry)] = (int(fields[1]), name, False)
    return table


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
            table[int(pid)] = (int(parent), name, marked)
    return table


def _descendants(table: _Table, root: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    wave = [root]
    while wave:
        wave = [child for pid in wave for child in children.get(pid, ()) if child not in found]
        found.update(wave)
    return found


def _carries(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False

"""Processes of this machine that come from a fleet, found by its folder."""

import contextlib
import os
from collections.abc import Iterable, Sequence, Set
from pathlib import Path

import psutil

from tests.support.programs.command_lines import command_lines, environment


def of(folder: Path, but: Set[int]) -> list[psutil.Process]:
    """Whatever was started in the folder, or for a host in it, without the processes that fork
    supervisors; `but` are pids that do not count."""
    name = str(folder)
    return _processes(
        pid
        for pid, words in command_lines()
        if pid not in but
        and (any(name in word for word in words) or _is_for_host(name, pid))
        and not _is_fork_server(folder, pid, words)
    )


def supervisors(folder: Path) -> list[psutil.Process]:
    """The supervisors that work in the folder."""
    return _processes(
        pid
        for pid, words in command_lines()
        if _is_forked(folder, words) and not _holds_socket(pid)
    )


def fork_servers(folder: Path) -> list[psutil.Process]:
    """The processes that fork the supervisors."""
    return _processes(pid for pid, words in command_lines() if _is_fork_server(folder, pid, words))


def stopped(found: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that stand still. A failpoint says that it was hit just before it stops."""
    still = []
    for process in found:
        with contextlib.suppress(psutil.Error):  # it has ended
            if process.status() == psutil.STATUS_STOPPED:
                still.append(process)
    return still


def _processes(pids: Iterable[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):  # it has ended
            found.append(psutil.Process(pid))
    return found


def _is_for_host(name: str, pid: int) -> bool:
    return any(text.startswith("TMPDIR=") and name in text for text in environment(pid))


def _is_fork_server(folder: Path, pid: int, words: Sequence[str]) -> bool:
    """A supervisor has the same command line, but holds no socket."""
    return _is_forked(folder, words) and _holds_socket(pid)


def _is_forked(folder: Path, words: Sequence[str]) -> bool:
    # python -I -S launch.py DESCRIPTOR FOLDER …
    return len(words) > 5 and words[5].startswith(str(folder)) and words[3].endswith("launch.py")


def _holds_socket(pid: int) -> bool:
    """Also when it has ended."""
    with contextlib.suppress(OSError):
        held = Path(f"/proc/{pid}/fd").iterdir()
        return any(os.readlink(path).startswith("socket:") for path in held)
    return True

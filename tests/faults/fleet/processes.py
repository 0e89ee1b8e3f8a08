"""Processes of this machine that come from a fleet, found by its folder."""

import contextlib
import os
from collections.abc import Set
from pathlib import Path

import psutil


def of(folder: Path, but: Set[int]) -> list[psutil.Process]:
    """Whatever was started in the folder, or for a host in it; `but` are pids that do not count."""
    found = []
    name = str(folder)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = any(name in word for word in process.cmdline())
            if not ours and name not in process.environ().get("TMPDIR", ""):
                continue
            if process.pid not in but and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def supervisors(folder: Path) -> list[psutil.Process]:
    """The supervisors that work in the folder."""
    return [process for process in _forked(folder) if _is_supervisor(process)]


def fork_servers(folder: Path) -> list[psutil.Process]:
    """The processes that fork the supervisors."""
    return [process for process in _forked(folder) if not _is_supervisor(process)]


def _forked(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()  # python -I -S launch.py DESCRIPTOR FOLDER …
            ours = words[5:6] and words[5].startswith(str(folder))
            if ours and words[3].endswith("launch.py"):
                found.append(process)
    return found


def _is_supervisor(process: psutil.Process) -> bool:
    """Both have one command line, but a supervisor holds no socket."""
    with contextlib.suppress(psutil.Error, OSError):
        held = Path(f"/proc/{process.pid}/fd").iterdir()
        return not any(os.readlink(path).startswith("socket:") for path in held)
    return False

"""Processes of this machine that come from a fleet, found by its folder."""

import contextlib
from collections.abc import Set
from pathlib import Path

import psutil


def of(folder: Path, but: Set[int]) -> list[psutil.Process]:
    """Whatever was started in the folder, or for a host in it; `but` are pids that do not count."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = [*process.cmdline(), process.environ().get("TMPDIR", "")]
            ours = any(str(folder) in word for word in words)
            dead = process.status() == psutil.STATUS_ZOMBIE
            if ours and not dead and process.pid not in but:
                found.append(process)
    return found


def supervisors(folder: Path) -> list[psutil.Process]:
    """The supervisors that work in the folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            ours = words[-1:] and words[-1].startswith(str(folder))
            if ours and words[-2].endswith("launch.py"):
                found.append(process)
    return found

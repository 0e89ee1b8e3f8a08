"""Starts the program that watches the trial of a new version, and finds out what has started this
agent, so that the watcher starts it again in the same way."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from tui_manager_agent.installation import CURRENT, PROGRAM
from tui_manager_agent.supervisor import clock
from tui_manager_agent.supervisor.processes import processes
from tui_manager_agent.update import trial_record, trial_watcher
from tui_manager_agent.update.trial_record import TrialRecord

KILL_AFTER = 5 * clock.SECOND  # in which a version that is too late must have ended by itself
PATIENCE = 30 * clock.SECOND  # for a loop to start an agent again that has died
LOOP, LOOP_RUNS = "share/run-agent.sh", "--clean"  # in the folder of a version; its first argument
READY_WITHIN = 30.0  # seconds for the watcher to start
_UNKNOWN = "unknown.service"  # a unit that is not there


def start_watcher(trial: TrialRecord, state_dir: Path, lock: int, arguments: Sequence[str]) -> int:
    """Starts the watcher, and returns its pid when it watches. Raises OSError.

    Args:
        lock: a descriptor, which it keeps open until it ends.
    """
    pid = os.getpid()
    _, born = processes.inspect(pid)
    command = [
        *(sys.executable, "-I", "-S", "-c", trial_watcher.STARTS),
        trial_watcher.__file__.rsplit("/", 3)[0],
        *(str(state_dir / trial_record.FILE), trial.execution_id, str(pid), str(born)),
        str(trial.started + trial.within + KILL_AFTER),
        *(str(PATIENCE), str(lock), unit_of_systemd()),
        *(restart_loop_of(trial.root) or [str(trial.root / CURRENT / PROGRAM), *arguments]),
    ]
    starter = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=(lock,)
    )
    try:
        said, _ = starter.communicate(timeout=READY_WITHIN)
    except subprocess.TimeoutExpired:
        said = b""
        starter.kill()
        starter.communicate()
    if not said.strip().isdigit():
        raise OSError("the program that watches the new version does not start")
    return int(said)


def stop_watcher(pid: int) -> None:
    """Kills a watcher that has nothing to watch."""
    _, born = processes.inspect(pid)
    processes.send(pid, born, signal.SIGKILL)


def unit_of_systemd() -> str:
    """The path of the cgroup of the systemd unit that has started this process; empty: systemd has
    not started it."""
    started = os.environ.get("SYSTEMD_EXEC_PID")
    if started is None:
        parent, _ = processes.inspect(os.getppid())
        is_service = "INVOCATION_ID" in os.environ and parent == "systemd"
    else:
        is_service = started == str(os.getpid())
    if not is_service:
        return ""
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        groups = []
    parts = [part for group in groups for part in accumulate(group.split("/"), "{}/{}".format)]
    return next((part for part in reversed(parts) if part.endswith(".service")), _UNKNOWN)


def restart_loop_of(root: Path) -> list[str]:
    """The command of the restart loop that has started this process; empty: no loop has started it.

    The loop ends for good after some exit statuses, and then its log has no writer any more.
    """
    try:
        words = Path(f"/proc/{os.getppid()}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    except (OSError, UnicodeDecodeError):
        return []
    if len(words) < 4 or not words[1].endswith(f"/{LOOP}") or words[2] != LOOP_RUNS:
        return []
    return [str(root / CURRENT / LOOP), *words[3:]]

"""Replaces the old version by the new one: the process of the agent executes the new program.

Call it after the agent has stopped everything. Only the lock of the state folder is still held: the
exec releases it.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import NoReturn

from tui_manager_agent.identity.identity import Identity
from tui_manager_agent.installation import CURRENT, PROGRAM, Installation
from tui_manager_agent.supervisor import clock
from tui_manager_agent.supervisor.processes import processes
from tui_manager_agent.update import trial_record, watcher
from tui_manager_agent.update.trial_record import VARIABLE, TrialRecord
from tui_manager_agent.update.update_work import Prepared

WITHIN = 120 * clock.SECOND  # in which its manager must have welcomed the new version
KILL_AFTER = 5 * clock.SECOND  # in which a version that is too late must have ended by itself
PATIENCE = 30 * clock.SECOND  # for a loop to start an agent again that has died
LOOP, LOOP_RUNS = "share/run-agent.sh", "--clean"  # in the folder of a version; its first argument
READY_WITHIN = 30.0  # seconds for the watcher to start
_UNKNOWN = "unknown.service"  # a unit that is not there
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What the agent is to become.

    Attributes:
        execution_id: of the update.
        old: the name of the version that runs.
    """

    execution_id: str
    old: str
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Updates:
    """What updates of this agent need of it.

    Attributes:
        here: where it runs from.
        state_dir: its state folder.
        begin_switch: ends the agent so that it becomes the new version. Returns False if that must
            not be now.
    """

    here: Installation
    state_dir: Path
    begin_switch: Callable[[Switch], bool]


class SwitchError(Exception):
    """The agent has not become the new version. The record says so: the next agent reports it."""


class AskedToStopError(Exception):
    """SIGTERM or SIGINT has come just before the switch. The next agent goes on with the update."""


def switch(what: Switch, identity: Identity, arguments: Sequence[str]) -> NoReturn:
    """Becomes the new version.

    Args:
        arguments: of this program, which the new one gets. It gets the environment too.

    Raises:
        SwitchError, AskedToStopError.
    """
    state_dir = identity.state_dir
    trial = _trial(what, identity)
    program = str(what.prepared.versions.folder(trial.new) / PROGRAM)
    watching = 0
    asked_to_stop: list[int] = []
    for number in _SIGNALS:  # in any thread
        signal.signal(number, lambda number, _: asked_to_stop.append(number))
    try:
        watching = start_watcher(trial, state_dir, what.prepared.lock, arguments)
        trial.write(state_dir)
        if asked_to_stop:
            trial_record.remove(state_dir)
            raise AskedToStopError
        _LOG.info("the agent becomes another version: old=%s new=%s", trial.old, trial.new)
        for handler in logging.getLogger().handlers:
            handler.flush()
        # What comes from now on waits for the new version, which unblocks them.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        os.execve(program, [program, *arguments], {**os.environ, VARIABLE: str(state_dir)})
    except OSError as error:
        problem = f"it could not be started: {error.strerror or error}"
        replace(trial, problem=problem).write(state_dir)
        raise SwitchError(problem) from error
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if watching:
            _end(watching)


def start_watcher(trial: TrialRecord, state_dir: Path, lock: int, arguments: Sequence[str]) -> int:
    """Returns its pid when it watches. Raises OSError.

    Args:
        lock: a descriptor, which it keeps open until it ends.
    """
    pid = os.getpid()
    _, born = processes.inspect(pid)
    command = [
        *(sys.executable, "-I", "-S", "-c", watcher.STARTS),
        watcher.__file__.rsplit("/", 3)[0],
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


def unit_of_systemd() -> str:
    """The unit as which systemd has started this process, as the path of its cgroup; empty: it has
    not."""
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
    """What starts the loop that has started this process; empty: it was none.

    It ends for good after some exit statuses, and then its log has no writer any more.
    """
    try:
        words = Path(f"/proc/{os.getppid()}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    except (OSError, UnicodeDecodeError):
        return []
    if len(words) < 4 or not words[1].endswith(f"/{LOOP}") or words[2] != LOOP_RUNS:
        return []
    return [str(root / CURRENT / LOOP), *words[3:]]


def _trial(what: Switch, identity: Identity) -> TrialRecord:
    """The record of the trial, which begins now."""
    return TrialRecord(
        execution_id=what.execution_id,
        manager_id=identity.manager_id,
        host_id=identity.host_id,
        root=what.prepared.versions.root,
        old=what.old,
        new=what.prepared.new,
        boot_id=identity.boot_id,
        started=clock.now(),
        within=WITHIN,
        done=what.prepared.done,
    )


def _end(pid: int) -> None:
    _, born = processes.inspect(pid)
    processes.send(pid, born, signal.SIGKILL)

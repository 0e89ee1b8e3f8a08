"""Starts the new version: the process of the old agent executes the new program.

Call it after the agent has stopped everything. Only the lock of the state folder is still held: the
exec releases it.
"""

import logging
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager_agent.identity.identity import Identity
from tui_manager_agent.installation import PROGRAM, Installation
from tui_manager_agent.supervisor import clock
from tui_manager_agent.update import start_trial_watcher, trial, trial_record
from tui_manager_agent.update.trial_record import VARIABLE, TrialRecord
from tui_manager_agent.update.update_work import Prepared

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
    record = _record(what, identity)
    program = str(what.prepared.versions.folder(record.new) / PROGRAM)
    watching = 0
    asked_to_stop: list[int] = []
    for number in _SIGNALS:  # in any thread
        signal.signal(number, lambda number, _: asked_to_stop.append(number))
    try:
        lock = what.prepared.lock
        watching = start_trial_watcher.start_watcher(record, state_dir, lock, arguments)
        record.write(state_dir)
        if asked_to_stop:
            trial_record.remove(state_dir)
            raise AskedToStopError
        _LOG.info("the agent becomes another version: old=%s new=%s", record.old, record.new)
        for handler in logging.getLogger().handlers:
            handler.flush()
        # What comes from now on waits for the new version, which unblocks them.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        os.execve(program, [program, *arguments], {**os.environ, VARIABLE: str(state_dir)})
    except OSError as error:
        problem = f"it could not be started: {error.strerror or error}"
        replace(record, problem=problem).write(state_dir)
        raise SwitchError(problem) from error
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if watching:
            start_trial_watcher.stop_watcher(watching)


def _record(what: Switch, identity: Identity) -> TrialRecord:
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
        within=trial.WITHIN,
        done=what.prepared.done,
    )

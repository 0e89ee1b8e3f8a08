"""The trial of a new version. An agent that starts finds its record, and decides whether the new
version is still on trial, was accepted, or has failed.

If the link ROOT/current names the new version, the update has completed, whichever version runs.
Else it depends on the version that runs. If that is the new one, and the time for its trial is not
over, its manager may still accept it. If that is another one, the update has failed.
"""

import logging
from datetime import timedelta
from pathlib import Path

from tui_manager_protos.rules.duration import format_duration
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.files.transfer_work import StoppedError, StopSignal, TransferError
from tui_manager_agent.identity.identity import Identity
from tui_manager_agent.installation import CURRENT, Installation, with_build
from tui_manager_agent.journal.order_and_result import Result
from tui_manager_agent.supervisor import clock
from tui_manager_agent.update import trial_record
from tui_manager_agent.update.trial_record import TrialRecord
from tui_manager_agent.update.versions import Versions

WITHIN = 120 * clock.SECOND  # in which its manager must have welcomed the new version
_LOG = logging.getLogger(__name__)


class TrialOverError(Exception):
    """The version that runs is not accepted and must end; the text is for the host's owner."""


class Trial:
    """The trial that a record describes, and how it has gone on.

    Attributes:
        is_open: the version that runs is on trial.
        was_accepted: the new version is the one in use.
    """

    def __init__(self, found: TrialRecord, state_dir: Path, here: Installation) -> None:
        self._record = found
        self._state_dir = state_dir
        self._here = here
        self._versions = Versions(found.root, found.execution_id)
        self.was_accepted = self._versions.current() == found.new
        self.is_open = False

    @property
    def execution_id(self) -> str:
        return self._record.execution_id

    @property
    def left(self) -> float:
        """Seconds until it is too late for an acceptance."""
        found = self._record
        return (found.started + found.within - clock.now()) / clock.SECOND

    def begin(self, boot_id: str) -> None:
        """Finds out whether the version that runs is on trial. Raises TrialOverError."""
        found = self._record
        if self.was_accepted or (self._here.root, self._here.name) != (found.root, found.new):
            return
        if found.boot_id != boot_id or self.left <= 0:
            raise self.over(
                f"{found.new} is not accepted any more: start {found.root}/current instead."
            )
        self.is_open = True
        _LOG.info("on trial: version=%s before=%s left=%.0fs", found.new, found.old, self.left)

    def check_welcome(self, host_id: str, admission: wire.Admission.ValueType) -> None:
        """Raises TrialOverError unless the Welcome of the agent's own manager is one for this host
        that admits it."""
        if host_id != self._record.host_id:
            raise self.over(f"The manager calls this host {host_id}, and not as before.")
        if admission != wire.ADMISSION_ADMITTED:
            raise self.over("The manager does not admit this host.")

    def over(self, problem: str) -> TrialOverError:
        """Returns the error with which this version must end now. The problem, a sentence, is
        written into the record for the next agent."""
        if self.is_open:
            trial_record.note_problem(self._state_dir, problem)
        return TrialOverError(problem)

    def end(self, error: Exception) -> Exception:
        """The error with which the agent ends: if it is on trial, the old version must start."""
        return self.over(str(error)) if self.is_open else error

    def too_late(self, last: str) -> TrialOverError:
        """The manager has not welcomed this version in time. `last` says how the last stream or
        dial ended."""
        trial_record.note_last(self._state_dir, last)
        return TrialOverError(f"{self._record.new} was not welcomed in time. {last}")

    def stopped(self) -> None:
        """The agent was asked to end while it was on trial."""
        trial_record.note_stopped(self._state_dir)

    def accept(self) -> None:
        """Makes the version that runs the one in use. Raises TrialOverError."""
        if self.left <= 0:
            raise self.over("It was too late when the manager welcomed it.")
        try:
            self._versions.accept()
        except OSError as error:
            if self._versions.current() != self._record.new:
                link = self._record.root / CURRENT
                raise self.over(f"{link} cannot be changed: {error.strerror}.") from error
            _LOG.error("the link of the version in use is not durable: error=%s", error)
        self.is_open, self.was_accepted = False, True

    def result(self, boot_id: str) -> Result:
        """How the update has ended."""
        found = self._record
        if self.was_accepted:
            old, new = _version(found.old), _version(found.new)
            if old == new:
                old, new = _with_build(found.old), _with_build(found.new)
            detail = f"{old} to {new}"
            return Result(status="completed", detail=detail, transfer=found.done)
        problem = self._problem(boot_id)
        detail = f"{problem}; {self._here.version} goes on."
        return Result(status="failed", reason="update_failed", detail=detail)

    def _problem(self, boot_id: str) -> str:
        """Why the new version was not accepted, without a full stop."""
        found = self._record
        if found.problem:
            return f"The new version has ended: {found.problem.rstrip('.')}"
        if found.stopped:
            return "The agent was stopped before the manager had welcomed the new version"
        if found.boot_id != boot_id:
            return "The host was restarted before the manager had welcomed the new version"
        if self.left > 0:
            return "The new version ended before the manager had welcomed it"
        within = format_duration(timedelta(microseconds=found.within // 1000))
        last = f" ({found.last})" if found.last else ""
        return f"The new version was not back within {within}{last}"

    def finish(self) -> None:
        """Moves what belongs to the accepted version to its place. What fails stays as it is."""
        if not self.was_accepted:
            return
        try:
            self._versions.finish()
        except OSError as error:
            _LOG.error("the keys for updates are those of before: error=%s", error)

    def forget(self) -> None:
        """Removes the record, once the result is on disk. If that fails, it is removed later."""
        try:
            trial_record.remove(self._state_dir)
        except OSError as error:
            _LOG.error("the record of the trial is still there: error=%s", error)

    def clean_up(self, stop: StopSignal) -> None:
        """Removes versions that are not needed any more. Blocks; waits for another update, unless
        it is stopped: then they stay until an update is accepted."""
        found = self._record
        try:
            if self.was_accepted:
                self._versions.remove_older(self._here.name)
                return
            self._versions.discard_own(found.new)
            with self._versions.locked(stop):
                self._versions.discard(found.new)
        except StoppedError:
            pass
        except TransferError:
            _LOG.info("another update works in the folder of the versions: nothing is removed")
        except OSError as error:
            _LOG.error("versions are left that are not needed: error=%s", error)


def find(identity: Identity, here: Installation) -> Trial | None:
    """The trial of the record in the state folder; None if there is none.

    Raises TrialOverError, OSError.
    """
    try:
        found = trial_record.read(identity.state_dir)
    except ValueError as error:
        _LOG.error("the record of a trial is damaged and not used: error=%s", error)
        return None
    if found is None:
        return None
    trial = Trial(found, identity.state_dir, here)
    trial.begin(identity.boot_id)
    return trial


def _version(name: str) -> str:
    return name.rpartition("-")[0]


def _with_build(name: str) -> str:
    version, _, build = name.rpartition("-")
    return with_build(version, build)

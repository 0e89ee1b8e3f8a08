"""The record of a trial in the state folder: which version is on trial for which update.

It is written by the old version before it becomes the new one, and removed by whoever ends the
update. The watcher reads it too. A version may find the record of another one, so an entry never
changes its name or its spelling.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager_agent.journal.transfer_records import Transferred
from tui_manager_agent.supervisor import record

FILE = "update.trial"
VARIABLE = "TUI_MANAGER_AGENT_TRIAL"  # the state folder, for a version that starts on trial
_STOPPED, _PROBLEM, _LAST = "stopped", "problem", "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """A trial.

    Attributes:
        execution_id: of the update.
        manager_id, host_id: the manager must welcome this host.
        root: of all versions.
        old, new: names of versions.
        boot_id: of the boot in which it began.
        started: boot-time ns.
        within: ns from then on in which the manager must have welcomed the new version.
        done: what the result says of the bundle if the new version is accepted.
        stopped: the agent was asked to end while it was on trial.
        problem: why the new version has ended; a sentence; empty: it did not say.
        last: how its last stream or dial ended.
    """

    execution_id: str
    manager_id: str
    host_id: str
    root: Path
    old: str
    new: str
    boot_id: str
    started: int
    within: int
    done: Transferred
    stopped: bool = False
    problem: str = ""
    last: str = ""

    def write(self, state_dir: Path) -> None:
        """Durably. Raises OSError."""
        entries: dict[str, object] = {
            "execution_id": self.execution_id,
            "manager_id": self.manager_id,
            "host_id": self.host_id,
            "root": self.root,
            "old": self.old,
            "new": self.new,
            "boot_id": self.boot_id,
            "started": self.started,
            "within": self.within,
            **self.done.entries(),
        }
        if self.problem:
            entries[_PROBLEM] = self.problem
        record.write(str(state_dir), FILE, record.seal(record.encode(entries)))

    @classmethod
    def decode(cls, entries: Mapping[str, str]) -> "TrialRecord":
        """Raises ValueError if an entry is missing or wrong."""
        done = Transferred.decode(entries)
        if done is None:
            raise ValueError("a trial without its bundle")
        try:
            return cls(
                **{name: entries[name] for name in _TEXTS},
                root=Path(entries["root"]),
                started=int(entries["started"]),
                within=int(entries["within"]),
                done=done,
                stopped=_STOPPED in entries,
                problem=entries.get(_PROBLEM, ""),
                last=entries.get(_LAST, ""),
            )
        except KeyError as error:
            raise ValueError(f"a trial without the entry {error}") from error


_TEXTS = ("execution_id", "manager_id", "host_id", "old", "new", "boot_id")


def read(state_dir: Path) -> TrialRecord | None:
    """The record; None if there is none. Raises OSError, and ValueError if it cannot be read."""
    try:
        entries = record.read_sealed(str(state_dir / FILE))
    except FileNotFoundError:
        return None
    return TrialRecord.decode(entries)


def reserve(state_dir: Path) -> None:
    """Reserves the room on the disk that `TrialRecord.write` needs. Raises OSError."""
    record.reserve(str(state_dir), FILE)


def release(state_dir: Path) -> None:
    """There will be no trial. Raises OSError."""
    (state_dir / f"{FILE}.draft").unlink(missing_ok=True)


def note_stopped(state_dir: Path) -> None:
    """The agent was asked to end while it was on trial: nobody is to start it again."""
    _note(state_dir, _STOPPED, "1")


def note_problem(state_dir: Path, problem: str) -> None:
    """Why the new version ends, a sentence."""
    _note(state_dir, _PROBLEM, problem)


def note_last(state_dir: Path, end: str) -> None:
    """How the last stream or dial of the new version ended."""
    _note(state_dir, _LAST, end)


def _note(state_dir: Path, name: str, text: str) -> None:
    """Adds an entry to the record, if it is there. If the disk fails, it does without."""
    with suppress(OSError):
        if entries := record.read_sealed(str(state_dir / FILE)):
            entries[name] = text.replace("\0", "")
            record.write(str(state_dir), FILE, record.seal(record.encode(entries)))


def remove(state_dir: Path) -> None:
    """Durably. Raises OSError."""
    (state_dir / FILE).unlink(missing_ok=True)
    record.sync_folder(str(state_dir))

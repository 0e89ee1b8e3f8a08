"""An execution's folder as the agent sees it: the order, the output by offset, the result."""

import os
import shutil
from pathlib import Path

from tui_manager_agent.supervisor import claim, clock, record

STREAMS = (record.STDOUT, record.STDERR)
UNKNOWN = "unknown"  # the manager's database does not have this execution


class Spool:
    """The files of one execution. Reading what is not there yet gives nothing, not an error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def note(self, name: str) -> None:
        """Leaves an empty file as a mark; one that is there keeps its age. Raises OSError."""
        if not self.has(name):
            (self.folder / name).touch(mode=0o600)

    def drop_note(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def accept(self, order: dict[str, object]) -> None:
        """Journals an order for good. Raises OSError, and leaves nothing behind then."""
        self._create(record.ACCEPTED, order)

    def starting(self) -> None:
        """Hands the order to a supervisor to come; from here on it never starts again."""
        (self.folder / record.ACCEPTED).rename(self.folder / record.STARTING)
        record.sync_folder(str(self.folder))

    def end(self, result: dict[str, object]) -> None:
        """Writes a result that no supervisor wrote. Raises OSError; even then it never starts."""
        self._withdraw()
        self._create(record.RESULT, result)
        self.drop_note(record.STARTING)

    def order(self) -> dict[str, str]:
        return self._read(record.ACCEPTED)

    def started(self, boot_id: str) -> int:
        """Boot-time ns of the shell's exec; 0: it has not started in this boot."""
        fields = self._read(record.STARTED)
        return int(fields.get("at", 0)) if fields.get("boot_id") == boot_id else 0

    def ran_for(self, boot_id: str) -> int | None:
        """How long a command ran whose supervisor died, in ns; None: it never started.

        Of an earlier boot only the times of its files are left: until its last output, at least.
        """
        if started := self.started(boot_id):
            return clock.now() - started
        times = [self._modified(name) for name in (record.STARTED, *STREAMS)]
        return max(times) - times[0] if times[0] else None

    def result(self) -> dict[str, str]:
        """The result's fields; none as long as there is no result."""
        return self._read(record.RESULT)

    def size(self, stream: str) -> int:
        """Bytes spooled so far."""
        try:
            return (self.folder / stream).stat().st_size
        except OSError:
            return 0

    def output_size(self) -> int:
        """Bytes of output that lie here."""
        return sum(self.size(stream) for stream in STREAMS)

    def read(self, stream: str, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` on; none where they are gone."""
        try:
            descriptor = os.open(self.folder / stream, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def supervisor_pid(self) -> int:
        """The living supervisor; 0 when it is dead, or when none has claimed the execution."""
        try:
            pid = int(self._read(record.CLAIM).get("pid", 0))
            return pid if claim.is_held(str(self.folder)) else 0
        except FileNotFoundError:
            return 0

    def is_copy(self) -> bool:
        """Whether the supervisor that claimed this lives, and works in another folder of that name:
        what carries the execution's mark is then not ours to kill. Found where there is /proc."""
        pid = self._read(record.CLAIM).get("pid", "")
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        folder = Path(os.fsdecode(words[-2] if len(words) > 1 else b""))
        return folder.name == self.folder.name and folder.resolve() != self.folder.resolve()

    def bar(self) -> bool:
        """Keeps every supervisor to come from starting this. False if one has claimed it."""
        return claim.bar(str(self.folder))

    def ask_to_cancel(self) -> None:
        """Leaves the wish for the supervisor, and wakes it if it is there. Raises OSError."""
        self.note(record.CANCEL)
        try:
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
            control = os.open(self.folder / record.CONTROL, flags)
        except OSError:
            return  # not there yet, and it will look; or no longer
        try:
            os.write(control, b"c")
        except OSError:
            pass  # full of the same word
        finally:
            os.close(control)

    def last_words(self) -> str:
        """The end of what a supervisor that broke had to say."""
        try:
            lines = (self.folder / record.LOG).read_text("utf-8", "replace").split("\n")
        except OSError:
            return ""
        return next((line for line in reversed(lines) if line), "")[:200]

    def drop_output(self) -> None:
        for stream in STREAMS:
            self.drop_note(stream)

    def remove(self) -> None:
        """Deletes everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _withdraw(self) -> None:
        """Keeps the order from ever being carried out, which takes no room on the disk.

        What is left of it says that it was here, and holds no secrets. Raises OSError.
        """
        if self.has(record.ACCEPTED):
            self.starting()
        if self.has(record.STARTING):
            os.truncate(self.folder / record.STARTING, 0)

    def _modified(self, name: str) -> int:
        try:
            return (self.folder / name).stat().st_mtime_ns
        except OSError:
            return 0

    def _read(self, name: str) -> dict[str, str]:
        try:
            return record.read(str(self.folder / name))
        except OSError:
            return {}

    def _create(self, name: str, fields: dict[str, object]) -> None:
        new = not self.folder.exists()
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            record.write(str(self.folder), name, record.encode(fields))
            if new:
                record.sync_folder(str(self.folder.parent))
        except OSError:
            if new:
                self.remove()
            raise

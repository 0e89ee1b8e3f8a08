"""An execution's folder as the agent sees it: the order, the output by offset, the result."""

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from tui_manager_agent.executions import result
from tui_manager_agent.supervisor import claim, clock, record
from tui_manager_agent.supervisor.process import Process

STREAMS = (record.STDOUT, record.STDERR)
UNKNOWN = "unknown"  # the manager's database does not have this execution


class Spool:
    """The files of one execution. Reading what is not there yet gives nothing, not an error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._at = str(folder)  # a Path takes longer to join than most calls with it

    def check_reach(self) -> None:
        """Raises OSError while the folder of all executions is not there: its state folder was
        moved away, and what cannot be found is not gone."""
        os.stat(os.path.dirname(self._at))

    def has(self, name: str) -> bool:
        return os.path.exists(f"{self._at}/{name}")

    def note(self, name: str) -> None:
        """Leaves an empty file as a mark; one that is there keeps its age. Raises OSError."""
        if not self.has(name):
            (self.folder / name).touch(mode=0o600)

    def drop_note(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def accept(self, order: dict[str, object]) -> None:
        """Journals an order. Raises OSError, and leaves nothing behind then.

        It need not outlive a crash of the host, after which it is as if it had never arrived.
        """
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            data = record.pad(record.seal(record.encode(order)))
            record.create(f"{self._at}/{record.ACCEPTED}", data)
        except OSError:
            self.remove()
            raise

    def starting(self) -> None:
        """Hands the order to a supervisor to come; from here on it never starts again, not after a
        crash of the host either, unless it is given back. Raises OSError."""
        os.rename(f"{self._at}/{record.ACCEPTED}", f"{self._at}/{record.STARTING}")
        for folder in (self._at, os.path.dirname(self._at)):
            record.sync_folder(folder)

    def give_back(self) -> None:
        """Lets an order wait again of which no supervisor was told, and none will be.

        A crash of the host may undo this, as `starting` is what lasts. Raises OSError.
        """
        os.rename(f"{self._at}/{record.STARTING}", f"{self._at}/{record.ACCEPTED}")

    def end(self, fields: dict[str, object]) -> None:
        """Writes a result that no supervisor wrote. Raises OSError; even then it never starts."""
        self._withdraw()
        new = not self.folder.exists()
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            record.write(self._at, record.RESULT, record.encode(fields))
            record.sync_folder(os.path.dirname(self._at))
        except OSError:
            if new:
                self.remove()
            raise
        self.drop_note(record.STARTING)

    def settle(self) -> None:
        """Finds the result that a supervisor had no time to give its name.

        Raises OSError, also when there is one that cannot be read.
        """
        claim.settle(self._at)
        with suppress(FileNotFoundError):
            record.read(f"{self._at}/{record.RESULT}")

    def order(self) -> dict[str, str]:
        """What waits for its turn; nothing if it does not, or was not written to its end.

        Raises OSError when it cannot be read.
        """
        try:
            return record.read_whole(f"{self._at}/{record.ACCEPTED}")
        except FileNotFoundError:
            return {}

    def started(self, boot_id: str) -> int:
        """Boot-time ns of the shell's exec; 0: it has not started in this boot."""
        return result.started(self._read(record.CLAIM), boot_id)

    def ran_for(self, boot_id: str) -> int | None:
        """How long a command ran whose supervisor died, in ns; None: it never started.

        Of an earlier boot only the times of its files are left: until its last output, at least.
        """
        if started := self.started(boot_id):
            return clock.now() - started
        if "at" not in self._read(record.CLAIM):
            return None
        times = [self._modified(name) for name in (record.CLAIM, *STREAMS)]
        return max(times) - times[0]

    def result(self) -> dict[str, str]:
        """The result's fields; none as long as there is no result."""
        fields = self._read(record.RESULT)
        return {key: value for key, value in fields.items() if key not in claim.OWNER}

    def size(self, stream: str) -> int:
        """Bytes spooled so far."""
        try:
            return os.stat(f"{self._at}/{stream}").st_size
        except OSError:
            return 0

    def output_size(self) -> int:
        """Bytes of output that lie here."""
        return sum(self.size(stream) for stream in STREAMS)

    def read(self, stream: str, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` on; none where they are gone. Raises OSError."""
        try:
            descriptor = os.open(f"{self._at}/{stream}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self.check_reach()
            return b""
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def supervisor_pid(self) -> int:
        """The living supervisor; 0 when it is dead, or when none has claimed the execution.

        Raises OSError when nobody can tell.
        """
        try:
            pid = int(self.owner().get("pid", 0))
            return pid if pid and claim.is_held(self._at) else 0
        except FileNotFoundError:
            return 0

    def is_copy(self) -> bool:
        """Whether the supervisor that claimed this lives, and works in another folder of that name:
        what carries the execution's mark is then not ours to kill. Raises OSError."""
        try:
            original = record.read(f"{self._at}/{record.CLAIM}").get("folder", "")
            return claim.is_held(original) and not self.folder.samefile(original)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return False

    def bar(self) -> bool:
        """Keeps every supervisor to come from starting this. False if one has claimed it.

        Raises OSError.
        """
        self.check_reach()
        return claim.bar(self._at)

    def ask_to_cancel(self) -> None:
        """Leaves the wish for the supervisor, and wakes it if it is there. Raises OSError.

        One that has not claimed the execution yet will look. May be done again.
        """
        self.note(record.CANCEL)
        if pid := int(self.owner().get("pid", 0)):
            with Process(pid) as process:
                if self.supervisor_pid() == pid:
                    process.send(signal.SIGUSR1)

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
        try:
            for name in os.listdir(self._at):
                os.unlink(f"{self._at}/{name}")
            os.rmdir(self._at)
        except OSError:  # a folder of somebody's in it, or a file that came just then
            shutil.rmtree(self.folder, ignore_errors=True)

    def owner(self) -> dict[str, str]:
        """What the supervisor that claimed it, dead or alive, says of itself and of where the
        command's processes are; nothing if none has claimed it. Raises OSError."""
        try:
            return record.read(f"{self._at}/{record.CLAIM}")
        except FileNotFoundError:
            return {}

    def _withdraw(self) -> None:
        """Keeps the order from ever being carried out, which takes no room on the disk.

        What is left of it says that it was here, and holds no secrets. Raises OSError.
        """
        if self.has(record.ACCEPTED):
            self.starting()
        if self.has(record.STARTING):
            os.truncate(f"{self._at}/{record.STARTING}", 0)
        claim.strip(self._at)

    def _modified(self, name: str) -> int:
        try:
            return (self.folder / name).stat().st_mtime_ns
        except OSError:
            return 0

    def _read(self, name: str) -> dict[str, str]:
        try:
            return record.read(f"{self._at}/{name}")
        except OSError:
            return {}

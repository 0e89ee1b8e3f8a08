"""An execution's folder as the agent sees it: the order, the output by offset, the result."""

import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tui_manager_agent.journal.order_and_result import STREAMS, Order, Owner, Result
from tui_manager_agent.supervisor import claim, clock, record, script_and_stdin
from tui_manager_agent.supervisor.processes.processes import Process

UNKNOWN = "unknown"  # the manager's database does not have this execution


class ExecutionFolder:
    """The files of one execution. Reading what is not there yet gives nothing, not an error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = str(folder)  # to join a Path takes longer than most calls with it

    def check_reachable(self) -> None:
        """Raises OSError while the folder of all executions is not there. Then the state folder was
        moved away, and a file that is not found is not gone."""
        os.stat(os.path.dirname(self._path))

    def is_out_of_reach(self) -> bool:
        """Whether `check_reachable` raises OSError."""
        try:
            self.check_reachable()
        except OSError:
            return True
        return False

    def has(self, name: str) -> bool:
        return os.path.exists(f"{self._path}/{name}")

    def set_mark(self, name: str) -> None:
        """Makes an empty file. One that is there keeps its time. Raises OSError."""
        if not self.has(name):
            (self.folder / name).touch(mode=0o600)

    def clear_mark(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    # --------------------------------------------------------------------------------- the order

    def accept(self, order: Order, files: Mapping[str, bytes] | None = None) -> None:
        """Journals an order with what it brings along. Raises OSError, and leaves nothing behind
        then.

        The order need not survive a crash of the host: then it is as if it had never arrived. If it
        does survive, then so do its files. That of a transfer does survive: another agent may go on
        with it.
        """
        is_transfer = order.transfer is not None
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            if is_transfer:
                self.set_mark(record.TRANSFER)
            for name, content in (files or {}).items():
                self.write_content(name, content)
            data = record.pad(record.seal(order.encode()))
            record.create(f"{self._path}/{record.ACCEPTED}", data, sync=is_transfer)
        except OSError:
            self.remove()
            raise

    def write_content(self, name: str, content: bytes) -> None:
        """Writes a file that an order brings along, durably. Raises OSError."""
        record.create(f"{self._path}/{name}", content, sync=True)

    def mark_starting(self) -> None:
        """A supervisor may start the order from now on. Raises OSError.

        It never starts a second time, also not after a crash of the host, unless
        `return_to_accepted` is called.
        """
        os.rename(f"{self._path}/{record.ACCEPTED}", f"{self._path}/{record.STARTING}")
        for folder in (self._path, os.path.dirname(self._path)):
            record.sync_folder(folder)

    def return_to_accepted(self) -> None:
        """Lets an order wait again that no supervisor was given, and none will be.

        A crash of the host may undo this, because only `mark_starting` is synced. Raises OSError.
        """
        os.rename(f"{self._path}/{record.STARTING}", f"{self._path}/{record.ACCEPTED}")

    def has_whole_order(self) -> bool:
        """Whether an order waits here that was written to its end, with all that it brings along.

        Raises OSError.
        """
        try:
            entries = record.read_sealed(f"{self._path}/{record.ACCEPTED}")
            return bool(entries) and all(
                os.stat(f"{self._path}/{name}").st_size
                == int(entries[name + script_and_stdin.SIZE])
                for name in script_and_stdin.FILES
                if name + script_and_stdin.SIZE in entries
            )
        except FileNotFoundError:
            return False

    def order(self) -> Order | None:
        """The order that waits for its turn; None if none does, or it was not written to its end.

        Raises OSError if it cannot be read, ValueError if it cannot be understood.
        """
        try:
            entries = record.read_sealed(f"{self._path}/{record.ACCEPTED}")
        except FileNotFoundError:
            return None
        return Order.decode(entries) if entries else None

    # ------------------------------------------------------------------------------ the transfer

    def transfer_order(self) -> Order | None:
        """The order of a transfer that was started; None if it is no transfer.

        Raises OSError if it cannot be read, ValueError if it cannot be understood.
        """
        if not self.has(record.TRANSFER):
            return None
        entries = record.read_sealed(f"{self._path}/{record.STARTING}")
        return Order.decode(entries)

    def begin_transfer(self, boot_id: str) -> int:
        """Notes that a transfer runs, and reserves disk for its result. Returns when it began in
        this boot, boot-time ns: its timeout counts on after a restart of the agent, and anew after
        one of the host. Raises OSError."""
        entries = record.read(f"{self._path}/{record.TRANSFER}")
        if entries.get("boot_id") == boot_id:
            return int(entries["at"])
        record.reserve(self._path, record.RESULT)
        at = clock.now()
        record.write(self._path, record.TRANSFER, record.encode({"boot_id": boot_id, "at": at}))
        return at

    def transfer_started(self, boot_id: str) -> int:
        """When a transfer began, boot-time ns; 0: it has not begun in this boot."""
        entries = self._read(record.TRANSFER)
        return int(entries["at"]) if entries.get("boot_id") == boot_id else 0

    # ---------------------------------------------------------------------------- the supervisor

    def started(self, boot_id: str) -> int:
        """Boot-time ns of the shell's exec; 0: it has not started in this boot."""
        entries = self._read(record.CLAIM)
        return int(entries.get("at", 0)) if entries.get("boot_id") == boot_id else 0

    def owner(self) -> Owner:
        """The supervisor that claimed the execution, dead or alive. Raises OSError."""
        try:
            return Owner.decode(record.read(f"{self._path}/{record.CLAIM}"))
        except FileNotFoundError:
            return Owner()

    def supervisor_pid(self) -> int:
        """The living supervisor; 0 if it is dead, or if none has claimed the execution.

        Raises OSError if nobody can tell.
        """
        try:
            pid = self.owner().pid
            return pid if pid and claim.is_locked(self._path) else 0
        except FileNotFoundError:
            return 0

    def is_copy(self) -> bool:
        """Whether this folder is a copy of one in which a supervisor works. Then processes with the
        execution's mark are not this agent's, and must not be killed. Raises OSError."""
        try:
            original = record.read(f"{self._path}/{record.CLAIM}").get("folder", "")
            return claim.is_locked(original) and not self.folder.samefile(original)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return False

    def prevent_start(self) -> bool:
        """Keeps every supervisor from starting this from now on. False if one has claimed it.

        Raises OSError.
        """
        self.check_reachable()
        return claim.prevent_start(self._path)

    def request_cancel(self) -> None:
        """Leaves the request for the supervisor, and wakes it if it is there. Raises OSError.

        A supervisor that has not claimed the execution yet will look. May be done again.
        """
        self.set_mark(record.CANCEL)
        if pid := self.owner().pid:
            with Process(pid) as process:
                if self.supervisor_pid() == pid:
                    process.send(signal.SIGUSR1)

    def supervisor_error(self) -> str:
        """The last line that a supervisor wrote when it broke; empty if there is none."""
        try:
            lines = (self.folder / record.LOG).read_text("utf-8", "replace").split("\n")
        except OSError:
            return ""
        return next((line for line in reversed(lines) if line), "")[:200]

    # -------------------------------------------------------------------------------- the output

    def size(self, stream: str) -> int:
        """Bytes spooled so far."""
        try:
            return os.stat(f"{self._path}/{stream}").st_size
        except OSError:
            return 0

    def output_size(self) -> int:
        """Bytes of output that are here, and of what the order brought along."""
        return sum(self.size(name) for name in (*STREAMS, *script_and_stdin.FILES))

    def read(self, stream: str, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` on; none if they are gone. Raises OSError."""
        try:
            descriptor = os.open(f"{self._path}/{stream}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self.check_reachable()
            return b""
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def delete_output(self) -> None:
        """Deletes also what the order brought along. Call it when the execution has ended."""
        for name in (*STREAMS, *script_and_stdin.FILES):
            self.clear_mark(name)

    # -------------------------------------------------------------------------------- the result

    def result(self) -> Result | None:
        """The result; None as long as there is none."""
        entries = self._read(record.RESULT)
        return Result.decode(entries) if claim.STATUS in entries else None

    def write_result(self, result: Result) -> None:
        """Writes a result that no supervisor wrote. Raises OSError; even then it never starts."""
        if self.has(record.TRANSFER):
            self._write_result_of_transfer(result)
            return
        self._withdraw_order()
        is_new = not self.folder.exists()
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            record.write(self._path, record.RESULT, result.encode())
            record.sync_folder(os.path.dirname(self._path))
        except OSError:
            if is_new:
                self.remove()
            raise
        self.clear_mark(record.STARTING)

    def _write_result_of_transfer(self, result: Result) -> None:
        """The order goes last: an agent that is killed before goes on with it, or cancels it."""
        try:
            record.write(self._path, record.RESULT, result.encode())
        except OSError:
            self._withdraw_order()
            raise
        for name in os.listdir(self._path):
            if name not in (record.RESULT, UNKNOWN):
                self.clear_mark(name)

    def recover_result(self) -> None:
        """Finds the result that a supervisor had no time to give its name.

        Raises OSError, also if there is a result that cannot be read.
        """
        claim.recover_result(self._path)
        with suppress(FileNotFoundError):
            record.read(f"{self._path}/{record.RESULT}")

    def run_time(self, boot_id: str) -> int | None:
        """How long a command ran whose supervisor died, in ns; None: it never started.

        If it started in an earlier boot, only the times of its files are left: it ran at least
        until its last output.
        """
        if started := self.started(boot_id):
            return clock.now() - started
        if "at" not in self._read(record.CLAIM):
            return None
        times = [self._modified_at(name) for name in (record.CLAIM, *STREAMS)]
        return max(times) - times[0]

    def remove(self) -> None:
        """Deletes everything."""
        try:
            for name in os.listdir(self._path):
                os.unlink(f"{self._path}/{name}")
            os.rmdir(self._path)
        except OSError:  # a folder is in it, or a file was made just now
            shutil.rmtree(self.folder, ignore_errors=True)

    def _withdraw_order(self) -> None:
        """Keeps the order from ever starting, which takes no room on the disk.

        What is left of it says that it was here, and holds no secrets. What it brought along is
        removed. Raises OSError.
        """
        if self.has(record.ACCEPTED):
            self.mark_starting()
        if self.has(record.STARTING):
            os.truncate(f"{self._path}/{record.STARTING}", 0)
        claim.remove_order(self._path)
        for name in script_and_stdin.FILES:
            self.clear_mark(name)

    def _modified_at(self, name: str) -> int:
        try:
            return (self.folder / name).stat().st_mtime_ns
        except OSError:
            return 0

    def _read(self, name: str) -> dict[str, str]:
        try:
            return record.read(f"{self._path}/{name}")
        except OSError:
            return {}

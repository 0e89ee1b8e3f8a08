"""Copies and fetches of the tasks of the fake operator: how far they are, and how they end."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind, encode

from tests.support.fake_operator.fake_files import FakeFiles, set_of
from tests.support.fake_operator.tasks.fake_tasks import FakeTasks
from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, Transfer
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.tasks.transitions import Operation


class FakeTransfers(FakeTasks, FakeFiles):
    """Tests say what hosts report of their files."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(now)
        FakeFiles.__init__(self)

    def store(self, contents: Mapping[str, bytes]) -> FileSet:
        """Puts files into the store, by their paths."""
        manifest, data = b"", b""
        for path, content in sorted(contents.items()):
            digest = hashlib.sha256(content).digest()
            entry = Entry(path.encode(), EntryKind.FILE, 0o644, len(content), digest, len(data))
            manifest, data = manifest + encode(entry), data + content
        made = set_of(manifest, data)
        self.sets[made.sha256] = manifest, data
        return made

    async def create_task(self, spec: TaskSpec, request_id: str = "") -> int:
        for step in spec.commands:
            if step.stored_files and step.stored_files.sha256 not in self.sets:
                raise NotFoundError("The manager does not have the files of this step.")
        return await super().create_task(spec, request_id)

    def report_transfer(self, execution_id: str, transfer: Transfer) -> None:
        """How far a copy or a fetch is, which implies that it runs."""
        task = self.task_of(execution_id)
        if task.rows[execution_id].status is CommandHostStatus.PENDING:
            self.apply(execution_id, Operation.START)
        self._set_transfer(execution_id, transfer)

    def finish_transfer(self, execution_id: str, transfer: Transfer, detail: str = "") -> None:
        """It has completed."""
        self._set_transfer(execution_id, transfer)
        self.apply(execution_id, Operation.COMPLETE, exit_code=0, detail=detail)

    def fail_transfer(self, execution_id: str, detail: str) -> None:
        """It has failed."""
        self.apply(execution_id, Operation.FAIL, Reason.TRANSFER_FAILED, detail=detail)

    def fail_update(self, execution_id: str, detail: str) -> None:
        """The host's agent is the one from before."""
        self.apply(execution_id, Operation.FAIL, Reason.UPDATE_FAILED, detail=detail)

    def _set_transfer(self, execution_id: str, transfer: Transfer) -> None:
        task = self.task_of(execution_id)
        task.rows[execution_id] = replace(task.rows[execution_id], transfer=transfer)
        task.sorted_rows = None
        self._touched(task.row.task_id)

"""How the fake operator reads and searches output."""

import bisect
from collections.abc import Sequence

from tests.support.fake_operator.tasks.fake_rows import limited
from tests.support.fake_operator.tasks.fake_tasks import FakeTasks
from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.output.output_by_host import (
    OutputByHost,
    OutputPlace,
    TruncatedOutput,
    WantedOutput,
)
from tui_manager.domain.output.output_search import OutputMatch, OutputMatches, OutputPattern
from tui_manager.domain.status import Stream
from tui_manager.operator.api import OutputChunk
from tui_manager.operator.output_calls import BEGINNING

SEARCHED = 1 << 16  # bytes of one call


class FakeOutput(FakeTasks):
    """The output of the tasks."""

    async def read_output(
        self, execution_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> Sequence[OutputChunk]:
        self._check("read_output")
        chunks = [
            part
            for chunk in self.task_of(execution_id).output
            if chunk.execution_id == execution_id
            and chunk.stream is stream
            and (part := chunk.part_from(offset))
        ]
        return limited(chunks, limit)

    async def follow_output(
        self,
        task_id: int,
        after: int = 0,
        host_id: str = "",
        limit: int = 1 << 18,
        before: int = 0,
        execution_id: str = "",
    ) -> Sequence[OutputChunk]:
        self._check("follow_output")
        chunks = self._chunks(task_id, max(after, 0), before, host_id, execution_id)
        if before:
            return limited(chunks[::-1], limit)[::-1]
        return limited(chunks[after:] if after < 0 else chunks, limit)

    async def read_output_by_host(
        self, wanted: WantedOutput, place: OutputPlace = BEGINNING, limit: int = 1 << 18
    ) -> OutputByHost:
        """A host at a time, whatever the limit."""
        self._check("read_output_by_host")
        rows = [
            row
            for row in self._task(wanted.task_id).rows.values()
            if wanted.host in ("", row.host) and wanted.command in (None, row.command)
        ]
        if wanted.host and not rows:
            raise NotFoundError(f"Task {wanted.task_id} has no host {wanted.host!r}.")
        hosts = sorted({row.host for row in rows})
        if not hosts:
            return OutputByHost((), None)
        host = hosts[place.host]
        of_host = {row.execution_id for row in rows if row.host == host}
        chunks = [
            chunk
            for chunk in self._chunks(wanted.task_id, 0, 0, "", "")
            if chunk.execution_id in of_host and wanted.stream in (None, chunk.stream)
        ]
        truncated = [
            TruncatedOutput(host, row.command, row.truncated_bytes)
            for row in sorted(rows, key=lambda row: row.command)
            if row.host == host and row.truncated_bytes
        ]
        behind = OutputPlace(place.host + 1) if place.host + 1 < len(hosts) else None
        return OutputByHost(chunks, behind, truncated)

    async def search_output(
        self,
        task_id: int,
        text: str,
        after: int = 0,
        before: int = 0,
        host_id: str = "",
        execution_id: str = "",
        stderr_only: bool = False,
        offset: int = 0,  # it searches all of each piece
    ) -> OutputMatches:
        self._check("search_output")
        pattern = OutputPattern(text)
        chunks = self._chunks(task_id, after, before, host_id, execution_id)
        taken = limited(chunks[::-1] if before else chunks, SEARCHED)
        matches: list[OutputMatch] = []
        for chunk in taken:
            if stderr_only and chunk.stream is not Stream.STDERR:
                continue
            found = [
                OutputMatch(
                    chunk.position,
                    chunk.execution_id,
                    chunk.host,
                    chunk.command,
                    chunk.stream,
                    chunk.offset + start,
                    end - start,
                )
                for start, end in pattern.in_bytes(
                    self._line_before(task_id, chunk), chunk.data, len(chunk.data) + 1
                )[0]
            ]
            matches += found[::-1] if before else found
        position = taken[-1].position if taken else before or after
        searched = sum(len(chunk.data) for chunk in taken)
        return OutputMatches(tuple(matches), position, searched, len(taken) == len(chunks))

    def _chunks(
        self, task_id: int, after: int, before: int, host_id: str, execution_id: str
    ) -> list[OutputChunk]:
        output = self._task(task_id).output
        start = bisect.bisect_right(output, after, key=lambda chunk: chunk.position)
        return [
            chunk
            for chunk in output[start:]
            if (not before or chunk.position < before)
            and host_id in ("", f"host-{chunk.host}")
            and execution_id in ("", chunk.execution_id)
        ]

    def _line_before(self, task_id: int, chunk: OutputChunk) -> bytes:
        data = b"".join(
            other.data
            for other in self._task(task_id).output
            if (other.execution_id, other.stream) == (chunk.execution_id, chunk.stream)
            and other.position < chunk.position
        )
        return data[data.rfind(b"\n") + 1 :]

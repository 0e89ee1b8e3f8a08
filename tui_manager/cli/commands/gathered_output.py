"""`run --gather`: prints identical outputs once."""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_manager.cli.commands.run_output import NOTHING_SAVED, file_of, note_end
from tui_manager.cli.printing.text import cleaner_for
from tui_manager.client.output_lines import StreamLines
from tui_manager.client.read_lists import all_command_hosts
from tui_manager.domain.status import CommandHostStatus, Stream
from tui_manager.domain.tasks.task import CommandHost, TaskDetail
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.operator.api import Operator, OutputChunk

if TYPE_CHECKING:  # only needed for copies and fetches
    from tui_manager.cli.printing.transfers import SavedByRow

_Key = tuple[str, Stream]


class GatheredOutput:
    """Prints identical outputs once, under the folded names of their hosts; of copies and fetches
    what they did.

    Args:
        saved: as of `LiveLines`.
    """

    def __init__(self, saved: "SavedByRow" = NOTHING_SAVED) -> None:
        self._saved = saved
        self._digests: defaultdict[_Key, hashlib._Hash] = defaultdict(hashlib.sha256)

    def take(self, chunk: OutputChunk) -> None:
        """Keeps a digest of the output; the bytes stay with the manager."""
        digest = self._digests[chunk.execution_id, chunk.stream]
        digest.update(f"\0gap {chunk.gap}\0".encode() if chunk.gap else chunk.data)

    def flush(self) -> None:
        """Nothing is shown before the end."""

    async def finish(self, operator: Operator, detail: TaskDetail) -> None:
        """Prints the groups, the largest first, and the summary."""
        rows = await all_command_hosts(operator, detail.task.task_id)
        for stream in Stream:
            groups: defaultdict[bytes, list[CommandHost]] = defaultdict(list)
            for row in rows:
                if digest := self._digests.get((row.execution_id, stream)):
                    groups[digest.digest()].append(row)
            for group in sorted(groups.values(), key=len, reverse=True):
                await _print_group(operator, stream, group)
        self._print_transfers(detail, rows)
        note_end(detail, rows, self._saved)

    def _print_transfers(self, detail: TaskDetail, rows: Sequence[CommandHost]) -> None:
        """Prints what the copies and fetches did that completed, the largest groups first."""
        groups: defaultdict[str, list[CommandHost]] = defaultdict(list)
        for row in rows:
            step = detail.commands[row.command].spec
            if step.transfer and row.status is CommandHostStatus.COMPLETED:
                from tui_manager.cli.printing.transfers import end_words

                groups[end_words(row, step, self._saved.get(row.execution_id))].append(row)
        for words, group in sorted(groups.items(), key=lambda item: -len(item[1])):
            sys.stdout.write(f"{_heading(group)}{words}\n")
        sys.stdout.flush()


def _heading(group: Sequence[CommandHost]) -> str:
    rule = "-" * 15
    return f"{rule}\n{fold_names(row.host for row in group)} ({len(group)})\n{rule}\n"


async def _print_group(operator: Operator, stream: Stream, group: Sequence[CommandHost]) -> None:
    file, clean, lines = file_of(stream), cleaner_for(file_of(stream)), StreamLines()
    file.write(_heading(group))
    offset = 0
    while chunks := await operator.read_output(group[0].execution_id, stream, offset):
        for chunk in chunks:
            offset = chunk.offset + (chunk.gap or len(chunk.data))
            file.write("".join(f"{clean(line)}\n" for line in lines.feed(chunk)))
    file.write("".join(f"{clean(line)}\n" for line in lines.rest()))
    file.flush()

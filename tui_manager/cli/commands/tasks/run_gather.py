"""`run --gather`: prints identical outputs once."""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.cli.commands.tasks.run_output import file_of
from tui_manager.cli.printing.print_summary import NOTHING_SAVED, SummaryPrinter
from tui_manager.cli.printing.write_text import cleaner_for
from tui_manager.client.output_lines import StreamLines
from tui_manager.client.read_lists import each_command_host
from tui_manager.domain.status import CommandHostStatus, Stream, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import CommandHost, Progress
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.operator.api import Operator, OutputChunk

if TYPE_CHECKING:  # only needed for copies and fetches
    from tui_manager.cli.printing.transfers import SavedByRow

_Key = tuple[str, Stream]


class GatheredOutput:
    """Prints identical outputs once, under the folded names of their hosts; of copies and fetches
    what they did.

    Args:
        steps, saved: as of `LiveLines`.
    """

    def __init__(self, steps: Sequence[CommandSpec], saved: "SavedByRow" = NOTHING_SAVED) -> None:
        self._steps = steps
        self._saved = saved
        self._digests: defaultdict[_Key, hashlib._Hash] = defaultdict(hashlib.sha256)

    def take(self, chunk: OutputChunk) -> None:
        """Keeps a digest of the output; the bytes stay with the manager."""
        digest = self._digests[chunk.execution_id, chunk.stream]
        digest.update(f"\0gap {chunk.gap}\0".encode() if chunk.gap else chunk.data)

    def flush(self) -> None:
        """Nothing is shown before the end."""

    async def finish(self, operator: Operator, ended: Progress) -> TaskStatus:
        """Prints the groups, the largest first, and the summary."""
        end = SummaryPrinter(ended, self._steps, self._saved)
        outputs: dict[Stream, _Groups] = {stream: {} for stream in Stream}
        transfers: _Groups = {}
        async for row in each_command_host(operator, ended.task_id):
            end.add(row)
            for stream, groups in outputs.items():
                if digest := self._digests.pop((row.execution_id, stream), None):
                    _add(groups, digest.digest(), row)
            if words := self._transfer_words(row):
                _add(transfers, words, row)
        for stream, groups in outputs.items():
            for group in _largest_first(groups):
                await _print_group(operator, stream, group)
        for what, group in sorted(transfers.items(), key=lambda item: -len(item[1].hosts)):
            sys.stdout.write(f"{_heading(group)}{what}\n")
        sys.stdout.flush()
        end.print()
        return ended.status

    def _transfer_words(self, row: CommandHost) -> str:
        """What a copy or fetch did that completed; empty for every other row."""
        step = self._steps[row.command]
        if not step.transfer or row.status is not CommandHostStatus.COMPLETED:
            return ""
        from tui_manager.cli.printing.transfers import end_words

        return end_words(row, step, self._saved.get(row.execution_id))


@dataclass(slots=True)
class _Group:
    """Hosts with the same output.

    Attributes:
        execution_id: of the first of them, whose output is printed.
    """

    execution_id: str
    hosts: list[str]


_Groups = dict[object, _Group]


def _add(groups: _Groups, key: object, row: CommandHost) -> None:
    if key not in groups:
        groups[key] = _Group(row.execution_id, [])
    groups[key].hosts.append(row.host)


def _largest_first(groups: _Groups) -> list[_Group]:
    return sorted(groups.values(), key=lambda group: -len(group.hosts))


def _heading(group: _Group) -> str:
    rule = "-" * 15
    return f"{rule}\n{fold_names(group.hosts)} ({len(group.hosts)})\n{rule}\n"


async def _print_group(operator: Operator, stream: Stream, group: _Group) -> None:
    file, clean, lines = file_of(stream), cleaner_for(file_of(stream)), StreamLines()
    file.write(_heading(group))
    offset = 0
    while chunks := await operator.read_output(group.execution_id, stream, offset):
        for chunk in chunks:
            offset = chunk.offset + (chunk.gap or len(chunk.data))
            file.write("".join(f"{clean(line)}\n" for line in lines.feed(chunk)))
    file.write("".join(f"{clean(line)}\n" for line in lines.rest()))
    file.flush()

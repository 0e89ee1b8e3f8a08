"""`run --json`: prints one object at the end. What its fields are is in
`domain/presentation/json_fields.py`."""

import codecs
from collections import defaultdict
from typing import TYPE_CHECKING

from tui_manager.cli.printing.json_rows import JsonRows
from tui_manager.cli.printing.print_summary import NOTHING_SAVED
from tui_manager.client.output_lines import gap_text, utf8_decoder
from tui_manager.client.read_lists import each_command_host
from tui_manager.domain.presentation.json_fields import Shape, output_shape, run_shape
from tui_manager.domain.status import Stream, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import CommandHost, Progress
from tui_manager.operator.api import Operator, OutputChunk

if TYPE_CHECKING:  # only needed for copies and fetches
    from tui_manager.cli.printing.transfers import SavedByRow

CUT = 1 << 20  # bytes of one stream of one host
_Key = tuple[str, Stream]


class JsonOutput:
    """Prints one JSON object at the end.

    Args:
        saved: as of `LiveLines`.
    """

    def __init__(self, saved: "SavedByRow" = NOTHING_SAVED) -> None:
        self._saved = saved
        self._text: defaultdict[_Key, list[str]] = defaultdict(list)
        self._decoders: defaultdict[_Key, codecs.IncrementalDecoder] = defaultdict(utf8_decoder)
        self._seen: defaultdict[_Key, int] = defaultdict(int)

    def take(self, chunk: OutputChunk) -> None:
        """Keeps the first MiB of a stream."""
        key = (chunk.execution_id, chunk.stream)
        room = CUT - self._seen[key]
        self._seen[key] += chunk.gap or len(chunk.data)
        if room <= 0:
            return
        if chunk.gap:
            self._text[key].append(gap_text(chunk.gap))
        else:
            self._text[key].append(self._decoders[key].decode(chunk.data[:room]))

    def flush(self) -> None:
        """Nothing is shown before the end."""

    async def finish(self, operator: Operator, ended: Progress) -> TaskStatus:
        """Prints the object."""
        detail = await operator.get_task(ended.task_id)
        shown = JsonRows(run_shape(detail), "hosts")
        async for row in each_command_host(operator, ended.task_id):
            shown.add(self._shape(row, detail.commands[row.command].spec))
        shown.end()
        return detail.task.status

    def _shape(self, row: CommandHost, step: CommandSpec) -> Shape:
        texts, cut = [], False
        for stream in Stream:
            key = (row.execution_id, stream)
            over = self._seen[key] > CUT
            # If our limit cuts a character it is left out; if the host cut it, it is marked.
            rest = "" if over else self._decoders[key].decode(b"", final=True)
            texts.append("".join((*self._text.pop(key, ()), rest)))
            cut = cut or over
        shape = output_shape(row, step, *texts, cut=cut)
        if saved := self._saved.get(row.execution_id):
            shape |= {"unchanged": saved.unchanged, "unchanged_files": saved.unchanged_files}
            shape["renamed"] = [{"path": path, "here": name} for path, name in saved.new_names]
        return shape

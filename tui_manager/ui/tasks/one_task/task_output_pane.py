"""The output of a task on the dashboard. Copies and fetches have none: what they do on each host
stands in its place."""

import textwrap
from collections.abc import Sequence
from dataclasses import replace

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.presentation.state_words import command_host_text
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import Role, Span, Spans
from tui_manager.ui.drawing.transfer_words import row_words, state_words
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.output_pane import NO_OUTPUT, OutputPane, Source
from tui_manager.ui.paced_reader import PacedReader
from tui_manager.ui.terminal.closable import while_open

_MARGINS = 4  # cells beside a line
_LEAST = 20  # cells of a line


class TaskOutputPane(OutputPane):
    """An output pane that says of a task of copies and fetches how far each host is."""

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self._paced = PacedReader(self._read_files)
        self._files: tuple[Source | None, tuple[Spans, ...]] = (None, ())
        self._with_output = 0  # the last task that was found to have commands

    def files_of(self, source: Source) -> tuple[Spans, ...]:
        """What was read of the copies and fetches of a task; else that it has no output."""
        shown, lines = self._files
        return lines if shown == source and lines else (NO_OUTPUT,)

    def poll(self) -> None:
        super().poll()
        self._ask()

    def _ask(self) -> None:
        source = self.source
        if source is None or self.lines or source.task_id == self._with_output:
            return
        if self._paced.request():
            self._run_reader()

    @while_open("files")
    async def _run_reader(self) -> None:
        await self._paced.run()

    async def _read_files(self) -> None:
        source = self.source
        if source is None:
            return
        operator = self.link.operator
        try:
            commands = (await operator.get_task(source.task_id)).commands
            steps = [command.spec for command in commands]
            if not steps or not all(step.transfer for step in steps):
                self._with_output = source.task_id
                return
            page = await operator.list_command_hosts(source.task_id, Window(limit=LIMIT_MAX))
        except NotFoundError:  # it was pruned
            return
        rows = [row for row in page.rows if source.host_id in ("", row.host_id)]
        if rows and source == self.source:
            lines = file_lines(rows, steps, self.size.width - _MARGINS)
            self._files = source, lines
            self.no_output_text = lines


def file_lines(
    rows: Sequence[CommandHost], steps: Sequence[CommandSpec], width: int
) -> tuple[Spans, ...]:
    """What copies, fetches and updates do on each host: `web01: running, 41 MB of 68 MB`.

    Args:
        width: of a line, in cells.
    """
    lines: list[Spans] = []
    for row in rows:
        spec = steps[row.command].transfer
        if spec is None:
            continue
        state = state_words(row, spec) or command_host_text(replace(row, detail=""))
        words = row_words(row, spec, None)
        text = f"{row.host}: {', '.join(part for part in (state, words) if part)}"
        role = Role.FAULT if row.status.failed else Role.PLAIN
        for piece in textwrap.wrap(safe_line(text), max(_LEAST, width), subsequent_indent="  "):
            lines.append((Span(piece, role),))
    return tuple(lines)

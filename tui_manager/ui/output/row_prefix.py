"""What stands before each row of an output pane: when it was stored, its host, its step. Pure."""

from datetime import tzinfo

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.output.output_buffer import OutputLine
from tui_manager.domain.status import Stream
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit, shorten_middle
from tui_manager.ui.drawing.state_words_and_colours import STDERR, STDOUT

HOST_WIDTH = 16  # cells of a host's name at most, or a third of a wide pane
_STEP_WIDTH = 3
_TIME_WIDTH = 9  # HH:MM:SS and a space


@dataclass(frozen=True, slots=True)
class RowPrefix:
    """What stands before the text of a line.

    Attributes:
        host_width: of the names; 0 shows none.
        steps: the number of the command.
        zone: in which it says when the line was stored; None does not say it.
    """

    host_width: int = 0
    steps: bool = False
    zone: tzinfo | None = None

    @property
    def width(self) -> int:
        """In cells."""
        names = self.host_width + 1 if self.host_width else 0
        return names + _STEP_WIDTH * self.steps + _TIME_WIDTH * (self.zone is not None) + 2

    def of_row(self, line: OutputLine, part: int) -> Spans:
        """The spans before a row of a line. Only its first row has names and times."""
        first = not part and not line.continues
        bar = STDERR if line.stream is Stream.STDERR else STDOUT
        spans: list[Span] = []
        if self.zone is not None:
            at = line.stored_at if first else None
            shown = at.astimezone(self.zone).strftime("%H:%M:%S") if at else ""
            spans.append(Span(f"{shown:<{_TIME_WIDTH}}", Role.MUTED))
        if self.host_width:
            name = shorten_middle(safe_line(line.host), self.host_width) if first else ""
            spans += [*fit((Span(name, Role.MUTED),), self.host_width), Span(" ")]
        if self.steps:
            step = f"#{line.command + 1}" if first else ""
            spans.append(Span(f"{step:<{_STEP_WIDTH}}", Role.MUTED))
        return (*spans, Span(f"{bar.text} ", bar.role))

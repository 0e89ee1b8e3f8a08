"""What an output pane draws: the beginning of each row, and its title. Pure."""

from datetime import tzinfo

from rich.cells import cell_len
from rich.text import Text

from tui_manager.domain.frozen_dataclass import dataclass
from tui_manager.domain.output.output_buffer import OutputLine
from tui_manager.domain.status import Stream
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit, shorten, shorten_middle
from tui_manager.ui.drawing.state_words_and_colours import STDERR, STDOUT
from tui_manager.ui.output.output_reader import Source

HOST_WIDTH = 16  # cells of a host's name at most, or a third of a wide pane
_STEP_WIDTH = 3
_TIME_WIDTH = 9  # HH:MM:SS and a space
_TITLE_LEAST = 8  # cells of a title
_FRAME = 6  # cells of the frame and its spaces beside a title


@dataclass(frozen=True, slots=True)
class Prefix:
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


@dataclass(frozen=True, slots=True)
class Shown:
    """How the output is shown, for its title.

    Attributes:
        share: where the last line that is seen lies in all that is stored, from 0 to 1; None if
            all of it is held.
        doing: what was searched for and what became of it, and what is read for the pager.
    """

    ended: bool
    follow: bool
    wraps: bool
    share: float | None = None
    doing: str = ""


def title_of(source: Source | None, shown: Shown, width: int) -> Text:
    """The title says what is shown and how; the name of the source is shortened first."""
    title = Text("Output", style="bold")
    if source is None:
        return title
    state = (
        ""
        if shown.ended or shown.doing
        else "  ▼ following"
        if shown.follow
        else "  ‖ not following"
    )
    if shown.share is not None and not shown.follow:
        state += f"  at {min(99, max(0, int(100 * shown.share)))}%"
    state += "  wrapped" if shown.wraps else ""
    state += f"  {shown.doing}" if shown.doing else ""
    end = safe_line(source.title_end) + state
    room = width - _FRAME - title.cell_len - cell_len(end)
    name = shorten(safe_line(source.title), max(_TITLE_LEAST, room))
    title.append(f"  {name}{end}", style="not bold")
    return title

"""The title of an output pane: what is shown, and how. Pure."""

from rich.cells import cell_len
from rich.text import Text
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.output.output_reader import Source

_TITLE_LEAST = 8  # cells of a title
_FRAME = 6  # cells of the frame and its spaces beside a title


@dataclass(frozen=True, slots=True)
class TitleState:
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


def title_of(source: Source | None, shown: TitleState, width: int) -> Text:
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

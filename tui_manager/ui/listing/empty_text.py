"""What empty tables say: they teach the next step."""

from rich.cells import cell_len

from tui_manager.domain.health import ManagerStatus
from tui_manager.domain.joining import join_parts
from tui_manager.ui.drawing.spans import Role, Span, Spans

NO_TASKS: tuple[Spans, ...] = (
    (Span("No task yet.", Role.STRONG),),
    (),
    (Span("n", Role.STRONG), Span(" starts a command on hosts that you name.")),
)

NOT_STARTED: tuple[Spans, ...] = (
    (Span("Not started.", Role.STRONG),),
    (),
    (Span("s", Role.STRONG), Span(" starts it; the target is resolved then.")),
)

NO_AUDIT: tuple[Spans, ...] = ((Span("Nothing has been done yet.", Role.MUTED),),)


def no_hosts(status: ManagerStatus | None, dial: str, width: int) -> tuple[Spans, ...]:
    """How the first host joins: the line to paste there, with the address to `dial`."""
    if status is None:
        return ()
    lines: list[Spans] = [(Span("No host has joined yet.", Role.STRONG),), ()]
    parts = join_parts(dial, status.security)
    if status.security == "insecure":
        lines.append((Span("Paste this on a host:", Role.MUTED),))
        return (*lines, *_to_paste(*parts, width, Role.GOOD))
    lines += [
        (Span("j", Role.STRONG), Span(" makes a join token: the line to paste on a host.")),
        (Span("So does: tui-manager token create", Role.MUTED),),
        (),
    ]
    return (*lines, *_to_paste(*parts, width, Role.MUTED))


def _to_paste(begin: str, end: str, width: int, role: Role) -> tuple[Spans, ...]:
    """Broken where a shell lets it be, so that a narrow pane shows all of it."""
    line = f"{begin} {end}"
    if cell_len(line) <= width:
        return ((Span(line, role),),)
    return ((Span(f"{begin} \\", role),), (Span(f"  {end}", role),))

"""What empty tables say: they teach the next step."""

from rich.cells import cell_len

from tui_manager.domain.health import ManagerStatus
from tui_manager.ui.render.cells import Role, Span, Spans

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


def no_hosts(status: ManagerStatus | None, width: int) -> tuple[Spans, ...]:
    """How the first host joins: the line to paste there."""
    if status is None:
        return ()
    lines: list[Spans] = [(Span("No host has joined yet.", Role.STRONG),), ()]
    admission = "--insecure"
    if status.security != "insecure":
        lines.append((Span("A token comes from: tui-manager token create", Role.MUTED),))
        admission = "--join-token TOKEN"
    lines.append((Span("Paste this on a host:", Role.MUTED),))
    parts = [f"tui-manager-agent run --manager {status.address}", f"{admission} --name NAME"]
    line = " ".join(parts)
    if cell_len(line) <= width:
        return (*lines, (Span(line, Role.GOOD),))
    # Broken where a shell lets it be, so that a narrow pane shows all of it.
    return (*lines, (Span(f"{parts[0]} \\", Role.GOOD),), (Span(f"  {parts[1]}", Role.GOOD),))

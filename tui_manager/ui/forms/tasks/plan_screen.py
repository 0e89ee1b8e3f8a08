"""Shows what a task would do, before it starts."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Resize
from textual.screen import ModalScreen

from tui_manager.domain.presentation.plan_words import batch_rows, plan_details
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.tasks.task_plan import TaskPlan
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.span_widgets import SpanLines, TextScroll
from tui_manager.ui.drawing.spans import Role, Span, Spans, shorten, wrap
from tui_manager.ui.drawing.step_words import rule_texts, step_text, transfer_texts
from tui_manager.ui.terminal.closable import ClosableScreen, is_open

_LABEL = 13  # cells
_STEP_WIDTH = 1000  # cells of the text of a step
_NUMBERS = (7, 8)  # cells of the number of a batch, and of how many hosts it has


def plan_lines(spec: TaskSpec, plan: TaskPlan, width: int) -> Sequence[Spans]:
    """Hosts, batches and steps of a task that has not started, in lines of `width` cells."""
    ways = f"in {len(plan.batches)} batches" if len(plan.batches) > 1 else "in one batch"
    lines: list[Spans] = [
        (Span(f"It would run on {count_of(len(plan.hosts), 'host')}, {ways}.", Role.STRONG),), ()
    ]  # fmt: skip
    heads = zip(("BATCH", "HOSTS"), _NUMBERS, strict=True)
    lines.append((Span("".join(f"{head:<{size}}" for head, size in heads) + "NAMES", Role.MUTED),))
    for number, size, names in batch_rows(plan):
        first = f"{number:<{_NUMBERS[0]}}{size:<{_NUMBERS[1]}}"
        lines += _hanging(Span(first), names, width)
    details = [(name, text) for name, text in plan_details(spec, plan) if text]
    lines += [()] if details else []
    for name, text in details:
        role = Role.CAUTION if name == "Offline" else Role.MUTED
        lines += _hanging(Span(f"{name:<{_LABEL}}", role), text, width)
    lines += [(), (Span(count_of(len(spec.commands), "step"), Role.MUTED),)]
    for position, step in enumerate(spec.commands, start=1):
        texts = "   ".join(
            (
                shorten(step_text(step), _STEP_WIDTH),
                *transfer_texts(step),
                *step.option_texts,
                *rule_texts(step),
            )
        )
        lines += _hanging(Span(f"{position:<{_NUMBERS[0]}}"), texts, width)
    return lines


def _hanging(first: Span, text: str, width: int) -> list[Spans]:
    """A text behind its label; its other lines begin below its first one."""
    indent = len(first.text)
    pieces = wrap(safe_line(text), max(width - indent, 2))
    return [
        (first if number == 0 else Span(" " * indent), Span(piece))
        for number, piece in enumerate(pieces)
    ]


class PlanScreen(ModalScreen[None], ClosableScreen[None]):
    """A plan that scrolls. The key that opened it closes it, and so does esc."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,f4,enter", "close", "Back")]

    def __init__(self, spec: TaskSpec, plan: TaskPlan) -> None:
        super().__init__()
        self._spec, self._plan = spec, plan

    def compose(self) -> ComposeResult:
        """The lines, in a pane that scrolls."""
        with Vertical(id="plan", classes="dialog") as sheet:
            sheet.border_title = "Plan"
            sheet.border_subtitle = "nothing has started   esc back"
            with TextScroll(id="plan-page"):
                yield SpanLines(id="plan-lines")

    def on_mount(self) -> None:
        """The keys scroll."""
        if is_open(self):
            self.set_focus(self.query_one(TextScroll))
            self._draw()

    def on_resize(self, _event: Resize) -> None:
        """Wraps the lines at the new width."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if not is_open(self):  # a resize is drawn later than it comes
            return
        width = self.query_one(TextScroll).scrollable_content_region.width
        if width:
            lines = plan_lines(self._spec, self._plan, width)
            self.query_one(SpanLines).set_lines(lines)

    def action_close(self) -> None:
        """Back to the form."""
        self.dismiss(None)

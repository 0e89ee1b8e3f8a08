"""What a step of a task does and when, in words. Pure. A file of its own, because several screens
and forms use it."""

from tui_manager.domain.task_spec.task_spec import CommandSpec, OnFailure, StepKind
from tui_manager.domain.text.number_format import size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.transfer_words import option_texts


def step_text(spec: CommandSpec) -> str:
    """What a step does, in one line: its command, its script with arguments, or which files it
    copies or fetches, or to which version it updates the agent."""
    if spec.transfer is not None:
        return safe_line(spec.transfer.title)
    if spec.kind is StepKind.RUN or spec.script is None:
        return safe_line(spec.text.strip())
    arguments = "".join(f" {safe_line(argument)}" for argument in spec.arguments)
    return f"script of {size(spec.script.size)}{arguments}"


def rule_texts(spec: CommandSpec) -> tuple[str, ...]:
    """When a step runs, if not in the usual way: `always runs`, `waits for all hosts`."""
    return (
        *(("waits for all hosts",) if spec.barrier else ()),
        *(("always runs",) if spec.always else ()),
        *(("may fail",) if spec.on_failure is OnFailure.CONTINUE else ()),
    )


def transfer_texts(spec: CommandSpec) -> tuple[str, ...]:
    """How a copy, a fetch or an update is done; nothing for other steps."""
    return option_texts(spec.transfer) if spec.transfer is not None else ()

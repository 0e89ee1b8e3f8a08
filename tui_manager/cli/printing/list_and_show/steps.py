"""The steps of a task, a template or a plan as text for people."""

from collections.abc import Sequence
from shlex import quote

from tui_manager.cli.printing.summary_text import count_words
from tui_manager.cli.printing.text_table import table
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, OnFailure
from tui_manager.domain.tasks.task import Command
from tui_manager.domain.text.parse_sizes_and_times import format_mode


def step_what(step: CommandSpec) -> str:
    """What it runs, on one line: the shell text, or a script with its arguments; or which files it
    copies or fetches, or to which version it updates agents."""
    if step.copy is not None:
        return _copy_words(step.copy)
    if step.fetch is not None:
        recursive = " (recursive)" if step.fetch.recursive else ""
        into = f" into {quote(step.fetch.to)}" if step.fetch.to else ""
        return f"fetch {' '.join(map(quote, step.fetch.paths))}{recursive}{into}"
    if step.update is not None:
        return f"{step.update.title} for {step.update.system} {step.update.arch}"
    if step.script is None:
        return " ⏎ ".join(step.text.splitlines())
    return " ".join((f"script of {step.script.size:,} bytes", *map(quote, step.arguments)))


def _copy_words(copy: CopySpec) -> str:
    """`copy app.conf keys to /etc/app/ (12 files, 20,480 bytes, mode 0640, owner root)`."""
    files = copy.files
    more = [f"{files.files:,} file{'s' * (files.files != 1)}", f"{files.bytes:,} bytes"]
    more += [f"mode {format_mode(copy.mode)}"] if copy.mode is not None else []
    more += [f"owner {copy.owner}"] if copy.owner else []
    more += ["backup"] if copy.backup else []
    return f"copy {' '.join(map(quote, copy.sources))} to {quote(copy.to)} ({', '.join(more)})"


def step_rules(step: CommandSpec) -> str:
    """Its keys in a task file that say when it runs: `always barrier`; `-`: it runs after the one
    before has completed."""
    rules = [] if step.on_failure is OnFailure.STOP else [f"on_failure={step.on_failure}"]
    rules += [name for name in ("always", "barrier") if getattr(step, name)]
    return " ".join(rules) or "-"


def need_table(steps: Sequence[CommandSpec]) -> bool:
    """Whether there is more to say than what a single command runs."""
    return len(steps) > 1 or bool(steps[0].name) or step_rules(steps[0]) != "-"


def step_table(steps: Sequence[CommandSpec]) -> str:
    """The steps before they run."""
    rows = [
        (str(index), step.name or "-", step_what(step), step_rules(step))
        for index, step in enumerate(steps)
    ]
    return table(("STEP", "NAME", "WHAT", "RULES"), rows, stretch=(2, 1))


def progress_table(commands: Sequence[Command]) -> str:
    """The steps of a task, and how far each is."""
    rows = [
        (
            str(command.index),
            command.spec.name or "-",
            str(command.spec.kind),
            step_rules(command.spec),
            str(command.status),
            count_words(command.counts),
        )
        for command in commands
    ]
    return table(("STEP", "NAME", "KIND", "RULES", "STATUS", "HOSTS"), rows, stretch=(1, 5))

"""The folds of the form for a new task, and what they say when they are closed."""

from collections.abc import Mapping

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.field_rows import FieldRow, Fold, Line
from tui_manager.ui.forms.files.copy_and_fetch_fields import TaskKind
from tui_manager.ui.forms.new_task.new_task_fields import FormFields, split_names
from tui_manager.ui.forms.path_suggester import PathSuggester
from tui_manager.ui.forms.schedules.schedule_fields import parse_values
from tui_manager.ui.forms.tasks.secret_fields import SecretFields

PROCESS = "Run as, folder, variables, secrets"
INPUT = "Script, stdin, limits, description"
_WIDTH = 24  # cells of one text


def process_fold(
    fields: FormFields, begun: Mapping[str, str | bool], secrets: SecretFields
) -> Fold:
    """Who runs the command, where, and with which variables.

    Args:
        begun: what stands in the fields at first, by their ids.
        secrets: for the values of secrets.
    """
    rows = (
        FieldRow(
            Line("user", "Run as", "user of the agent"),
            Line("cwd", "Folder", "home of the user"),
            begun=begun,
        ),
        FieldRow(Line("param", "Parameter", "LEVEL=high HOST='a b'"), begun=begun),
        FieldRow(Line("env", "Variables", "the same, not called parameters"), begun=begun),
        FieldRow(Line("secret", "Secrets", "names only: TOKEN PASSWORD"), begun=begun),
        secrets,
    )
    return Fold(process_title(fields), rows, "process")


def input_fold(fields: FormFields, begun: Mapping[str, str | bool]) -> Fold:
    """What is run in place of a command, what it reads, and its limits."""
    rows = (
        FieldRow(
            Line("script", "Script", "a file here, no command", PathSuggester(several=False)),
            Line("arguments", "Arguments", "none"),
            begun=begun,
        ),
        FieldRow(
            Line("stdin", "Stdin", "none  (a file here)", PathSuggester(several=False)),
            Line("memory_max", "Memory", "no limit  (512M, 2G)"),
            begun=begun,
        ),
        FieldRow(
            Line("tasks_max", "Processes", "no limit  (100)"),
            Line("cpu_max", "CPU", "no limit  (50%)"),
            begun=begun,
        ),
        FieldRow(Line("description", "About", "a description of the task"), begun=begun),
    )
    return Fold(input_title(fields), rows, "input")


def process_title(fields: FormFields) -> str:
    """`As deploy, in /srv, 2 parameters, 1 secret`."""
    secrets = len(split_names(fields.secret))
    words = [
        f"as {_short(fields.user)}" if fields.user.strip() else "",
        f"in {_short(fields.cwd)}" if fields.cwd.strip() else "",
        _variables(fields.param, "parameter"),
        _variables(fields.env, "variable"),
        count_of(secrets, "secret") if secrets else "",
    ]
    return _title(words) or PROCESS


def input_title(fields: FormFields) -> str:
    """`Script deploy.sh, memory 512M, described`. A copy and a fetch have a description only."""
    if fields.kind is not TaskKind.COMMAND:
        return "Described" if fields.description.strip() else "Description"
    limits = (("memory", fields.memory_max), ("processes", fields.tasks_max),
              ("CPU", fields.cpu_max))  # fmt: skip
    words = [
        f"script {_short(fields.script.rpartition('/')[2])}" if fields.script.strip() else "",
        f"stdin {_short(fields.stdin.rpartition('/')[2])}" if fields.stdin.strip() else "",
        *(f"{name} {_short(text)}" for name, text in limits if text.strip()),
        "described" if fields.description.strip() else "",
    ]
    return _title(words) or INPUT


def _title(words: list[str]) -> str:
    text = ", ".join(filter(None, words))
    return text[:1].upper() + text[1:]


def _short(text: str) -> str:
    return shorten(safe_line(text.strip()), _WIDTH)


def _variables(text: str, noun: str) -> str:
    try:
        number = len(parse_values(text))
    except InvalidInputError:
        return f"{noun}s not valid yet"
    return count_of(number, noun) if number else ""

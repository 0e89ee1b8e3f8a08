"""What the closed folds of the form for a new task say. Pure."""

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.safe_text import safe_line
from tui_manager.ui.drawing.number_format import count_of
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.new_task_fields import FormFields, split_names
from tui_manager.ui.forms.schedule_fields import parse_values

PROCESS = "Run as, folder, variables, secrets"
INPUT = "Script, stdin, limits, description"
_WIDTH = 24  # cells of one text


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
    """`Script deploy.sh, memory 512M, described`."""
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

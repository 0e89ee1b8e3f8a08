"""The parser, and the options and kinds of values that commands share."""

import argparse
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from tui_manager.domain.errors import InvalidInputError

PROGRAM = "tui-manager"
COMMAND = "COMMAND"  # stands in help for the commands of a parser
_ROWS_MAX = 1_000_000
_LIKENESS = 0.6  # of 1, from which on a word may be meant by another one
_COLUMNS = 80  # of help that goes to no terminal
_SHORT = 3  # characters; the beginning of a word is longer
_Choice = TypeVar("_Choice", bound=StrEnum)

_MARK = "\0"  # cannot occur in an argument

# A parser asks for translations of its headings, and each time gettext looks for files that are
# not there.
argparse._ = str  # type: ignore[attr-defined]


def as_name(word: str) -> str:
    """Marks a word that stands after `--`, so that it is not read as an option; `plain` reverses
    it."""
    return f"{_MARK}{word}"


def is_name(value: object) -> bool:
    """Whether it is a word that stands after `--`."""
    return isinstance(value, str) and value.startswith(_MARK)


def plain(value: Any) -> Any:
    """A word as it was typed; other values unchanged."""
    return value[len(_MARK) :] if is_name(value) else value


def _help_width() -> int:
    """The columns for help, as argparse finds them with `shutil`, which takes long to import. It
    wants them for each option that is added."""
    named = os.environ.get("COLUMNS", "")
    columns = int(named) if named.isdigit() else 0
    if not columns:
        try:
            columns = os.get_terminal_size(1).columns
        except OSError:
            columns = 0
    return (columns or _COLUMNS) - 2


def _help_formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, width=_help_width())


class Parser(argparse.ArgumentParser):
    """Raises errors of the command line instead of printing them."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **{"formatter_class": _help_formatter, **named})

    def error(self, message: str) -> NoReturn:
        message = message.replace(repr(_MARK)[1:-1], "").replace(_MARK, "")
        if message.endswith(f": {COMMAND}"):  # nothing but a command is missing
            message = f"A command is missing: {', '.join(self.commands)}."
        raise InvalidInputError("arguments", f"{message}\nSee `{self.prog} --help`.")

    @property
    def commands(self) -> Mapping[str, argparse.ArgumentParser]:
        """The parsers of its own commands, by name."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return action.choices
        return {}

    @property
    def long_options(self) -> Sequence[str]:
        """Its options, as `--timeout`."""
        names = (option for action in self._actions for option in action.option_strings)
        return [name for name in names if name.startswith("--")]

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Says of an unknown command which one may be meant, instead of listing all of them."""
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            name = plain(value)
            end = did_you_mean(name, action.choices)
            if end == "." and "show" in action.choices:
                end = f"; did you mean `{self.prog} show {name}`?"
            self.error(f"There is no command {name!r}{end}")
        super()._check_value(action, value)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence on a word that is not known; empty if none of those is like it."""
    from difflib import get_close_matches  # here, because few command lines are wrong

    names = [*known]
    longer = [name for name in names if len(word) > _SHORT and name.startswith(word)]
    like = longer if len(longer) == 1 else get_close_matches(word, names, 1, _LIKENESS)
    return f"; did you mean {like[0]}?" if like else "."


def one_of(kind: type[_Choice]) -> Callable[[str], _Choice]:
    """The type of an argument that is one word of an enumeration."""

    def read(text: str) -> _Choice:
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(kind)}") from None

    return read


def state_options() -> Parser:
    """Absent if not given, so that the default of a command does not replace the option before
    it."""
    options = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument(
        "--state-dir", metavar="D", help="folder of the database and the operator's socket"
    )
    return options


def listen_options() -> Parser:
    """Where and how a manager listens; absent if not given."""
    options = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument(
        "--listen", metavar="HOST:PORT", help="address for agents; port 0 takes a free port"
    )
    options.add_argument(
        "--enroll-listen",
        metavar="HOST:PORT",
        help="address for enrolment (default: the port after that of --listen)",
    )
    options.add_argument(
        "--metrics",
        metavar="[HOST:]PORT",
        help="address where Prometheus finds /metrics; 127.0.0.1 unless a host is given; port 0 "
        "takes a free port",
    )
    options.add_argument(
        "--insecure",
        action="store_true",
        help="no TLS, and every host that connects is admitted without approval; allowed only on a "
        "loopback address",
    )
    return options


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds `--json`, for commands that print a table or JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def task_id(text: str) -> int:
    """The type of an argument: a task's number."""
    return number(text, 1, 2**63 - 1, "a task's number")


def row_limit(text: str) -> int:
    """The type of an option: how many rows of a list are printed."""
    return number(text, 1, _ROWS_MAX, f"a number from 1 to {_ROWS_MAX:,}")


def number(text: str, low: int, high: int, what: str) -> int:
    """The number in `text`. Raises ArgumentTypeError, which says that it is not `what`."""
    text = plain(text)
    if text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not {what}")

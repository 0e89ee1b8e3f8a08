"""The parser, and the options and kinds of values that commands share."""

import argparse
from typing import Any, NoReturn

from tui_manager.domain.errors import InvalidInputError

PROGRAM = "tui-manager"
_ROWS_MAX = 1_000_000

_MARK = "\0"  # cannot occur in an argument


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


class Parser(argparse.ArgumentParser):
    """Raises errors of the command line instead of printing them."""

    def error(self, message: str) -> NoReturn:
        message = message.replace(repr(_MARK)[1:-1], "").replace(_MARK, "")
        raise InvalidInputError("arguments", f"{message}\nSee `{self.prog} --help`.")


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

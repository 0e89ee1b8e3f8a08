"""The parser, and the options and kinds of values that commands share."""

import argparse
from typing import Any, NoReturn

from tui_manager.domain.errors import InvalidInputError

PROGRAM = "tui-manager"


_MARK = "\0"  # no word of a command line can hold it


def as_name(word: str) -> str:
    """A word from behind `--`, which no parser takes for an option; `plain` gives it back."""
    return f"{_MARK}{word}"


def is_name(value: object) -> bool:
    """Whether it is a word from behind `--`."""
    return isinstance(value, str) and value.startswith(_MARK)


def plain(value: Any) -> Any:
    """A word as it was typed; what is no word stays."""
    return value[len(_MARK) :] if is_name(value) else value


class Parser(argparse.ArgumentParser):
    """Raises what is wrong, so that one place prints it."""

    def error(self, message: str) -> NoReturn:
        message = message.replace(repr(_MARK)[1:-1], "").replace(_MARK, "")
        raise InvalidInputError("arguments", f"{message}\nSee `{self.prog} --help`.")


def state_options() -> Parser:
    """Absent when not given, so that a command's own does not hide the one before the command."""
    options = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument(
        "--state-dir", metavar="D", help="folder of the database and the operator's socket"
    )
    return options


def listen_options() -> Parser:
    """Where and how a manager listens; absent when not given."""
    options = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument(
        "--listen", metavar="HOST:PORT", help="where agents dial in; port 0 takes a free one"
    )
    options.add_argument(
        "--enroll-listen",
        metavar="HOST:PORT",
        help="where hosts enrol (default the port after that of --listen)",
    )
    options.add_argument(
        "--insecure",
        action="store_true",
        help="no TLS, and hosts admitted as they come; on a loopback address only",
    )
    return options


def add_json(parser: argparse.ArgumentParser) -> None:
    """For commands that print either a table or JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def task_id(text: str) -> int:
    """A kind of argument."""
    return number(text, 1, 2**63 - 1, "a task's number")


def number(text: str, low: int, high: int, what: str) -> int:
    """The number that `text` spells; else argparse is told that it is not `what`."""
    text = plain(text)
    if text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not {what}")

"""`--script` and `--stdin`: files of this machine that a command gets on its hosts."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.read_files import STDIN, read_bytes
from tui_manager.cli.options.values import file_path
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.script_and_stdin import CONTENT_LENGTH, Content, content_of
from tui_manager.domain.task_spec.task_spec import NAME_LENGTH, CommandSpec

CONTENT_USAGE = "[--script FILE] [--stdin FILE|-]"
_AT_TERMINAL = f"{PROGRAM}: type what the command reads from stdin; ctrl-d ends it\n"


def add_content_options(command: argparse.ArgumentParser) -> None:
    """Adds the two options; `with_contents` reads them."""
    command.add_argument(
        "--script",
        metavar="FILE",
        help="run this script of up to 1 MiB in place of a command, by the program that its first "
        "line names; the words after `--` are its arguments, and no shell reads them",
    )
    command.add_argument(
        "--stdin",
        metavar="FILE|-",
        help="up to 1 MiB that the command reads from stdin, on each host; - is what this program "
        "reads there (default: /dev/null)",
    )


def given_content_options(options: argparse.Namespace) -> list[str]:
    """Those that were given."""
    return [name for name in ("script", "stdin") if getattr(options, name) is not None]


def with_contents(step: CommandSpec, options: argparse.Namespace) -> CommandSpec:
    """The step with the script and the stdin that the options name. A script gives the step its
    name.

    Raises:
        InvalidInputError: a file cannot be read, or is too long.
    """
    if options.script is not None:
        content = _content("script", file_path(options.script), _read_file)
        step = replace(step, name=Path(options.script).name[:NAME_LENGTH], script=content)
    if options.stdin == STDIN:
        return replace(step, stdin=_content("stdin", Path(STDIN), _read_stdin))
    if options.stdin is not None:
        return replace(step, stdin=_content("stdin", file_path(options.stdin), _read_file))
    return step


def _content(option: str, path: Path, read: Callable[[Path], bytes]) -> Content:
    try:
        return content_of(read(path))
    except OSError as error:
        why = f"{error.strerror or error}."
    except InvalidInputError as error:
        why = str(error)
    raise InvalidInputError(option, f"--{option} {path}: {why}")


def _read_file(path: Path) -> bytes:
    return read_bytes(path, CONTENT_LENGTH)


def _read_stdin(_path: Path) -> bytes:
    """Reads to the end. A secret that is asked for meanwhile is typed at /dev/tty."""
    if sys.stdin is None:
        raise InvalidInputError("stdin", "it is closed.")
    if sys.stdin.isatty():
        sys.stderr.write(_AT_TERMINAL)
        sys.stderr.flush()
    data = sys.stdin.buffer.read(CONTENT_LENGTH + 1)
    if len(data) > CONTENT_LENGTH:
        raise InvalidInputError("stdin", f"it has more than {CONTENT_LENGTH} bytes.")
    return data

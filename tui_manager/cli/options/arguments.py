"""Reads a command line: separates what stands after `--`, and reports errors."""

import argparse
import os
from collections.abc import Iterable, Sequence
from typing import Any

from tui_manager.cli.options.commands import command_line_parser
from tui_manager.cli.options.parser import (
    PROGRAM,
    Parser,
    as_name,
    did_you_mean,
    is_name,
    plain,
)
from tui_manager.domain.errors import InvalidInputError

# Arguments that may stand after `--`, besides numbers.
_NAMES = (
    "target", "names", "new_name", "file", "template", "source", "schedule", "folder", "receiver",
)  # fmt: skip
# Options whose values are kept under another name, because that of the option is one of these.
_OPTIONS = {
    "task_file": "file", "of_template": "template", "other_target": "target", "file_mode": "mode",
    "hosts": "host",
}  # fmt: skip


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command line. `action` names the command.

    No word after the first `--` is an option. With `run` these words are `command_words`; they
    begin with TARGET and another `--` if TARGET was not given before. With `schedule add` and
    `schedule edit` they are too, and NAME may stand there before TARGET. With every other command
    they are names, also if they begin with `-`.

    Raises:
        InvalidInputError: the arguments are wrong.
    """
    words, dashes, behind = [*map(_decoded, arguments)], "--" in arguments, []
    if dashes:
        end = words.index("--")
        words, behind = words[:end], words[end + 1 :]
    parser = command_line_parser()
    options, unknown = parser.parse_known_args([*words, *map(as_name, behind)])
    if options.action == "run":
        named = is_name(options.target)
        options.command_words = _command(options, behind)
        unknown = unknown[: len(unknown) - len(behind)] if not named else []
    if getattr(options, "schedule_action", "") in ("add", "edit"):
        unknown = _read_schedule(options, unknown, behind)
    if options.action in ("copy", "fetch"):
        from tui_manager.cli.options.tasks.transfer import take_names

        unknown = take_names(options, unknown)
    for option, value in vars(options).items():
        setattr(options, option, _plain(option, value))
    _check_utf8(options)
    if unknown:
        meant = _meant_option(_parser_of(parser, words), unknown[0])
        raise _unrecognized(options, list(map(plain, unknown)), meant, dashes=dashes)
    return options


def _command(options: argparse.Namespace, behind: Sequence[str]) -> list[str]:
    """The words of the command: those behind `--`, or behind the next one if the first of them is
    TARGET. With an option for a target or a file there is no TARGET."""
    if options.task_file is not None or options.other_target is not None:
        options.target = None if is_name(options.target) else options.target
    if not is_name(options.target):
        return list(behind)
    if list(behind[1:2]) != ["--"]:
        raise InvalidInputError("arguments", f"TARGET is missing: {_run_form()}\n{_see('run')}")
    return list(behind[2:])


def _read_schedule(
    options: argparse.Namespace, unknown: Sequence[str], behind: Sequence[str]
) -> list[str]:
    """Sets NAME, TARGET and the words of the command; returns what is unknown. argparse itself does
    not find TARGET if options stand between it and NAME."""
    loose = [word for word in unknown if not is_name(word)]
    given = [word for word in (options.schedule, options.target) if word and not is_name(word)]
    if len(given) == 1 and loose and not loose[0].startswith("-"):
        given.append(loose.pop(0))
    names, command = [], list(behind)
    if not given and command:
        names.append(command.pop(0))
    if len(given) + len(names) == 1 and command[1:2] == ["--"]:
        names.append(command.pop(0))
    if names and command[:1] == ["--"]:
        command.pop(0)
    options.schedule, options.target = [*given, *names, None][:2]
    options.command_words = command
    return loose


def _plain(option: str, value: Any) -> Any:
    """A value as it was typed. Raises InvalidInputError if an option took a word from after
    `--`."""
    words = value if isinstance(value, list) else [value]
    if option not in _NAMES and any(map(is_name, words)):
        name = _OPTIONS.get(option, option.replace("_", "-"))
        raise InvalidInputError("arguments", f"argument --{name}: expected one argument")
    return list(map(plain, value)) if isinstance(value, list) else plain(value)


def _decoded(argument: str) -> str:
    """The text of an argument, which is UTF-8 also if the locale, such as C, has another encoding.
    Bytes that are not UTF-8 stay as they are."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return os.fsencode(argument).decode(errors="surrogateescape")
    return argument


def _check_utf8(options: argparse.Namespace) -> None:
    """Raises InvalidInputError for text that is not UTF-8. The files that `copy` names may have any
    name."""
    for option, value in vars(options).items():
        words = value if isinstance(value, list) else [value]
        if options.action == "copy" and option == "names":
            words = [*words[:1], *words[-1:]]
        for word in words:
            if isinstance(word, str) and not _is_utf8(word):
                raise InvalidInputError("arguments", f"{word!a} is not valid UTF-8.")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parser_of(parser: Parser, words: Iterable[str]) -> Parser:
    """The parser of the command that the words name."""
    for word in words:
        found = parser.commands.get(word)
        parser = found if isinstance(found, Parser) else parser
    return parser


def _meant_option(parser: Parser, word: str) -> str:
    """Which option of a command may be meant, as the end of a sentence; empty if none is like
    it."""
    if not word.startswith("--"):
        return ""
    return did_you_mean(word.partition("=")[0], parser.long_options).removesuffix(".")


def _unrecognized(
    options: argparse.Namespace, unknown: Sequence[str], meant: str, *, dashes: bool
) -> InvalidInputError:
    """The error for words that the parser does not know.

    Args:
        meant: the end of the sentence, if the first of them may be a mistyped option.
        dashes: `--` was given.
    """
    action = options.action
    message = f"unrecognized arguments: {' '.join(unknown)}{meant}"
    if meant:
        pass
    elif action == "run" and not dashes:
        message += f"; put the command after `--`: {_run_form()}"
    elif not dashes and any(word.startswith("-") for word in unknown):
        message += "; put a name that begins with `-` after `--`"
    elif not dashes and getattr(options, "template_action", "") == "run":
        message += f"; give another target than the template's with --target {unknown[0]}"
    return InvalidInputError("arguments", f"{message}\n{_see(action)}")


def _run_form() -> str:
    from tui_manager.cli.options.tasks.run import RUN_FORM

    return RUN_FORM


def _see(action: str) -> str:
    program = PROGRAM if action == "dashboard" else f"{PROGRAM} {action}"
    return f"See `{program} --help`."

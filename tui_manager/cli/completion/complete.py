"""Finds what the word that is being typed can become. The parser says which argument it is,
`argument_kinds.py` what this argument names, and the manager, if one answers, which names there
are."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import field
from enum import StrEnum
from functools import cache

from argcomplete.finders import ExclusiveCompletionFinder
from argcomplete.io import mute_stderr
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.cli.completion.argument_kinds import Candidates, Kind, kind_of
from tui_manager.cli.options.commands import command_line_parser
from tui_manager.cli.options.parser import PROGRAM, as_name, is_name, plain
from tui_manager.domain.errors import ManagerError
from tui_manager.domain.text.safe_text import safe_line

_END = "--"
_COMMAND_FOLLOWS = {_END: "the command follows"}
_TAKE_COMMANDS = ("run", "schedule add", "schedule edit")
_SOURCES = ("task_file", "of_template", "script")  # with one of them there is no command


class Files(StrEnum):
    """What the shell completes by its own rules."""

    NONE = "none"
    FILES = "files"
    FOLDERS = "folders"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a word can become.

    Attributes:
        candidates: whole words without any quotes, and what a shell may show beside each.
        files: whether it is a file or a folder of this machine instead.
    """

    candidates: Candidates
    files: Files = Files.NONE


@dataclass(slots=True)
class _Given:
    """What stands before the word.

    Attributes:
        command: as `hosts show`.
        loose: words that the parser has no place for.
    """

    command: str = ""
    options: argparse.Namespace = field(default_factory=argparse.Namespace)
    loose: Sequence[str] = ()

    def has(self, *names: str) -> bool:
        """Whether one of these arguments is given."""
        return any(getattr(self.options, name, None) for name in names)


def complete(words: Sequence[str], prefix: str) -> Reply:
    """What the word that is being typed can become. Words that cannot be shown safely are left out.

    Args:
        words: those before it, without the name of the program.
        prefix: of that word, what stands before the cursor.
    """
    reply = _complete(words, prefix)
    shown = {
        plain(value): safe_line(" ".join(text.split())) for value, text in reply.candidates.items()
    }
    return Reply(
        {
            value: text
            for value, text in shown.items()
            if value.startswith(prefix) and value == safe_line(value)
        },
        reply.files,
    )


def _complete(words: Sequence[str], prefix: str) -> Reply:
    finder = _finder()
    if _END not in words:
        return finder.find(words, prefix)
    end = list(words).index(_END)
    before, behind = words[:end], words[end + 1 :]
    finder.parse(before)
    if finder.given.command in _TAKE_COMMANDS:
        return _behind_dashes(finder.given, behind, prefix)
    return finder.find([*before, *map(as_name, behind)], as_name(prefix))


@cache
def _finder() -> "_Finder":
    """One for all words, as it takes long to make the parser."""
    return _Finder()


def _behind_dashes(given: _Given, behind: Sequence[str], prefix: str) -> Reply:
    """The next word of a command that was run before; or TARGET and another `--`, if there is no
    TARGET yet."""
    if given.command == "run" and not given.has("target", "other_target", *_SOURCES):
        if not behind:
            return Reply(_live(given.options, Kind.TARGET, prefix))
        if len(behind) == 1:
            return Reply(_COMMAND_FOLLOWS)
        behind = behind[2:]
    if given.has(*_SOURCES):
        return Reply({})
    from tui_manager.cli.completion import names_from_manager

    return Reply(
        names_from_manager.ask(
            given.options, lambda operator: names_from_manager.next_words(operator, behind, prefix)
        )
    )


def _live(options: argparse.Namespace, kind: Kind, prefix: str) -> Candidates:
    from tui_manager.cli.completion import names_from_manager

    return names_from_manager.ask(
        options, lambda operator: names_from_manager.find(operator, kind, prefix, options)
    )


class _Finder(ExclusiveCompletionFinder):
    """Finds which arguments the parser would take next, and completes these by their kind."""

    def __init__(self) -> None:
        super().__init__(command_line_parser(), always_complete_options=False, append_space=False)
        self.given = _Given()
        self._files = Files.NONE
        self._asked = False  # an argument was found that the word belongs to
        self._prepared: list[argparse.ArgumentParser] = []

    def _prepare(self, parser: argparse.ArgumentParser) -> None:
        """Lets the arguments of a command be completed by their kind. Values may be wrong or
        missing as yet."""
        self._prepared.append(parser)
        for action in parser._actions:
            action.required = False
            if isinstance(action, argparse._SubParsersAction) or action.nargs == 0:
                continue
            action.type = None
            kind = kind_of(_command_of(parser), action.dest) or Kind.NOTHING
            completer = self._completer(kind, [*map(str, action.choices or ())])
            action.completer = completer  # type: ignore[attr-defined]

    def parse(self, words: Sequence[str]) -> list[argparse.ArgumentParser]:
        """Reads what stands before the word, as far as it is right, into `given`. Returns the
        parsers of the command and of those that it belongs to."""
        active = self._parse(words)
        while new := [parser for parser in active if parser not in self._prepared]:
            for parser in new:
                self._prepare(parser)
            active = self._parse(words)
        return active

    def _parse(self, words: Sequence[str]) -> list[argparse.ArgumentParser]:
        active: list[argparse.ArgumentParser]
        active = self._patch_argument_parser()  # type: ignore[no-untyped-call]
        self.given = _Given()
        self.completing = True
        with suppress(ManagerError, argparse.ArgumentError, SystemExit), mute_stderr():
            assert self._parser is not None
            _, self.given.loose = self._parser.parse_known_args([*words], self.given.options)
        self.completing = False
        self.given.command = _command_of(active[-1])
        return active

    def find(self, words: Sequence[str], prefix: str) -> Reply:
        """What a word can become; see `complete`. Words after `--` are marked as names."""
        if prefix.startswith("-") and "=" in prefix:  # the word has an option and its value
            words = [*words, prefix.partition("=")[0]]
        active, self._files, self._asked = self.parse(words), Files.NONE, False
        self.always_complete_options = False
        found = self.filter_completions(
            self.collect_completions(active, self.given.options, prefix)
        )
        candidates = {one: self.get_display_completions().get(one) or "" for one in found}
        if not self._asked and not prefix.startswith("-"):
            candidates |= self._of_late_argument(prefix)
        if not self._asked and not candidates and not prefix:
            self.always_complete_options = True
            found = self.collect_completions(active, self.given.options, prefix)
            candidates = {one: self.get_display_completions().get(one) or "" for one in found}
        if self._may_end_options(prefix):
            candidates |= _COMMAND_FOLLOWS
        return Reply(candidates, self._files)

    def _of_late_argument(self, prefix: str) -> Candidates:
        """Completes names that stand after an option, where the parser does not look for them."""
        given = self.given
        if given.command in ("copy", "fetch") and given.has("names"):
            return self._complete(kind_of(given.command, "names") or Kind.NOTHING, prefix)
        late = given.command in ("schedule add", "schedule edit") and given.has("schedule")
        named = given.has("target", "other_target", *_SOURCES) or given.loose
        return self._complete(Kind.TARGET, prefix) if late and not named else {}

    def _may_end_options(self, prefix: str) -> bool:
        given = self.given
        return (
            prefix in ("", "-", "--")
            and not self._asked
            and given.command in _TAKE_COMMANDS
            and (given.has("target", "other_target") or bool(given.loose))
            and not given.has("task_file", "of_template")
        )

    def _get_subparser_completions(
        self, parser: "argparse._SubParsersAction[argparse.ArgumentParser]", cword_prefix: str
    ) -> list[str]:
        """The commands; that of the library makes the parsers of all of them."""
        helps = {action.dest: action.help or "" for action in parser._get_subactions()}
        self._display_completions |= helps
        return [name for name in helps if name.startswith(cword_prefix)]

    def _completer(self, kind: Kind, choices: Sequence[str]) -> Callable[..., Candidates]:
        """In the form that the library calls."""

        def candidates(prefix: str, **_: object) -> Candidates:
            found = self._complete(kind, plain(prefix)) or dict.fromkeys(choices, "")
            return {as_name(one): found[one] for one in found} if is_name(prefix) else found

        return candidates

    def _complete(self, kind: Kind, prefix: str) -> Candidates:
        self._asked = True
        if kind in (Kind.TARGET_AND_FILES, Kind.TARGET_AND_FOLDER):
            then = Kind.FILE if kind is Kind.TARGET_AND_FILES else Kind.FOLDER
            kind = then if self.given.has("names") else Kind.TARGET
        elif kind is Kind.FILE_OR_TASK:
            kind = Kind.TASK if prefix.isdigit() else Kind.FILE
        match kind:
            case Kind.NOTHING:
                return {}
            case Kind.FILE | Kind.FOLDER:
                self._files = Files.FILES if kind is Kind.FILE else Files.FOLDERS
                return {}
            case Kind.ZONE:
                from zoneinfo import available_timezones

                return dict.fromkeys(sorted(available_timezones()), "")
            case _:
                given = [plain(one) for one in getattr(self.given.options, "names", None) or ()]
                found = _live(self.given.options, kind, prefix)
                return {one: found[one] for one in found if one not in given}


def _command_of(parser: argparse.ArgumentParser) -> str:
    """As `hosts show`; empty for the parser of the program."""
    return parser.prog.removeprefix(PROGRAM).strip()


def arguments_of(
    parser: argparse.ArgumentParser, command: str = ""
) -> Iterator[tuple[str, argparse.Action]]:
    """All arguments of a parser and of its commands, each with its command."""
    for action in parser._actions:
        yield command, action
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from arguments_of(child, f"{command} {name}".strip())

"""Commands of a parser that get their own parsers only when they are needed. To make all of them,
and to import what they need, takes longer than most commands run."""

import argparse
from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from tui_manager.cli.options.parser import Parser

if TYPE_CHECKING:
    _Action = argparse._SubParsersAction[Parser]
else:
    _Action = argparse._SubParsersAction


class _Parsers(MutableMapping[str, Parser]):
    """The parsers by the names of their commands. Only a look at a parser makes it."""

    def __init__(self) -> None:
        self._made: dict[str, Parser | None] = {}
        self._making: dict[str, Callable[[], Parser]] = {}

    def later(self, name: str, make: Callable[[], Parser]) -> None:
        """Adds a command."""
        self._made[name] = None
        self._making[name] = make

    def __getitem__(self, name: str) -> Parser:
        if (parser := self._made[name]) is None:
            parser = self._made[name] = self._making.pop(name)()
        return parser

    def __contains__(self, name: object) -> bool:
        return name in self._making or self._made.get(str(name)) is not None

    def __setitem__(self, name: str, parser: Parser) -> None:
        self._made[name] = parser

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


class LazyCommands(_Action):
    """What `add_subparsers(action=LazyCommands)` returns."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._parsers = _Parsers()
        self.choices = self._name_parser_map = self._parsers  # type: ignore[assignment]

    def add_later(
        self,
        name: str,
        summary: str,
        fill: Callable[[Parser], None],
        *parents: Parser,
    ) -> None:
        """Adds a command.

        Args:
            summary: its line in the list of commands.
            fill: adds its options, when the parser is made.
            parents: whose options it has too.
        """

        def make() -> Parser:
            made = self.add_parser(
                name,
                description=f"{summary[0].upper()}{summary[1:]}.",
                parents=parents,
                allow_abbrev=False,
            )
            made.set_defaults(action=name)
            fill(made)
            return made

        self._choices_actions.append(self._ChoicesPseudoAction(name, (), summary))
        self._parsers.later(name, make)

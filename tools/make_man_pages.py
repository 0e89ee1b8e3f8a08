"""Makes the man pages of both programs from their parsers.

Each command of `tui-manager` has a page, as those of git have: `man tui-manager run`. The commands
below it are sections of that page. Those of `agent` have a page each, because tui-manager-agent(1)
is the program on the hosts, whose commands are sections too.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from argparse_manpage.manpage import Manpage
from tui_manager_agent.cli.options import make_parser

from tui_manager import __version__
from tui_manager.cli.options.commands import command_line_parser

_MANUAL = "tui-manager"
_WIDTH = "80"  # columns of what argparse wraps; man fills the lines again
_EXIT_STATUS = "exit status: "
_GROUPS = ("agent",)  # commands without a page of their own
# What the parsers of the programs do not say.
_NAMES = {
    "tui-manager": "run commands on many hosts, and keep a record of what happened",
    "tui-manager-agent": "run on this host what its tui-manager says",
}


def make(folder: Path) -> None:
    """Writes all pages into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["COLUMNS"] = _WIDTH
    pages = dict(_pages())
    for name, text in pages.items():
        others = sorted(other for other in pages if other != name)
        related = others if name in _NAMES else ["tui-manager"]
        see = ", ".join(f"\\fB{_dashes(other)}\\fR(1)" for other in related)
        (folder / f"{name}.1").write_text(_ascii(f"{text}.SH SEE ALSO\n{see}\n"))


def _pages() -> Iterator[tuple[str, str]]:
    program = command_line_parser()
    for name, command, summary in _commands(program):
        if name in _GROUPS:
            for below, one, its_summary in _commands(command):
                yield f"{program.prog}-{name}-{below}", _page(one, its_summary)
        else:
            yield f"{program.prog}-{name}", _page(command, summary)
    (action,) = _subparsers(program)
    action._name_parser_map.clear()  # the page of the program only lists its commands
    program.epilog = None
    yield program.prog, _page(program, _NAMES[program.prog])
    agent = make_parser()
    yield agent.prog, _page(agent, _NAMES[agent.prog])


def _page(parser: argparse.ArgumentParser, summary: str) -> str:
    for command in _all_below(parser):
        if command.epilog:
            text = command.epilog[0].upper() + command.epilog[1:]
            command.description = f"{command.description} {text}."
    status, parser.epilog = parser.epilog, None
    page = Manpage(parser)
    page.prog = parser.prog.replace(" ", "-")
    page.description = summary
    page.source = f"tui-manager {__version__}"
    page.manual = _MANUAL
    page.date = _date()
    usage = " ".join(page.synopsis).removeprefix(parser.prog)
    page.synopsis = [parser.prog, _dashes(usage.strip())]
    if status and status.startswith(_EXIT_STATUS):
        codes = status.removeprefix(_EXIT_STATUS).split("; ")
        page.add_section("exit status", "=", _list([code.partition(" ") for code in codes]))
    elif status:  # a heading, and lines that have a label each
        heading, *lines = status.splitlines()
        rows = [line.strip().partition(": ") for line in lines]
        page.add_section(heading.removesuffix(":"), "=", _list(rows))
    return _without_false_requests(str(page))


def _list(rows: Iterable[tuple[str, str, str]]) -> str:
    """Rows of a label, what separates it, and text."""
    return "\n".join(f".TP\n\\fB{label}\\fR\n{_dashes(text.strip())}" for label, _, text in rows)


def _without_false_requests(page: str) -> str:
    """Marks lines of text that begin as a request of roff does."""
    return re.sub(r"(?m)^(?=')|^(?=\.(?!(?:TH|SH|SS|TP|B|RS|RE|nf|fi|UR|UE)\b))", r"\\&", page)


def _ascii(page: str) -> str:
    """Names other characters, so that it does not matter in which encoding a page is read."""
    return "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in page)


def _commands(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Name, parser and summary of each command that is not hidden."""
    for action in _subparsers(parser):
        for choice in action._choices_actions:
            if choice.help != argparse.SUPPRESS:
                yield choice.dest, action._name_parser_map[choice.dest], choice.help or ""


def _subparsers(parser: argparse.ArgumentParser) -> list[argparse._SubParsersAction]:
    return [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]


def _all_below(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in _subparsers(parser):
        for command in action._name_parser_map.values():
            yield command
            yield from _all_below(command)


def _dashes(text: str) -> str:
    """A `-` that stays one, so that it can be searched for and copied."""
    return text.replace("-", r"\-")


def _date() -> str:
    """Today's, or that of the sources."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
    return f"{moment:%Y-%m-%d}"


if __name__ == "__main__":
    make(Path(sys.argv[1]))

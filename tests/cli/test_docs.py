"""The documents say what the program has: every option, setting, variable and status."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui_manager.cli import config
from tui_manager.cli.config import NAMES, show_value
from tui_manager.cli.options.commands import command_line_parser
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.settings import Settings
from tui_manager.ui.actions import ACTIONS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LATER = (
    "--batches", "--max-concurrency", "--max-errors", "pause", "resume",
    "rerun",
)  # fmt: skip


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of all its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from parsers(child)


ALL = {parser.prog: parser for parser in parsers(command_line_parser())}
OPTIONS = {
    option
    for parser in ALL.values()
    for action in parser._actions
    for option in action.option_strings
    if option.startswith("--")
}


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_every_option_is_in_the_readme(option: str) -> None:
    assert f"`{option}" in README or f"[{option}" in README


def test_every_option_of_the_readme_exists() -> None:
    made_up = set(re.findall(r"(?<!-)--[a-z][a-z-]*", README)) - OPTIONS
    assert made_up <= {"--manager", "--join-token", "--join-token-file", "--policy"}, (
        "but for the agent's"
    )


@pytest.mark.parametrize("program", sorted(ALL))
def test_every_command_is_in_the_readme(program: str) -> None:
    words = program.split()
    if words[1:2] in (["task"], ["hosts"]) and len(words) == 3:
        assert re.search(rf"tui-manager {words[1]} [a-z|]*\b{words[2]}\b", README)
    else:
        assert program in README


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_in_the_readme_with_its_default(name: str) -> None:
    (row,) = re.findall(rf"^\| `{name}` \| (.+?) \|", README, re.MULTILINE)
    default = show_value(name, getattr(Settings(), name))
    if isinstance(default, bool):
        assert row == f"`{str(default).lower()}`"
    elif not default and not isinstance(default, int):
        assert row == "none"
    elif isinstance(default, str) and not name.endswith("_dir"):
        assert row == f"`{default}`"


def test_the_table_of_keys_is_the_table_of_actions() -> None:
    keys = README.split("## Keys")[1].split("\n## ")[0]
    documented = [
        key
        for row in re.findall(r"^\| (`.+?) \|", keys, re.MULTILINE)
        for key in re.findall("`(.+?)`", row)
    ]
    assert sorted(documented) == sorted(key for action in ACTIONS for key in action.shown.split())


@pytest.mark.parametrize("variable", config.ENVIRONMENT)
def test_every_variable_is_in_the_readme(variable: str) -> None:
    assert f"`{variable}`" in README


@pytest.mark.parametrize("word", [*TaskStatus, *CommandHostStatus, *filter(None, Reason)])
def test_every_status_and_reason_is_in_the_readme(word: str) -> None:
    assert f"`{word}`" in README


@pytest.mark.parametrize("program", sorted(ALL))
def test_the_help_promises_nothing_that_is_not_built(program: str) -> None:
    text = ALL[program].format_help()
    for word in LATER:
        assert not re.search(rf"(?<![\w-]){word}\b", text)


def test_every_picture_and_page_of_the_readme_is_named_once_and_right() -> None:
    for page in re.findall(r"\]\(([A-Z][^)#]*)\)", README):
        assert (ROOT / page).is_file()

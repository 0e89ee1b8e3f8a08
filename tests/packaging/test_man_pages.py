"""The man pages: that each command has one, and that programs which read them find no mistake."""

import argparse
import shutil
import subprocess
from pathlib import Path

import pytest
from tui_manager_agent.cli.options import make_parser

from tests.packaging.conftest import run_tool
from tui_manager.cli.options.commands import command_line_parser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with all pages."""
    folder = tmp_path_factory.mktemp("man")
    run_tool("tools/make_man_pages.py", folder / "man1")
    return folder / "man1"


def visible_commands(parser: argparse.ArgumentParser) -> list[str]:
    return [
        choice.dest
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for choice in action._choices_actions
        if choice.help != argparse.SUPPRESS
    ]


def test_each_command_has_a_page(pages: Path) -> None:
    commands = set(visible_commands(command_line_parser())) - {"agent"}
    names = {page.stem for page in pages.iterdir()}
    others = {"tui-manager", "tui-manager-agent"}
    of_agent = {name for name in names if name.startswith("tui-manager-agent-")}
    assert names - of_agent == {f"tui-manager-{name}" for name in commands} | others


def test_the_page_of_the_program_names_the_others(pages: Path) -> None:
    text = (pages / "tui-manager.1").read_text().replace("\\", "")
    for page in pages.iterdir():
        assert page.stem == "tui-manager" or f"{page.stem}fR(1)" in text
    assert "COMMAND 'tui-manager run'" not in text


def test_the_page_of_the_agent_explains_its_commands(pages: Path) -> None:
    text = (pages / "tui-manager-agent.1").read_text().replace("\\", "")
    for name in visible_commands(make_parser()):
        assert f"tui-manager-agent {name}" in text
    assert "TUI_MANAGER_AGENT_JOIN_TOKEN" in text


def test_a_page_has_the_exit_status_as_a_list(pages: Path) -> None:
    text = (pages / "tui-manager-run.1").read_text()
    assert ".SH EXIT STATUS\n.TP\n\\fB0\\fR\nall completed\n" in text


def test_the_page_of_completion_says_how_to_switch_it_on(pages: Path) -> None:
    text = (pages / "tui-manager-completion.1").read_text()
    assert ".SH TO SWITCH IT ON\n.TP\n\\fBbash, in ~/.bashrc\\fR\neval " in text
    assert "EXIT STATUS" not in text


def test_pages_have_no_other_characters_and_no_false_requests(pages: Path) -> None:
    for page in pages.iterdir():
        text = page.read_text(encoding="ascii")
        for line in text.splitlines():
            assert not line.startswith("'")
            if line.startswith("."):
                assert line.split()[0] in {".TH", ".SH", ".TP", ".B"}, line


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_understands_the_pages(pages: Path) -> None:
    said = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8", *sorted(pages.iterdir())],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stderr == ""


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_man_shows_a_page(pages: Path) -> None:
    shown = subprocess.run(
        ["man", "--warnings", "-l", pages / "tui-manager-run.1"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "200", "HOME": "/"},
        check=False,
    )
    if "has been minimized" in shown.stdout:
        pytest.skip("this system has no man pages")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "tui-manager-run - run a command on hosts and print its output" in shown.stdout
    assert "[--param K=V]… [--env K=V]…" in shown.stdout

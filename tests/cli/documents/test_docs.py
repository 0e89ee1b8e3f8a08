"""The manual says what the programs have: every command, option, setting, key, status, reason and
audit action, each on its page. The site as a whole is tested in test_site.py."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tui_manager_agent.cli import arguments as agent_arguments

from bench.budgets import BUDGETS
from tests.faults.long_run.all_runs import BETWEEN_STATEMENTS, RACE
from tests.faults.long_run.campaign import AT_A_FAILPOINT
from tests.faults.long_run.faults import FAULTS
from tests.faults.scenarios import SCENARIOS
from tui_manager.cli.load_settings import ENVIRONMENT, NAMES
from tui_manager.cli.options.commands import command_line_parser
from tui_manager.cli.setting_values import show_value
from tui_manager.domain.hosts.join_token import USES_MAX
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.settings import Settings
from tui_manager.ui.action_table import ACTIONS
from tui_manager.ui.manager import audit_table

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md"))
    if "_build" not in path.parts
}
COMMANDS, RUNNING, SETTINGS = PAGES["commands.md"], PAGES["running.md"], PAGES["settings.md"]
LATER = ("--max-errors",)
# Of other programs that the manual mentions, or of make's targets.
FOREIGN = {
    "--require-hashes",
    *(
        "--checkpoint",
        "--copy",
        "--database",
        "--dbname",
        "--dest",
        "--files",
        "--install-missing",
        "--exit-on-error",
        "--file",
        "--no-owner",
    ),
    *("--find-links", "--now", "--pip-args", "--reinstall"),  # of pip, pipx, uv and systemctl
    *("--pgdata", "--rcopy", "--single-transaction"),
}


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of all its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from parsers(child)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """The long options of one parser."""
    names = (option for action in parser._actions for option in action.option_strings)
    return {name for name in names if name.startswith("--")}


def does_something(parser: argparse.ArgumentParser) -> bool:
    """False for a name that only stands before other commands."""
    return not any(
        isinstance(action, argparse._SubParsersAction) and action.required
        for action in parser._actions
    )


def first_cells(page: str) -> list[str]:
    """The first cell of every row of the tables of a page."""
    return re.findall(r"^\| (.+?) \|", page, re.MULTILINE)


def words(cells: list[str]) -> set[str]:
    """The words in backquotes of some cells."""
    return {word for cell in cells for word in re.findall("`(.+?)`", cell)}


def section(page: str, heading: str) -> str:
    """What stands under a heading of the second level."""
    return page.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def help_of_agent(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """What the agent's program prints for `--help`."""
    with pytest.raises(SystemExit):
        agent_arguments.parse([*command, "--help"])
    return capsys.readouterr().out


ALL = {parser.prog: parser for parser in parsers(command_line_parser())}
RUN = "tui-manager run"
OF_RUN = options_of(ALL[RUN])
TAKE_OPTIONS_OF_RUN = (
    "tui-manager agent update",
    "tui-manager copy",
    "tui-manager fetch",
    "tui-manager schedule add",
    "tui-manager schedule edit",
    "tui-manager template run",
)
OPTIONS = set().union(*map(options_of, ALL.values()))


def test_every_option_of_run_is_on_its_page() -> None:
    documented = {word.split()[0] for word in words(first_cells(section(RUNNING, "Options")))}
    assert OF_RUN - {"--help", "--state-dir"} - documented == set()


def test_every_other_option_is_on_the_page_of_commands() -> None:
    documented = {word.split()[0] for word in words(first_cells(section(COMMANDS, "Options")))}
    missing = {
        program: options_of(ALL[program])
        - documented
        - (OF_RUN if program in TAKE_OPTIONS_OF_RUN else set())
        for program in set(ALL) - {RUN}
    }
    assert {program: options for program, options in missing.items() if options} == {}


def test_every_command_is_on_the_page_of_commands() -> None:
    documented = words(first_cells(COMMANDS.split("\n## ")[0]))
    programs = {re.split(r" [A-Z\[]", cell)[0] for cell in documented}
    assert {name for name in ALL if does_something(ALL[name])} - programs == set()


def test_every_option_in_the_manual_exists(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join([README, *PAGES.values()])
    found = set(re.findall(r"(?<![-\w])--[a-z][a-z-]*[a-z]", text))
    of_agent = re.findall(
        r"--[a-z-]+",
        help_of_agent(capsys, "run")
        + help_of_agent(capsys, "policy", "check")
        + help_of_agent(capsys, "identity"),
    )
    assert found - OPTIONS - set(of_agent) - FOREIGN == set()


def test_the_agents_options_and_variables_are_on_the_page_of_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = help_of_agent(capsys, "run")
    of_agent = set(re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE)) - {"--help"}
    cells = section(SETTINGS, "The agent's options")
    assert {word.split()[0] for word in words(first_cells(cells))} == of_agent
    variables = set(re.findall(r"TUI_MANAGER_AGENT_[A-Z_]+", text))
    assert set(re.findall(r"TUI_MANAGER_AGENT_[A-Z_]+", cells)) == variables


def test_every_setting_is_on_its_page_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .", SETTINGS.split("\n## ")[0], re.MULTILINE)
    wanted = []
    for name, row in rows:
        default = show_value(name, getattr(Settings(), name))
        if isinstance(default, bool):
            wanted.append((name, f"`{str(default).lower()}`"))
        elif not default and not isinstance(default, int):
            wanted.append((name, "none"))
        elif (isinstance(default, str) and not name.endswith("_dir")) or isinstance(default, int):
            wanted.append((name, f"`{default}`"))
        else:
            wanted.append((name, row))
    assert rows == wanted
    assert sorted(name for name, _ in rows) == sorted(NAMES)


def test_the_table_of_settings_has_no_other_row() -> None:
    assert words(first_cells(SETTINGS.split("\n## ")[0])) == set(NAMES)


def test_the_table_of_variables_is_that_of_the_program() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", section(SETTINGS, "The environment"), re.M)
    assert dict(rows) == dict(ENVIRONMENT)


def test_the_page_of_settings_has_every_action_with_its_keys() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", section(SETTINGS, "Keys"), re.MULTILINE)
    assert rows == [
        (action.id, " ".join(f"`{key}`" for key in action.shown.split()), action.text)
        for action in ACTIONS
    ]


def test_the_table_of_keys_is_the_table_of_actions() -> None:
    rows = first_cells(section(PAGES["dashboard.md"], "Keys"))
    documented = [key for row in rows for key in re.findall("`(.+?)`", row)]
    assert sorted(documented) == sorted(key for action in ACTIONS for key in action.shown.split())


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("One command on one host", CommandHostStatus),
        ("Reasons", Reason),
        ("A task", TaskStatus),
    ],
)
def test_the_tables_of_states_are_those_of_the_domain(
    heading: str, kind: type[CommandHostStatus | Reason | TaskStatus]
) -> None:
    documented = first_cells(section(PAGES["states.md"], heading))
    assert sorted(words(documented)) == sorted(word for word in kind if word)


def test_the_table_of_audit_actions_is_what_the_service_writes() -> None:
    documented = words(first_cells(PAGES["audit.md"]))
    manager = ROOT / "tui_manager"
    sources = [*(manager / "service").rglob("*.py"), manager / "storage/maintenance/forget_keys.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    nouns = "tasks?|rest|token|hosts?|maintenance|certificate|clock|template|schedule|keys|receiver"
    assert documented == set(re.findall(rf'"([a-z]+_(?:{nouns})|violation)"', text))
    assert documented == set(audit_table._ACTIONS)


@pytest.mark.parametrize("title", ["How it was tried", "On PostgreSQL", "Several managers"])
def test_the_tables_of_faults_have_the_names_of_make_faults(title: str) -> None:
    named = re.findall(r"^\| ([^*|]+?) \| \d+ \|$", section(PAGES["survives.md"], title), re.M)
    assert len(named) > 20
    shown_otherwise = {
        "runs, each checked whole",
        "commands on hosts",
        "copies and fetches that completed on hosts",
        "tasks with a rollout",
        "tasks of several steps",
        "tasks with a barrier",
    }
    assert set(named) - shown_otherwise <= {
        *SCENARIOS,
        *FAULTS,
        AT_A_FAILPOINT,
        RACE,
        BETWEEN_STATEMENTS,
    }


def test_the_budgets_of_the_manual_are_those_of_make_bench() -> None:
    for budget in BUDGETS:
        what = f"{budget.what}, {budget.security}" if budget.security else budget.what
        rows = re.findall(rf"^\| {re.escape(what)} \|[^|]*\| (.+?) \|", PAGES["speed.md"], re.M)
        assert len(rows) == 1, what
        limit = budget.words("").strip().replace(" x ", " \N{MULTIPLICATION SIGN} ")
        assert f"{rows[0]} ".startswith(f"{limit} "), what


def test_the_manual_has_one_spelling_of_canceled_and_no_other_word_for_join() -> None:
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for text in (README, security, *(PAGES[name] for name in PAGES if name != "glossary.md")):
        assert re.findall(r"\b[Cc]ancell(?:ed|ing)\b", text) == []
        assert re.findall(r"\b[Ee]nrols?\b", text) == []


def test_the_page_of_commands_says_how_many_hosts_a_token_may_have() -> None:
    assert f"1 to {USES_MAX:,}; 1 unless given" in COMMANDS


def test_the_help_promises_nothing_that_is_not_built() -> None:
    later = re.compile(rf"(?<![\w-])(?:{'|'.join(LATER)})\b")
    promises = {name: later.findall(parser.format_help()) for name, parser in ALL.items()}
    assert {name: found for name, found in promises.items() if found} == {}


def test_a_page_says_at_its_top_who_needs_it() -> None:
    pages = [page for page in PAGES if "{include}" not in PAGES[page] and page != "index.md"]
    assert len(pages) > 20
    assert [page for page in pages if not re.match(r"# [^\n]+\n\n\*For ", PAGES[page])] == []


def test_no_page_names_a_file_of_the_code() -> None:
    named = {page: re.findall(r"[\w/]+\.(?:py|sql|proto)\b", text) for page, text in PAGES.items()}
    assert {page: found for page, found in named.items() if found} == {}


def test_the_readme_is_short_and_every_link_of_it_leads_somewhere() -> None:
    assert len(README.splitlines()) < 200
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target

"""`--` before names: what stands after it is not an option, with every command."""

import argparse
from typing import Any

import pytest

from tests.cli.conftest import Connect
from tests.cli.documents.test_docs import ALL
from tests.cli.fake import FakeOperator
from tui_manager.cli.main import main
from tui_manager.cli.options.arguments import parse
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.status import Admission

Capture = pytest.CaptureFixture[str]
OLD = "--all-pending"  # a name that an older manager let in


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    """A host with an odd name belongs, as does web01; web02 waits."""
    made = FakeOperator("web01", OLD)
    made.security = "mTLS"
    made.add_host("web02", admission=Admission.PENDING)
    connect_to(lambda: made)
    return made


NAMES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "hosts approve": (["-x", "web[01-02]"], {"names": ["-x", "web[01-02]"]}),
    "hosts reject": ([OLD], {"names": [OLD], "all_pending": False}),
    "hosts revoke": (["web01", "--help"], {"names": ["web01", "--help"]}),
    "hosts show": (["-x"], {"names": ["-x"]}),
    "hosts remove": (["-x", "web01"], {"names": ["-x", "web01"]}),
    "hosts label": (["-x"], {"names": ["-x"]}),
    "hosts rename": (["-x", "-y"], {"names": ["-x"], "new_name": "-y"}),
    "hosts maintenance": (["-x", "--end"], {"names": ["-x", "--end"], "end": True}),
    "notifications test": (["-x"], {"receiver": "-x"}),
    "token revoke": (["7", "8"], {"token_ids": [7, 8]}),
    "task show": (["7"], {"task_id": 7}),
    "task start": (["7"], {"task_id": 7}),
    "task cancel": (["7"], {"task_id": 7}),
    "task rerun": (["7"], {"task_id": 7}),
    "task follow": (["7"], {"task_id": 7}),
    "task pause": (["7"], {"task_id": 7}),
    "task resume": (["7"], {"task_id": 7}),
    "template save": (["-x", "-y"], {"template": "-x", "source": "-y"}),
    "template show": (["-x"], {"template": "-x"}),
    "template run": (["-x"], {"template": "-x"}),
    "template export": (["-x"], {"template": "-x"}),
    "template delete": (["-x"], {"template": "-x"}),
    "schedule add": (["-x"], {"schedule": "-x", "target": None, "command_words": []}),
    "schedule edit": (["-x", "web01", "--", "ls", "-l"], {"schedule": "-x", "target": "web01"}),
    "schedule show": (["-x"], {"schedule": "-x"}),
    "schedule pause": (["-x"], {"schedule": "-x"}),
    "schedule resume": (["-x"], {"schedule": "-x"}),
    "schedule run": (["--follow"], {"schedule": "--follow", "follow": False}),
    "schedule delete": (["-x"], {"schedule": "-x"}),
    "task files": (["7", "-dir"], {"task_id": 7, "folder": "-dir"}),
    "copy": (["-x", "--mode", "-", "/y"], {"names": ["-x", "--mode", "-", "/y"]}),
    "fetch": (["-x", "/y", "-dir"], {"names": ["-x", "/y", "-dir"]}),
    "agent bundle": (["-x"], {"file": "-x"}),
    "agent update": (["-x"], {"target": "-x"}),
    "agent install": (["-x", "web1"], {"names": ["-x", "web1"]}),
    "agent uninstall": (["-x"], {"names": ["-x"]}),
    "completion": (["bash"], {"shell": "bash"}),
    "export": (["7"], {"task_id": 7}),
    "output": (["7"], {"task_id": 7}),
    "check": (["-backup.db"], {"file": "-backup.db"}),
    "backup": (["-backup.db"], {"file": "-backup.db"}),
}
NEEDED = {  # options without which a command is refused
    "database migrate": ["--from", "manager.db"],
    "export": ["--format", "csv"],
    "hosts maintenance": ["--end"],
    "agent install": ["--ssh"],
    "agent uninstall": ["--ssh"],
    "schedule add": ["--template", "restart", "--cron", "@daily", "--zone", "UTC"],
}


def _is_group(parser: argparse.ArgumentParser) -> bool:
    """Whether a command is only the beginning of others."""
    return any(
        isinstance(action, argparse._SubParsersAction) and action.required
        for action in parser._actions
    )


COMMANDS = [
    program.removeprefix("tui-manager").strip()
    for program, parser in ALL.items()
    if not _is_group(parser)
]


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "run"])
def test_every_command_takes_dashes_before_names(command: str) -> None:
    names, expected = NAMES.get(command, ([], {}))
    options = vars(parse([*command.split(), *NEEDED.get(command, []), "--", *names]))
    assert {option: options[option] for option in expected} == expected


@pytest.mark.parametrize(
    ("arguments", "target", "command"),
    [
        (["web01", "--", "ls", "--", "-l"], "web01", ["ls", "--", "-l"]),
        (["--", "-x", "--", "ls", "-l"], "-x", ["ls", "-l"]),
        (["--json", "--", OLD, "--", "--", "-l"], OLD, ["--", "-l"]),
        (["--timeout", "5", "--", "web01,-x", "--", "-ls"], "web01,-x", ["-ls"]),
        (["web01", "--timeout", "5", "--", "ls"], "web01", ["ls"]),
        (["--", "web01", "--"], "web01", []),
    ],
)
def test_a_target_may_stand_behind_dashes_of_its_own(
    arguments: list[str], target: str, command: list[str]
) -> None:
    options = parse(["run", *arguments])
    assert (options.target, options.command_words) == (target, command)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--", "ls"], "TARGET is missing: run TARGET [options] -- COMMAND"),
        (["run", "--", "ls", "-l"], "TARGET is missing"),
        (["run", "web01", "--name", "--", "ls", "--", "rm"], "--name: expected one argument"),
        (["run", "web01", "--env", "--", "A=1", "--", "rm"], "--env: expected one argument"),
        (["run", "a", "b", "--", "ls"], "unrecognized arguments: b\n"),
        (["run", "a", "-z", "--", "ls"], "unrecognized arguments: -z\n"),
        (["hosts", "approve", "-x"], "put a name that begins with `-` after `--`"),
        (["output", "1", "--host", "--", "-x"], "--host: expected one argument"),
        (["schedule", "edit", "a", "--file", "--", "b"], "argument --file: expected one argument"),
        (["schedule", "edit", "a", "--target", "--", "b"], "--target: expected one argument"),
        (["schedule", "edit", "a", "b", "c", "--", "ls"], "unrecognized arguments: c\n"),
        (["task", "show", "--", "-3"], "'-3' is not a task's number"),
        (["serve", "--", "-x"], "unrecognized arguments: -x\n"),
        (["hosts", "--", "web01"], "did you mean `tui-manager hosts show web01`?\n"),
    ],
)
def test_what_makes_no_sense_around_dashes(arguments: list[str], words: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        parse(arguments)
    assert words in str(raised.value)
    assert "\0" not in str(raised.value)
    assert "\\x00" not in str(raised.value)


def test_a_host_that_is_called_like_an_option_approves_nobody_else(
    operator: FakeOperator, capsys: Capture
) -> None:
    assert main(["hosts", "approve", "--", OLD]) != 0
    assert main(["hosts", "revoke", "--", OLD]) == 0
    assert capsys.readouterr().out == f"{OLD}\n"
    admissions = {host.name: host.admission for host in operator.hosts.values()}
    assert admissions == {"web01": "admitted", OLD: "revoked", "web02": "pending"}


def test_a_host_that_is_called_like_an_option_can_be_given_work(
    operator: FakeOperator, capsys: Capture
) -> None:
    assert main(["run", "--detach", "--", OLD, "--", "true"]) == 0
    assert capsys.readouterr().out == "1\n"
    operator.say(OLD, "hello\n")
    assert main(["output", f"--host={OLD}", "1"]) == 0
    assert capsys.readouterr().out == "hello\n"

"""What the word that is being typed can become, with a manager in memory. What real shells make of
it is in `test_completion_in_shells.py`."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.support.fake_operator.fake_operator import FakeOperator as Manager
from tests.support.waiting import GIVE_UP
from tui_manager.cli.completion import names_from_manager
from tui_manager.cli.completion.answer_shell import lines_for_bash
from tui_manager.cli.completion.argument_kinds import kind_of
from tui_manager.cli.completion.bash_line import read_line
from tui_manager.cli.completion.complete import Files, Reply, arguments_of, complete
from tui_manager.cli.completion.time_limit import TIMEOUT_VARIABLE
from tui_manager.cli.main import main
from tui_manager.cli.options.commands import SHELLS, command_line_parser
from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.manager.notification import ReceiverKind, ReceiverStatus
from tui_manager.domain.schedules.schedule import ScheduleSpec
from tui_manager.domain.status import Admission
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

TEMPLATE = """
description = "Restart a unit"
target = "role=web"
[params.UNIT]
type = "choice"
choices = ["nginx", "varnish"]
help = "what to restart"
[params.FORCE]
type = "boolean"
default = false
[params.KEY]
type = "secret"
help = "of the vault"
[[steps]]
run = "systemctl restart $UNIT"
"""


class WideWindows(FakeOperator):
    """Lists as many rows in one window as a manager does."""

    list_hosts = Manager.list_hosts
    list_tasks = Manager.list_tasks


def filled() -> WideWindows:
    """web01 and web010 are admitted, new7 waits, old1 is offline; there are three tasks."""
    made = WideWindows("web01", "web010", "web02")
    made.security = "mTLS"
    made.receivers = (ReceiverStatus("page", ReceiverKind.HOOK, "/usr/bin/page", ()),)
    made.add_host("new7", admission=Admission.PENDING)
    made.add_host("old1", labels={"role": "db"}, online=False)

    async def fill() -> None:
        for text in ("systemctl restart nginx", "systemctl status nginx", 'echo  "$HOME"; date'):
            await made.create_task(TaskSpec("web01", (CommandSpec(text),), name=text))
        await made.start_task(2)
        await made.save_template("restart", TEMPLATE)
        await made.create_token(TokenSpec())
        task_file = 'target = "old1"\n[[steps]]\nrun = "true"\n'
        await made.add_schedule(ScheduleSpec("nightly", "@daily", "UTC", task_file=task_file))

    asyncio.run(fill())
    return made


@pytest.fixture
def operator(connect_to: Connect, monkeypatch: pytest.MonkeyPatch) -> FakeOperator:
    """It has no socket, and as much time as a busy machine needs."""

    async def find_manager(state_dir: Path) -> Path:
        return state_dir

    made = filled()
    connect_to(lambda: made)
    monkeypatch.setattr(names_from_manager, "find_manager", find_manager)
    monkeypatch.setenv(TIMEOUT_VARIABLE, str(GIVE_UP))
    return made


def words(typed: str) -> list[str]:
    """The candidates for the last word."""
    *before, last = typed.split(" ")
    return list(complete(before, last).candidates)


WITHOUT_A_MANAGER = {
    "sch": ["schedule"],
    "completion z": ["zsh"],
    "hosts ap": ["approve"],
    "run --offline ": ["fail", "wait"],
    "run --offline=w": ["--offline=wait"],
    "run --offl": ["--offline"],
    "task list --status f": ["failed"],
    "task list --status failed --status c": ["completed", "canceled"],
    "run web01 --detach --js": [],
    "run web01 --timeout ": [],
    "run web": [],
    "schedule add x --zone Europe/Berl": ["Europe/Berlin"],
    "hosts show web01 --j": ["--json"],
    "clock accept ": ["-h", "--help", "--state-dir"],
    "run --no-such-option web01 --offl": ["--offline"],
}
WITH_A_MANAGER = {
    "run web0": ["web01", "web010", "web02"],
    "run web01": ["web01", "web010"],
    "run old1": ["old1"],
    "run web01,!we": ["web01,!web01", "web01,!web010", "web01,!web02"],
    "run ro": ["role=db", "role=web"],
    "run env=prod&role=w": ["env=prod&role=web"],
    "run role=web": ["role=web"],
    "run role!=": ["role!=db", "role!=web"],
    "run @o": ["@offline", "@online"],
    "run @all": ["@all"],
    "run --target=old": ["--target=old1"],
    "run task:": [],
    "run task:1:f": ["task:1:failed"],
    "run new": [],
    "run web[01-": [],
    "run --timeout 5 old": ["old1"],
    "copy old": ["old1"],
    "schedule add x --cron @daily old": ["old1"],
    "schedule add x old1 --cron @daily old": [],
    "schedule add re": [],
    "hosts show ": ["new7", "old1", "web01", "web010", "web02"],
    "hosts show -- o": ["old1"],
    "hosts show -- -": [],
    "hosts approve ": ["new7"],
    "hosts remove ": ["old1"],
    "hosts label web01 web": ["web010", "web02"],
    "hosts label web01 --set ": ["env=", "role="],
    "hosts label web01 --set role=": ["role=db", "role=web"],
    "hosts label web01 --unset ": ["env", "role"],
    "token revoke ": ["1"],
    "notifications test ": ["page"],
    "task show ": ["3", "2", "1"],
    "task start ": ["3", "1"],
    "task follow ": ["3", "2", "1"],
    "task pause ": ["2"],
    "task rerun ": [],
    "output 2": ["2"],
    "template run ": ["restart"],
    "template show restart@": ["restart@1"],
    "template save x 1": ["1"],
    "template run restart --param ": ["UNIT=", "FORCE="],
    "template run restart --param UNIT=": ["UNIT=nginx", "UNIT=varnish"],
    "template run restart --param FORCE=t": ["FORCE=true"],
    "template run restart --secret ": ["KEY"],
    "template run nothing --param ": [],
    "schedule add x --template restart --param U": ["UNIT="],
    "schedule pause ": ["nightly"],
    "run web01 -- sys": ["systemctl"],
    "run web01 -- systemctl ": ["status", "restart"],
    "run -- web01 -- systemctl restart ": ["nginx"],
    "run web01 -- echo  ": ['"$HOME";'],
    "run -- old": ["old1"],
    "run -- old1 ": ["--"],
    "run --file x --target old1 -- ": [],
}


@pytest.mark.parametrize("typed", WITHOUT_A_MANAGER)
def test_without_a_manager_commands_options_and_choices_are_offered(typed: str) -> None:
    assert words(typed) == WITHOUT_A_MANAGER[typed]


@pytest.mark.usefixtures("operator")
def test_names_of_the_manager_are_offered() -> None:
    assert {typed: words(typed) for typed in WITH_A_MANAGER} == WITH_A_MANAGER


def test_every_argument_says_what_it_names() -> None:
    missing = [
        f"{command} {action.dest}"
        for command, action in arguments_of(command_line_parser())
        if action.nargs != 0
        and action.choices is None
        and not isinstance(action, argparse._SubParsersAction)
        and kind_of(command, action.dest) is None
    ]
    assert not missing, (
        "Say in tui_manager/cli/completion/argument_kinds.py what these arguments name."
    )


@pytest.mark.parametrize(
    ("typed", "files"),
    [
        ("run --file ", Files.FILES),
        ("run --script=x", Files.FILES),
        ("copy old1 ", Files.FILES),
        ("copy old1 --mode 0644 x", Files.FILES),
        ("copy ", Files.NONE),
        ("fetch old1 /etc/hosts ", Files.FOLDERS),
        ("task files 1 ", Files.FOLDERS),
        ("--state-dir ", Files.FOLDERS),
        ("template save x ", Files.FILES),
        ("run --cwd ", Files.NONE),
    ],
)
def test_files_are_left_to_the_shell(typed: str, files: Files) -> None:
    *before, last = typed.split(" ")
    assert complete(before, last).files is files


@pytest.mark.usefixtures("operator")
def test_a_command_whose_target_is_given_is_said_to_follow() -> None:
    assert words("run web01 ")[-1] == "--"
    assert "--" not in words("run --file x --target web01 ")
    assert words("run web01 --")[-1] == "--"


@pytest.mark.usefixtures("operator")
def test_tasks_are_shown_with_status_and_name() -> None:
    assert dict(complete(["task", "show"], "").candidates) == {
        "3": 'pending: echo "$HOME"; date',
        "2": "running: systemctl status nginx",
        "1": "pending: systemctl restart nginx",
    }


def test_what_is_not_safe_to_show_is_left_out(operator: FakeOperator) -> None:
    name = "\x1b]0;x\x07evil\nname\u202e"
    asyncio.run(operator.create_task(TaskSpec("web01", (CommandSpec("x\x1by"),), name=name)))
    assert complete(["task", "show"], "4").candidates == {"4": "pending: evil name<U+202E>"}
    assert words("run web01 -- x") == []


def test_of_a_list_that_is_too_long_nothing_is_inserted(
    operator: FakeOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_from_manager, "LIMIT_MAX", 2)
    assert dict(complete(["run"], "web").candidates) == {
        "web": "and more than 2 others",
        "web01": "",
        "web010": "",
    }
    assert words("hosts show web") == ["web", "web01", "web010"]


def test_a_manager_that_does_not_answer_in_time_offers_nothing(
    operator: FakeOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(target: str, limit: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr(operator, "complete_target", never)
    monkeypatch.setenv(TIMEOUT_VARIABLE, "0.001")
    assert words("run we") == []


def test_a_manager_that_refuses_offers_nothing(operator: FakeOperator) -> None:
    operator.failure = StorageError("The disk is full.")
    assert words("run we") == []


@pytest.mark.parametrize(
    ("line", "before", "prefix", "quoted"),
    [
        ("tui-manager ", [], "", "a\\ b"),
        ("sudo tui-manager run 'x y' ab", ["run", "x y"], "ab", None),
        ("tui-manager 'a", [], "a", "a b"),
        ('tui-manager "a\\"', [], 'a"', None),
        ("tui-manager k=v,a", [], "k=v,a", None),
        ("tui-manager a\\ b", [], "a b", None),
        ("tui-manager ''", [], "", None),
    ],
)
def test_the_line_of_bash_is_read(
    line: str, before: list[str], prefix: str, quoted: str | None
) -> None:
    word = read_line(line, " =@", "tui-manager")
    assert (word.words, word.prefix) == (before, prefix)
    if quoted is not None:
        assert word.quoted("a b") == quoted


@pytest.mark.parametrize(
    ("line", "value", "inserted"),
    [
        ("t run env=pr", "env=prod", "prod"),  # bash keeps what stands before a `=`
        ("t run env=prod,@w", "env=prod,@web", "@web"),  # and an @ belongs to what follows
        ("t run 'env=pr", "env=prod", "env=prod"),
        ("t run env=a,'b", "env=a,bc", "bc"),
        ("t run 'a'b", "abc", "bc"),
        ("t run x", "x$(rm)", "x\\$\\(rm\\)"),
        ('t run "x', 'x"$!`\\', 'x\\"\\$!\\`\\\\'),
        ("t run 'x", "x'y", "x'\\''y"),
        ("t run ü", "über", "über"),
    ],
)
def test_what_bash_inserts_is_quoted(line: str, value: str, inserted: str) -> None:
    assert read_line(line, " =@", "t").quoted(value) == inserted


def test_bash_shows_texts_beside_several_candidates_that_it_tells_apart() -> None:
    word = read_line("t ", program="t")
    tasks = Reply({"7": "failed: a long name", "12": ""})
    assert lines_for_bash(tasks, word, 20, rotates=False) == ["none", "7   failed: a long…", "12"]
    assert lines_for_bash(tasks, word, 20, rotates=True) == ["none", "7", "12"]
    assert lines_for_bash(tasks, word, 8, rotates=False) == ["none", "7", "12"]
    assert lines_for_bash(Reply({"7": "failed"}), word, 80, rotates=False) == ["none", "7"]
    alike = Reply({"Deploy": "of one", "deploy": "of one more"})
    assert lines_for_bash(alike, word, 80, rotates=False) == ["none", "Deploy", "deploy"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed_whatever_the_settings_say(
    shell: str, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config_file.write_text("this is wrong")
    assert main(["completion", shell]) == 0
    assert f"tui-manager completion --answer {shell}".split(" ", 1)[1] in capsys.readouterr().out

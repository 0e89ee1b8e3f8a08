"""Rollouts on the command line: options of `run`, `--plan`, notes while it runs, what is shown."""

import json
from datetime import timedelta

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.script import scripted
from tests.cli.tasks.test_run import Script, nothing
from tui_manager.cli.main import main
from tui_manager.cli.options.arguments import parse
from tui_manager.cli.options.tasks.run import task_spec
from tui_manager.cli.printing.write_text import local_time
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, HoldRule, Order, RolloutSpec

Capture = pytest.CaptureFixture[str]
HOSTS = ("db01", "web01", "web02", "web03")
MOMENTS = 10_000  # of the loop; a note takes a few


def run(connect_to: Connect, script: Script, *options: str) -> tuple[int, FakeOperator]:
    """Runs a command on four hosts, which do what `script` says once it is started."""
    operators: list[FakeOperator] = []
    connect_to(lambda: scripted(operators, script, *HOSTS))
    code = main(["run", "@all", *options, "--", "true"])
    return code, operators[0]


@pytest.mark.parametrize(
    ("options", "rollout"),
    [
        ((), ALL_AT_ONCE),
        (("--batches", "1,10%,rest"), RolloutSpec("1,10%,rest")),
        (
            (
                *("--batches", "2", "--order", "random", "--delay", "5m", "--max-concurrency"),
                *("50%", "--max-failures", "0", "--strict", "--hold", "first"),
                *("--hold-timeout", "2d"),
            ),
            RolloutSpec(
                "2", Order.RANDOM, timedelta(minutes=5), "50%", "0", True, HoldRule.FIRST,
                timedelta(days=2),
            ),
        ),
    ],
)  # fmt: skip
def test_the_options_make_a_rollout(options: tuple[str, ...], rollout: RolloutSpec) -> None:
    assert task_spec(parse(["run", "@all", *options, "--", "true"])).rollout == rollout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--batches=", "--batches: the value is empty; leave the option out."),
        ("--max-failures=", "--max-failures: the value is empty"),
        ("--batches 1,,2", "--batches 1,,2: A batch in '1,,2' is empty"),
        ("--batches rest,1", "--batches rest,1: `rest` can only be the last batch."),
        ("--batches 0%", "--batches 0%: 0% is out of bounds: 1% to 100%."),
        ("--batches 101%", "--batches 101%: 101% is out of bounds"),
        ("--batches=-1", "--batches -1: '-1' is not a number of hosts"),
        ("--max-concurrency 0", "--max-concurrency 0: 0 is out of bounds: 1 or more."),
        ("--max-failures 101%", "--max-failures 101%: 101% is out of bounds: 0% to 100%."),
        ("--max-failures few", "--max-failures few: 'few' is not a number"),
        ("--strict", "--strict needs --max-failures."),
        ("--delay 5m", "--delay needs --batches."),
        ("--batches 1 --delay soon", "--delay soon: expected a number of seconds"),
        ("--batches 1 --delay 8d", "--delay 8d: A delay between batches must be from 0 s to 7 d."),
        ("--hold each", "--hold needs --batches."),
        ("--batches 1 --hold never", "--hold"),
        ("--batches 1 --hold-timeout 5m", "--hold-timeout needs --hold."),
        ("--batches 1 --hold each --hold-timeout 31d", "--hold-timeout 31d: A hold timeout must"),
        ("--order size", "--order"),
        ("--plan --gather", "--plan starts nothing; leave --gather out."),
        ("--plan --no-start", "--plan starts nothing; leave --no-start out."),
    ],
)
def test_a_wrong_rollout_is_2_and_names_the_option(
    options: str, words: str, capsys: Capture
) -> None:
    assert main(["run", "@all", *options.split(), "--", "true"]) == 2
    assert words in capsys.readouterr().err


PLANNED = (
    *("--batches", "1,rest", "--delay", "5m", "--max-concurrency", "50%", "--max-failures", "1"),
    *("--strict", "--hold", "each", "--plan", "--secret", "KEY"),
)


def plan(connect_to: Connect, *options: str) -> tuple[int, FakeOperator]:
    """Plans a task for four hosts, of which web02 is offline."""
    operator = FakeOperator(*HOSTS)
    operator.change_host("web02", online=False)
    connect_to(lambda: operator)
    return main(["run", "@all", *options, "--", "true"]), operator


def test_a_plan_is_printed_and_nothing_is_stored(connect_to: Connect, capsys: Capture) -> None:
    code, operator = plan(connect_to, *PLANNED)
    assert (code, operator.tasks) == (0, {})
    assert capsys.readouterr().out.splitlines() == [
        "Nothing is started. The command would run on 4 hosts, in 2 batches:",
        "",
        "BATCH  HOSTS  NAMES",
        "1      1      db01",
        "2      3      web[01-03]",
        "",
        "Offline     web02: fails as undeliverable if offline at its turn",
        "At one time at most 2 hosts under way",
        "Failures    when more than 1 host has failed, no further host begins; strict: at most 2 "
        "can fail",
        "Delay       5m between batches",
        "Hold        hold after each batch, up to 1d",
    ]


def test_a_plan_without_a_rollout_is_one_batch(connect_to: Connect, capsys: Capture) -> None:
    code, _ = plan(connect_to, "--plan", "--offline", "wait")
    assert code == 0
    assert capsys.readouterr().out.splitlines() == [
        "Nothing is started. The command would run on 4 hosts, in one batch:",
        "",
        "BATCH  HOSTS  NAMES",
        "1      4      db01,web[01-03]",
        "",
        "Offline     web02: waited for, up to 1h",
    ]


def test_a_plan_does_not_guess_a_random_order(connect_to: Connect, capsys: Capture) -> None:
    plan(connect_to, "--plan", "--batches", "1,rest", "--order", "random", "--max-failures", "0")
    out = capsys.readouterr().out
    assert "1      1      drawn when the task starts" in out
    assert "Hosts       db01,web[01-03]" in out
    assert "Failures    when a host has failed, no further host begins" in out


def test_a_plan_as_json(connect_to: Connect, capsys: Capture) -> None:
    code, operator = plan(connect_to, *PLANNED, "--json")
    assert (code, operator.tasks) == (0, {})
    found = json.loads(capsys.readouterr().out)
    assert found.pop("hosts")[1:3] == [
        {"host": "web01", "batch": 2, "online": True, "maintenance": False, "refusal": None},
        {"host": "web02", "batch": 2, "online": False, "maintenance": False, "refusal": None},
    ]
    assert found == {
        "left_out": [],
        "batches": [1, 3],
        "order": "name",
        "max_concurrency": 2,
        "max_failures": 1,
        "steps": [{"name": "", "kind": "run"}],
    }
    plan(connect_to, "--plan", "--json", "--batches", "1,rest", "--order", "random")
    found = json.loads(capsys.readouterr().out)
    assert {host["batch"] for host in found["hosts"]} == {None}
    assert (found["order"], found["max_concurrency"], found["max_failures"]) == (
        "random",
        None,
        None,
    )


def test_a_plan_of_a_target_without_hosts_is_2(connect_to: Connect, capsys: Capture) -> None:
    connect_to(lambda: FakeOperator(*HOSTS))
    assert main(["run", "mail*", "--plan", "--", "true"]) == 2
    assert "mail*" in capsys.readouterr().err


def test_a_task_is_paused_and_resumed(held: FakeOperator, capsys: Capture) -> None:
    assert main(["task", "pause", "1"]) == 0
    assert capsys.readouterr().out == "task 1 paused: 3 pending, 1 completed\n"
    assert main(["task", "show", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Paused      nothing is sent until `tui-manager task resume 1`" in lines
    assert not any("begins the next batch" in line for line in lines)
    assert main(["task", "pause", "1"]) == 2
    assert main(["task", "resume", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["paused"], found["hold"]) == ("running", False, None)
    assert main(["task", "resume", "1"]) == 2
    assert "Task 1" in capsys.readouterr().err


async def end_all(operator: FakeOperator, *hosts: str) -> None:
    for host in hosts:
        operator.end_on(host)


@pytest.mark.parametrize("mode", [(), ("--gather",), ("--json",)])
def test_run_says_once_that_it_is_held_or_paused_and_that_it_goes_on(
    connect_to: Connect, capsys: Capture, mode: tuple[str, ...]
) -> None:
    said: list[str] = []

    async def until_said(operator: FakeOperator, words: str) -> None:
        for _moment in range(MOMENTS):  # then the script goes on, and what was said is compared
            if words in "".join(said):
                return
            await operator.a_moment()
            said.append(capsys.readouterr().err)

    async def script(operator: FakeOperator) -> None:
        operator.end_on("db01")
        await until_said(operator, "on hold")
        operator.publish(Changes(tasks=frozenset({1})))  # another change says nothing new
        await operator.pause_task(1)
        await until_said(operator, "is paused")
        await operator.resume_task(1)
        await until_said(operator, "no longer")
        await end_all(operator, "web01", "web02", "web03")

    code, operator = run(connect_to, script, "--batches", "1,rest", "--hold", "first", *mode)
    said.append(capsys.readouterr().err)
    until = local_time(operator.clock + timedelta(days=1))
    assert code == 0
    assert "".join(said).splitlines()[:3] == [
        f"tui-manager: task 1 is on hold after batch 1 of 2 until {until}, when the other hosts "
        "are skipped; `tui-manager task resume 1` begins the next batch",
        "tui-manager: task 1 is paused; `tui-manager task resume 1` ends the pause",
        "tui-manager: task 1 is no longer paused",
    ]
    assert len("".join(said).splitlines()) == (3 if mode == ("--json",) else 4)


async def first_fails(operator: FakeOperator) -> None:
    operator.end_on("db01", CommandHostStatus.FAILED, Reason.EXIT_CODE, exit_code=3)


def test_json_has_the_batch_of_each_host_and_skipped_hosts_are_1(
    connect_to: Connect, capsys: Capture
) -> None:
    code, operator = run(
        connect_to, first_fails, "--batches", "1,rest", "--max-failures", "0", "--json"
    )
    found = json.loads(capsys.readouterr().out)
    assert code == 1
    assert [(row["host"], row["batch"], row["reason"]) for row in found["hosts"]] == [
        ("db01", 1, "exit_code"),
        *((host, 2, "budget_spent") for host in HOSTS[1:]),
    ]
    connect_to(lambda: operator)
    assert main(["task", "show", "1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["batch"] for row in shown["hosts"]] == [1, 2, 2, 2]


def test_a_task_without_a_rollout_has_no_batches(connect_to: Connect, capsys: Capture) -> None:
    async def all_end(operator: FakeOperator) -> None:
        await end_all(operator, *HOSTS)

    assert run(connect_to, all_end, "--json")[0] == 0
    assert all("batch" not in row for row in json.loads(capsys.readouterr().out)["hosts"])


@pytest.fixture
def held(connect_to: Connect, capsys: Capture) -> FakeOperator:
    """Task 1 is on hold after its first batch."""

    def detach(*options: str) -> FakeOperator:
        return run(connect_to, nothing, *options, "--detach")[1]

    operator = detach("--batches", "1,rest", "--hold", "first", "--max-failures", "50%")
    operator.end_on("db01")
    connect_to(lambda: operator)
    capsys.readouterr()
    return operator


def test_a_hold_is_shown(held: FakeOperator, capsys: Capture) -> None:
    until = held.clock + timedelta(days=1)
    assert main(["task", "list"]) == 0
    assert "1   on hold" in capsys.readouterr().out
    for command in (["list"], ["show", "1"]):
        assert main(["task", *command, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        task = found[0] if isinstance(found, list) else found
        assert (task["status"], task["paused"]) == ("running", False)
        assert task["hold"] == {"batch": 1, "of": 2, "expires_at": "2026-03-02T12:00:01.250Z"}
    assert main(["task", "show", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line in (
        "Status      on hold: 3 pending, 1 completed",
        f"Hold        after batch 1 of 2 until {local_time(until)}; `tui-manager task resume 1` "
        "begins the next batch",
        "Rollout     batches 1,rest; at most 50% may fail; hold after the first batch, up to 1d",
        "Progress    batch 1 of 2; hosts: 0 under way, 3 waiting, 0 failed of at most 2",
    ):
        assert line in lines
    assert [line.split()[:4] for line in lines[-5:]] == [
        ["HOST", "COMMAND", "BATCH", "STATUS"],
        ["db01", "0", "1", "completed"],
        *([host, "0", "2", "pending"] for host in HOSTS[1:]),
    ]

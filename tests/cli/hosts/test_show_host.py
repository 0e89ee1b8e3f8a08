"""`hosts show`: one host for people and for scripts."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import NOW, FakeOperator
from tests.support.fake_operator.fake_core import START
from tui_manager.cli.main import main
from tui_manager.cli.printing.write_text import local_time
from tui_manager.domain.hosts.vitals import Disk
from tui_manager.domain.presentation.json_fields import host_shape, task_shape, timestamp
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

Capture = pytest.CaptureFixture[str]
HOSTILE = "\x1b]52;c;cm0=\x07[red]x[/red]\u202e"


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    """web01 has facts and two of three tasks; web02 has neither."""
    made = FakeOperator("web01", "web02")
    connect_to(lambda: made)
    made.facts["host-web01"] = {"os": "debian", "cores": "8", "odd": HOSTILE}
    vitals = made.hosts["web01"].vitals
    assert vitals is not None
    made.change_host("web01", vitals=replace(vitals, disks=(Disk("/", 25 << 30, 100 << 30),)))
    asyncio.run(_fill(made))
    return made


async def _fill(operator: FakeOperator) -> None:
    await operator.label_hosts(["web01"], {"rack": "r7"})
    for target in ("web01", "web02", "@all"):
        spec = TaskSpec(target, (CommandSpec("date"),), name=f"on {target}", created_by="ana@pts/3")
        await operator.start_task(await operator.create_task(spec))
    await operator.set_maintenance(["web01"], "new disks", NOW + timedelta(hours=1))


def test_for_scripts(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts", "show", "web01", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(host_shape(operator.hosts["web01"]))) | {
        "manager": None,
        "operator_labels": {"rack": "r7"},
        "facts": {"os": "debian", "cores": "8", "odd": HOSTILE},
        "facts_at": timestamp(START),
        "vitals": {
            "cpu_percent": 12.4,
            "load_1m": 0.5,
            "memory_used": 4 << 30,
            "memory_total": 16 << 30,
            "disks": [{"mount": "/", "used": 25 << 30, "total": 100 << 30}],
            "running": 2,
            "queued": 0,
            "cores": 8,
            "uptime": 0.0,
            "skew": 0.0,
        },
        "tasks": [
            json.loads(json.dumps(task_shape(operator.tasks[task_id].row))) for task_id in (3, 1)
        ],
    }


def test_the_manager_of_a_host_is_named_if_there_are_several(
    operator: FakeOperator, capsys: Capture
) -> None:
    operator.manager_of["host-web02"] = "m2"
    assert main(["hosts", "show", "web02", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["manager"] == "m2"
    for name, expected in (("web01", []), ("web02", ["m2"])):
        assert main(["hosts", "show", name]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[1] for line in lines if line.startswith("Manager")] == expected
    assert main(["hosts", "--json"]) == 0
    assert "manager" not in json.loads(capsys.readouterr().out)[1]


def test_for_people(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts", "show", "web01"]) == 0
    shown = capsys.readouterr().out
    assert all(line.isprintable() for line in shown.splitlines())
    host, facts, tasks = shown.split("\n\n")
    lines = dict(line.split(maxsplit=1) for line in host.splitlines() if line[0].isupper())
    assert lines["Host"] == "web01"
    assert lines["State"] == f"maintenance online since {local_time(NOW)}"
    until = local_time(NOW + timedelta(hours=1))
    assert lines["Maintenance"].startswith(f"until {until} (")
    assert lines["Maintenance"].endswith("): new disks")
    assert lines["Labels"] == "env=prod rack=r7 role=web"
    assert lines["By"] == "operators rack=r7"
    assert lines["Memory"] == "25% of 16.0 GiB"
    assert lines["Disk"] == "/  25% of 100.0 GiB"
    heading, *told = facts.splitlines()
    assert heading.startswith(f"Facts, told {local_time(START)} (")
    assert told[:2] == ["  cores  8", "  odd    [red]x[/red]<U+202E>"]
    assert told[2] == "  os     debian"
    header, *rows = tasks.splitlines()
    assert header.split() == ["ID", "STATUS", "NAME", "COUNTS", "CREATED", "BY"]
    assert [row.split()[:5] for row in rows] == [
        ["3", "running", "on", "@all", "2"],
        ["1", "running", "on", "web01", "1"],
    ]


def test_a_host_of_which_little_is_known(operator: FakeOperator, capsys: Capture) -> None:
    asyncio.run(operator.cancel_task(2))
    operator.tasks.clear()
    operator.change_host("web02", online=False, vitals=None)
    assert main(["hosts", "show", "web02"]) == 0
    shown = capsys.readouterr().out
    assert "No facts: its agent has reported none." in shown
    assert "No tasks have run on it." in shown
    assert "CPU" not in shown
    assert main(["hosts", "show", "--json", "--", "web02"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["facts"], found["facts_at"]) == ({}, None)
    assert (found["vitals"], found["tasks"]) == ({}, [])


def test_one_host_is_shown(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts", "show", "web09"]) == 2
    assert "There is no host web09" in capsys.readouterr().err
    assert main(["hosts", "show"]) == 2
    assert main(["hosts", "show", "web01", "web02"]) == 2

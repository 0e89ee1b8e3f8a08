"""`managers`: the managers of one database, for people and for scripts."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import NOW, FakeOperator
from tests.support.fake_operator.fake_core import START
from tui_manager.cli.exit_status import UNREACHABLE
from tui_manager.cli.main import main
from tui_manager.cli.printing.write_text import local_time
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.manager.gateway import HEARS_NOBODY, Gateway
from tui_manager.domain.manager.manager_status import Health

Capture = pytest.CaptureFixture[str]
HEALTH = Health(sessions=4000, cpu_percent=41.26, memory_bytes=210_000_000)
THREE = (
    Gateway(1, "web-a", "10.0.0.1:7443", "0.1.0", NOW, True, True, False, NOW, HEALTH),
    Gateway(2, "web-b", "10.0.0.2:7443", "0.2.0", NOW, False, False, False, NOW, HEALTH),
    Gateway(3, "w\x1b[31meb", "10.0.0.3:7443", "0.1.0", None, False, False, True, None, None),
)


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    made = FakeOperator()
    connect_to(lambda: made)
    return made


def test_three_managers_for_people(operator: FakeOperator, capsys: Capture) -> None:
    operator.managers = THREE
    assert main(["managers"]) == 0
    header, leads, away, stopped = capsys.readouterr().out.splitlines()
    assert header.split() == [
        *("NAME", "STATE", "HOSTS", "CPU", "MEMORY", "RESULTS/S", "STARTED", "HEARD", "VERSION"),
        "ADDRESS",
    ]
    started = local_time(NOW)
    assert f"web-a  leads      4,000  41%  210 MB  0.0        {started}" in leads
    assert f"web-b  not heard  -      -    -       -          {started}" in away
    assert leads.endswith("  now       0.1.0    10.0.0.1:7443")
    assert away.endswith("d ago  0.2.0    10.0.0.2:7443")
    assert stopped.split()[1:6] == ["stopped", "-", "-", "-", "-"]
    assert "\x1b" not in stopped


def test_three_managers_for_scripts(operator: FakeOperator, capsys: Capture) -> None:
    operator.managers = THREE
    assert main(["managers", "--json", "--"]) == 0
    leads, away, stopped = json.loads(capsys.readouterr().out)
    at = "2026-03-01T12:00:00.250Z"
    assert leads == {
        "number": 1,
        "name": "web-a",
        "address": "10.0.0.1:7443",
        "version": "0.1.0",
        "state": "leads",
        "leads": True,
        "alive": True,
        "since": at,
        "hosts": 4000,
        "cpu": 41.3,
        "memory": 210_000_000,
        "commands_per_second": 0.0,
        "last_seen": at,
    }
    unknown = dict.fromkeys(("hosts", "cpu", "memory", "commands_per_second"))
    assert away == leads | unknown | {
        "number": 2,
        "name": "web-b",
        "address": "10.0.0.2:7443",
        "version": "0.2.0",
        "state": "not heard",
        "leads": False,
        "alive": False,
    }
    assert (stopped["since"], stopped["last_seen"], stopped["leads"]) == (None, None, False)
    assert stopped["state"] == "stopped"


def test_a_manager_alone_is_a_list_of_one_that_leads(
    operator: FakeOperator, capsys: Capture
) -> None:
    assert main(["managers", "--json"]) == 0
    (alone,) = json.loads(capsys.readouterr().out)
    assert (alone["number"], alone["leads"], alone["alive"]) == (0, True, True)
    assert alone["since"] == (START - timedelta(days=1)).isoformat().replace("+00:00", ".000Z")


def test_no_manager(operator: FakeOperator, capsys: Capture) -> None:
    operator.failure = UnreachableError("No manager runs here.")
    assert main(["managers"]) == UNREACHABLE
    assert capsys.readouterr() == ("", "tui-manager: No manager runs here.\n")


def test_without_the_database_the_others_are_not_heard(
    operator: FakeOperator, capsys: Capture
) -> None:
    operator.managers = tuple(replace(one, alive=False) for one in THREE)
    operator.health = replace(operator.health, storage_error="The server is away.")
    assert main(["managers"]) == 0
    stored, heard = capsys.readouterr().err.splitlines()
    assert "results cannot be stored now: The server is away." in stored
    assert heard == f"tui-manager: {HEARS_NOBODY}"
    operator.managers = THREE[:1]
    assert main(["managers"]) == 0
    assert len(capsys.readouterr().err.splitlines()) == 1

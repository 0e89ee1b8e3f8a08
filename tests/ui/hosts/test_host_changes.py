"""Maintenance, labels and removal of hosts from the screens."""

from dataclasses import replace
from datetime import timedelta

import pytest
from textual.widgets import Input, Label

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.status import Admission
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.drawing.state_words_and_colours import MAINTENANCE, host_glyph, host_state
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.hosts.host_forms import HostForm, LabelsForm, MaintenanceForm
from tui_manager.ui.forms.questions import (
    end_maintenance_question,
    reject_or_revoke_question,
    remove_question,
)
from tui_manager.ui.hosts.host_facts import host_facts
from tui_manager.ui.hosts.hosts_screen import HostsScreen

SIZES = [(80, 24), (160, 48)]
NEW_DISKS = Maintenance("new disks", START + timedelta(hours=2), "ana@pts/3")


@pytest.fixture
def three() -> FakeOperator:
    """Two hosts are online, and db9 is offline."""
    fleet = FakeOperator()
    fleet.add_host("db9", online=False)
    fleet.add_host("web01", labels={"env": "prod"})
    fleet.add_host("web02")
    return fleet


def said(pilot: object) -> list[str]:
    return [note.message for note in pilot.app._notifications]  # type: ignore[attr-defined]


def problem(pilot: object) -> str:
    screen = pilot.app.screen  # type: ignore[attr-defined]
    assert isinstance(screen, HostForm)
    return str(screen.query_one("#problem", Label).content)


@pytest.mark.parametrize("size", SIZES)
async def test_m_asks_why_and_until_when(
    three: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(three, size) as pilot:
        await press(pilot, "2", "down", "m")
        assert "Maintenance of web01" in shown(pilot)
        await press(pilot, *"disks", "enter", *"2h", "f5")
        await settle(pilot)
        assert three.hosts["web01"].maintenance == Maintenance(
            "disks", START + timedelta(hours=2), "ana@pts/3"
        )
        assert said(pilot) == ["In maintenance: web01."]
        assert "⚒ web01" in shown(pilot)
        await press(pilot, "m")
        text = shown(pilot)
        assert "End the maintenance of web01?" in text
        assert "web01: disks" in text
        await press(pilot, "enter")  # the safe answer has the focus
        assert three.hosts["web01"].maintenance
        await press(pilot, "m", "y")
        await settle(pilot)
        assert three.hosts["web01"].maintenance is None
        assert said(pilot)[-1] == "Maintenance ended: web01."


async def test_what_is_wrong_in_a_form_is_said_and_what_is_typed_stays(
    three: FakeOperator, running: Running
) -> None:
    async with running(three, (80, 24)) as pilot:
        await press(pilot, "2", "m", "f5")
        assert problem(pilot) == "Give the reason of the maintenance."
        await press(pilot, *"disks", "tab", *"soon", "f5")
        screen = pilot.app.screen
        assert problem(pilot).startswith("soon: expected 2026-03-02T14:00:00Z")
        assert screen.focused is screen.query_one("#until", Input)
        three.failure = StorageError("The disk is full.")
        await press(pilot, *["backspace"] * 4, "f5")
        assert problem(pilot) == "The disk is full."
        three.failure = None
        await press(pilot, "escape")
        assert "Leave the form?" in shown(pilot)
        await press(pilot, "n", "f5")
        await settle(pilot)
        assert said(pilot)[-1] == "In maintenance: db9."
    maintenance = three.hosts["db9"].maintenance
    assert maintenance is not None
    assert (maintenance.reason, maintenance.until) == ("disks", None)


async def test_marked_hosts_begin_maintenance_together(
    three: FakeOperator, running: Running
) -> None:
    three.change_host("web01", maintenance=NEW_DISKS)
    async with running(three) as pilot:
        await press(pilot, "2", "down", "space", "space", "m")
        assert isinstance(pilot.app.screen, MaintenanceForm)
        assert "Maintenance of 2 hosts" in shown(pilot)
        await press(pilot, *"power", "f5")
        await settle(pilot)
        assert said(pilot) == ["In maintenance: 2 hosts: web[01-02]."]
        screen = pilot.app.screen
        assert isinstance(screen, HostsScreen)
        assert screen.hosts.marked == []
    for name in ("web01", "web02"):
        assert three.hosts[name].maintenance == Maintenance("power", None, "ana@pts/3")


@pytest.mark.parametrize("size", SIZES)
async def test_l_says_where_labels_come_from_and_changes_them(
    three: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    await three.label_hosts(["web01"], {"role": "db"})
    async with running(three, size) as pilot:
        await press(pilot, "2", "down", "l")
        lines = [" ".join(line.strip("│ ").split()) for line in shown(pilot).splitlines()]
        assert any("Operators role=db" in line for line in lines)
        assert any("Others env=prod" in line for line in lines)
        await press(pilot, *"env=lab", "space", *"rack=7", "enter", *"role", "f5")
        await settle(pilot)
        assert said(pilot) == ["Labels changed: web01."]
    assert three.hosts["web01"].labels == {"env": "lab", "rack": "7"}


async def test_labels_that_cannot_be_are_said(three: FakeOperator, running: Running) -> None:
    async with running(three) as pilot:
        await press(pilot, "2", "l", "f5")
        assert problem(pilot) == "Say which labels are to be set or unset."
        await press(pilot, *"env", "f5")
        assert problem(pilot) == "'env' is not a label: write env=prod."
        screen = pilot.app.screen
        assert isinstance(screen, LabelsForm)
        assert screen.focused is screen.query_one("#label", Input)


@pytest.mark.parametrize("size", SIZES)
async def test_d_asks_with_the_name_and_removes(
    three: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(three, size) as pilot:
        await press(pilot, "2", "D")
        text = shown(pilot)
        assert "Remove db9?" in text
        assert "its key is never" in text
        await press(pilot, "enter")
        assert "db9" in three.hosts
        await press(pilot, "D", "y")
        await settle(pilot)
        assert said(pilot) == ["Removed db9."]
        assert list(three.hosts) == ["web01", "web02"]
        screen = pilot.app.screen
        assert isinstance(screen, HostsScreen)
        assert screen.hosts.selected is None  # the next key acts on no host that moved up
        await press(pilot, "home", "D", "y")
        await settle(pilot)
        assert said(pilot)[-1] == "web01 cannot be removed: it is online."


async def test_without_a_host_nothing_is_asked(running: Running) -> None:
    async with running(FakeOperator()) as pilot:
        await press(pilot, "2", "m", "l", "D")
        assert said(pilot) == [
            "Maintenance of which? Select or mark a host, then press m.",
            "Labels of which? Select or mark a host, then press l.",
            "Remove which? Select or mark a host, then press D.",
        ]


@pytest.mark.parametrize("key", ["m", "l", "D"])
async def test_on_the_dashboard_the_hosts_come_to_the_front_first(
    three: FakeOperator, running: Running, key: str
) -> None:
    async with running(three, (80, 24)) as pilot:
        await press(pilot, key)
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        assert screen.focused is screen.hosts
        await press(pilot, key)
        assert isinstance(pilot.app.screen, HostForm | ConfirmScreen)
        assert "db9" in shown(pilot)


async def test_a_renamed_host_is_not_changed_under_its_former_name(
    three: FakeOperator, running: Running
) -> None:
    async with running(three) as pilot:
        await press(pilot, "2", "D")
        await three.rename_host("db9", "db10")
        await press(pilot, "y")
        await settle(pilot)
        assert said(pilot) == ["There is no host db9/host-db9."]


def _host(**fields: object) -> Host:
    made = FakeOperator()
    made.add_host("web01", fingerprint="lusab-babad-gutih")
    made.change_host("web01", **fields)
    return made.hosts["web01"]


def test_a_host_in_maintenance_is_drawn_as_such() -> None:
    host = _host(maintenance=NEW_DISKS)
    assert host_glyph(host) == host_glyph(host, away=True) == MAINTENANCE
    assert host_state(host) == "in maintenance, online"
    assert host_state(_host(maintenance=NEW_DISKS, online=False)) == "in maintenance, offline"
    assert host_glyph(_host(maintenance=NEW_DISKS, admission=Admission.PENDING)) != MAINTENANCE
    lines = [plain(line) for line in host_facts(host, START, 80)]
    assert "⚒ new disks, until 2026-03-02 16:03 (ana@pts/3)" in lines
    for_good = _host(maintenance=Maintenance("\x1b[2J[b]x", None, "\x07bob"))
    lines = [plain(line) for line in host_facts(for_good, START, 80)]
    assert any(line.startswith("⚒ ") and "until it is ended" in line for line in lines)
    assert not any(ord(c) < 32 for line in lines for c in line)


def test_the_questions_name_what_they_are_about() -> None:
    one, many = [_host()], [_host(maintenance=NEW_DISKS)] * 25
    assert remove_question(one).title == "Remove web01?"
    assert remove_question(one).lines[0] == "web01   lusab-babad-gutih   10.0.0.9:40112"
    assert remove_question(one).destructive
    assert (remove_question(many).typed, remove_question(many).title) == ("25", "Remove 25 hosts?")
    lines = end_maintenance_question(many).lines
    assert (lines[0], lines[6]) == ("web01: new disks", "and 19 more: web01")


def test_the_questions_tell_long_names_apart_by_their_ends() -> None:
    name = "payments-worker-eu-central-1-rack-17-blade-node0001"
    host = replace(_host(maintenance=NEW_DISKS), name=name)
    for question in (
        remove_question([host]),
        reject_or_revoke_question([], [host]),
        end_maintenance_question([host]),
    ):
        assert question.lines[0].startswith(name)  # whole: a line wraps
        assert question.title.endswith("…rack-17-blade-node0001?")


async def test_hosts_that_were_turned_away_are_out_of_the_way_unless_asked_for(
    three: FakeOperator, running: Running
) -> None:
    three.change_host("web02", admission=Admission.REVOKED, online=False, vitals=None)
    three._order = None
    async with running(three, (120, 36)) as pilot:
        await press(pilot, "2")
        text = shown(pilot)
        assert "Hosts 2  1 rejected or revoked hidden" in text
        assert "web02" not in text
        await press(pilot, "slash", *"state=revoked", "enter")
        text = shown(pilot)
        assert "⊘ web02" in text
        assert "hidden" not in text

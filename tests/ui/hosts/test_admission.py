"""Who belongs: approving, rejecting and revoking from the screens."""

import re

import pytest

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.drawing.spans import plain, wrap
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.questions import approve_question, reject_or_revoke_question
from tui_manager.ui.hosts.all_hosts_table import host_cell
from tui_manager.ui.hosts.host_facts import host_facts
from tui_manager.ui.hosts.hosts_screen import HostsScreen

SIZES = [(80, 24), (160, 48)]
WORDS = "lusab-babad-gutih"
NOTE = "The name web01 is also that of web01, which is admitted (kufan-hadop-zitob)."
HOSTILE = "\x1b]0;owned\x07[red]x\u202e\nline"


@pytest.fixture
def doubles() -> FakeOperator:
    """A pending host by the name of an admitted one, a pending one, two admitted, a revoked one."""
    fleet = FakeOperator()
    fleet.security = "mTLS"
    fleet.add_host("web01", running=3, fingerprint="kufan-hadop-zitob")
    fleet.add_host("web02")
    fleet.add_host("db9", admission=Admission.PENDING, fingerprint=WORDS)
    fleet.add_host(
        "web01", host_id="second", admission=Admission.PENDING, fingerprint="dodon-a", note=NOTE
    )
    fleet.add_host("old", admission=Admission.REVOKED, online=False)
    return fleet


def admission_of(fleet: FakeOperator, key: str) -> Admission:
    return fleet.hosts[key].admission


def said(pilot: object) -> list[str]:
    return [note.message for note in pilot.app._notifications]  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", SIZES)
async def test_pending_hosts_stand_first_with_their_words(
    doubles: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(doubles, size) as pilot:
        await press(pilot, "2")
        lines = [
            line for line in shown(pilot).splitlines() if re.search("[●▶○◌⊘] [a-z]+[0-9d]", line)
        ]
        assert "◌ db9" in lines[0]
        assert f"pending: {WORDS}  a approves, x rejects" in lines[0]
        assert "▲ The name web01 is also" in lines[1]
        assert re.search("[●▶] web01", lines[2])
        assert "1 rejected or revoked hidden" in shown(pilot)
        assert "◌ 2 pending" in shown(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_a_asks_with_the_words_and_admits(
    doubles: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(doubles, size) as pilot:
        await press(pilot, "2", "a")
        text = shown(pilot)
        assert "Approve db9?" in text
        assert f"db9   {WORDS}   10.0.0.9:40112" in text
        await press(pilot, "n")
        assert admission_of(doubles, "db9") is Admission.PENDING
        await press(pilot, "a", "enter")  # the safe answer has the focus
        assert admission_of(doubles, "db9") is Admission.PENDING
        await press(pilot, "a", "y")
        await settle(pilot)
        assert admission_of(doubles, "db9") is Admission.ADMITTED
        assert said(pilot) == ["Approved db9."]
        assert "pending: lusab" not in shown(pilot)


async def test_a_second_host_of_a_name_is_told_apart_and_refused_with_the_managers_words(
    doubles: FakeOperator, running: Running
) -> None:
    async with running(doubles, (80, 24)) as pilot:
        await press(pilot, "2", "down", "a")
        text = " ".join(re.sub("[│╭╮]", " ", shown(pilot)).split())
        assert "▲ The name web01 is also that of web01, which is admitted" in text
        for _ in range(2):  # it is said each time
            await press(pilot, "y")
            await press(pilot, "a")
        assert said(pilot) == ["Another host is known as web01: revoke it first."] * 2
        await press(pilot, "escape", "x", "y")
        assert admission_of(doubles, "second") is Admission.REJECTED
        assert admission_of(doubles, "web01") is Admission.ADMITTED


async def test_marked_hosts_are_approved_together(doubles: FakeOperator, running: Running) -> None:
    doubles.add_host("db10", admission=Admission.PENDING)
    async with running(doubles) as pilot:
        await press(pilot, "2", "space", "space", "a")
        assert "Approve 2 hosts?" in shown(pilot)
        await press(pilot, "y")
        assert said(pilot) == ["Approved 2 hosts: db[9-10]."]
        screen = pilot.app.screen
        assert isinstance(screen, HostsScreen)
        assert screen.hosts.marked == []


async def test_what_does_not_fit_is_said(doubles: FakeOperator, running: Running) -> None:
    async with running(doubles) as pilot:
        await press(pilot, "2", "slash", *"state=revoked", "enter", "a")
        await press(pilot, "x")
        await press(pilot, "escape", "end", "a")
        assert said(pilot) == [
            "old is revoked: only a pending host can be approved.",
            "old is revoked already.",
            "web02 is admitted: only a pending host can be approved.",
        ]
        await press(pilot, "home", *["space"] * 4, "a")
        assert said(pilot)[-1] == (
            "2 of the marked hosts are admitted: only a pending host can be approved."
        )
        assert "Approve 2 hosts?" in shown(pilot)


async def test_an_empty_fleet_has_nobody_to_approve(running: Running) -> None:
    async with running(FakeOperator()) as pilot:
        await press(pilot, "2", "a", "x")
        assert said(pilot) == [
            "Approve which? Select or mark a pending host (◌), then press a.",
            "Reject or revoke which? Select or mark a host, then press x.",
        ]


@pytest.mark.parametrize("size", SIZES)
async def test_on_the_dashboard_the_hosts_come_to_the_front_first(
    doubles: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(doubles, size) as pilot:
        await press(pilot, "x")
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        assert screen.focused is screen.hosts
        assert said(pilot) == ["Reject or revoke which? Select or mark a host, then press x."]
        await press(pilot, "x", "y")
        assert admission_of(doubles, "db9") is Admission.REJECTED
        await press(pilot, "a")  # it is hidden now, and no other one is selected for it
        assert said(pilot)[-1] == "Approve which? Select or mark a pending host (◌), then press a."


@pytest.mark.parametrize("size", SIZES)
async def test_x_says_what_becomes_of_the_work_and_revokes(
    doubles: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(doubles, size) as pilot:
        await press(pilot, "2", "down", "down", "x")
        text = shown(pilot)
        assert "Revoke web01?" in text
        assert "3 commands run there now." in text
        await press(pilot, "escape")
        assert admission_of(doubles, "web01") is Admission.ADMITTED
        await press(pilot, "x", "y")
        assert admission_of(doubles, "web01") is Admission.REVOKED
        assert admission_of(doubles, "second") is Admission.PENDING
        assert said(pilot) == ["Revoked web01."]


async def test_above_twenty_hosts_the_number_is_typed(running: Running) -> None:
    fleet = FakeOperator()
    for number in range(21):
        admission = Admission.PENDING if number % 2 else Admission.ADMITTED
        fleet.add_host(f"n{number:02}", admission=admission)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "2", *["space"] * 21, "x", "y", "enter")
        assert isinstance(pilot.app.screen, ConfirmScreen)
        assert "Revoke 11 hosts, reject 10 hosts" in shown(pilot)
        assert "Type 21" in shown(pilot)
        await press(pilot, *"21", "enter")
        await settle(pilot)
        assert not fleet.known
        assert said(pilot) == [
            "Revoked 11 hosts: n[00,02,04,06,08,10,12,14,16,18,20]. "
            "Rejected 10 hosts: n[01,03,05,07,09,11,13,15,17,19]."
        ]


async def test_trust_in_many_hosts_is_typed_too(running: Running) -> None:
    fleet = FakeOperator()
    for number in range(21):
        fleet.add_host(f"n{number:02}", admission=Admission.PENDING)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "2", *["space"] * 21, "a", "y", "enter")
        assert not fleet.admitted
        await press(pilot, *"21", "enter")
        assert len(fleet.admitted) == 21


async def test_of_two_pending_hosts_of_a_name_only_the_selected_one_is_meant(
    running: Running,
) -> None:
    fleet = FakeOperator()
    fleet.add_host("db9", admission=Admission.PENDING)
    fleet.add_host("db9", host_id="twin", admission=Admission.PENDING)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "2", "down", "x", "y")
        assert [host.admission for host in fleet.hosts.values()] == ["pending", "rejected"]
        await press(pilot, "home", "a", "y")
        assert [host.admission for host in fleet.hosts.values()] == ["admitted", "rejected"]


async def test_an_error_of_the_manager_is_said_and_marks_stay(
    doubles: FakeOperator, running: Running
) -> None:
    async with running(doubles) as pilot:
        await press(pilot, "2", "space", "a")
        doubles.failure = StorageError("The database is [locked].")
        await press(pilot, "y")
        doubles.failure = None
        assert "The database is [locked]." in said(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, HostsScreen)
        assert [host.name for host in screen.hosts.marked] == ["db9"]


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_names_words_and_notes_are_text(
    running: Running, size: tuple[int, int]
) -> None:
    fleet = FakeOperator()
    fleet.security = "mTLS"
    fleet.add_host(
        f"evil{HOSTILE}", admission=Admission.PENDING, fingerprint=HOSTILE, note=HOSTILE * 30
    )
    async with running(fleet, size) as pilot:
        for keys in ((), ("2",), ("a",), ("escape", "x"), ("y",), ("a", "x")):
            await press(pilot, *keys)
            text = shown(pilot)
            assert "owned" not in text
            assert "[red]x<U+202E>" in text or not keys
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert not fleet.known


def test_the_odd_ones_of_many_are_named_first() -> None:
    fleet = FakeOperator()
    hosts = [fleet.add_host(f"n{n}", admission=Admission.PENDING) for n in range(9)]
    hosts.append(fleet.add_host("odd", admission=Admission.PENDING, note=NOTE))
    lines = approve_question(hosts).lines
    assert lines[0].startswith("odd")
    assert lines[1].startswith("  ▲ The name web01")
    assert "and 4 more: n[5-8]" in lines


def test_a_question_fits_whatever_is_turned_away() -> None:
    fleet = FakeOperator()
    host = fleet.add_host("web01", running=1)
    assert "1 command runs there now." in " ".join(reject_or_revoke_question([], [host]).lines)
    pending = fleet.add_host("db9", admission=Admission.PENDING)
    assert not any("failed" in line for line in reject_or_revoke_question([pending], []).lines)


def describe_error(host: Host, width: int) -> list[str]:
    return [plain(line) for line in host_facts(host, START, width)]


def test_the_facts_of_a_host_tell_its_words_and_its_note() -> None:
    fleet = FakeOperator()
    host = fleet.add_host("web01", admission=Admission.PENDING, fingerprint=WORDS, note=NOTE)
    lines = describe_error(host, 40)
    assert lines[0] == "◌ web01  pending admission for 2h"
    assert " ".join(lines[1:3]) == f"▲ {NOTE}"
    assert f"identity {WORDS}, host-web01" in lines
    assert "identity no certificate, host-web02" in describe_error(fleet.add_host("web02"), 40)


def test_who_was_turned_away_says_so_in_its_row() -> None:
    fleet = FakeOperator()
    host = fleet.add_host("old", admission=Admission.REVOKED, fingerprint=WORDS)
    assert plain(host_cell(host, "rest", 60, START)) == f"revoked: {WORDS}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ("",)),
        ("one two three", ("one two", "three")),
        ("abcdefghijk", ("abcdefgh", "ijk")),
        ("工程师工程师", ("工程师工", "程师")),
    ],
)
def test_text_is_wrapped_by_cells(text: str, lines: tuple[str, ...]) -> None:
    assert wrap(text, 8) == lines


async def test_the_key_says_what_it_would_do(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:

        async def label() -> str:
            await settle(pilot)
            foot = shown(pilot).splitlines()[-1]
            return foot.partition(" x ")[2].partition("  ")[0]

        await press(pilot, "2")
        assert await label() == "Reject"
        await press(pilot, "down")
        assert await label() == "Revoke"
        await press(pilot, "home", "space", "space")
        assert await label() == "Reject, revoke"
        await press(pilot, "escape")
        assert await label() == "Revoke"
        await press(pilot, "colon", *"revoke")
        await settle(pilot)
        assert "Revoke  (x)" in shown(pilot)
        await press(pilot, "escape", "home")
        host = next(h for h in fleet.hosts.values() if h.admission is Admission.PENDING)
        await fleet.approve_hosts([host.host_id])
        fleet.publish(Changes(hosts=True))
        assert await label() == "Revoke"


async def test_the_palette_asks_for_no_hosts_that_nobody_chose(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        focused = pilot.app.screen.focused
        await press(pilot, "colon", *"reject")
        assert "Reject  (x)" in shown(pilot)
        await press(pilot, "escape")
        assert pilot.app.screen.focused is focused


@pytest.mark.parametrize("key", ["a", "x"])
@pytest.mark.parametrize("pane", [(), ("tab",)])  # output, or tasks
async def test_a_key_acts_on_no_host_of_a_hidden_pane(
    doubles: FakeOperator, running: Running, key: str, pane: tuple[str, ...]
) -> None:
    async with running(doubles, (80, 24)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        await press(pilot, "tab", "space", "tab", *pane)
        assert screen.hosts.marked
        assert not screen.hosts.display
        await press(pilot, key)
        assert len(pilot.app.screen_stack) == 1, "no question about what cannot be seen"
        assert screen.hosts.has_focus
        assert screen.hosts.display
        await press(pilot, key)
        assert isinstance(pilot.app.screen, ConfirmScreen)

"""What the manager's status asks an operator to look at."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.support.managers.enrolled_hosts import BEGINS, ENDS, host_key
from tests.support.managers.manager_parts import Parts, manager_parts, spec
from tui_manager.domain.errors import RefusedError, StorageError
from tui_manager.domain.hosts.agent_messages import Held, HeldState
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.notification import ReceiverKind, ReceiverStatus
from tui_manager.domain.schedules.schedule import Schedule, ScheduleSpec
from tui_manager.domain.tasks.task import Hold
from tui_manager.operator.inprocess.alerts import HostCounts, attention
from tui_manager.service.core.hosts import fleet_counts
from tui_manager.service.core.refusals_and_violations import RECENT_MAX
from tui_manager.service.tasks.work_summary import WorkSummary


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with manager_parts(tmp_path) as made:
        yield made


def _attention(parts: Parts) -> tuple[str, ...]:
    return _texts(attention(parts.core, HostCounts(0, 0, 0)))


def _texts(alerts: tuple[Alert, ...]) -> tuple[str, ...]:
    return tuple(alert.text for alert in alerts)


async def test_a_certificate_that_ends_is_said_as_long_as_it_does(parts: Parts) -> None:
    problem = "server_certificate: /s.pem ends on 2031-02-03 04:05 UTC."
    parts.statistics.gauges.certificate_problem = lambda: problem
    assert _attention(parts) == (f"A certificate needs attention: {problem}",)
    problem = ""
    assert _attention(parts) == ()


async def test_a_host_with_a_certificate_from_the_future_is_named(parts: Parts) -> None:
    await parts.enroll("web01", auto_approve=True)
    counts = HostCounts(0, 0, 0)

    def said(now: datetime) -> tuple[str, ...]:
        return _texts(attention(parts.core, counts, None, now))

    assert said(BEGINS) == ()
    (sentence,) = said(BEGINS - timedelta(seconds=1))
    assert sentence.startswith(
        "web01 is offline, and its newest certificate begins on 2026-01-01 00:00 "
        "UTC: the manager's clock was or is wrong."
    )
    (sentence,) = said(ENDS)
    assert "expired on 2026-02-01 00:00 UTC. If it stays offline" in sentence
    await parts.member("web02")
    assert len(said(ENDS)) == 1, "who is online has one that works"


async def test_a_log_that_is_long_is_said_unless_the_database_fails(parts: Parts) -> None:
    parts.statistics.gauges.log_bytes = lambda: 300 << 20
    (said,) = _attention(parts)
    assert said.startswith(
        "The log of the database has 300 MiB: a program, such as a backup or a check, has been"
    )
    parts.statistics.record_transaction(0.1, "The disk is full.")
    assert _attention(parts) == ("Results wait for the database: The disk is full.",)
    parts.clock.turn(3)
    parts.statistics.record_transaction(0.1, "")
    parts.statistics.gauges.log_bytes = lambda: 200 << 20
    assert _attention(parts) == ()


async def test_a_small_write_that_fits_on_a_full_disk_takes_nothing_back(parts: Parts) -> None:
    said = ("Results wait for the database: The disk is full.",)
    for _ in range(3):
        parts.statistics.record_transaction(0.1, "The disk is full.")
        parts.statistics.clear_storage_error()
        assert _attention(parts) == said
        parts.clock.turn(2.9)
        parts.statistics.record_transaction(0.1, "")
        assert _attention(parts) == said
    parts.clock.turn(0.1)
    parts.statistics.clear_storage_error()
    assert _attention(parts) == ()


async def test_time_alone_does_not_make_a_database_writable(parts: Parts) -> None:
    parts.statistics.record_transaction(0.1, "The disk is full.")
    parts.clock.turn(60)
    parts.statistics.clear_storage_error()
    assert _attention(parts) == ("Results wait for the database: The disk is full.",)


async def test_executions_that_the_database_does_not_know_are_counted(parts: Parts) -> None:
    held = [Held("one", HeldState.RUNNING), Held("two", HeldState.ENDED, has_result=True)]
    host = await parts.connect("web03", held=held)
    parts.hosts.add_unknown(host.host_id, host.generation, ["two"])
    assert _attention(parts) == (
        "web03 holds 2 executions that this database does not know; they are left to finish.",
    )
    parts.hosts.add_unknown(host.host_id, host.generation - 1, ["of an older session"])
    assert "holds 2 executions" in _attention(parts)[0]
    await parts.connect("web03", host_id=host.host_id, held=held[:1])
    assert "web03 holds 1 execution that" in _attention(parts)[0]
    await parts.connect("web03", host_id=host.host_id)
    assert _attention(parts) == ()


async def test_a_host_that_holds_very_many_is_not_remembered_without_bound(parts: Parts) -> None:
    host = await parts.connect("web03")
    parts.hosts.add_unknown(host.host_id, host.generation, map(str, range(5000)))
    assert _attention(parts)[0].startswith("web03 holds 1000 or more executions")


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (HostCounts(offline=1), "1 host is offline."),
        (HostCounts(offline=1200), "1,200 hosts are offline."),
        (HostCounts(maintenance=1), "1 host is in maintenance: tasks leave it out."),
        (HostCounts(maintenance=1200), "1,200 hosts are in maintenance: tasks leave them out."),
    ],
)
async def test_hosts_that_do_no_work_are_counted(
    parts: Parts, counts: HostCounts, said: str
) -> None:
    assert _texts(attention(parts.core, counts)) == (said,)


async def test_the_host_that_went_offline_last_is_named(parts: Parts) -> None:
    for name in ("web01", "web02", "web03"):
        await parts.connect(name)
    for name in ("web01", "web02"):
        (host,) = parts.list_hosts(Window(text=name)).rows
        generation = parts.directory.get(host.host_id).session.generation  # type: ignore[union-attr]
        await parts.hosts.close_session(host.host_id, generation, "gone")
        parts.clock.turn(150)
        now = parts.clock.instant
        load = fleet_counts.load_of_fleet(parts.directory, now)
        counts = HostCounts(load.offline, newest_offline=load.newest_offline)
        (alert,) = attention(parts.core, counts, None, now)
        subject = {
            "web01": (host.host_id, ""),
            "web02": ("", "state=offline !state=maintenance"),
        }
        expected = {
            "web01": "web01 is offline for 2 min.",
            "web02": "2 hosts are offline: web02 went last.",
        }
        assert alert.text == expected[name]
        assert (alert.host_id, alert.hosts) == subject[name]
    await parts.host_management.set_maintenance(["web01", "web02"], "new disks", None, "ana")
    assert fleet_counts.load_of_fleet(parts.directory, parts.clock.instant).offline == 0


async def test_a_task_on_hold_and_a_schedule_that_is_refused_are_said_before_offline_hosts(
    parts: Parts,
) -> None:
    hold = Hold(1, 3, None)
    detail = await parts.tasks.get_task(await parts.tasks.create_task(spec("@all")))
    task = replace(detail.task, hold=hold)
    schedule = Schedule(
        ScheduleSpec("nightly", "0 3 * * *", "UTC", task_file="x"), 1, False, None, None, "ana",
        parts.clock.instant, problem="The template backup was deleted.",
    )  # fmt: skip
    work = WorkSummary(1, 0, (task,), (schedule,))
    assert attention(parts.core, HostCounts(offline=1), None, None, work) == (
        Alert("Task 1 is on hold after batch 1 of 3: resume it, or cancel it.", task_id=1),
        Alert("1 host is offline."),
        Alert(
            "Schedule nightly cannot start a task: The template backup was deleted.",
            schedule="nightly",
        ),
    )


async def test_many_hosts_are_folded(parts: Parts) -> None:
    for number in range(8):
        await parts.connect(f"web{number}", held=[Held("one", HeldState.RUNNING)])
    *named, rest = _attention(parts)
    assert len(named) == 5
    assert rest == "3 other hosts hold executions that it does not know too."


async def _refused(parts: Parts, name: str) -> None:
    with pytest.raises(RefusedError):
        await parts.connect(name, journal_id="another")


async def test_a_refused_name_is_shown_until_an_hour_has_passed(parts: Parts) -> None:
    await parts.connect("web03")
    await _refused(parts, "web03")
    (said,) = _attention(parts)
    assert said.startswith("An agent that says it is web03 was refused: Another host is known as")
    parts.clock.turn(3599)
    assert len(_attention(parts)) == 1
    parts.clock.turn(1)
    assert _attention(parts) == ()


async def test_a_refused_identity_of_a_renamed_host_is_forgotten_too(parts: Parts) -> None:
    host = await parts.connect("web03")
    await parts.host_management.rename("web03", "shop", "ana@pts/3")
    with pytest.raises(RefusedError):
        await parts.connect("web03", host_id=host.host_id, instance_id="a copy")
    assert "says it is web03 was refused" in _attention(parts)[0]
    await parts.connect("web03", host_id=host.host_id)
    assert _attention(parts) == ()


async def test_a_refused_identity_is_forgotten_when_the_host_connects(parts: Parts) -> None:
    host = await parts.connect("web03")
    with pytest.raises(RefusedError):
        await parts.connect("web03", host_id=host.host_id, instance_id="a copy")
    assert "was refused: Another agent is connected as web03" in _attention(parts)[0]
    await parts.connect("web03", host_id=host.host_id)
    assert _attention(parts) == ()


async def test_refusals_are_bounded_and_the_newest_come_first(parts: Parts) -> None:
    for number in range(RECENT_MAX + 5):
        await parts.connect(f"web{number}")
        await _refused(parts, f"web{number}")
    newest, *_, rest = _attention(parts)
    assert f"web{RECENT_MAX + 4} " in newest
    assert rest == f"Agents that say they are {RECENT_MAX - 5} other hosts were refused too."
    assert len(parts.violations.recent_refusals.newest_first()) == RECENT_MAX


async def test_a_name_that_is_no_name_is_not_shown(parts: Parts) -> None:
    await _refused(parts, "\x1b[2Jweb")
    assert _attention(parts) == ()


async def test_whoever_breaks_the_rules_is_named(parts: Parts) -> None:
    host = await parts.member("web03")
    parts.hosts.record_violation(host.host_id, "It sent \x1b[2Jtoo much.")
    assert _attention(parts) == ("web03 violated the protocol: It sent too much.",)
    parts.hosts.record_violation(host.host_id, "It lied.")
    assert attention(parts.core, HostCounts())[0].host_id == host.host_id
    parts.hosts.record_violation("", "No Hello came.")
    assert _attention(parts) == (
        "An unknown agent violated the protocol: No Hello came.",
        "web03 violated the protocol 2 times, most recently: It lied.",
    )
    parts.clock.turn(3600)
    assert _attention(parts) == ()


async def test_many_that_break_the_rules_are_folded(parts: Parts) -> None:
    for number in range(8):
        host = await parts.member(f"web{number}")
        parts.hosts.record_violation(host.host_id, "It lied.")
    *named, rest = _attention(parts)
    assert len(named) == 5
    assert rest == "3 other hosts violated the protocol too; see the audit."


async def test_what_is_odd_about_a_host_that_waits_is_said_until_it_is_decided(
    parts: Parts,
) -> None:
    owner = await parts.member("web03")
    await parts.enroll("db01")  # nothing is odd about this one
    thief = await parts.enroll("web03", key="thief", machine_id="thief")
    (alert,) = attention(parts.core, HostCounts())
    fingerprint = host_key("thief").fingerprint
    assert alert.host_id == thief.host_id
    assert alert.text.startswith(
        f"Check web03 ({fingerprint}) before you approve it: The name web03"
    )
    await parts.admission.revoke([owner.host_id], "ana")
    await parts.admission.approve([thief.host_id], False, "ana")
    assert _attention(parts) == ()
    for number in range(7):
        await parts.enroll("web03", key=f"thief{number}", machine_id="")
    *_, rest = _attention(parts)
    assert rest == "2 other pending hosts have notes too."
    await parts.admission.reject([], True, "ana")
    assert _attention(parts) == ()


async def test_many_wrong_tokens_are_said(parts: Parts) -> None:
    for number in range(10):
        assert _attention(parts) == ()
        with pytest.raises(RefusedError):
            await parts.enroll(f"web{number}", token="tm1.pin.guess")
    assert _attention(parts) == ("10 wrong join tokens were used in the last hour; see the audit.",)
    parts.clock.turn(3600)
    assert _attention(parts) == ()


async def test_an_authority_that_cannot_issue_is_said(parts: Parts) -> None:
    parts.authority.problem = "Its certificate has ended."
    with pytest.raises(StorageError):
        await parts.enroll("web03")
    assert "No certificates can be issued: Its certificate has ended." in _attention(parts)
    parts.authority.problem = ""
    await parts.enroll("web03")
    assert _attention(parts) == ()


def test_receivers_that_get_no_notifications_are_named(parts: Parts) -> None:
    now = parts.clock.instant
    fine = ReceiverStatus("fine", ReceiverKind.HOOK, "/bin/fine", (), delivered=3)
    new = replace(fine, name="new", failing_since=now - timedelta(minutes=9), last_error="no")
    chat = replace(
        fine,
        name="chat",
        kind=ReceiverKind.WEBHOOK,
        pending=1204,
        failing_since=now - timedelta(minutes=25),
        last_error="HTTP status 503",
    )
    lossy = replace(fine, name="lossy", given_up=2, dropped=1300, lost_at=now - timedelta(hours=1))
    long_ago = replace(lossy, name="old", lost_at=now - timedelta(hours=25))
    work = WorkSummary(0, 0, (), (), receivers=(fine, new, chat, lossy, long_ago))
    texts = [alert.text for alert in attention(parts.core, HostCounts(), None, now, work)]
    assert texts == [
        "The webhook chat has taken no notification for 25 min: HTTP status 503. "
        "1,204 wait for it.",
        "Notifications for the hook lossy are lost: 2 given up, 1,300 dropped.",
    ]
    many = WorkSummary(0, 0, (), (), receivers=(lossy,) * 7)
    assert "2 other receivers" in attention(parts.core, HostCounts(), None, now, many)[-1].text

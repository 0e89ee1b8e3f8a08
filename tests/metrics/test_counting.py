"""What happens in a manager is counted once, when it is durable, and under the right labels."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.metrics.scraping import Scraped, scraped, scraped_of, source_of
from tests.support.managers.manager_parts import Parts, failed, greeting, result, spec, totals
from tests.support.managers.schedules import ANA, end_task, hourly, turn_to
from tui_manager.domain.errors import RefusedError, StorageError
from tui_manager.domain.hosts.agent_messages import Output, Started
from tui_manager.domain.status import Stream
from tui_manager.storage.engine.metric_counters import Act, count
from tui_manager.storage.engine.transaction import Transaction

SECOND = timedelta(seconds=1)
ENDED = "command_hosts_ended_total"


async def test_ends_are_counted_by_status_and_reason(parts: Parts) -> None:
    host, other = await parts.connect("web01"), await parts.connect("web02")
    await parts.started("web[01-02]", "true", "false")
    first, second = (run for _, run in parts.dispatcher.sent)
    await parts.report(host.host_id, Started(first.execution_id, timedelta(0)))
    await parts.report(host.host_id, result(first.execution_id))
    await parts.report(other.host_id, failed(second.execution_id))
    third = parts.dispatcher.sent[-1][1]
    for _ in range(2):  # a repeat changes nothing
        await parts.report(host.host_id, failed(third.execution_id))
    said = scraped(parts)
    assert said.value(ENDED, status="completed", reason="") == 1
    assert said.value(ENDED, status="failed", reason="exit_code") == 2
    assert said.value(ENDED, status="skipped", reason="earlier_failed") == 1
    assert said.value("command_hosts_started_total") == 1
    assert said.value("tasks_created_total") == said.value("tasks_started_total") == 1
    assert said.value("tasks_ended_total", status="failed") == 1
    assert said.value("commands_sent_total", kind="run") == 3
    assert said.value("admitted_hosts", connection="online") == 2


async def test_ends_without_a_result_are_counted(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.hosts.close_session(host.host_id, host.generation, "of the test")
    await parts.started("web01", "true", "true")
    back = await parts.connect("web01")
    task_id = await parts.started("web01")
    await parts.started("web01")
    await parts.hosts.close_session(host.host_id, back.generation, "of the test")
    await parts.tasks.cancel_task(task_id, ANA)
    parts.clock.turn(3600)
    await parts.watch.run_once()
    await parts.silence.run_once()
    said = scraped(parts)
    assert said.value(ENDED, status="failed", reason="undeliverable") == 1
    assert said.value(ENDED, status="skipped", reason="earlier_failed") == 1
    assert said.value(ENDED, status="canceled", reason="cancel_unconfirmed") == 1
    assert said.value(ENDED, status="failed", reason="agent_lost") == 1
    assert said.value("hosts_lost_total") == 1
    assert said.value("sessions_opened_total") == 2
    assert said.value("sessions_ended_total", reason="broken") == 2


async def test_what_was_undone_is_not_counted(parts: Parts) -> None:
    def work(tx: Transaction) -> None:
        count(Act.TASK_CREATED)
        raise StorageError("of the test")

    with pytest.raises(StorageError):
        await parts.core.database.write(work)
    assert scraped(parts).value("tasks_created_total") == 0
    await parts.core.database.write(lambda _tx: count(Act.TASK_CREATED, number=2))
    assert scraped(parts).value("tasks_created_total") == 2


def _observed(said: Scraped, name: str) -> tuple[float, float]:
    """Number and sum of what a histogram has observed."""
    return said.value(f"{name}_count"), said.value(f"{name}_sum")


async def test_times_are_computed_from_the_ages_that_agents_tell(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.started("web01")
    await parts.started("web01")
    first, second = (run.execution_id for _, run in parts.dispatcher.sent)
    parts.clock.turn(10)
    await parts.report(host.host_id, Started(first, 7 * SECOND))  # it began after 3 seconds
    short = result(second, duration=2 * SECOND, age=4 * SECOND)  # it began after 4
    await parts.report(host.host_id, short)
    said = scraped(parts)
    assert _observed(said, "command_start_delay_seconds") == (2, 7)
    assert said.value("command_start_delay_seconds_bucket", le="2.5") == 0
    assert said.value("command_start_delay_seconds_bucket", le="5.0") == 2
    assert _observed(said, "command_seconds") == (1, 2)
    assert _observed(said, "result_delay_seconds") == (1, 4)
    for _ in range(2):  # a repeat is not measured
        await parts.report(host.host_id, short, Started(first, 7 * SECOND))
    again = scraped(parts)
    assert _observed(again, "command_start_delay_seconds") == (2, 7)
    assert _observed(again, "result_delay_seconds") == (1, 4)


async def test_output_is_counted_as_it_is_stored(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    piece = Output(run.execution_id, Stream.STDOUT, 0, b"abc", 0)
    for _ in range(2):
        await parts.report(host.host_id, piece)
    await parts.report(host.host_id, result(run.execution_id, totals=totals(3)))
    assert scraped(parts).value("output_bytes_total") == 3


async def test_due_times_are_counted_and_their_delay_is_measured(parts: Parts) -> None:
    await parts.connect("web01")
    turn_to(parts, 3, 30)
    await parts.schedules.add_schedule(hourly(), ANA)
    turn_to(parts, 4, second=3)
    await parts.watch.run_once()
    await parts.schedule_loop.run_once()
    turn_to(parts, 5)  # the task of 4:00 still runs
    await parts.watch.run_once()
    await parts.schedule_loop.run_once()
    host = parts.directory.find_row(1)
    assert host
    await end_task(parts, host.row.host_id)
    turn_to(parts, 8, 30)  # those of 6:00 and 7:00 came too late, and that of 8:00 as well
    await parts.watch.run_once()
    await parts.schedule_loop.run_once()
    said = scraped(parts)
    assert said.value("schedules_started_total") == 1
    assert said.value("schedules_skipped_total", reason="overlap") == 1
    assert said.value("schedules_skipped_total", reason="misfire") == 3
    assert _observed(said, "schedule_delay_seconds") == (1, 3)


async def test_refused_agents_are_counted_by_reason(parts: Parts) -> None:
    await parts.connect("web01")
    with pytest.raises(RefusedError):
        await parts.hosts.open_session(greeting("web01", journal_id="another"), None)
    said = scraped(parts)
    assert said.value("agents_refused_total", reason="name_taken") == 1
    assert said.value("agents_refused_total", reason="bad_token") == 0


async def test_a_failed_write_is_seen(parts: Parts) -> None:
    assert scraped(parts).value("database_writable") == 1
    parts.statistics.record_transaction(0.1, "The disk is full.")
    said = scraped(parts)
    assert (said.value("database_writable"), said.value("transactions_failed_total")) == (0, 1)


async def test_a_manager_alone_leads(parts: Parts) -> None:
    said = scraped(parts)
    assert (said.value("leader"), said.value("managers", state="leads")) == (1, 1)
    assert said.value("build_info", version="1.2.3", manager="m1") == 1
    assert said.value("state_free_bytes") > 0


async def test_a_jump_of_the_clock_is_counted(parts: Parts) -> None:
    parts.clock.instant += timedelta(hours=1)
    await parts.watch.run_once()
    said = scraped(parts)
    assert (said.value("clock_jumps_total"), said.value("clock_trusted")) == (1, 0)


async def test_notifications_and_certificates_are_shown(parts: Parts) -> None:
    parts.statistics.count_notification("webhook", "failed")
    end = datetime(2027, 1, 1, tzinfo=UTC)
    parts.statistics.gauges.certificates = lambda: {"server": end}
    said = scraped(parts)
    assert said.value("notifications_total", receiver="webhook", outcome="failed") == 1
    assert said.value("notifications_total", receiver="hook", outcome="delivered") == 0
    seconds = said.value("certificate_end_timestamp_seconds", certificate="server")
    assert seconds == end.timestamp()


async def test_work_that_has_not_ended_is_followed(parts: Parts) -> None:
    host = await parts.connect("web01")
    source = source_of(parts)
    await parts.started("web01", "true", "true")
    await parts.tasks.create_task(spec("web01"))
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    await source.work.run_once()
    said = scraped_of(source)
    assert [said.value("command_hosts", status=name) for name in ("pending", "running")] == [1, 1]
    assert [said.value("tasks", status=name) for name in ("pending", "running")] == [1, 1]
    assert said.value("commands_running") == 1


async def test_hosts_are_counted_by_admission_and_connection(parts: Parts) -> None:
    await parts.connect("web01")
    for name in ("web02", "web03"):
        host = await parts.connect(name)
        await parts.hosts.close_session(host.host_id, host.generation, "of the test")
    await parts.enroll("web04")
    await parts.host_management.set_maintenance(["web03"], "new disks", None, ANA)
    said = scraped(parts)
    assert [
        said.value("admitted_hosts", connection=name)
        for name in ("online", "offline", "offline_in_maintenance")
    ] == [1, 1, 1]
    assert said.value("hosts", admission="admitted") == 3
    assert said.value("hosts", admission="pending") == 1

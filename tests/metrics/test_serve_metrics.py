"""The pages of one manager: metrics, and whether it is healthy."""

import asyncio
import threading
from pathlib import Path

import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.metrics.scraping import OPENMETRICS, Scraped, parsed, request, source_of
from tests.support.agents.agent_stream import dial, hello
from tests.support.managers.manager_parts import Parts
from tests.support.waiting import wait_until
from tui_manager.domain.hosts.session_end import SessionEnd
from tui_manager.metrics.serve_metrics import ManagerPages, serve_metrics
from tui_manager.run_manager import run_manager
from tui_manager.settings import Settings


async def test_a_manager_serves_what_its_settings_say(tmp_path: Path) -> None:
    settings = Settings(
        state_dir=tmp_path / "state", listen="127.0.0.1:0", metrics="127.0.0.1:0", insecure=True
    )
    async with run_manager(settings) as manager:
        status, headers, body = await request(manager.metrics_address, "/metrics")
        assert status == 200
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert parsed(body.decode()).value("leader") == 1
        status, _, body = await request(manager.metrics_address, "/healthz")
        assert (status, body) == (200, b"ok\n")
        await _streams_that_end(manager.address)
        said = await wait_until(
            lambda: _scraped(manager.metrics_address),
            lambda said: sum(_ends(said).values()) == 4 and said.has("tasks", status="running"),
        )
        assert _ends(said) == {"closed": 1, "broken": 1, "replaced": 1, "refused": 1}
        assert (said.value("sessions_opened_total"), said.value("sessions")) == (4, 0)
        assert said.value("violations_total") == 1
    assert not any(thread.name == "metrics" for thread in threading.enumerate())


async def _streams_that_end(address: str) -> None:
    """Four streams, each of which ends in another way."""
    async with dial(address) as first:
        welcome = (await first.hello("web01")).welcome
        again = {"instance_id": "the same", "host_id": welcome.host_id}
        await first.leave()
    async with dial(address) as first, dial(address) as second:
        await first.hello("web01", **again)
        await second.hello("web01", **again)
        assert await first.ended()
        await second.write(pb.AgentMessage(hello=hello("web01")))  # a second Hello
        assert await second.ended()
    async with dial(address) as lost:
        await lost.hello("web02")


async def _scraped(address: str) -> Scraped:
    _, _, body = await request(address, "/metrics")
    return parsed(body.decode())


def _ends(said: Scraped) -> dict[str, float]:
    """How many streams have ended, by reason."""
    found = {end.value: said.value("sessions_ended_total", reason=end) for end in SessionEnd}
    return {reason: number for reason, number in found.items() if number}


async def test_the_format_that_is_asked_for_is_answered(parts: Parts) -> None:
    async with serve_metrics("127.0.0.1:0", source_of(parts)) as address:
        sent = f"GET /metrics HTTP/1.1\r\nAccept: {OPENMETRICS}\r\n\r\n".encode()
        _, headers, body = await request(address, sent)
        assert headers["Content-Type"].startswith(OPENMETRICS.partition(";")[0])
        assert parsed(body.decode(), openmetrics=True).value("leader") == 1


async def test_a_database_that_cannot_be_written_is_unhealthy(parts: Parts) -> None:
    pages = ManagerPages(source_of(parts), asyncio.get_running_loop())
    parts.statistics.record_transaction(0.1, "The disk is full.")
    answer = await pages.health("")
    assert answer.status == 503
    assert answer.body == b"The database cannot be written: The disk is full.\n"
    assert (await pages.metrics("")).status == 200


async def test_a_write_that_does_not_end_is_unhealthy(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_manager.metrics.serve_metrics.WRITE_MAX", -1.0)
    pages = ManagerPages(source_of(parts), asyncio.get_running_loop())
    answer = await pages.health("")
    assert (answer.status, answer.body) == (
        503,
        b"The database has not stored a change for 0 seconds.\n",
    )


async def test_a_change_that_is_written_waits(parts: Parts) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(_tx: object) -> None:
        begun.set()
        go_on.wait()

    database = parts.core.database
    assert database.waiting_for == 0
    writing = asyncio.create_task(database.write(work))
    await asyncio.to_thread(begun.wait)
    assert database.waiting_for > 0
    go_on.set()
    await writing
    assert database.waiting_for == 0


def test_a_loop_that_stands_still_is_unhealthy(tmp_path: Path) -> None:
    """The pages run on another loop than the manager's, which answers nothing here."""
    stalled = asyncio.new_event_loop()
    try:
        pages = ManagerPages(None, stalled, timeout=0.01)  # type: ignore[arg-type]
        answers = [asyncio.run(pages.health("")), asyncio.run(pages.metrics(""))]
        assert {(one.status, one.body) for one in answers} == {
            (503, b"The manager has not answered for 0.01 seconds.\n")
        }
        stalled.run_until_complete(asyncio.sleep(0))
    finally:
        stalled.close()
    answer = asyncio.run(pages.health(""))
    assert (answer.status, answer.body) == (503, b"The manager has stopped.\n")

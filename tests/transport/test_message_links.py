"""Messages between managers over a real server, of PostgreSQL and of NATS in the same way."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.support.databases.own_postgresql import PASSWORD
from tests.support.databases.stalling_proxy import stalling_proxy
from tests.support.managers.message_carriers import Carrier, Manager, carrier
from tests.support.waiting import wait_until
from tui_manager.service.managers.messages.notifier import MESSAGE_MAX


@pytest.fixture(scope="module", params=["postgresql", "nats"])
def server(request: pytest.FixtureRequest) -> Iterator[Carrier]:
    """For all tests; each leaves it running."""
    with carrier(request.param) as made:
        yield made


async def test_a_message_reaches_others_and_its_sender(server: Carrier) -> None:
    async with Manager(server.new_link) as one, Manager(server.new_link) as other:
        await one.works()
        await other.works()
        longest = b"x" * MESSAGE_MAX
        one.notifier.send(longest)
        other.notifier.send(b'{"tasks": [1]}')
        for manager in (one, other):
            await wait_until(
                manager.all_heard, lambda heard: {longest, b'{"tasks": [1]}'} <= set(heard)
            )


async def test_a_server_that_was_killed_is_found_again(server: Carrier) -> None:
    async with Manager(server.new_link) as one, Manager(server.new_link) as other:
        await one.works()
        server.kill()
        await one.has_problem()
        await other.has_problem()
        server.start()
        await one.works()
        await other.works()
        await other.hears(b"of one", one)


async def test_a_server_that_starts_late_is_found(server: Carrier) -> None:
    server.kill()
    async with Manager(server.new_link) as one:
        await one.has_problem("127.0.0.1")
        server.start()
        await one.works()


async def test_a_connection_that_died_silently_is_replaced(
    server: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    """The problem may be over before anybody looks; the log has it."""

    async def connections() -> int:
        return proxy.connections

    async with (
        stalling_proxy(server.connect) as proxy,
        Manager(lambda: server.new_link(proxy.port)) as one,
        Manager(server.new_link) as other,
    ):
        await one.works()
        await other.works()
        before = proxy.connections
        proxy.stall()
        await wait_until(connections, lambda now: now > before)
        problems = [vars(record).get("error", "") for record in caplog.records]
        assert any("No message has arrived for 1 s." in problem for problem in problems)
        assert other.notifier.problem == ""
        await one.works()
        await one.hears(b"of other", other)


async def test_a_stalled_server_is_a_problem_until_it_goes_on(server: Carrier) -> None:
    async with Manager(server.new_link) as one:
        await one.works()
        with server.stalled():
            await one.has_problem("No message has arrived for 1 s.")
        await one.works()


async def test_a_wrong_password_is_named_and_not_shown(server: Carrier) -> None:
    async with Manager(lambda: server.new_link(password="wr0ng")) as one:
        problem = await one.has_problem()
        assert "password" in problem or "Authorization" in problem
        assert "wr0ng" not in problem
        assert PASSWORD not in problem


async def test_a_manager_stops_while_the_server_stalls(server: Carrier) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(Manager(server.new_link))
        await one.works()
        with server.stalled():
            for _ in range(5):
                one.notifier.send(b"changed")
            await asyncio.sleep(0.1)  # the message is on its way
            await stack.aclose()


async def test_a_manager_stops_while_it_connects(server: Carrier) -> None:
    with server.stalled():
        async with Manager(server.new_link):
            await asyncio.sleep(0.1)  # it connects

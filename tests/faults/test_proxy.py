"""The proxy itself."""

import asyncio
import gc
import socket
import warnings

import pytest

from tests.faults.fleet.proxy import Proxy


@pytest.mark.parametrize("turns", range(5))
async def test_one_that_stops_leaves_open_nothing_that_it_has_accepted(turns: int) -> None:
    proxy = Proxy()
    await proxy.start()
    host, port = proxy.address.split(":")
    with socket.socket() as agent, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        agent.connect((host, int(port)))
        for _ in range(turns):
            await asyncio.sleep(0)
        await proxy.stop()
        gc.collect()
    assert not said

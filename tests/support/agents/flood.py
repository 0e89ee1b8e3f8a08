"""A program that shakes hands with a manager, many times at once and again and again.

    python -m tests.support.agents.flood HOST:PORT COUNT

It prints a line once it has shaken COUNT hands and COUNT more are under way, and goes on until its
stdin is closed.
"""

import asyncio
import contextlib
import os
import ssl
import sys

from tests.support.agents.raw_http2 import trusting


class _Flood:
    def __init__(self, address: str, count: int) -> None:
        host, _, port = address.rpartition(":")
        self._where = (host, int(port))
        self._count = count
        self._ended = 0
        self._first_round = asyncio.Event()

    async def run(self) -> None:
        context = trusting()
        shaking = [asyncio.create_task(self._shake(context)) for _ in range(self._count)]
        await self._first_round.wait()
        os.write(1, b"under way\n")
        await asyncio.to_thread(sys.stdin.read)
        assert not any(task.done() for task in shaking)
        os._exit(0)  # to end all of them one by one takes longer than the attack

    async def _shake(self, context: ssl.SSLContext) -> None:
        """Without a certificate, so that the manager does all its work in vain."""
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(*self._where, ssl=context)
                writer.close()
            self._ended += 1
            if self._ended == self._count:
                self._first_round.set()


if __name__ == "__main__":
    asyncio.run(_Flood(sys.argv[1], int(sys.argv[2])).run())

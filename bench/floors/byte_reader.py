"""A bare client of the server of bytes, which drops what it gets.

`python -m bench.floors.byte_reader ADDRESS COUNT FIRST CERTIFICATES` answers `dial`, which
connects, and `read`: the bytes that came.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc.aio

from bench.floors.byte_server import METHOD
from bench.floors.certificates import client_credentials
from bench.under_test.answer_questions import answer


class Reader:
    """One connection."""

    def __init__(self, address: str, certificates: Path) -> None:
        self._channel = grpc.aio.secure_channel(address, client_credentials(certificates))

    async def dial(self) -> bool:
        """True once it is connected."""
        await self._channel.channel_ready()
        return True

    async def read(self) -> int:
        """How many bytes came."""
        method: Any = self._channel.unary_stream("/" + "/".join(METHOD))
        call = method(b"")
        return sum([len(piece) async for piece in call])


async def _main(address: str, certificates: Path) -> None:
    reader = Reader(address, certificates)
    await answer({"dial": reader.dial, "read": reader.read})


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[4])))

"""A bare grpc.aio server that sends bytes: no protobuf, no disk, no product.

`python -m bench.floors.byte_server SIZE CERTIFICATES` answers `address`, and sends SIZE bytes to
whoever calls, over mutual TLS, until who asks has gone.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from bench.floors.certificates import server_credentials
from bench.under_test.answer_questions import answer

METHOD = ("floor.Bytes", "Send")
PIECE = 256 * 1024  # bytes of a message: as many as a FilePart of the product has at most
_Context = grpc.aio.ServicerContext[bytes, bytes]


async def _serve(size: int, certificates: Path) -> None:
    async def send(_request: bytes, context: _Context) -> None:
        left = size
        while left:
            piece = bytes(min(PIECE, left))
            await context.write(piece)
            left -= len(piece)

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    service, method = METHOD
    handler: Any = grpc.unary_stream_rpc_method_handler(send)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    port = server.add_secure_port("127.0.0.1:0", server_credentials(certificates))
    await server.start()

    async def address() -> str:
        return f"127.0.0.1:{port}"

    await answer({"address": address})


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))

"""A bare grpc.aio server that echoes: bytes in, the same bytes out, no protobuf, no product.

`python -m bench.floors.echo_server [CERTIFICATES]` answers `address`, and echoes until who asks has
gone; with a folder of certificates over mutual TLS.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from bench.floors.certificates import server_credentials
from bench.under_test.answer_questions import answer

_LISTEN = "127.0.0.1:0"
METHOD = ("floor.Echo", "Talk")
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 100_000),
)
_Context = grpc.aio.ServicerContext[bytes, bytes]


async def _echo(_requests: AsyncIterator[bytes], context: _Context) -> None:
    while isinstance(message := await context.read(), bytes):
        await context.write(message)


async def _serve(certificates: Path | None) -> None:
    server = grpc.aio.server(options=_OPTIONS)
    service, method = METHOD
    handler: Any = grpc.stream_stream_rpc_method_handler(_echo)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    if certificates:
        port = server.add_secure_port(_LISTEN, server_credentials(certificates))
    else:
        port = server.add_insecure_port(_LISTEN)
    await server.start()

    async def address() -> str:
        return f"127.0.0.1:{port}"

    await answer({"address": address})


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]) if sys.argv[1:] else None))

"""The floor under files: a bare gRPC server that sends the same bytes to as many processes."""

import tempfile
import time
from pathlib import Path

from bench.floors import byte_reader, byte_server, certificates
from bench.under_test.helper_processes import ask_all, crew, worker


async def stream_seconds(size: int, readers: int) -> float:
    """How long it takes to send `size` bytes to each of so many processes at once, over mTLS."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        certificates.issue(Path(folder))
        async with worker(byte_server.__name__, size, folder) as server:
            address = await server.ask("address")
            async with crew(byte_reader.__name__, address, readers, readers, folder) as started:
                await ask_all(started, "dial")
                began = time.monotonic()
                came = await ask_all(started, "read")
                passed = time.monotonic() - began
    if came != [size] * readers:
        raise ValueError(f"{came} bytes came, not {size:,} each")
    return passed

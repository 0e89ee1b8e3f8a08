"""A large file to real hosts, as a person copies it; and the same once more."""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.clean_up import end
from bench.figures import MTLS, Figure
from bench.floors.byte_stream import stream_seconds
from bench.measures.output_volume import watched
from bench.process_memory import MIB
from bench.under_test.manager_process import program
from bench.under_test.real_agents import OWN_FOLDER, RealFleet

_BLOCK = 1 << 20  # bytes


async def files(fleet: RealFleet, size: int) -> list[Figure]:
    """A file of `size` bytes from `tui-manager copy` on all hosts, its own start included."""
    hosts = len(fleet.pids)
    source = fleet.manager.folder / "file"
    await asyncio.to_thread(_fill, source, size)
    bare = await stream_seconds(size, hosts)
    async with watched(fleet.manager.running) as seen:
        first = await _copy(fleet, source, size)
    again = await _copy(fleet, source, size)
    megabytes = size * hosts / 1e6
    what = f"a file of {size / 1e6:g} MB to {hosts} hosts"

    def figure(key: str, words: str, value: float, unit: str, floor: float | None) -> Figure:
        return Figure(
            key=key,
            what=f"{what}: {words}",
            value=value,
            unit=unit,
            agents=hosts,
            security=MTLS,
            floor=floor,
            floor_of="bare gRPC stream" if floor else "",
        )

    return [
        figure("file_rate", "copied", megabytes / first, "MB/s", megabytes / bare),
        figure("file_again", "unchanged", again, "s", None),
        figure("file_memory", "memory of the manager", (max(seen) - seen[0]) / MIB, "MiB", None),
    ]


def _fill(path: Path, size: int) -> None:
    """Bytes that no zero runs shorten."""
    with open(path, "wb") as file:
        while size > 0:
            size -= file.write(os.urandom(min(_BLOCK, size)))


async def _copy(fleet: RealFleet, source: Path, size: int) -> float:
    """Seconds that it takes. Raises ValueError if a host has not got it."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(str(program()), "copy", "--state-dir", str(fleet.manager.state_dir), "--json"),
        *("@all", str(source), OWN_FOLDER),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, _ = await process.communicate()
    finally:
        await end(process)
    passed = time.monotonic() - began
    rows: list[Mapping[str, Any]] = json.loads(out)["hosts"]
    if process.returncode or {row["bytes"] for row in rows} != {size}:
        raise ValueError(f"copy ended with status {process.returncode}: {rows}")
    return passed

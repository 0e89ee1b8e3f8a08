"""From a key to its paint, and how late the app's loop is, quiet and while all agents answer."""

import asyncio
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Figure, percentile
from bench.measures.short_commands import keep_answering
from bench.screen.dashboard import Dashboard
from bench.screen.terminal import Terminal

_DOWN, _UP = "\x1b[B", "\x1b[A"
_HOSTS, _HOSTS_SEEN = "2", re.compile("Selected")  # the title of a pane of their screen
_CURSOR = r"▸(?:(?!\x1b\[\d+;\d+H).)*?h0000{}"  # the selected row of the table of hosts
_WITHIN = 20.0  # seconds
_PAUSE = (0.03, 0.15)  # seconds between two keys: from one held down to a person's
_WARM_UP = 6  # keys


@dataclass(frozen=True, slots=True)
class Pressed:
    """Keys: seconds from each to its paint, and how late the loop was meanwhile."""

    paints: Sequence[float]
    lateness: Sequence[float]


async def keys(shown: Dashboard, agents: int, presses: int, settle: float) -> list[Figure]:
    """Moves the cursor of the hosts' table so many times, without and with work."""
    shown.terminal.press(_HOSTS)
    await shown.terminal.painted(_HOSTS_SEEN, _WITHIN)
    await asyncio.sleep(settle)
    await _press(shown, _WARM_UP)
    quiet = await _press(shown, presses)
    answering = asyncio.create_task(keep_answering(shown.operator))
    try:
        await asyncio.sleep(settle)
        loaded = await _press(shown, presses)
    finally:
        answering.cancel()
        await asyncio.wait([answering])
    if not answering.cancelled():
        answering.result()

    def figure(
        key: str, what: str, share: float, busy: Sequence[float], idle: Sequence[float]
    ) -> Figure:
        return Figure(
            key=key,
            what=what,
            value=1000 * percentile(busy, share),
            unit="ms",
            agents=agents,
            security=shown.security,
            floor=1000 * percentile(idle, share),
            floor_of="while nothing runs",
        )

    return [
        figure("key_p50", "key to paint, all answer, p50", 0.5, loaded.paints, quiet.paints),
        figure("key_p95", "key to paint, all answer, p95", 0.95, loaded.paints, quiet.paints),
        figure("key_max", "key to paint, all answer, worst", 1, loaded.paints, quiet.paints),
        figure("lag_p95", "the app's loop late, p95", 0.95, loaded.lateness, quiet.lateness),
        figure("lag_max", "the app's loop late, worst", 1, loaded.lateness, quiet.lateness),
    ]


async def _press(shown: Dashboard, presses: int) -> Pressed:
    dice = random.Random(1)
    paints, since = [], time.monotonic()
    for number in range(presses):
        down = number % 2 == 0
        paints.append(await _painted(shown.terminal, _DOWN if down else _UP, int(down)))
        await asyncio.sleep(dice.uniform(*_PAUSE))
    return Pressed(paints, shown.lateness(since, time.monotonic()))


async def _painted(terminal: Terminal, key: str, row: int) -> float:
    """Seconds from a key until the cursor stands at a row."""
    pattern = re.compile(_CURSOR.format(row))
    began = terminal.press(key)
    at, _ = await terminal.painted(pattern, _WITHIN)
    return at - began

"""From a line that a command prints on a real host to the same line on the screen."""

import asyncio
import re
import shlex
import sys
from collections.abc import Sequence

from bench.figures import MTLS, Figure, percentile
from bench.screen.dashboard import Dashboard
from bench.under_test.fleet import run
from bench.under_test.real_agents import join
from tui_manager.cli.commands.demo_agents import DemoAgents as Agents

_LINE = re.compile(r"at-(\d{6,})-")
_EVERY = 0.13  # seconds between two lines; no multiple of the pace of anything on the way
_PROGRAM = """
import sys, time
for _ in range(int(sys.argv[1])):
    print(f"at-{time.monotonic_ns()}-", flush=True)
    time.sleep(float(sys.argv[2]))
"""
_SETTLE = 1.0  # seconds


class TooFewLinesError(Exception):
    """Lines were printed, and not shown."""


async def lines(shown: Dashboard, count: int, commits: Sequence[float]) -> list[Figure]:
    """So many lines of a task that the dashboard shows; `commits` are the seconds of bare ones."""
    agents = Agents(shown.folder, shown.address)
    try:
        await join(shown.operator, agents, ["real"])
        shown.terminal.seek(_LINE)
        words = (sys.executable, "-c", _PROGRAM, str(count), str(_EVERY))
        await run(shown.operator, "real", shlex.join(words))
        await asyncio.sleep(_SETTLE)
    finally:
        await asyncio.to_thread(agents.stop)
    taken = [at - _printed(line) for line, at in shown.terminal.first_seen.items()]
    if len(taken) < count // 2:
        raise TooFewLinesError(f"{len(taken)} of {count} lines came.\n{shown.terminal.story()}")
    return [
        Figure(
            key=f"line_p{100 * share:.0f}",
            what=f"line printed to line on the screen, p{100 * share:.0f}",
            value=1000 * percentile(taken, share),
            unit="ms",
            agents=1,
            security=MTLS,
            floor=1000 * percentile(commits, share),
            floor_of="a bare commit",
        )
        for share in (0.5, 0.95)
    ]


def _printed(line: str) -> float:
    """When, monotonic seconds, which all processes of the machine share."""
    return int(line.strip("at-")) / 1e9

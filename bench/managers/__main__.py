"""`python -m bench.managers [--quick] [--only PART] [--out FOLDER]`

What several managers on one PostgreSQL database do: one is killed under load, 1 to 4 of them carry
the same agents, four carry as many as this machine holds.
"""

import argparse
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.__main__ import say
from bench.clean_up import run_to_end
from bench.figures import Figure, figure_table, save
from bench.machine import machine, sentence
from bench.managers import growth, killed_manager
from bench.managers.system import LISTEN_NOTIFY, NATS
from bench.under_test.open_files import TooFewFilesError, allow_connections


@dataclass(frozen=True, slots=True)
class Scale:
    """How large everything is.

    Attributes:
        killed: agents on two managers.
        counts: of managers that carry the same agents.
        agents: that they carry.
        each: commands on each host, one after another.
        most: agents on as many managers as there are at most.
        idle: seconds.
    """

    killed: int
    counts: Sequence[int]
    agents: int
    each: int
    most: int
    idle: float


FULL = Scale(killed=2_000, counts=(1, 2, 3, 4), agents=4_000, each=3, most=20_000, idle=20.0)
QUICK = Scale(killed=200, counts=(1, 2), agents=400, each=2, most=800, idle=3.0)
TINY = Scale(killed=10, counts=(1, 2), agents=10, each=1, most=20, idle=0.5)
SCALES = {"full": FULL, "quick": QUICK, "tiny": TINY}


async def _killed(scale: Scale) -> list[Figure]:
    return await killed_manager.measure(scale.killed)


async def _growth(scale: Scale) -> list[Figure]:
    found = []
    for count in scale.counts:
        measured = await growth.measure(count, scale.agents, LISTEN_NOTIFY, scale.each, scale.idle)
        say(f"\n{figure_table(measured)}")
        found += measured
    return found


async def _nats(scale: Scale) -> list[Figure]:
    return await growth.measure(max(scale.counts), scale.agents, NATS, scale.each, scale.idle)


async def _most(scale: Scale) -> list[Figure]:
    return await growth.most(max(scale.counts), scale.most, scale.idle)


PARTS: dict[str, Callable[[Scale], Awaitable[list[Figure]]]] = {
    "killed": _killed,
    "growth": _growth,
    "nats": _nats,
    "most": _most,
}


async def _measure(scale: Scale, parts: Sequence[str], out: Path) -> None:
    found = machine()
    say(sentence(found))
    began, figures = time.monotonic(), list[Figure]()
    for part in parts:
        measured = await PARTS[part](scale)
        figures += measured
        passed = time.monotonic() - began
        say(f"\n== {part}, after {passed:.0f} s\n{figure_table(measured)}")
        save(out, f"managers-{part}", found, measured)
    (out / "managers.svg").write_text(growth.plot(figures))
    (out / "managers.json").write_text(json.dumps({"seconds": round(time.monotonic() - began)}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmarks, and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.managers")
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--quick", dest="scale", action="store_const", const="quick")
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    options = parser.parse_args(arguments)
    scale = SCALES[options.scale]
    try:
        # Agents choose at random, so no manager has half as many again as its share.
        allow_connections(max(scale.agents, 3 * scale.most // max(scale.counts) // 2))
    except TooFewFilesError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    run_to_end(_measure(scale, options.only or list(PARTS), options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`make bench`: `python -m bench [--quick] [--only GROUP]… [--security S]… [--out bench/results]`.

Prints a table for each benchmark and the budgets last; writes the same as JSON, and the growth as a
picture. The exit status says whether the benchmarks worked, not what they found.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.budgets import budget_table, verdicts
from bench.clean_up import run_to_end
from bench.figures import INSECURE, MTLS, Figure, figure_table, save
from bench.growth import growth
from bench.machine import machine, sentence
from bench.scale import FULL, QUICK, TINY, Scale
from bench.suite import GROUPS, Floors, Found, floor_figures, measure_floors
from bench.under_test.open_files import TooFewFilesError, allow_connections

SCALES = {"full": FULL, "quick": QUICK, "tiny": TINY}
SECURITIES = (INSECURE, MTLS)


@dataclass(slots=True)
class Run:
    """What was found so far, shown and written as it comes."""

    out: Path
    machine: dict[str, Any]
    found: Found = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def take(self, found: Found) -> None:
        """Shows and writes more."""
        for name, figures in found.items():
            if figures:
                self.found.setdefault(name, []).extend(figures)
                say(f"\n== {name}, after {self.seconds:.0f} s\n{figure_table(figures)}")
                save(self.out, name, self.machine, self.found[name])

    def finish(self, *, full: bool) -> None:
        """The budgets, and the picture."""
        figures: Sequence[Figure] = [one for each in self.found.values() for one in each]
        say(f"\n== budgets\n{budget_table(figures, full=full)}")
        seconds = round(self.seconds)
        result = {"machine": self.machine, "seconds": seconds, "budgets": verdicts(figures)}
        (self.out / "budgets.json").write_text(json.dumps(result, indent=1) + "\n")
        (self.out / "growth.svg").write_text(growth(figures))
        say(f"\n{seconds} s; figures and picture are in {self.out}/")


def say(text: str) -> None:
    """A line for whoever runs it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def measure(scale: Scale, groups: Sequence[str], securities: Sequence[str], run: Run) -> None:
    """Runs these groups, one after the other."""
    floors: Floors = await asyncio.to_thread(measure_floors, scale)
    run.take({"floors": floor_figures(floors)})
    for group in groups:
        run.take(await GROUPS[group](scale, floors, securities))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--quick", dest="scale", action="store_const", const="quick")
    parser.add_argument("--only", choices=GROUPS, action="append")
    parser.add_argument("--security", choices=SECURITIES, action="append")
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmarks, and returns the exit status."""
    options = _options(arguments)
    scale = SCALES[options.scale]
    run = Run(options.out, machine())
    say(sentence(run.machine))
    try:
        allow_connections(max(*scale.sizes, scale.screen))
    except TooFewFilesError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    groups = options.only or list(GROUPS)
    run_to_end(measure(scale, groups, options.security or SECURITIES, run))
    run.finish(full=scale is FULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Repeats a run of the monkey over the app: `python -m tests.monkey.app --seed 7 --size 80x24`.

`--shorten` looks for the fewest of its inputs that still fail, and `--only` gives just these.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.monkey.app_run import Death, run_app
from tests.monkey.choosing import Chooser
from tests.monkey.shorten import Numbered, chosen, numbers, shorten, story

INPUTS = 260  # of a run


def run(seed: int, size: tuple[int, int], inputs: Numbered) -> Death | None:
    """A run with a folder of its own to save output to."""
    with tempfile.TemporaryDirectory(prefix="monkey-") as folder:
        return run_app(seed, size, [item for _, item in inputs], Path(folder))


def report(seed: int, size: tuple[int, int], inputs: Numbered, death: Death) -> str:
    """What is needed to repeat it."""
    given = inputs[: death.number + 1]
    name = f"--seed {seed} --size {size[0]}x{size[1]} --inputs {inputs[-1][0] + 1}"
    return (
        f"{story(given)}\n{death.reason}\n"
        f"Repeat it: python -m tests.monkey.app {name} --only {numbers(given)}\n"
        f"Shorten it: the same with --shorten"
    )


def main() -> int:
    """Runs, and says what was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.monkey.app", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--size", default="80x24", help="columns and lines, as 80x24")
    parser.add_argument("--inputs", type=int, default=INPUTS, help="how many are made")
    parser.add_argument("--only", default="", help="the numbers of those that are given, as 1,5-9")
    parser.add_argument("--shorten", action="store_true", help="leave out what is not needed")
    options = parser.parse_args()
    columns, _, lines = options.size.partition("x")
    size = (int(columns), int(lines))
    made = list(enumerate(Chooser(options.seed).inputs(options.inputs)))
    inputs = chosen(made, options.only)
    if (death := run(options.seed, size, inputs)) is None:
        sys.stdout.write("Nothing was wrong.\n")
        return 0
    inputs = inputs[: death.number + 1]
    if options.shorten:
        inputs = shorten(inputs, lambda rest: run(options.seed, size, rest) is not None)
        death = run(options.seed, size, inputs) or death
    sys.stdout.write(report(options.seed, size, inputs, death) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

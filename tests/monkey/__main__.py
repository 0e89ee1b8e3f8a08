"""The long run of the monkey in a real terminal: `make monkey SEED= MINUTES=`."""

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.monkey.choosing import Chooser
from tests.monkey.inputs import SIZES
from tests.monkey.real_fleet import RealFleet
from tests.monkey.real_run import BANNED, LOOKS, Monkey
from tests.support.programs.processes import Machine
from tests.support.programs.program_forker import installed
from tests.support.programs.programs import wait_for
from tests.support.programs.terminals import Terminal, on_terminal

KILL_GRACE = 'kill_grace = "1s"\nlisten = "127.0.0.1:0"\n'
BAD_WORDS = ("Traceback", "the screen failed")
WAYS = ("joined", "in one process")


def monkey(seed: int, way: str, seconds: float) -> int:
    """One dashboard, so long; returns how many rounds it went through.

    Raises AssertionError with the story when something is wrong.
    """
    random = Random(f"{seed} {way}")
    with _machine() as machine:
        fleet = RealFleet(machine, random)
        if way == "joined":
            machine.serve()
        with _dashboard(machine, way) as terminal:
            chooser = Chooser(random.randrange(1 << 30), fleet=False, banned=BANNED)
            one = Monkey(terminal, fleet, chooser, random)
            one.begin()
            rounds, end = 0, time.monotonic() + seconds
            while rounds < len(SIZES) or time.monotonic() < end:
                one.round(SIZES[rounds % len(SIZES)])
                _check_words(machine, one)
                rounds += 1
            fleet.end()
            terminal.process.terminate()
            wait_for("its end", terminal.process.poll, lambda seen: seen is not None)
            assert terminal.process.returncode == 0, one.explain()
        for program in machine.programs:
            if program.process.poll() is None:
                program.stop()
        _check_words(machine, one)
        wait_for("nothing to be left", machine.left_behind, lambda seen: not seen)
    return rounds


@contextmanager
def _machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="monkey-", ignore_cleanup_errors=True) as folder:
        machine = Machine(Path(folder), secure=True)
        machine.configure(KILL_GRACE)
        try:
            yield machine
        finally:
            machine.stop()


@contextmanager
def _dashboard(machine: Machine, way: str) -> Iterator[Terminal]:
    columns, rows = LOOKS
    arguments = [installed("tui-manager")]
    # The form opens an editor, which must end by itself.
    environment = {**machine.environment(), "VISUAL": "", "EDITOR": "true", "PAGER": "cat"}
    with on_terminal(arguments, environment, columns=columns, rows=rows) as terminal:
        if way != "joined":
            wait_for("its manager", machine.answers, explain=lambda: terminal.drawn[-4000:])
        status = machine.ask(lambda operator: operator.manager_status())
        machine.address = status.address
        yield terminal


def _check_words(machine: Machine, one: Monkey) -> None:
    files = [*machine.folder.rglob("*.log*"), *machine.folder.glob("*.err")]
    for path in files:
        text = path.read_text(errors="replace")
        found = [word for word in BAD_WORDS if word in text]
        assert not found, f"{path.name} has {found}:\n{text[-8000:]}\n{one.explain()}"


def main() -> int:
    """Returns 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="make monkey")
    parser.add_argument("--seed", default="")
    parser.add_argument("--minutes", type=float, default=30)
    chosen = parser.parse_args()
    seed = int(chosen.seed or secrets.randbelow(100_000))
    sys.stdout.write(f"make monkey SEED={seed} MINUTES={chosen.minutes:g}\n")
    for way in WAYS:
        try:
            rounds = monkey(seed, way, chosen.minutes * 60 / len(WAYS))
        except AssertionError as wrong:
            sys.stdout.write(f"{wrong}\n{way}: something is wrong, see above; SEED={seed}\n")
            return 1
        sys.stdout.write(f"{way}: {rounds} rounds, nothing was wrong\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

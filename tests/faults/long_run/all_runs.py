"""All runs of the long run of the fault suite, in one process or shared by several."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from tests.faults.fleet.fleet import NO_CGROUPS
from tests.faults.fleet.manager_of_fleet import MANAGER
from tests.faults.long_run.campaign import AT_A_FAILPOINT, campaign
from tests.faults.long_run.tally import Tally
from tests.faults.scenarios import SCENARIOS, fits
from tests.faults.scenarios.cancels import (
    CANCEL_DEATHS,
    CANCEL_POINTS,
    cancel_on_host_outlives,
    cancel_outlives,
    canceled_at,
)
from tests.faults.sweep import NAMED, dies_at

_RUNS_AT_ONCE = 20  # between two lines of progress
_STATEMENTS_MAX = 300  # far more than there are
_Run = tuple[str, Callable[[], Awaitable[object]]]
BETWEEN_STATEMENTS = "manager killed between two statements of a transaction"
RACE = "canceled while it is sent, started or ended"


async def _counted(tally: Tally, name: str, run: Awaitable[object]) -> object:
    """One run that is a fault of its own; what it returned, None after a violation. Commands are
    killed in the one way and in the other by turns."""
    os.environ.pop(NO_CGROUPS, None)
    if tally.runs % 2:
        os.environ[NO_CGROUPS] = "1"
    tally.runs += 1
    tally.faults[name] += 1
    try:
        return await run
    except Exception as error:
        tally.failed(error, name)
        sys.stdout.write(f"violation: {tally.violations[-1].splitlines()[0]}\n")
        sys.stdout.flush()
        return None


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several processes does: every `count`-th run, from `number` on."""

    seed: str
    number: int = 0
    count: int = 1

    def of(self, runs: Sequence[_Run]) -> Sequence[_Run]:
        """The runs of this process."""
        return runs[self.number :: self.count]

    def random_runs(self, runs: int) -> int:
        """How many random runs this process makes."""
        return len(range(self.number, runs, self.count))

    @property
    def own_seed(self) -> str:
        """Of random runs."""
        return f"{self.seed}.{self.number}" if self.number else self.seed


def _runs(seed: str) -> Sequence[_Run]:
    """All runs that are known beforehand: what each is counted as, and how it is made."""
    runs: list[_Run] = [(name, partial(run, seed)) for name, run in SCENARIOS.items() if fits(name)]
    runs += [(RACE, partial(canceled_at, seed, point)) for point in CANCEL_POINTS]
    for who, point in CANCEL_DEATHS:
        runs.append((AT_A_FAILPOINT, partial(cancel_outlives, seed, who, point)))
        runs.append((AT_A_FAILPOINT, partial(cancel_on_host_outlives, seed, who, point)))
    runs += [(AT_A_FAILPOINT, partial(dies_at, seed, who, point)) for who, point in NAMED]
    return runs


async def _all(share: Share, runs: int, tally: Tally) -> None:
    known = share.of(_runs(share.seed))
    for number, (name, run) in enumerate(known, 1):
        await _counted(tally, name, run())
        if number % _RUNS_AT_ONCE == 0:
            _say(f"{len(known) - number} runs without dice to go", share, tally)
    for count in range(share.number + 1, _STATEMENTS_MAX, share.count):
        dying = dies_at(share.seed, MANAGER, "statement", count)
        if await _counted(tally, BETWEEN_STATEMENTS, dying) is False:  # it was not reached
            tally.faults[BETWEEN_STATEMENTS] -= 1
            break
    _say("places between statements are done", share, tally)
    left = share.random_runs(runs)
    while left > 0:
        await campaign(share.own_seed, min(left, _RUNS_AT_ONCE), tally)
        left -= _RUNS_AT_ONCE
        _say(f"{max(left, 0)} random runs to go", share, tally)


async def _until_told_to_stop(working: Coroutine[object, object, None]) -> None:
    """Everything that was started is ended with it, also on SIGTERM."""
    task = asyncio.ensure_future(working)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def _say(what: str, share: Share, tally: Tally) -> None:
    who = f"process {share.number + 1}: " if share.count > 1 else ""
    text = f"{who}{what}; so far {tally.runs} runs, {tally.faults.total()} faults, "
    sys.stdout.write(text + f"{len(tally.violations)} violations\n")
    sys.stdout.flush()


def make(share: Share, runs: int) -> Tally:
    """All runs of a share, or those before Ctrl+C or SIGTERM."""
    tally = Tally()
    try:
        with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
            asyncio.run(_until_told_to_stop(_all(share, runs, tally)))
    except Exception as error:  # so that the table is printed
        tally.failed(error, "the suite itself")
    return tally


def make_in_processes(seed: str, runs: int, count: int) -> Tally:
    """All runs, in so many processes, each with a database server of its own. On Ctrl+C, which each
    process hears, and on SIGTERM, those that were made until then."""

    def pass_on(*_: object) -> None:
        for child in multiprocessing.active_children():
            child.terminate()

    tally = Tally()
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        making = [pool.submit(make, Share(seed, number, count), runs) for number in range(count)]
        signal.signal(signal.SIGTERM, pass_on)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for made in making:
            tally.add(made.result())
    return tally

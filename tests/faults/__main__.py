"""The long run of the fault suite, which ends with the table of docs/survives.md: `make faults`."""

import argparse
import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Coroutine

from tests.faults.campaign import AT_A_FAILPOINT, campaign
from tests.faults.fleet import NO_CGROUPS, chosen_managers
from tests.faults.fleet_database import SQLITE, chosen_database
from tests.faults.scenarios import NEED_ROOT, NEED_SQLITE, SCENARIOS
from tests.faults.scenarios.cancels import (
    CANCEL_DEATHS,
    CANCEL_POINTS,
    cancel_on_host_outlives,
    cancel_outlives,
    canceled_at,
)
from tests.faults.scenarios.disks import may_be_root
from tests.faults.sweep import NAMED, dies_at
from tests.faults.tally import Tally

_RUNS_AT_ONCE = 20  # between two lines of progress
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
        return None


async def _all(seed: str, runs: int, tally: Tally) -> None:
    for name, scenario in SCENARIOS.items():
        fits = name not in NEED_SQLITE or chosen_database() == SQLITE
        if fits and (name not in NEED_ROOT or may_be_root()):
            await _counted(tally, name, scenario(seed))
    _say(f"{len(SCENARIOS)} scenarios", tally)
    for point in CANCEL_POINTS:
        await _counted(tally, RACE, canceled_at(seed, point))
    for who, point in CANCEL_DEATHS:
        await _counted(tally, AT_A_FAILPOINT, cancel_outlives(seed, who, point))
        await _counted(tally, AT_A_FAILPOINT, cancel_on_host_outlives(seed, who, point))
    for who, point in NAMED:
        await _counted(tally, AT_A_FAILPOINT, dies_at(seed, who, point))
    _say(f"{len(NAMED)} failpoints by name", tally)
    count = 1
    while await _counted(tally, BETWEEN_STATEMENTS, dies_at(seed, "manager", "statement", count)):
        count += 1
    tally.faults[BETWEEN_STATEMENTS] -= 1  # the last was not reached
    _say(f"{count - 1} places between statements", tally)
    while runs > 0:
        await campaign(seed, min(runs, _RUNS_AT_ONCE), tally)
        runs -= _RUNS_AT_ONCE
        _say(f"{max(runs, 0)} random runs to go", tally)


async def _until_told_to_stop(working: Coroutine[object, object, None]) -> None:
    """Everything that was started is ended with it, also on SIGTERM."""
    task = asyncio.ensure_future(working)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def _say(what: str, tally: Tally) -> None:
    text = f"{what}; so far {tally.runs} runs, {tally.faults.total()} faults, "
    sys.stdout.write(text + f"{len(tally.violations)} violations\n")
    sys.stdout.flush()


def main() -> int:
    """Returns 1 when there was a violation."""
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--seed", default="")
    parser.add_argument("--runs", type=int, default=200)
    chosen = parser.parse_args()
    seed = chosen.seed or secrets.token_hex(4)
    how = f"make faults SEED={seed} RUNS={chosen.runs}"
    if chosen_database() != SQLITE:
        how += f" FAULTS_DATABASE={chosen_database()}"
    if chosen_managers() > 1:
        how += f" FAULTS_MANAGERS={chosen_managers()}"
    sys.stdout.write(f"{how}\n")
    tally = Tally()
    try:
        with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
            asyncio.run(_until_told_to_stop(_all(seed, chosen.runs, tally)))
    finally:
        for violation in tally.violations:
            sys.stdout.write(f"\n{violation}\n")
        sys.stdout.write(f"\n{tally.table(how)}\n")
    return bool(tally.violations)


if __name__ == "__main__":
    sys.exit(main())

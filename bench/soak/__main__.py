"""`make soak`: `python -m bench.soak [--minutes 30] [--agents 200] [--seed N] [--out docs]`.

In the first half the manager is ended again and again, in the second it lives on while streams are
cut and agents restarted, so that what grows slowly is seen to grow. Exit status 0: everything was
stored as it was printed, `check` found nothing, and nothing grew.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.soak import tasks, verdict, verify
from bench.soak.samples import Sampler
from bench.under_test.manager_process import Manager
from tui_manager.state_files import DATABASE

_LIVES = 6  # of the manager in the first half, about
_END_WITHIN = 180.0  # seconds for the last tasks


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--out", type=Path, default=Path("docs"))
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def _end_again_and_again(manager: Manager, seconds: float, chance: random.Random) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (pause := chance.uniform(0.5, 1.5) * seconds / _LIVES) < until - loop.time():
        await asyncio.sleep(pause)
        how = chance.choice([signal.SIGTERM, signal.SIGKILL])
        _say(f"the manager is ended with {how.name}")
        await manager.end(how)
        await asyncio.sleep(chance.uniform(0, 5))
        await manager.start()


@contextlib.asynccontextmanager
async def _fleet(address: str, agents: int, seed: int, tally: dict[str, int]) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.soak.fleet", address, str(agents), str(seed)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        said, _ = await process.communicate()
        tally.update(json.loads(said or b"{}"))


async def _soak(options: argparse.Namespace, manager: Manager) -> dict[str, Any]:
    chance, seconds = random.Random(options.seed), 60 * options.minutes
    started, tally = tasks.Started(), dict[str, int]()
    await manager.start()
    async with _fleet(manager.address, options.agents, options.seed, tally) as fleet_pid:
        await tasks.wait_for_hosts(manager.state_dir, options.agents)
        sampler = Sampler(manager, fleet_pid)
        sampling = asyncio.create_task(sampler.run())
        working = asyncio.create_task(
            tasks.keep_busy(manager.state_dir, options.agents, chance, started)
        )
        begin = asyncio.get_running_loop().time()
        await _end_again_and_again(manager, seconds / 2, random.Random(options.seed + 1))
        await asyncio.sleep(begin + seconds - asyncio.get_running_loop().time())
        for task in (sampling, working):
            task.cancel()
        await asyncio.wait([sampling, working])
        for task in (sampling, working):
            if not task.cancelled():
                task.result()
        left = await tasks.until_ended(manager.state_dir, _END_WITHIN)
    await manager.end(signal.SIGTERM)
    return {
        "minutes": options.minutes,
        "agents": options.agents,
        "seed": options.seed,
        "managers": manager.life,
        "started": asdict(started),
        "fleet": tally,
        "running_tasks_left": left,
        "samples": sampler.samples,
    }


def _judge(found: dict[str, Any], database: Path) -> list[str]:
    """Everything that is not as it must be."""
    wrong = verify.problems(database, random.Random(found["seed"]))
    if found["running_tasks_left"]:
        wrong.append(f"{found['running_tasks_left']} tasks have not ended.")
    slopes = verdict.slopes(found["samples"])
    if not slopes:
        _say("the run is too short to judge growth")
    for slope in slopes:
        words = f"{slope.name}: {slope.growth:+.2f} a minute (bound {slope.bound:g})"
        _say(words)
        if not slope.flat:
            wrong.append(words)
    return wrong


def main() -> int:
    """Runs it, and returns the exit status."""
    options = _options()
    _say(f"soak: {options.minutes:g} minutes, {options.agents} agents, seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        manager = Manager(Path(folder))
        try:
            found = asyncio.run(_soak(options, manager))
        except BaseException:
            _keep_log(manager, options.out)
            raise
        wrong = _judge(found, manager.state_dir / DATABASE)
        if wrong:
            _keep_log(manager, options.out)
        found["outcomes"] = verify.outcomes(manager.state_dir / DATABASE)
    samples = found.pop("samples")
    _say(json.dumps(found))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "soak.svg").write_text(verdict.picture(samples, options.agents))
    looks = [asdict(sample) for sample in samples]
    (options.out / "soak.json").write_text(json.dumps({**found, "wrong": wrong, "samples": looks}))
    for text in wrong[:50]:
        _say(f"WRONG: {text}")
    _say("nothing wrong" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


def _keep_log(manager: Manager, out: Path) -> None:
    log = manager.folder / "manager.log"
    if log.exists():
        out.mkdir(parents=True, exist_ok=True)
        (out / "soak.log").write_bytes(log.read_bytes())


if __name__ == "__main__":
    sys.exit(main())

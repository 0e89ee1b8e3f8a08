"""`make bench-peers`: `python -m bench.peers [--hosts N]… [--salt N] [--only WORD]… [--files]`.

The same command on the same number of hosts, ours and theirs in turn, several times; the median
counts. Ours are real agents, and what they report is stored; none of the others stores anything.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.clean_up import run_to_end
from bench.figures import Figure, save, table
from bench.machine import machine, sentence
from bench.peers.command_runners import CommandRunner, ours, over_salt, over_ssh
from bench.peers.file_copiers import copiers
from bench.peers.file_race import FileRace, Load
from bench.peers.outcome import FAILURES, finish_in_time
from bench.under_test.real_agents import real_fleet

SHORT = "true"
_LONG_HOSTS, _LONG_SIZE = 10, 10_000_000
# Long lines, because most of the peers count lines rather than bytes.
LONG = f"yes {'x' * 999} | head -c {_LONG_SIZE}"
_ROUNDS = 3
_PATIENCE = 30.0  # seconds; who takes longer is not asked again
_LOADS = (Load(1, 100_000_000), Load(1_000, 10_000))


@dataclass(slots=True)
class Race:
    """One command on so many hosts, which prints `size` bytes on each."""

    command: str
    hosts: int
    size: int
    seconds: dict[CommandRunner, list[float]] = field(default_factory=dict)
    cpu: dict[CommandRunner, list[float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    async def round(self, runners: Sequence[CommandRunner]) -> None:
        """Each once, one after the other."""
        for runner in runners:
            if runner.name in self.failed or self._is_slow(runner):
                continue
            began, used = time.monotonic(), runner.used()
            try:
                came = await finish_in_time(runner.run(self.command))
            except FAILURES as error:
                self.failed[runner.name] = str(error)
                continue
            taken, cpu = time.monotonic() - began, runner.used() - used
            if came < self.size * runner.hosts:
                self.failed[runner.name] = f"only {came:,} bytes came"
            else:
                self.seconds.setdefault(runner, []).append(taken)
                self.cpu.setdefault(runner, []).append(cpu)
            sys.stderr.write(f"{runner.name}: {self.command[:6]}: {taken:.2f} s\n")

    def _is_slow(self, runner: CommandRunner) -> bool:
        """Whether it is known well enough, and would only be waited for."""
        return max(self.seconds.get(runner, [0.0])) > _PATIENCE

    def figures(self) -> list[Figure]:
        """The medians: bytes a second where there is output, hosts a second where there is none."""
        found = [self._figure(one, taken) for one, taken in self.seconds.items()]
        return sorted(found, key=lambda figure: -figure.value)

    def cpu_figures(self) -> list[Figure]:
        """The medians of the CPU of the controlling side a host. Beside each stands the least that
        a peer needs which is started for each command, as `tui-manager run` is."""
        each = {
            one: 1000 * statistics.median(used[1:] or used) / one.hosts
            for one, used in self.cpu.items()
        }
        peers = [one for one in each if one.is_new and not one.is_ours]
        least = min(peers, key=lambda one: each[one], default=None)
        return [
            Figure(
                key="peer_cpu",
                what=f"{one.name}: CPU of the controlling side",
                value=used,
                unit="ms a host",
                agents=one.hosts,
                floor=None if least is None else each[least],
                floor_of="" if least is None else least.name,
                note="new program" if one.is_new else "stays",
            )
            for one, used in sorted(each.items(), key=lambda pair: pair[1])
        ]

    def _figure(self, one: CommandRunner, taken: Sequence[float]) -> Figure:
        seconds = statistics.median(taken[1:] or taken)  # the first warms up
        amount = self.size * one.hosts / 1e6 if self.size else one.hosts
        return Figure(
            key="peer_output" if self.size else "peer_rate",
            what=one.name,
            value=amount / seconds,
            unit="MB/s" if self.size else "hosts/s",
            agents=one.hosts,
            note="connections kept" if one.kept else "new connections",
        )


async def _run(race: Race, made: Path, salt: int, only: Sequence[str]) -> None:
    hosts = race.hosts
    with tempfile.TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as folder:
        async with AsyncExitStack() as stack:
            runners = ours(await stack.enter_async_context(real_fleet(hosts)))
            theirs = over_ssh(Path(folder) / "ssh", made, hosts)
            runners += await stack.enter_async_context(theirs)
            salted = over_salt(Path(folder) / "salt", made, min(salt, hosts))
            runners += await stack.enter_async_context(salted)
            chosen = [one for one in runners if not only or any(w in one.name for w in only)]
            for _ in range(_ROUNDS + 1):
                await race.round(chosen)


async def _copy(race: FileRace, made: Path, only: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as folder:
        async with copiers(Path(folder), made, race.hosts) as found:
            chosen = [one for one in found if not only or any(word in one.name for word in only)]
            for number in range(_ROUNDS):
                await race.round(Path(folder) / f"round-{number}", chosen)


def _show(race: Race, figures: Sequence[Figure]) -> None:
    rows = [(one.what, f"{one.value:,.1f}", one.unit, one.note) for one in figures]
    rows += [(name, "failed", "", why[:100]) for name, why in race.failed.items()]
    if not race.size:
        rows += [(one.what, f"{one.value:,.1f}", one.unit, one.note) for one in race.cpu_figures()]
    head = ("who", "rate", "unit", "")
    sys.stdout.write(f"\n== {race.command[:20]} on {race.hosts} hosts\n{table(head, rows)}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers")
    parser.add_argument("--hosts", type=int, action="append")
    parser.add_argument("--files", action="store_true", help="only copy files")
    parser.add_argument("--salt", type=int, default=20, help="minions at most")
    parser.add_argument("--only", action="append", default=[], help="part of a name")
    parser.add_argument("--made", type=Path, default=Path(".peers"))
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    return parser.parse_args()


def main() -> int:
    """Runs all races, and returns the exit status."""
    options = _options()
    found = machine()
    sys.stdout.write(f"{sentence(found)}\n")
    figures: list[Figure] = []
    races = [Race(SHORT, hosts, 0) for hosts in options.hosts or (50, 200)]
    for race in [] if options.files else [*races, Race(LONG, _LONG_HOSTS, _LONG_SIZE)]:
        run_to_end(_run(race, options.made, options.salt, options.only))
        _show(race, race.figures())
        figures += race.figures() + ([] if race.size else race.cpu_figures())
    for load in _LOADS:
        files = FileRace(load, _LONG_HOSTS)
        run_to_end(_copy(files, options.made, options.only))
        sys.stdout.write(files.text())
        sys.stdout.flush()
        figures += files.figures()
    save(options.out, "peers", found, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())

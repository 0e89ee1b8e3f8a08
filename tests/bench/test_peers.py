"""The race with other programs: who is slow, fails or loses output is not counted as fast."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from bench.figures import Figure
from bench.peers import __main__ as peers
from bench.peers.command_runners import CommandRunner
from bench.peers.file_copiers import Copier
from bench.peers.file_race import FileRace, Load
from bench.peers.outcome import FailedError


def _runner(name: str, came: int) -> CommandRunner:
    async def run(_command: str) -> int:
        if came < 0:
            raise FailedError("it cannot")
        return came

    return CommandRunner(name, True, 4, run)


async def _figures(race: peers.Race, *runners: CommandRunner, rounds: int = 2) -> list[Figure]:
    for _ in range(rounds):
        await race.round(runners)
    return race.figures()


async def test_rates_are_of_hosts_or_of_bytes() -> None:
    (hosts,) = await _figures(peers.Race("true", 4, 0), _runner("one", 0))
    assert (hosts.unit, hosts.agents) == ("hosts/s", 4)
    (output,) = await _figures(peers.Race("yes", 4, 10), _runner("one", 40))
    assert output.unit == "MB/s"


async def test_who_fails_or_loses_output_has_no_rate() -> None:
    race = peers.Race("yes", 4, 10)
    found = await _figures(race, _runner("broken", -1), _runner("lossy", 39))
    assert found == []
    assert race.failed == {"broken": "it cannot", "lossy": "only 39 bytes came"}


async def test_who_is_slow_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "_PATIENCE", 0.0)  # whatever it takes is too long
    race = peers.Race("true", 4, 0)
    one = _runner("slow", 0)
    await _figures(race, one, rounds=3)
    assert len(race.seconds[one]) == 1


SPIN = "import time\nwhile time.process_time() < 0.1: pass"


def _spinning(name: str, processes: int, *, is_new: bool = True) -> CommandRunner:
    stays = 0.0

    async def run(_command: str) -> int:
        nonlocal stays
        stays += 0.4
        for _ in range(processes):
            assert (
                await (await asyncio.create_subprocess_exec(sys.executable, "-c", SPIN)).wait() == 0
            )
        return 0

    return CommandRunner(name, True, 4, run, lambda: stays, is_new)


async def test_cpu_is_that_of_new_programs_and_of_what_stays() -> None:
    race = peers.Race("true", 4, 0)
    ours, kept, new = (
        _spinning("tui-manager run", 1),
        _spinning("kept", 0, is_new=False),
        _spinning("new", 2),
    )
    await _figures(race, ours, kept, new)
    found = {one.what.partition(":")[0]: one for one in race.cpu_figures()}
    assert list(found) == ["kept", "tui-manager run", "new"]
    assert found["kept"].value == pytest.approx(100)
    assert found["tui-manager run"].value >= 125
    assert found["new"].value >= 150
    # The peer that is started for each command is what ours is held against.
    assert {one.floor_of for one in found.values()} == {"new"}
    assert found["tui-manager run"].floor == found["new"].value


def _copier(name: str, place: Path, *, loses: bool = False) -> Copier:
    async def copy(source: Path) -> None:
        if loses:
            return
        if source.is_dir():
            shutil.copytree(source, place / source.name, dirs_exist_ok=True)
        else:
            shutil.copy(source, place)

    place.mkdir()
    return Copier(name, [place], copy)


@pytest.mark.parametrize("load", [Load(1, 1_000_000), Load(3, 10_000)], ids=lambda load: load.words)
async def test_each_copies_twice_and_begins_anew_in_each_round(tmp_path: Path, load: Load) -> None:
    race = FileRace(load, 1)
    good = _copier("good", tmp_path / "good")
    bad = _copier("bad", tmp_path / "bad", loses=True)

    for number in range(2):
        await race.round(tmp_path / f"round-{number}", [good, bad])

    assert [len(times[good]) for times in (race.first, race.again)] == [2, 2]
    assert race.failed == {"bad": "not all files came"}
    assert {figure.key for figure in race.figures()} == {"peer_copy", "peer_copy_again"}
    assert f"{load.words} to 1 hosts" in race.text()
    for one in (good, bad):
        assert not any(load.is_at(place) for place in one.places)

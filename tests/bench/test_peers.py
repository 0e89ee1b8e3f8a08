"""The race with other programs: who is slow, fails or loses output is not counted as fast."""

import pytest

from bench.figures import Figure
from bench.peers import __main__ as peers
from bench.peers.contestants import Contestant, FailedError


def _contestant(name: str, came: int) -> Contestant:
    async def run(_command: str) -> int:
        if came < 0:
            raise FailedError("it cannot")
        return came

    return Contestant(name, True, 4, run)


async def _figures(race: peers.Race, *contestants: Contestant, rounds: int = 2) -> list[Figure]:
    for _ in range(rounds):
        await race.round(contestants)
    return race.figures()


async def test_rates_are_of_hosts_or_of_bytes() -> None:
    (hosts,) = await _figures(peers.Race("true", 4, 0), _contestant("one", 0))
    assert (hosts.unit, hosts.agents) == ("hosts/s", 4)
    (output,) = await _figures(peers.Race("yes", 4, 10), _contestant("one", 40))
    assert output.unit == "MB/s"


async def test_who_fails_or_loses_output_has_no_rate() -> None:
    race = peers.Race("yes", 4, 10)
    found = await _figures(race, _contestant("broken", -1), _contestant("lossy", 39))
    assert found == []
    assert race.failed == {"broken": "it cannot", "lossy": "only 39 bytes came"}


async def test_who_is_slow_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "_PATIENCE", 0.0)  # whatever it takes is too long
    race = peers.Race("true", 4, 0)
    one = _contestant("slow", 0)
    await _figures(race, one, rounds=3)
    assert len(race.seconds[one]) == 1

"""How many bytes of output each agent may have on their way, as sessions tell their agents."""

from collections import Counter

import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.hosts.session_end import SessionEnd
from tui_manager.service.limits import Limits
from tui_manager.transport.sessions.output_windows import OutputWindows
from tui_manager.transport.sessions.sessions import Sessions

KIB, MIB = 1 << 10, 1 << 20


class _Session:
    """Keeps what its agent is told."""

    def __init__(self, host_id: str, limits: Limits) -> None:
        self.host_id = host_id
        self.limits = limits
        self.told: list[int] = []

    def set_limits(self, limits: Limits) -> None:
        self.limits = limits
        self.told.append(limits.output_window)

    def end(self, last: pb.ManagerMessage | None = None, *, reason: SessionEnd) -> None:
        """There is no stream."""


class _Fleet:
    """So many hosts, of which some have a session."""

    def __init__(self, hosts: int) -> None:
        self.hosts = hosts
        self.sessions = Sessions()
        self.windows = OutputWindows(Limits(), self.sessions, lambda: self.hosts)

    def connect(self, count: int) -> list[_Session]:
        found = []
        for number in range(count):
            self.windows.host_connects()
            session = _Session(f"h{number}", self.windows.least)
            self.sessions.add(session)  # type: ignore[arg-type]
            found.append(session)
        return found

    def run_once(self, *printing: _Session, size: int = MIB) -> None:
        for session in printing:
            self.windows.count(session, size)  # type: ignore[arg-type]
        self.windows.run_once()


def test_one_of_many_hosts_that_prints_much_may_have_more_under_way() -> None:
    fleet = _Fleet(1000)
    far, near, quiet = fleet.connect(3)
    assert far.limits.output_window == 64 * KIB
    fleet.run_once(far)
    assert (far.told, near.told) == ([4 * MIB], [])
    assert far.limits.max_message == 4 * MIB
    fleet.run_once(far, near)
    fleet.run_once(far, near)
    assert (far.told, near.told, quiet.told) == ([4 * MIB], [4 * MIB], [])


def test_what_is_left_is_shared_and_never_given_twice() -> None:
    fleet = _Fleet(1000)
    sessions = fleet.connect(1000)
    for printing in (1, 8, 9, 100, 400, 1000):
        fleet.run_once(*sessions[:printing])
        windows = Counter(session.limits.output_window for session in sessions)
        assert sum(size * count for size, count in windows.items()) <= 100 * MIB
    assert set(windows) == {64 * KIB}


def test_who_prints_no_more_gives_its_share_back_after_a_while() -> None:
    fleet = _Fleet(1000)
    (session,) = fleet.connect(1)
    fleet.run_once(session)
    for _ in range(5):
        fleet.run_once(session, size=100)
    assert session.told == [4 * MIB]
    fleet.run_once(session, size=100)
    assert session.told == [4 * MIB, 64 * KIB]
    fleet.run_once()
    assert session.told == [4 * MIB, 64 * KIB]


def test_a_session_that_has_ended_has_no_share() -> None:
    fleet = _Fleet(1000)
    sessions = fleet.connect(64)
    fleet.run_once(*sessions)
    assert sessions[0].limits.output_window == 512 * KIB
    for session in sessions[1:]:
        fleet.sessions.remove(session)  # type: ignore[arg-type]
    fleet.run_once(sessions[1], sessions[0])
    assert sessions[0].limits.output_window == 4 * MIB
    assert sessions[1].told == [512 * KIB]


def test_the_windows_become_smaller_with_the_fleet() -> None:
    fleet = _Fleet(1)
    far, quiet = fleet.connect(2)
    fleet.run_once(far)
    assert (far.told, quiet.limits.output_window) == ([4 * MIB], MIB)
    fleet.hosts = 64
    fleet.windows.host_connects()
    assert (far.told, quiet.told) == ([4 * MIB], [512 * KIB])
    assert fleet.windows.least.output_window == 512 * KIB


@pytest.mark.parametrize("hosts", [0, 1, 32, 33, 1000, 100_000])
@pytest.mark.parametrize("printing", [0, 1, 7, 8, 1000, 100_000])
def test_a_window_is_never_less_than_one_piece_of_output(hosts: int, printing: int) -> None:
    limits = Limits().shared_by(hosts, printing=printing)
    assert 64 * KIB <= limits.output_window <= 4 * MIB
    assert limits.max_message == min(4 * MIB, 2 * limits.output_window)

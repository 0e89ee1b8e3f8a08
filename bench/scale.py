"""How large a run of the benchmarks is."""

from dataclasses import dataclass

from bench.under_test.history import Shape


@dataclass(frozen=True, slots=True)
class Volume:
    """So many bytes of output from each of so many agents, one or several times."""

    agents: int
    size: int
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The numbers of one run.

    Attributes:
        sizes: of the fleets, the largest one last.
        bare_results, bare_bytes: for the floor under storage.
        settle: seconds until something that has changed counts as steady.
        look: seconds of each look at it; whole heartbeats of 5 s, or it means nothing.
        rush: seconds in which bare streams go as fast as they can.
        results: command hosts of the sustained run of a fleet.
        tasks: small tasks of a fleet.
        volumes: output; those of a size in `sizes` are measured in that fleet.
        with_stdin: the fleet of this size gets the largest stdin.
        rounds: single commands whose latency is taken.
        engines: sizes of the fleets that are measured on both engines of the database.
        screen: agents behind the dashboard; `presses` keys and `lines` of output on it.
        history: of the database with a past; `queries` times each query.
        file_bytes: of the file that is copied to `file_hosts` real hosts.
        host_look: seconds of the look at an idle real agent; `host_commands` run on it.
    """

    sizes: tuple[int, ...]
    bare_results: int
    bare_bytes: int
    settle: float
    look: float
    rush: float
    results: int
    tasks: int
    volumes: tuple[Volume, ...]
    with_stdin: int
    rounds: int
    engines: tuple[int, ...]
    screen: int
    presses: int
    lines: int
    history: Shape
    queries: int
    file_bytes: int
    file_hosts: int
    host_look: float
    host_commands: int


FULL = Scale(
    sizes=(100, 1_000, 10_000),
    bare_results=50_000,
    bare_bytes=200_000_000,
    settle=2.0,
    look=5.0,
    rush=2.0,
    results=20_000,
    tasks=500,
    volumes=(Volume(10, 10_000_000, times=3), Volume(500, 1_000_000), Volume(10_000, 10_000)),
    with_stdin=1_000,
    rounds=100,
    engines=(1_000,),
    screen=5_000,
    presses=60,
    lines=100,
    history=Shape(rows=1_000_000, hosts=10_000),
    queries=20,
    file_bytes=100_000_000,
    file_hosts=10,
    host_look=30.0,
    host_commands=50,
)
QUICK = Scale(
    sizes=(200,),
    bare_results=20_000,
    bare_bytes=50_000_000,
    settle=1.0,
    look=5.0,
    rush=2.0,
    results=2_000,
    tasks=200,
    volumes=(Volume(5, 10_000_000, times=3), Volume(200, 10_000)),
    with_stdin=200,
    rounds=20,
    engines=(200,),
    screen=200,
    presses=30,
    lines=40,
    history=Shape(rows=50_000, hosts=1_000),
    queries=10,
    file_bytes=20_000_000,
    file_hosts=3,
    host_look=5.0,
    host_commands=20,
)
# For a test: whether it works, not how fast.
TINY = Scale(
    sizes=(3,),
    bare_results=50,
    bare_bytes=200_000,
    settle=0.0,
    look=0.2,
    rush=0.2,
    results=20,
    tasks=5,
    volumes=(Volume(2, 50_000, times=3), Volume(3, 50_000)),
    with_stdin=3,
    rounds=3,
    engines=(3,),
    screen=4,
    presses=2,
    lines=4,
    history=Shape(rows=300, hosts=20),
    queries=2,
    file_bytes=100_000,
    file_hosts=2,
    host_look=0.2,
    host_commands=2,
)

"""Reading output host by host: all of it once, whatever the size of a part."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage.test_output import (
    COMMANDS,
    HOSTS,
    PIECES,
    Piece,
    output_database,
    row_id,
    store,
)
from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.output.output_by_host import (
    OutputByHost,
    OutputPlace,
    TruncatedOutput,
    WantedOutput,
)
from tui_manager.domain.status import Stream
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.views import output_by_host

EVERYTHING = 1 << 30
WANTED = st.builds(
    WantedOutput,
    task_id=st.integers(1, 2),
    host=st.sampled_from(["", *(f"web{number}" for number in range(1, HOSTS + 1))]),
    command=st.none() | st.integers(0, COMMANDS - 1),
    stream=st.none() | st.sampled_from(list(Stream)),
)


def _parts(tx: Transaction, wanted: WantedOutput, limit: int) -> Iterator[OutputByHost]:
    place: OutputPlace | None = OutputPlace()
    while place is not None:
        part = output_by_host.read(tx, wanted, place, limit, EVERYTHING)
        yield part
        place = part.next


@given(
    pieces=PIECES,
    wanted=WANTED,
    limit=st.integers(1, 9) | st.just(EVERYTHING),
    hosts_max=st.integers(1, HOSTS + 1),
    past_limit=st.sets(st.tuples(st.integers(0, COMMANDS - 1), st.integers(1, HOSTS))),
)
def test_all_that_is_wanted_is_read_once(
    pieces: list[Piece],
    wanted: WantedOutput,
    limit: int,
    hosts_max: int,
    past_limit: set[tuple[int, int]],
) -> None:
    with output_database() as tx, pytest.MonkeyPatch.context() as patch:
        patch.setattr(output_by_host, "_HOSTS_MAX", hosts_max)
        stored = store(tx, pieces)
        for command, host in past_limit:
            values = (host, row_id(wanted.task_id, command, host))
            tx.execute("UPDATE command_hosts SET truncated_bytes = ? WHERE id = ?", values)
        parts = list(_parts(tx, wanted, limit))
    of_task = {
        f"e{row_id(wanted.task_id, command, host)}"
        for command in range(COMMANDS)
        for host in range(1, HOSTS + 1)
        if wanted.host in ("", f"web{host}") and wanted.command in (None, command)
    }
    expected = [
        chunk
        for chunk in stored
        if chunk.execution_id in of_task and wanted.stream in (None, chunk.stream)
    ]
    expected.sort(key=lambda chunk: (chunk.host, chunk.position))
    assert [chunk for part in parts for chunk in part.chunks] == expected
    assert [one for part in parts for one in part.truncated] == [
        TruncatedOutput(f"web{host}", command, host)
        for host in range(1, HOSTS + 1)
        for command in range(COMMANDS)
        if (command, host) in past_limit
        and wanted.host in ("", f"web{host}")
        and wanted.command in (None, command)
    ]


@given(pieces=PIECES)
def test_a_part_holds_about_as_much_as_was_asked_for(pieces: list[Piece]) -> None:
    with output_database() as tx:
        store(tx, pieces)
        for part in _parts(tx, WantedOutput(1), 4):
            assert sum(len(chunk.data) for chunk in part.chunks) < 4 + 3


def test_what_may_not_be_read_yet_is_left_out() -> None:
    with output_database() as tx:
        stored = store(tx, [(1, 0, 1, Stream.STDOUT, 1), (1, 0, 1, Stream.STDOUT, 2)] * 2)
        newest = stored[1].position
        part = output_by_host.read(tx, WantedOutput(1), OutputPlace(), EVERYTHING, newest)
        assert list(part.chunks) == stored[:2]


@pytest.mark.parametrize("host", ["web9", "é" * 500])
def test_a_host_that_the_task_does_not_have_is_named(host: str) -> None:
    with output_database() as tx, pytest.raises(NotFoundError, match="no host") as error:
        output_by_host.read(tx, WantedOutput(1, host), OutputPlace(), 1, EVERYTHING)
    assert len(str(error.value)) < 120


def test_a_command_that_the_task_does_not_have_is_not_called_a_missing_host() -> None:
    wanted = WantedOutput(1, "web2", COMMANDS)
    with output_database() as tx, pytest.raises(NotFoundError, match="no such command on a host"):
        output_by_host.read(tx, wanted, OutputPlace(), 1, EVERYTHING)

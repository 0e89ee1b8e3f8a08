"""Reading output: by stream, by task, by host, whatever the order of arrival."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.databases.engines import open_transaction
from tui_manager.domain.hosts.agent_messages import Output
from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import OutputChunk
from tui_manager.storage.engine.statements import to_datetime
from tui_manager.storage.engine.transaction import Cursor, Transaction, Values
from tui_manager.storage.tables.tasks import output
from tui_manager.storage.tables.tasks.output import OutputOf

COMMANDS, HOSTS = 3, 2
EVERYTHING = 1 << 30
AT = 1_790_000_000_000_000  # microseconds

# (task 1 or 2, command, host, stream, bytes); a command of a host begins when the one before ended.
PIECES = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(0, COMMANDS - 1),
        st.integers(1, HOSTS),
        st.sampled_from(list(Stream)),
        st.integers(1, 3),
    ),
    max_size=60,
)
Piece = tuple[int, int, int, Stream, int]


@contextmanager
def output_database() -> Iterator[Transaction]:
    with open_transaction() as tx:
        tx.executemany(
            "INSERT INTO hosts (id, host_id, name, admission, first_seen, since)"
            " VALUES (?, ?, ?, 'admitted', 0, 0)",
            [(n, f"id-{n}", f"web{n}") for n in range(1, HOSTS + 1)],
        )
        for task in (1, 2):
            tx.execute(
                "INSERT INTO tasks (id, name, description, target, created_by, created_at)"
                " VALUES (?, '', '', '', '', 0)",
                (task,),
            )
            for command in range(COMMANDS):
                tx.execute(
                    "INSERT INTO commands (id, task_id, position, text, timeout_after, parameters,"
                    " environment, cwd) VALUES (?, ?, ?, '', 0, '{}', '{}', '')",
                    (10 * task + command, task, command),
                )
                tx.executemany(
                    "INSERT INTO command_hosts (id, execution_id, task_id, command_id, position,"
                    " host, status) VALUES (?, ?, ?, ?, ?, ?, 'running')",
                    [
                        (
                            row_id(task, command, host),
                            f"e{row_id(task, command, host)}",
                            task,
                            10 * task + command,
                            command,
                            host,
                        )
                        for host in range(1, HOSTS + 1)
                    ],
                )
        yield tx


def row_id(task: int, command: int, host: int) -> int:
    return 100 * task + 10 * command + host


def store(tx: Transaction, pieces: list[Piece]) -> list[OutputChunk]:
    """Stores the pieces, command by command, and returns all as they are to be read."""
    ends: dict[tuple[int, Stream], int] = {}
    stored: list[OutputChunk] = []
    for task, command, host, stream, size in sorted(pieces, key=lambda piece: piece[1]):
        row = row_id(task, command, host)
        offset = ends.get((row, stream), 0)
        ends[row, stream] = offset + size
        data = bytes([65 + len(stored) % 26]) * size
        piece = output.OutputPiece(task, row, Output(f"e{row}", stream, offset, data), AT)
        output.insert(tx, [piece])
        position: int = tx.execute("SELECT max(id) FROM output_chunks").fetchone()[0]
        stored.append(
            OutputChunk(
                position, f"e{row}", f"web{host}", command, stream, offset, data, 0, to_datetime(AT)
            )
        )
    return stored


@given(pieces=PIECES, data=st.data())
def test_a_task_is_followed_from_any_position(pieces: list[Piece], data: st.DataObject) -> None:
    with output_database() as tx:
        stored = store(tx, pieces)
        task = data.draw(st.integers(1, 2))
        host = data.draw(st.sampled_from([0, *range(1, HOSTS + 1)]))
        after = data.draw(st.integers(-12, len(stored) + 1))
        of = _drawn(data, task, host)
        of_it = _of(stored, of)
        behind = (
            [chunk for chunk in of_it if chunk.position > after] if after >= 0 else of_it[after:]
        )
        assert output.follow(tx, of, after, EVERYTHING) == behind
        cut = output.follow(tx, of, after, 4)
        assert cut == behind[: len(cut)]
        assert sum(len(chunk.data) for chunk in cut[:-1]) < 4
        assert len(cut) == len(behind) or sum(len(chunk.data) for chunk in cut) >= 4


@given(pieces=PIECES, data=st.data())
def test_a_task_is_read_backwards_from_any_position(
    pieces: list[Piece], data: st.DataObject
) -> None:
    with output_database() as tx:
        stored = store(tx, pieces)
        of = _drawn(data, data.draw(st.integers(1, 2)), data.draw(st.integers(0, HOSTS)))
        before = data.draw(st.integers(1, len(stored) + 1))
        ahead = [chunk for chunk in _of(stored, of) if chunk.position < before]
        assert output.follow(tx, of, 0, EVERYTHING, before) == ahead
        cut = output.follow(tx, of, 0, 4, before)
        assert cut == ahead[len(ahead) - len(cut) :]
        assert sum(len(chunk.data) for chunk in cut[1:]) < 4


def _drawn(data: st.DataObject, task: int, host: int) -> OutputOf:
    """Of a task, of one of its hosts, or of a command host."""
    command = data.draw(st.integers(0, COMMANDS)) if host else COMMANDS
    if command < COMMANDS:
        return OutputOf(task, execution_id=f"e{row_id(task, command, host)}")
    return OutputOf(task, f"id-{host}" if host else "")


def _of(stored: list[OutputChunk], of: OutputOf) -> list[OutputChunk]:
    return [
        chunk
        for chunk in stored
        if int(chunk.execution_id[1]) == of.task_id
        and of.host_id in ("", chunk.host.replace("web", "id-"))
        and of.execution_id in ("", chunk.execution_id)
    ]


@given(pieces=PIECES, data=st.data())
def test_a_stream_is_read_from_any_offset(pieces: list[Piece], data: st.DataObject) -> None:
    with output_database() as tx:
        stored = store(tx, pieces)
        row = row_id(1, data.draw(st.integers(0, COMMANDS - 1)), data.draw(st.integers(1, HOSTS)))
        stream = data.draw(st.sampled_from(list(Stream)))
        of_it = [
            chunk for chunk in stored if (chunk.execution_id, chunk.stream) == (f"e{row}", stream)
        ]
        whole = b"".join(chunk.data for chunk in of_it)
        offset = data.draw(st.integers(0, len(whole) + 1))
        chunks = output.read(tx, f"e{row}", stream, offset, EVERYTHING)
        assert b"".join(chunk.data for chunk in chunks) == whole[offset:]
        assert [chunk.offset for chunk in chunks[:1]] == [offset] * bool(whole[offset:])


@pytest.mark.parametrize("host_id", ["", "id-1"])
def test_many_small_pieces_come_in_more_than_one_answer(
    host_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "PIECES_MAX", 3)
    with output_database() as tx:
        stored = store(tx, [(1, 0, 1, Stream.STDOUT, 1)] * 8)
        found: list[OutputChunk] = []
        answers = []
        while chunks := output.follow(
            tx, OutputOf(1, host_id), found[-1].position if found else 0, EVERYTHING
        ):
            answers.append(len(chunks))
            found += chunks
        assert (answers, found) == ([3, 3, 2], stored)


def test_an_unknown_execution_has_no_output() -> None:
    with output_database() as tx:
        assert output.read(tx, "nobody", Stream.STDOUT, 0, EVERYTHING) == []
        assert output.follow(tx, OutputOf(7), 0, EVERYTHING) == []
        assert output.follow(tx, OutputOf(1, "nobody"), -5, EVERYTHING) == []


def test_a_large_piece_is_stored_in_small_ones() -> None:
    with output_database() as tx:
        row, data = row_id(1, 0, 1), bytes(range(256)) * 600
        piece = Output(f"e{row}", Stream.STDERR, 7, data)
        output.insert(tx, [output.OutputPiece(1, row, piece, AT)])
        chunks = output.follow(tx, OutputOf(1), 0, EVERYTHING)
        assert b"".join(chunk.data for chunk in chunks) == data
        assert [chunk.offset for chunk in chunks] == [7, 7 + (1 << 16), 7 + (2 << 16)]


class _Asked:
    """A transaction that notes how many pieces each statement asks for."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.executemany = tx.executemany
        self.pieces: list[int] = []

    def execute(self, sql: str, values: Values = (), /) -> Cursor:
        if isinstance(values, Mapping) and "pieces" in values:
            self.pieces.append(values["pieces"])
        return self._tx.execute(sql, values)


def test_an_answer_asks_for_few_pieces_more_than_it_takes() -> None:
    """PostgreSQL sends all that is asked for."""
    with output_database() as tx:
        stored = store(tx, [(1, 0, 1, Stream.STDOUT, 3)] * 50)
        asked = _Asked(tx)
        for of in (OutputOf(1), OutputOf(1, host_id="id-1")):
            for before in (0, stored[-1].position):
                assert len(output.follow(asked, of, 0, limit=3, before=before)) == 1
        assert len(output.read(asked, stored[0].execution_id, Stream.STDOUT, 0, limit=3)) == 1
        assert asked.pieces == [8] * 5
        assert len(output.follow(asked, OutputOf(1), 0, limit=EVERYTHING)) == 50
        assert asked.pieces[5:] == [8, 32, 128]

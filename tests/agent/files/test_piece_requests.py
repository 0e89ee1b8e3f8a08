"""What a copy asks the manager for, in which order and how much at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tui_manager_agent.files.copy.piece_requests import (
    REQUESTS,
    PartRange,
    PieceRequests,
    UnaskedError,
)
from tui_manager_agent.files.transfer_work import Piece, StoppedError, StopSignal, TransferError
from tui_manager_protos.rules.files.transfer_window import FIRST as WINDOW
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH, REQUEST_LENGTH

from tests.support.waiting import GIVE_UP

REQUEST = WINDOW // 4


class Sender:
    """Answers a pull from some data, as a manager does."""

    def __init__(self) -> None:
        self.stop = StopSignal()
        self.woken = 0
        self.pull = PieceRequests(self._wake, self.stop)
        self.asked: list[PartRange] = []

    def _wake(self) -> None:
        self.woken += 1

    def take_requests(self) -> list[PartRange]:
        """All that may be asked for now."""
        taken = []
        while request := self.pull.next_request():
            taken.append(request)
        self.asked += taken
        return taken

    def answer(self, request: PartRange, data: bytes, piece: int = PART_LENGTH) -> None:
        """The bytes of the request, which are those of `data`."""
        for at in range(request.at, request.end, piece):
            end = min(at + piece, request.end)
            self.pull.receive(request.is_manifest, at, data[at:end])


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def sizes(requests: list[PartRange]) -> list[tuple[int, int]]:
    return [(request.at, request.end) for request in requests]


def test_bytes_come_in_the_order_in_which_they_were_wanted(sender: Sender) -> None:
    data = bytes(range(256)) * 40
    for offset, length in ((100, 50), (150, 0), (150, 70), (9000, 100)):
        sender.pull.want(offset, length)
    requests = sender.take_requests()
    assert sizes(requests) == [(100, 220), (9000, 9100)]  # side by side: one request
    for request in requests:
        sender.answer(request, data, piece=33)
    read = b""
    edges = []
    while len(read) < 220:
        piece = sender.pull.read()
        assert isinstance(piece, bytes)
        read += piece
        edges.append(len(read))
    assert read == data[100:220] + data[9000:9100]
    assert {50, 120, 220} <= set(edges)  # no piece holds bytes of two


def test_no_more_is_under_way_than_a_window(sender: Sender) -> None:
    sender.pull.want(0, 100 * WINDOW)
    requests = sender.take_requests()
    assert sizes(requests) == [(at, at + REQUEST) for at in range(0, WINDOW, REQUEST)]
    data = bytes(WINDOW)
    sender.answer(requests[0], data)
    assert sender.take_requests() == []  # it has arrived, and waits in memory
    woken = sender.woken
    sender.pull.read()
    assert sender.woken == woken + 1
    assert sizes(sender.take_requests()) == [(WINDOW, WINDOW + REQUEST)]


def test_requests_for_small_files_are_few_at_once(sender: Sender) -> None:
    for number in range(100):
        sender.pull.want(1000 * number, 10)
    assert len(sender.take_requests()) == REQUESTS == sender.pull.unanswered
    assert sender.pull.receive(False, 0, bytes(9)) is False
    assert sender.pull.receive(False, 9, bytes(1)) is True
    assert sizes(sender.take_requests()) == [(1000 * REQUESTS, 1000 * REQUESTS + 10)]


def test_zeros_take_no_memory(sender: Sender) -> None:
    sender.pull.want(0, 10)
    sender.pull.want(10, REQUEST - 10)
    (request,) = sender.take_requests()
    sender.pull.receive(False, 0, request.end)
    pieces: list[Piece] = [sender.pull.read(), sender.pull.read()]
    assert pieces == [10, REQUEST - 10]


def test_holes_take_few_requests(sender: Sender) -> None:
    size = 1 << 40
    sender.pull.want(0, size)
    requests = sender.take_requests()
    for request in requests:
        sender.pull.receive(False, request.at, request.end - request.at)
    for _ in range(10):
        (request,) = sender.take_requests()  # nothing has to be read before
        sender.pull.receive(False, request.at, request.end - request.at)
    assert request.end - request.at == REQUEST_LENGTH
    (request,) = sender.take_requests()
    sender.answer(request, bytes(request.end))
    assert sender.take_requests() == []  # this is no hole any more, and waits in memory
    read = 0
    while read < request.end:
        piece = sender.pull.read()
        read += piece if isinstance(piece, int) else len(piece)
    assert all(request.end - request.at <= REQUEST for request in sender.take_requests())


def test_a_new_stream_goes_on_at_the_byte(sender: Sender) -> None:
    sender.pull.want(0, 300_000)
    requests = sender.take_requests()
    sender.pull.receive(False, 0, b"x" * 1000)
    sender.pull.begin_session()
    assert sender.pull.unanswered == 0
    again = sender.take_requests()
    assert sizes(again) == [(1000, requests[0].end), *sizes(requests[1:])]
    with pytest.raises(UnaskedError):
        sender.pull.receive(False, 0, b"x" * 1000)
    assert sender.pull.read() == b"x" * 1000


def test_manifest_and_data_are_not_mixed_up(sender: Sender) -> None:
    sender.pull.want_manifest(0, 100)
    sender.pull.want(100, 100)
    assert [r.is_manifest for r in sender.take_requests()] == [True, False]
    with pytest.raises(UnaskedError, match="data"):
        sender.pull.receive(False, 0, bytes(100))
    sender.pull.receive(True, 0, bytes(100))
    sender.pull.receive(False, 100, bytes(100))


@pytest.mark.parametrize(
    ("offset", "piece"),
    [
        (1, bytes(1)),
        (0, bytes(101)),
        (0, 101),
        (0, b""),
        (0, 0),
        (1 << 62, bytes(1)),
    ],
)
def test_what_was_not_asked_for_is_not_taken(sender: Sender, offset: int, piece: Piece) -> None:
    with pytest.raises(UnaskedError, match="nothing was asked for"):
        sender.pull.receive(False, offset, piece)
    sender.pull.want(0, 100)
    sender.take_requests()
    with pytest.raises(UnaskedError):
        sender.pull.receive(False, offset, piece)
    sender.pull.receive(False, 0, b"y" * 100)
    assert sender.pull.read() == b"y" * 100


def test_a_piece_that_is_too_long_is_not_taken(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_manager_agent.files.copy.piece_requests.PART_LENGTH", 99)
    sender.pull.want(0, 300)
    sender.take_requests()
    with pytest.raises(UnaskedError, match="in a piece of 100 bytes"):
        sender.pull.receive(False, 0, bytes(100))
    sender.pull.receive(False, 0, 100)  # zeros may be more


def test_a_reader_waits_for_its_piece(sender: Sender, thread: ThreadPoolExecutor) -> None:
    sender.pull.want(0, 5)
    reading = thread.submit(sender.pull.read)
    sender.take_requests()
    sender.pull.receive(False, 0, b"hello")
    assert reading.result(GIVE_UP) == b"hello"


def test_a_reader_that_waits_is_stopped(sender: Sender, thread: ThreadPoolExecutor) -> None:
    sender.pull.want(0, 5)
    reading = thread.submit(sender.pull.read)
    sender.stop.set()
    with pytest.raises(StoppedError):
        reading.result(GIVE_UP)


def test_a_problem_of_the_manager_ends_it(sender: Sender, thread: ThreadPoolExecutor) -> None:
    sender.pull.want(0, 100 * WINDOW)
    sender.take_requests()
    reading = thread.submit(sender.pull.read)
    sender.pull.fail("The files are gone.")
    sender.pull.fail("Another one.")
    with pytest.raises(TransferError, match=r"^The files are gone\.$"):
        reading.result(GIVE_UP)
    assert sender.take_requests() == []


def test_many_bytes_through_two_threads(sender: Sender, thread: ThreadPoolExecutor) -> None:
    size = 40 * WINDOW
    arrived = threading.Event()
    pull = PieceRequests(arrived.set, sender.stop)

    def read_all() -> int:
        read = 0
        for at in range(0, size, size // 100):
            length = min(size // 100, size - at)
            pull.want(at, length)
            while length:
                piece = pull.read()
                got = piece if isinstance(piece, int) else len(piece)
                read, length = read + got, length - got
        return read

    reading = thread.submit(read_all)
    while not reading.done():
        arrived.wait(0.01)
        arrived.clear()
        while request := pull.next_request():
            for at in range(request.at, request.end, PART_LENGTH):
                pull.receive(False, at, bytes(min(PART_LENGTH, request.end - at)))
    assert reading.result() == size

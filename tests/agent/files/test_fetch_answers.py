"""What the manager asks of a fetch, and how a thread answers it piece by piece."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tui_manager_agent.files.fetch.fetch_answers import (
    REQUESTS,
    Answer,
    FetchAnswers,
    TooManyRequestsError,
)
from tui_manager_agent.files.transfer_work import Request, StoppedError, StopSignal, Stored
from tui_manager_agent.journal.transfer_records import FileSet
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH, REQUEST_LENGTH

from tests.support.waiting import GIVE_UP

FOUND = FileSet(sha256=b"a" * 32, manifest_size=10, size=20, files=1, bytes=20)


@pytest.fixture
def stop() -> StopSignal:
    return StopSignal()


@pytest.fixture
def answers(stop: StopSignal) -> FetchAnswers:
    return FetchAnswers(lambda: None, stop)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def offered(answers: FetchAnswers) -> None:
    answers.offer(FOUND)
    assert answers.next_message() == FOUND


def test_an_offer_is_made_once_on_each_stream(answers: FetchAnswers) -> None:
    assert answers.next_message() is None
    offered(answers)
    assert answers.next_message() is None
    answers.begin_session()
    assert answers.next_message() == FOUND
    assert answers.next_message() is None


def test_nothing_is_offered_on_a_new_stream_before_it_was_found(answers: FetchAnswers) -> None:
    answers.begin_session()
    assert answers.next_message() is None


def test_pieces_wait_for_each_other(answers: FetchAnswers, thread: ThreadPoolExecutor) -> None:
    offered(answers)
    request = Request(is_manifest=False, offset=0, length=15)
    answers.ask(request)
    assert answers.next() is request
    answers.answer(request, 0, b"hello")
    second = thread.submit(answers.answer, request, 5, 10)
    assert answers.next_message() == Answer(False, 0, b"hello")
    second.result(GIVE_UP)
    assert request.is_over
    assert answers.next_message() == Answer(False, 5, 10)
    assert answers.next_message() is None


def test_the_end_of_a_stream_ends_its_requests(
    answers: FetchAnswers, thread: ThreadPoolExecutor
) -> None:
    offered(answers)
    request = Request(is_manifest=True, offset=0, length=10)
    answers.ask(request)
    answers.answer(request, 0, b"12345")
    waiting = thread.submit(answers.answer, request, 5, b"67890")
    answers.begin_session()
    waiting.result(GIVE_UP)
    assert request.is_over
    assert answers.next_message() == FOUND
    assert answers.next_message() is None
    again = Request(is_manifest=True, offset=5, length=5)
    answers.ask(again)
    assert answers.next() is again


def test_a_refusal_ends_its_request(answers: FetchAnswers) -> None:
    request = Request(is_manifest=False, offset=7, length=15)
    answers.ask(request)
    answers.refuse(request, "It is gone.")
    assert answers.next_message() == Answer(False, 7, problem="It is gone.")
    assert request.is_over


def test_what_the_manager_says_of_the_files(
    answers: FetchAnswers, thread: ThreadPoolExecutor
) -> None:
    offered(answers)
    waiting = thread.submit(answers.next)
    answers.on_stored(Stored())
    assert waiting.result(GIVE_UP) == Stored()
    assert answers.next() == Stored()


def test_what_it_says_of_an_earlier_offer_counts_no_longer(
    answers: FetchAnswers, thread: ThreadPoolExecutor
) -> None:
    offered(answers)
    answers.ask(Request(is_manifest=False, offset=0, length=15))
    answers.on_stored(Stored("It has changed.", retry=True))
    assert answers.next() == Stored("It has changed.", retry=True)
    answers.offer(FOUND)
    answers.on_stored(Stored())  # before it was sent
    assert answers.next_message() == FOUND
    waiting = thread.submit(answers.next)
    answers.on_stored(Stored("There is no room."))
    assert waiting.result(GIVE_UP) == Stored("There is no room.")


def test_a_word_about_what_was_never_offered_is_ignored(
    answers: FetchAnswers, stop: StopSignal, thread: ThreadPoolExecutor
) -> None:
    answers.on_stored(Stored())
    waiting = thread.submit(answers.next)
    stop.set()
    with pytest.raises(StoppedError):
        waiting.result(GIVE_UP)


def test_too_much_at_once_is_refused(answers: FetchAnswers) -> None:
    for length in (0, REQUEST_LENGTH + 1):
        with pytest.raises(TooManyRequestsError):
            answers.ask(Request(is_manifest=False, offset=0, length=length))
    for _ in range(REQUESTS):
        answers.ask(Request(is_manifest=False, offset=0, length=REQUEST_LENGTH))
    with pytest.raises(TooManyRequestsError):
        answers.ask(Request(is_manifest=False, offset=0, length=1))


def test_a_piece_that_does_not_fit_is_a_fault_of_the_work(answers: FetchAnswers) -> None:
    request = Request(is_manifest=False, offset=0, length=REQUEST_LENGTH)
    answers.ask(request)
    for offset, piece in (
        (0, b""),
        (0, bytes(PART_LENGTH + 1)),
        (1, REQUEST_LENGTH),
        (REQUEST_LENGTH, b"x"),
    ):
        with pytest.raises(ValueError, match="left"):
            answers.answer(request, offset, piece)

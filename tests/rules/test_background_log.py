"""The log handler that never makes its caller wait: what it writes, drops, and says of that."""

import logging
import threading
from collections.abc import Iterator

import pytest
from tui_manager_protos import background_log
from tui_manager_protos.background_log import BackgroundHandler

from tests.support.programs.programs import wait_for
from tests.support.waiting import GIVE_UP

_TOO_SLOW = "log lines were dropped: the reader of the log was too slow"


class Stream:
    """Where lines go; closed, it holds up whoever writes; with a problem it takes nothing."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.asked = threading.Event()
        self.text = ""
        self.problem: Exception | None = None

    def write(self, text: str) -> None:
        self.asked.set()
        assert self.open.wait(GIVE_UP)
        if self.problem:
            raise self.problem
        self.text += text

    def wait_for(self, words: str) -> list[str]:
        """All lines, once the words are among them."""
        wait_for(f"{words!r} in the log", lambda: self.text, lambda seen: words in seen)
        return self.text.splitlines()


@pytest.fixture
def stream() -> Iterator[Stream]:
    made = Stream()
    yield made
    made.problem = None
    made.open.set()


@pytest.fixture
def log(stream: Stream) -> Iterator[logging.Logger]:
    """A logger of its own, with room for 100 characters."""
    logger = logging.Logger("test")
    handler = BackgroundHandler(stream.write, limit=100)
    logger.addHandler(handler)
    yield logger
    handler.close()


def test_lines_come_in_order(stream: Stream, log: logging.Logger) -> None:
    stream.open.set()
    for number in range(5):
        log.info("line %d", number)
    assert stream.wait_for("line 4") == [f"line {number}" for number in range(5)]


def test_a_stream_that_blocks_costs_lines_that_are_counted(
    stream: Stream, log: logging.Logger
) -> None:
    log.info("first")
    assert stream.asked.wait(GIVE_UP)
    for number in range(60):
        log.info("%09d", number)  # ten characters with the end of the line
    stream.open.set()
    lines = stream.wait_for(_TOO_SLOW)
    assert lines == ["first", *(f"{number:09}" for number in range(9)), f"51 {_TOO_SLOW}"]
    log.info("again")
    assert stream.wait_for("again") == [*lines, "again"]


def test_one_line_is_said_to_be_one(stream: Stream, log: logging.Logger) -> None:
    stream.open.set()
    log.info("x" * 200)
    assert stream.wait_for("too slow")[0].startswith("1 log line was dropped")


def test_a_line_has_the_values_of_the_moment(stream: Stream, log: logging.Logger) -> None:
    values = ["then"]
    log.info("first")
    assert stream.asked.wait(GIVE_UP)
    log.info("values: %s", values)
    values[0] = "later"
    stream.open.set()
    assert stream.wait_for("values")[1] == "values: ['then']"


@pytest.mark.parametrize(
    "problem", [OSError(28, "No space left on device"), ValueError("I/O on a closed file")]
)
def test_what_could_not_be_written_is_said_when_it_can(
    stream: Stream, log: logging.Logger, problem: Exception
) -> None:
    stream.open.set()
    stream.problem = problem
    for number in range(3):
        log.info("line %d", number)
    log.handlers[0].flush()
    stream.problem = None
    log.info("next")
    why = f"the log could not be written ({problem.args[-1]})"
    assert stream.wait_for("next") == [f"3 log lines were dropped: {why}", "next"]


def test_the_end_does_not_wait_for_a_stream_that_blocks(
    stream: Stream, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_log, "FLUSH_TIMEOUT", 0.01)
    log.info("first")
    assert stream.asked.wait(GIVE_UP)
    log.handlers[0].flush()
    assert stream.text == ""


def test_the_end_waits_for_what_can_be_written(stream: Stream, log: logging.Logger) -> None:
    stream.open.set()
    for number in range(5):
        log.info("line %d", number)
    log.handlers[0].flush()
    assert stream.text.endswith("line 4\n")

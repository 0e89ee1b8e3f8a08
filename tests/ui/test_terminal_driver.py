"""The terminal of the dashboard, asked by two threads, and gone."""

import os
import threading
from collections.abc import Iterator

import pytest
from textual.app import App
from textual.message import Message

from tui_manager.ui.messages import TerminalGone
from tui_manager.ui.terminal_driver import TerminalDriver


class Driver(TerminalDriver):
    """On a terminal of its own; keeps what it tells the app."""

    def __init__(self, terminal: int) -> None:
        super().__init__(App())
        self._descriptors = {terminal}
        self.told: list[Message] = []

    def send_message(self, message: Message) -> None:
        self.told.append(message)


@pytest.fixture
def ends() -> Iterator[list[int]]:
    """A terminal, its own end last."""
    ends = list(os.openpty())
    yield ends
    for end in ends:
        os.close(end)


async def test_a_terminal_is_not_gone_whatever_waits_to_be_read(ends: list[int]) -> None:
    driver = Driver(ends[1])
    os.write(ends[0], b"keys\n")
    assert not driver.exit_event.is_set()
    assert driver.told == []


async def test_a_terminal_that_goes_away_is_told_once(ends: list[int]) -> None:
    driver = Driver(ends[1])
    os.close(ends.pop(0))
    assert driver.exit_event.is_set()
    assert driver.exit_event.is_set()
    assert [type(message) for message in driver.told] == [TerminalGone]


async def test_two_threads_may_ask_at_the_same_time(ends: list[int]) -> None:
    driver = Driver(ends[1])
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(2_000):
                driver.exit_event.is_set()
        except RuntimeError as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []

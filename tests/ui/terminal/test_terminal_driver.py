"""The terminal of the dashboard, asked by two threads, and gone."""

import asyncio
import errno
import os
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import suppress
from typing import NoReturn

import pytest
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key, Resize
from textual.geometry import Size
from textual.message import Message

from tests.support.waiting import wait_until
from tui_manager.ui.terminal.terminal_driver import BackgroundError, TerminalClosed, TerminalDriver


class Driver(TerminalDriver):
    """On a terminal of its own; keeps what it tells the app."""

    def __init__(self, terminal: int) -> None:
        super().__init__(App())
        self._descriptors = {terminal}
        self.told: list[Message] = []

    def send_message(self, message: Message) -> None:
        self.told.append(message)


def reads_keys(terminal: int) -> Driver:
    """A driver that gets each key of a terminal as it is typed."""
    tty.setraw(terminal)
    driver = Driver(terminal)
    driver.fileno = terminal
    return driver


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
    assert [type(message) for message in driver.told] == [TerminalClosed]


async def test_an_error_while_input_is_handled_is_told(
    ends: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = reads_keys(ends[1])

    def fail(message: Message) -> NoReturn:
        raise KeyError("input")

    monkeypatch.setattr(driver, "process_message", fail)
    driver.begin_input()
    os.write(ends[0], b"ab")

    async def told() -> list[Message]:
        return driver.told

    (message,) = await wait_until(told, bool)
    assert isinstance(message, BackgroundError)
    assert isinstance(message.error, KeyError)
    assert not asyncio.get_running_loop().remove_reader(ends[1])  # nothing more is read


async def typed(driver: Driver) -> list[str | None]:
    return [message.character for message in driver.told if isinstance(message, Key)]


async def test_a_key_that_is_no_utf_8_does_not_end_the_input(ends: list[int]) -> None:
    driver = reads_keys(ends[1])
    driver.begin_input()
    os.write(ends[0], b"a\xe9b")
    await wait_until(lambda: typed(driver), lambda seen: seen == ["a", "\ufffd", "b"])
    driver.disable_input()


async def test_the_last_size_is_told_last(ends: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    driver, sizes = Driver(ends[1]), [(120, 36), (60, 15)]

    def size() -> tuple[int, int]:
        now = sizes.pop()
        if sizes:  # the terminal gets another size while this one is read
            driver._size_has_changed()
        return now

    async def told() -> list[Size]:
        return [message.size for message in driver.told if isinstance(message, Resize)]

    monkeypatch.setattr(driver, "_get_terminal_size", size)
    driver._size_has_changed()
    await wait_until(told, lambda seen: seen == [Size(60, 15), Size(120, 36)])


async def test_an_escape_that_nothing_follows_is_a_key(ends: list[int]) -> None:
    driver = reads_keys(ends[1])
    driver.begin_input()
    os.write(ends[0], b"\x1b")

    async def keys() -> list[str]:
        return [message.key for message in driver.told if isinstance(message, Key)]

    await wait_until(keys, lambda seen: seen == ["escape"])
    driver.disable_input()


async def test_nothing_is_read_while_another_program_has_the_terminal(ends: list[int]) -> None:
    driver = reads_keys(ends[1])
    driver.begin_input()
    driver.disable_input()
    os.write(ends[0], b"a")
    await asyncio.sleep(0)
    assert os.read(ends[1], 10) == b"a"
    driver.begin_input()
    os.write(ends[0], b"b")
    await wait_until(lambda: typed(driver), lambda seen: seen == ["b"])
    driver.disable_input()


async def test_a_character_whose_bytes_come_one_by_one_is_one_key(ends: list[int]) -> None:
    driver = reads_keys(ends[1])
    for byte in (b"\xe2", b"\x82", b"\xac", b"a"):
        os.write(ends[0], byte)
        driver._read()
    assert await typed(driver) == ["\u20ac", "a"]


async def test_a_terminal_that_cannot_be_read_and_is_not_closed_is_told(
    ends: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(ends[1])
    driver.fileno = ends[1]

    def read(_descriptor: int, _count: int) -> NoReturn:
        raise OSError(errno.EIO, "of a program in the background")

    driver.begin_input()
    monkeypatch.setattr("tui_manager.ui.terminal.terminal_driver.os.read", read)
    driver._read()
    (message,) = driver.told
    assert isinstance(message, BackgroundError)
    assert isinstance(message.error, OSError)
    assert not asyncio.get_running_loop().remove_reader(ends[1])


async def test_a_closed_terminal_is_not_read_again(
    ends: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(ends[1])
    driver.fileno = ends[1]
    ended, end_input = asyncio.Event(), driver._end_input

    def end() -> None:
        end_input()
        ended.set()

    monkeypatch.setattr(driver, "_end_input", end)
    driver.begin_input()
    os.close(ends.pop(0))
    await ended.wait()
    assert not asyncio.get_running_loop().remove_reader(driver.fileno)
    assert not any(isinstance(message, BackgroundError) for message in driver.told)


async def test_a_terminal_that_an_error_left_taken_is_given_back(ends: list[int]) -> None:
    before = termios.tcgetattr(ends[1])
    driver = Driver(ends[1])
    driver.fileno = ends[1]
    with os.fdopen(os.dup(ends[1]), "w") as driver._file:
        driver.attrs_before = before
        tty.setraw(ends[1])
        driver.leave_terminal()  # it was never taken
        assert termios.tcgetattr(ends[1]) != before
        driver._in_use = True
        driver.leave_terminal()
        assert termios.tcgetattr(ends[1]) == before
    assert driver.exit_event.is_set()
    written = os.read(ends[0], 1000).decode()
    assert written.endswith("\x1b[?1049l\x1b[?25h")
    assert "\x1b[?1003l" in written


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


async def test_nothing_is_written_while_another_program_has_the_terminal(
    ends: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(ends[1])
    written: list[str] = []
    monkeypatch.setattr(driver, "write", written.append)
    monkeypatch.setattr(driver, "flush", lambda: None)
    driver.write_if_in_use("\a")
    assert written == []
    driver._in_use = True
    driver.write_if_in_use("\a")
    assert written == ["\a"]
    monkeypatch.setattr(LinuxDriver, "stop_application_mode", lambda _: None)
    driver.stop_application_mode()
    driver.write_if_in_use("\a")
    assert written.count("\a") == 1


async def test_keys_typed_during_the_start_reach_the_first_screen_and_no_later_one(
    ends: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TerminalDriver, "_was_used", False, raising=False)
    monkeypatch.setattr(LinuxDriver, "start_application_mode", lambda _: None)
    tty.setraw(ends[1])
    os.set_blocking(ends[1], False)
    left = []
    for _ in range(2):
        driver = Driver(ends[1])
        driver.fileno = ends[1]
        os.write(ends[0], b"3")
        driver.start_application_mode()
        with suppress(BlockingIOError):
            left.append(os.read(ends[1], 10))
    assert left == [b"3"]

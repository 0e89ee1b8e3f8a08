"""Whether a program has ended by a fault of the suite, or by itself."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.fleet.node import Node

Start = Callable[[str], Node]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes = list[subprocess.Popen[bytes]]()

    def run(code: str) -> Node:
        processes.append(subprocess.Popen([sys.executable, "-c", code]))
        return Node("h1", tmp_path, [], process=processes[-1])

    yield run
    for process in processes:
        process.kill()
        process.wait()


def _wait(node: Node) -> None:
    assert node.process is not None
    node.process.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_that_a_fault_has_ended_may_be_started_again(
    start: Start, number: signal.Signals
) -> None:
    node = start("import signal; signal.pause()")
    assert not node.killed
    node.send(number)
    _wait(node)
    assert node.killed


@pytest.mark.parametrize("status", [0, 1])
def test_a_program_that_ends_by_itself_is_not_taken_for_killed(start: Start, status: int) -> None:
    node = start(f"raise SystemExit({status})")
    _wait(node)
    assert not node.killed

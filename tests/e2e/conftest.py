"""Machines for end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.memory_folder import memory_folder
from tests.support.programs.processes import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine on which nothing runs yet."""
    made = Machine(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def secure(machine: Machine) -> Machine:
    """A machine with a manager as it is by default: with TLS, and nobody who belongs."""
    machine.secure = True
    machine.serve()
    return machine


@pytest.fixture(scope="module")
def busy() -> Iterator[Machine]:
    """A machine with a manager and the agents h1 and h2, for all tests of a file."""
    with memory_folder("busy-") as folder:
        made = Machine(folder)
        try:
            made.serve()
            made.agents("h1", "h2")
            yield made
        finally:
            made.stop()

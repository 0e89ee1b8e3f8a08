"""A recording operator, served on a socket of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operator.recording import RecordingOperator
from tests.support.memory_folder import memory_folder


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """Short enough for a socket, wherever pytest's own folders lie."""
    with memory_folder("tm-") as folder:
        yield folder / "state"


@pytest.fixture
def recording() -> RecordingOperator:
    return RecordingOperator()

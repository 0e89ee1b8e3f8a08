"""A recording operator, served on a socket of its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operator.recording import RecordingOperator


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """Short enough for a socket, wherever pytest's own folders lie."""
    with tempfile.TemporaryDirectory(prefix="tm-") as folder:
        yield Path(folder) / "state"


@pytest.fixture
def recording() -> RecordingOperator:
    return RecordingOperator()

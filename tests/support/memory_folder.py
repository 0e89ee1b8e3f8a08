"""The folders of tests, in memory if there is enough of it.

SQLite waits for the disk after each transaction, and so do agents for their journals. In memory a
test of a database takes a third less time, and a tenth less of the processor. What a test says does
not depend on it: no test cuts the power.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil
import pytest

from tests.support.databases.postgresql_server import folder_for_short_lived

_PREFIX = "tui-tests-"  # and the id of the process


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder for this test alone, in memory if there is enough; removed after the test."""
    with memory_folder("test-") as folder:
        yield folder


@contextmanager
def memory_folder(prefix: str) -> Iterator[Path]:
    """A folder for the block, in memory if there is enough. Its path is short: sockets lie in it.

    Args:
        prefix: of its name.
    """
    place = _folder(os.getpid())
    with tempfile.TemporaryDirectory(
        dir=place, prefix=prefix, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@cache
def _folder(pid: int) -> Path:
    """The folder of this process. Those of processes that were killed are removed."""
    place = folder_for_short_lived()
    for left in place.glob(f"{_PREFIX}*"):
        owner = left.name.removeprefix(_PREFIX)
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    folder = place / f"{_PREFIX}{pid}"
    folder.mkdir(mode=0o700, exist_ok=True)
    atexit.register(_remove, folder, pid)
    return folder


def _remove(folder: Path, pid: int) -> None:
    if os.getpid() == pid:  # not in a process that a test has forked
        shutil.rmtree(folder, ignore_errors=True)

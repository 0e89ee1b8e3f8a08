"""What the tests of the command line share: a manager in memory, and nothing of this machine."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.cli.fake import FakeOperator
from tests.support.fake_operator.fake_operator import EVERYTHING
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.manager.changes import Changes
from tui_manager.operator.api import Operator

Connect = Callable[[Callable[[], FakeOperator]], None]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configuration, state and logs of this test alone."""
    for name in ("CONFIG", "STATE", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("TUI_MANAGER_STATE_DIR", "TUI_MANAGER_LISTEN", "TUI_MANAGER_ENROLL_LISTEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Ends what a command has begun to log, or the tests after it would log to the terminal."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.handlers, root.level = handlers, level


@pytest.fixture
def config_file(own_folders: Path) -> Path:
    """Where the configuration file of this test would lie."""
    path = own_folders / "config" / "tui-manager" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def connect_to(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Lets every command talk to the operator that the test makes, on the command's own loop."""

    def use(make: Callable[[], FakeOperator]) -> None:
        @asynccontextmanager
        async def connect(state_dir: Path) -> AsyncIterator[Operator]:
            yield make()

        monkeypatch.setattr("tui_manager.operator.socket.client.client.connect", connect)

    return use


@pytest.fixture
def manager_goes_away(connect_to: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every command talk to a manager that ends as soon as its changes are watched."""

    async def breaks_off(self: FakeOperator) -> AsyncIterator[Changes]:
        yield EVERYTHING
        raise UnreachableError("The manager has ended.")

    monkeypatch.setattr(FakeOperator, "watch", breaks_off)
    connect_to(lambda: FakeOperator("web01"))

"""The package as a script imports it: its names, what it loads, and where it looks for a
manager."""

import subprocess
import sys
from pathlib import Path

import pytest

import tui_manager.client
from tui_manager.client import InvalidInputError, UnreachableError, connect
from tui_manager.client.state_folder import find_state_dir


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configuration and state of this test alone."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TUI_MANAGER_STATE_DIR", raising=False)
    return tmp_path


def test_every_public_name_is_there() -> None:
    for name in tui_manager.client.__all__:
        assert getattr(tui_manager.client, name) is not None
    assert sorted(tui_manager.client._MODULE_OF) == tui_manager.client.__all__
    with pytest.raises(AttributeError, match="has no attribute 'colour'"):
        tui_manager.client.colour  # type: ignore[attr-defined]  # noqa: B018


def test_a_connection_loads_nothing_of_the_manager_itself() -> None:
    program = (
        "import sys, tui_manager.client, tui_manager.operator.socket.client.client\n"
        "[getattr(tui_manager.client, name) for name in tui_manager.client.__all__]\n"
        "print('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines())
    parts = ("cli", "service", "storage", "transport", "ui", "settings", "state_dir")
    assert loaded.isdisjoint({f"tui_manager.{part}" for part in parts})
    assert loaded.isdisjoint({"textual", "rich", "sqlite3", "aiosqlite", "cryptography", "psutil"})


def test_the_folder_comes_from_the_argument_the_environment_the_file_or_the_default(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_state_dir() == own_folders / "state" / "tui-manager"
    file = own_folders / "config" / "tui-manager" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('state_dir = "~/of-file"\nlost_after = "never"\n')  # only its folder counts
    assert find_state_dir() == own_folders / "home" / "of-file"
    monkeypatch.setenv("TUI_MANAGER_STATE_DIR", "of-environment")
    assert find_state_dir() == Path.cwd() / "of-environment"
    assert find_state_dir("~/given") == own_folders / "home" / "given"
    assert find_state_dir(Path("given")) == Path.cwd() / "given"


def test_a_folder_that_cannot_be_meant(own_folders: Path) -> None:
    file = own_folders / "config" / "tui-manager" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("state_dir = 'here'\n")
    with pytest.raises(InvalidInputError, match=r"file .*config.toml: state_dir = 'here'"):
        find_state_dir()
    file.write_text("state_dir = [\n")
    with pytest.raises(InvalidInputError, match="cannot be used"):
        find_state_dir()
    with pytest.raises(InvalidInputError):
        find_state_dir("")


async def test_without_a_manager_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="No manager runs on"):
        async with connect(tmp_path):
            pass

"""A host whose files are fetched."""

from pathlib import Path

import pytest

from tests.agent.files.pulling_manager import Host


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    absent = tmp_path / "no-policy.toml"
    monkeypatch.setattr("tui_manager_agent.policy.policy_file.default_path", lambda: absent)
    return Host(tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder to be fetched."""
    folder = tmp_path / "srv"
    folder.mkdir()
    return folder

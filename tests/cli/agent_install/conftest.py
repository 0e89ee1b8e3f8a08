"""What the tests of `agent install` and `agent uninstall` share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.agent_install.ssh_hosts import (
    Installing,
    InstallOperator,
    SshHosts,
    Uninstalling,
)
from tests.cli.conftest import Connect
from tui_manager.agent_install import install, manager_calls
from tui_manager.agent_install.ssh import host_session


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshHosts]:
    """No hosts yet; waits are short."""
    made = SshHosts(tmp_path)
    monkeypatch.setenv("PATH", f"{made.bin}:{os.environ['PATH']}")
    monkeypatch.setattr(manager_calls, "INTERVAL", 0.02)
    monkeypatch.setattr(install, "_LOOKS", 0.02)
    monkeypatch.setattr(host_session, "_PAUSE", 0.0)
    yield made
    made.stop()


@pytest.fixture
def operator(hosts: SshHosts, connect_to: Connect) -> InstallOperator:
    """The manager of these hosts."""
    made = InstallOperator(hosts)
    connect_to(lambda: made)
    return made


@pytest.fixture
def run(
    operator: InstallOperator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Installing:
    """Runs `agent install`."""
    return Installing(tmp_path, capsys)


@pytest.fixture
def remove(run: Installing, capsys: pytest.CaptureFixture[str]) -> Uninstalling:
    """Runs `agent uninstall`."""
    return Uninstalling(capsys)

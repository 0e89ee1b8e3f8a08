"""A manager of the tests' own, and the real agent as a process."""

import os
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tui_manager_agent.executions.orders.cgroup_support import (
    find_cgroup_root,
    remove_empty_cgroups,
)
from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot

from tests.agent.agent_process import AgentProcess
from tests.agent.authority import Authority
from tests.agent.fake_enrollment import SERVER_NAME, FakeEnrollment
from tests.agent.fake_manager import FakeManager
from tests.agent.policies import POLICY
from tests.agent.updated_host import UpdatedHost
from tests.support.programs.program_forker import NEW_PROCESSES
from tests.support.programs.programs import wait_for

MISBEHAVE = f"{sys.executable} {Path(__file__).with_name('misbehave.py')}"


@pytest.fixture(params=["processes", "cgroup"])
def cgroup_root(request: pytest.FixtureRequest) -> Iterator[CgroupRoot | None]:
    """Both ways of killing: None, or where commands get cgroups."""
    if request.param == "processes":
        yield None
        return
    cgroup_root = find_cgroup_root(f"test-{uuid.uuid4()}")
    if cgroup_root is None:
        pytest.skip("this system gives its tests no cgroups")
    yield cgroup_root

    def is_gone() -> bool:  # whoever was killed just now may still be there
        remove_empty_cgroups(cgroup_root, but=())
        return not Path(cgroup_root.base).exists()

    def who_is_there() -> str:
        return repr(
            [(path, path.read_text()) for path in Path(cgroup_root.base).rglob("cgroup.procs")]
        )

    wait_for("the cgroups to go", is_gone, explain=who_is_there)


class Gate:
    """A FIFO that holds up `cat` until it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> None:
        """Lets the one who waits go on."""
        os.close(os.open(self.path, os.O_WRONLY))


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


@pytest.fixture
async def manager() -> AsyncIterator[FakeManager]:
    manager = FakeManager()
    await manager.start()
    yield manager
    await manager.stop()
    assert manager.complaints == []


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def tls_manager(authority: Authority) -> AsyncIterator[FakeManager]:
    """Demands certificates of the authority."""
    manager = FakeManager()
    manager.security = authority.server_credentials(SERVER_NAME, clients=authority)
    await manager.start()
    yield manager
    await manager.stop()
    assert manager.complaints == []


@pytest.fixture
async def enrollment(
    tls_manager: FakeManager, authority: Authority
) -> AsyncIterator[FakeEnrollment]:
    """The door to `tls_manager`."""
    enrollment = FakeEnrollment(tls_manager, authority)
    await enrollment.start()
    yield enrollment
    await enrollment.stop()


@pytest.fixture
def new_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents start their child programs, and themselves after they have enrolled, as on a host."""
    monkeypatch.setenv(NEW_PROCESSES, "1")


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[AgentProcess]:
    """Not started, on a state folder that does not exist."""
    agent = AgentProcess(tmp_path / "state")
    yield agent
    await agent.close()


@pytest.fixture
async def enrolled(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> AgentProcess:
    """Enrolled, connected, idle."""
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    await tls_manager.wait_for(lambda: tls_manager.reports)
    return fresh


@pytest.fixture
async def agent(tmp_path: Path, manager: FakeManager) -> AsyncIterator[AgentProcess]:
    """Connected and idle."""
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager)
    await manager.wait_for(lambda: manager.reports)
    yield agent
    await agent.close()


@pytest.fixture
async def host(tmp_path: Path, manager: FakeManager) -> AsyncIterator[UpdatedHost]:
    """A version of a bundle is installed, nothing runs."""
    host = UpdatedHost(tmp_path, manager)
    host.install()
    yield host
    await host.close()


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    """A file with the policy of `policies.py`."""
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    path.chmod(0o600)
    return path

"""The demo lets its own agents in, and nobody else."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.cli.commands import demo
from tui_manager.cli.commands.dashboard import named_state_dir
from tui_manager.cli.commands.demo_agents import Agent, DemoAgents
from tui_manager.domain.errors import ManagerError
from tui_manager.domain.status import Admission
from tui_manager.settings import Settings


class Played:
    """A process that runs."""

    returncode = None

    def poll(self) -> None:
        """Has not ended."""


@pytest.fixture
def fleet(tmp_path: Path) -> DemoAgents:
    """Agents that were started as web01 and db01."""
    made = DemoAgents(tmp_path, "127.0.0.1:4711")
    made.agents = [Agent(name, Played(), tmp_path) for name in ("web01", "db01")]  # type: ignore[arg-type]
    return made


async def test_all_that_were_started_are_approved(fleet: DemoAgents) -> None:
    operator = FakeOperator()
    for name in ("db01", "web01"):
        operator.add_host(name, admission=Admission.PENDING, note="The same machine.")
    waiting = await demo._until(operator, fleet, Admission.PENDING)
    await demo._approve(operator, fleet, waiting)
    assert [host.name for host in await demo._until(operator, fleet, Admission.ADMITTED)] == [
        "db01",
        "web01",
    ]


async def test_nobody_else_is_let_in(fleet: DemoAgents) -> None:
    operator = FakeOperator()
    for name in ("db01", "web01", "web09"):
        operator.add_host(name, admission=Admission.PENDING)
    waiting = await demo._until(operator, fleet, Admission.PENDING)
    with pytest.raises(ManagerError, match=r"Others ask to join: db01,web\[01,09\]"):
        await demo._approve(operator, fleet, waiting)
    assert {host.admission for host in operator.hosts.values()} == {Admission.PENDING}


def test_a_demo_has_the_keys_and_looks_that_the_user_has_set_and_nothing_else(
    tmp_path: Path,
) -> None:
    user = Settings(
        keys={"new_task": ("N",)}, theme="light", notify="off", notify_after=timedelta(hours=1),
        listen="10.0.0.1:7443", history_days=1, groups={"a": "b"}, server_names=("m",),
        state_dir=tmp_path, database="postgresql://m/db", insecure=True,
    )  # fmt: skip
    made = demo.demo_settings(tmp_path / "demo", user)
    taken = {
        field.name
        for field in fields(Settings)
        if getattr(made, field.name) == getattr(user, field.name) != getattr(Settings(), field.name)
    }
    assert taken == {"keys", "theme", "notify", "notify_after"}
    assert made.state_dir == tmp_path / "demo" / "manager"
    assert (made.listen, made.history_days) == ("127.0.0.1:0", Settings().history_days)


def test_command_lines_name_only_another_state_folder(tmp_path: Path) -> None:
    assert named_state_dir(Settings()) == ""
    assert named_state_dir(Settings(state_dir=tmp_path)) == str(tmp_path)

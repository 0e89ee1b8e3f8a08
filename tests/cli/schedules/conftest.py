"""A manager with templates, and one with a schedule, for the tests of `schedule`."""

import asyncio

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tui_manager.cli.main import main
from tui_manager.domain.schedules.schedule import ScheduleSpec
from tui_manager.domain.task_files.task_file import read_task_file
from tui_manager.domain.task_spec.task_spec import TaskSpec

Capture = pytest.CaptureFixture[str]


WHEN = ["--cron", "30 2 * * *", "--zone", "Europe/Berlin"]


TEMPLATE = """
target = "web*"

[params.SERVICE]
pattern = "[a-z]+"

[params.WAIT]
type = "integer"
default = 5

[[steps]]
run = "systemctl restart $SERVICE"
"""


WITH_SECRET = TEMPLATE + "\n[params.KEY]\ntype = 'secret'\n"


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    """Two hosts, and the templates `restart` and `login`, of which that one needs a secret."""
    made = FakeOperator("web01", "web02")
    asyncio.run(made.save_template("restart", TEMPLATE))
    asyncio.run(made.save_template("login", WITH_SECRET))
    connect_to(lambda: made)
    return made


@pytest.fixture
def nightly(operator: FakeOperator, capsys: Capture) -> FakeOperator:
    """There is a schedule `nightly` of a command."""
    assert main(["schedule", "add", "nightly", "@all", *WHEN, "--", "df", "-h"]) == 0
    capsys.readouterr()
    return operator


def spec_of(operator: FakeOperator, name: str = "nightly") -> ScheduleSpec:
    return operator.schedules[name].spec


def task_of(operator: FakeOperator, name: str = "nightly") -> TaskSpec:
    """What the task file of a schedule says."""
    return read_task_file(spec_of(operator, name).task_file, name).spec

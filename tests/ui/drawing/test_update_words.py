"""What is said of an update of agents: in a row, in place of its output, and on its screen."""

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tests.ui.drawing.test_transfer_words import SHA, cells, lines
from tests.ui.tasks.test_command_host_state import row
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.copy_and_fetch import Transfer, UpdateSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.drawing.step_words import step_text, transfer_texts
from tui_manager.ui.forms.tasks.rerun_task import RerunScreen
from tui_manager.ui.tasks.one_task.task_output_pane import file_lines

GONE = "the new version was not back within 2m; 0.2.0 goes on"


def update_of(fleet: FakeOperator) -> UpdateSpec:
    """An update whose bundle the fake manager has."""
    files = fleet.store({"agent.bundle": b"x" * 26_000})
    return UpdateSpec(files, "0.3.0", "0123456789ab", "linux", "x86_64")


UPDATE = update_of(FakeOperator())
BUNDLE = replace(UPDATE, files=replace(UPDATE.files, size=26_000_000, bytes=26_000_000))
DONE = Transfer(26_000_000, 1, 0, 26_000_000, SHA)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (row(Status.PENDING), ["sent", "to be started"]),
        (row(Status.RUNNING), ["running", "fetches the bundle"]),
        (row(Status.RUNNING, transfer=Transfer(13_000_000, 0)),
            ["▇▇▇▇▁▁▁▁▁  50%", "13 MB of 26 MB   3.2 MB/s"]),
        (row(Status.RUNNING, transfer=Transfer(26_000_000, 1)),
            ["▇▇▇▇▇▇▇▇▇ 100%", "26 MB, installs"]),
        (row(Status.COMPLETED, detail="0.2.0 to 0.3.0", transfer=DONE),
            ["completed", "0.2.0 to 0.3.0"]),
        (row(Status.COMPLETED, transfer=replace(DONE, unchanged_files=1)), ["unchanged", ""]),
        (row(Status.FAILED, Reason.UPDATE_FAILED, detail=GONE), ["update failed", GONE]),
        (row(Status.FAILED, Reason.REJECTED, detail="too old"), ["refused", "rejected (too old)"]),
    ],
)  # fmt: skip
def test_a_row_says_how_far_its_update_is(what: CommandHost, said: list[str]) -> None:
    assert cells(what, BUNDLE, 3_200_000) == said


@pytest.mark.parametrize(
    ("what", "first"),
    [
        (row(Status.RUNNING), "Updating: fetches the bundle"),
        (row(Status.RUNNING, transfer=Transfer(13_000_000, 0)), "Updating: 13 MB of 26 MB"),
        (row(Status.COMPLETED, detail="0.2.0 to 0.3.0", transfer=DONE), "Updated."),
        (row(Status.COMPLETED, transfer=replace(DONE, unchanged_files=1)),
            "The agent was this one already."),
        (row(Status.FAILED, Reason.UPDATE_FAILED, detail=GONE), "The update failed."),
        (row(Status.CANCELED, Reason.CANCELED), "canceled"),
    ],
)  # fmt: skip
def test_the_output_pane_says_what_becomes_of_the_agent(what: CommandHost, first: str) -> None:
    said = lines(what, BUNDLE)
    assert said[0] == first
    assert ("0.2.0" in said[1]) is bool(what.detail)
    brought = " ".join(said[-2:]).strip()
    assert brought == ("Update the agent to 0.3.0 (build 0123456789ab), for linux x86_64, 26 MB")


def test_the_step_says_to_which_version_and_for_whom() -> None:
    step = CommandSpec("", update=BUNDLE)
    assert step_text(step) == "update the agent to 0.3.0 (build 0123456789ab)"
    assert transfer_texts(step) == ("for linux x86_64", "26 MB")


def test_the_output_pane_of_the_dashboard_has_a_line_for_each_host() -> None:
    step = CommandSpec("", update=BUNDLE)
    said = [
        plain(line)
        for what in (
            row(Status.RUNNING, transfer=Transfer(13_000_000, 0)),
            row(Status.COMPLETED, detail="0.2.0 to 0.3.0", transfer=DONE),
            row(Status.FAILED, Reason.UPDATE_FAILED, detail=GONE),
            row(Status.FAILED, Reason.REJECTED, detail="too old"),
        )
        for line in file_lines([what], [step], 100)
    ]
    assert said == [
        "web01: running, 13 MB of 26 MB",
        "web01: completed, 0.2.0 to 0.3.0",
        f"web01: update failed, {GONE}",
        "web01: failed: rejected, too old",
    ]


@pytest.fixture
async def fleet() -> FakeOperator:
    """Task 1 updates db1 to db3: one receives, one is done, one went back."""
    made = FakeOperator()
    for name in ("db1", "db2", "db3"):
        made.add_host(name)
    task_id = await made.create_task(TaskSpec("@all", (CommandSpec("", update=update_of(made)),)))
    await made.start_task(task_id)
    made.report_transfer(made.execution(task_id, "db1"), Transfer(13_000, 0))
    done = Transfer(26_000, 1, 0, 26_000, SHA)
    made.finish_transfer(made.execution(task_id, "db2"), done, "0.2.0 to 0.3.0")
    made.fail_update(made.execution(task_id, "db3"), GONE)
    return made


async def test_the_screen_of_its_task_shows_each_host(
    running: Running, fleet: FakeOperator
) -> None:
    async with running(fleet, size=(140, 40)) as pilot:
        text = await shown_task(pilot)
        assert "update the agent to 0.3.0 (build 0123456789ab)" in text
        assert "update failed" in text
        assert GONE in text
        assert "0.2.0 to 0.3.0" in text
        assert "13 kB of 26 kB" in text


async def shown_task(pilot: "Pilot[None]") -> str:
    await press(pilot, "enter")
    await settle(pilot)
    return shown(pilot)


async def test_it_cannot_be_edited_and_says_so(running: Running, fleet: FakeOperator) -> None:
    async with running(fleet) as pilot:
        before = pilot.app.screen
        await press(pilot, "e")
        await settle(pilot)
        assert pilot.app.screen is before
        (note,) = pilot.app._notifications
        assert "an update of agents cannot be edited" in note.message
        assert "tui-manager agent update" in note.message


async def test_it_is_run_again_on_the_hosts_that_failed(
    running: Running, fleet: FakeOperator
) -> None:
    done = Transfer(26_000, 1, 0, 26_000, SHA)
    fleet.finish_transfer(fleet.execution(1, "db1"), done, "0.2.0 to 0.3.0")
    async with running(fleet) as pilot:
        await press(pilot, "r")
        assert isinstance(pilot.app.screen, RerunScreen)
        await press(pilot, "f5")
        await settle(pilot)
    assert fleet.tasks[2].spec.commands == fleet.tasks[1].spec.commands
    assert [one.host for one in fleet.tasks[2].rows.values()] == ["db3"]

"""`task list` with filters, in other orders, and shortened."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import NOW, FakeOperator
from tui_manager.cli.main import main
from tui_manager.cli.options.tasks import task_list
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

Capture = pytest.CaptureFixture[str]
FAILED = (CommandHostStatus.FAILED, Reason.EXIT_CODE)


class _Clock(datetime):
    """Stands still at the time of the fake operator, five minutes after its first task."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return NOW + timedelta(minutes=5)


@pytest.fixture
def operator(connect_to: Connect, monkeypatch: pytest.MonkeyPatch) -> FakeOperator:
    """Five tasks, a minute apart: the first failed, the third took longest, the last is pending."""
    made = FakeOperator("web01", "web02", "gone")
    connect_to(lambda: made)
    monkeypatch.setattr(task_list, "datetime", _Clock)
    asyncio.run(_fill(made))
    return made


async def _fill(operator: FakeOperator) -> None:
    for number, target in enumerate(("web01", "web02", "web01", "@all", "web01"), start=1):
        operator.clock = NOW + timedelta(minutes=number - 1)
        by = "ann@pts/1" if number % 2 else "bob"
        spec = TaskSpec(target, (CommandSpec("date"),), name=f"job {number}", created_by=by)
        await operator.create_task(spec)
    for number, seconds in ((1, 10), (2, 20), (3, 90)):
        operator.clock = NOW + timedelta(minutes=10)
        await operator.start_task(number)
        execution_id = next(iter(operator.tasks[number].rows))
        operator.end_on(
            execution_id.split("/")[-1],
            *(FAILED if number == 1 else ()),
            task_id=number,
            exit_code=3,
        )
        row = operator.tasks[number].row
        finished_at = NOW + timedelta(minutes=10, seconds=seconds)
        operator.tasks[number].row = replace(row, finished_at=finished_at)
    await operator.start_task(4)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [5, 4, 3, 2, 1]),
        (["--status", "failed"], [1]),
        (["--status", "failed", "--status", "pending"], [5, 1]),
        (["--host", "web02"], [4, 2]),
        (["--host", "gone"], [4]),
        (["--by", "ann"], [5, 3, 1]),
        (["--by", "ann@pts/1", "--status", "completed"], [3]),
        (["--by", "an"], []),
        (["--since", "2m"], [5, 4]),
        (["--since", "120"], [5, 4]),
        (["--since", "2026-03-01T12:02:00.25Z"], [5, 4, 3]),
        (["--since", "2030-01-01"], []),
        (["--text", "JOB 3"], [3]),
        (["--limit", "2"], [5, 4]),
        (["--sort", "created", "--limit", "3"], [5, 4, 3]),
        (["--sort", "finished"], [3, 2, 1, 5, 4]),
        (["--sort", "duration", "--limit", "1"], [4]),
        (["--sort", "started", "--by", "ann"], [3, 1, 5]),
    ],
)
def test_which_tasks_in_which_order(
    operator: FakeOperator, capsys: Capture, options: list[str], expected: list[int]
) -> None:
    assert main(["task", "list", "--json", *options]) == 0
    assert [task["task_id"] for task in json.loads(capsys.readouterr().out)] == expected
    assert main(["task", "list", *options]) == 0
    out, err = capsys.readouterr()
    assert [int(line.split()[0]) for line in out.splitlines()[1:]] == expected
    assert err == ("" if expected else "tui-manager: No task fits.\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--status", "lost"], "argument --status: invalid choice: 'lost' (choose from 'pending'"),
        (["--host", "web09"], "--host: There is no host 'web09'"),
        (["--host", ""], "argument --host: the name is empty"),
        (["--by", ""], "argument --by: the name is empty"),
        (["--since", "yesterday"], "--since yesterday: expected 2026-03-02T14:00:00Z (RFC 3339)"),
        (["--since", "2026-02-30"], "--since 2026-02-30: expected"),
        (["--text", "x" * 1001], "--text: A filter has at most 1000 characters"),
        (["--sort", "name"], "argument --sort: invalid choice: 'name' (choose from 'created'"),
        (["--limit", "0"], "argument --limit: '0' is not a number from 1 to 1,000,000"),
    ],
)
def test_what_is_wrong_is_said_with_its_option(
    operator: FakeOperator, capsys: Capture, options: list[str], words: str
) -> None:
    assert main(["task", "list", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err

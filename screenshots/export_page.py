"""Renders the picture of an exported page, with the chromium of this machine: of a task with two
steps in batches, with a fixed clock."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.support.fake_operator.fake_operator import START, FakeOperator  # noqa: E402
from tui_manager.domain.presentation.export_format import Format  # noqa: E402
from tui_manager.domain.status import Reason, Stream  # noqa: E402
from tui_manager.domain.task_spec.rollout_spec import RolloutSpec  # noqa: E402
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec  # noqa: E402
from tui_manager.domain.tasks.transitions import Operation  # noqa: E402
from tui_manager.export.document import document  # noqa: E402

SIZE = (1100, 1500)
STEPS = (
    CommandSpec("apt-get -y -q upgrade", name="upgrade", timeout=timedelta(minutes=5)),
    CommandSpec(
        "systemctl restart nginx && curl -fsS localhost/health",
        name="restart",
        timeout=timedelta(minutes=1),
    ),
)
HOSTS = tuple(f"web{number:02}" for number in range(1, 15))
TASK_ID = 62
_LOCKED_ON, _SLOW = (2, 12), 8
_BATCHES = ((0, 1), (1, 5), (5, 14))
_LOCKED = b"\x1b[1;31mE:\x1b[0m Could not get lock /var/lib/dpkg/lock-frontend.\n"
_UPGRADED = (
    b"Reading package lists... Done\n"
    b"Calculating upgrade... \x1b[32mDone\x1b[0m\n"
    b"2 upgraded, 0 newly installed, 0 to remove.\n"
)


def page() -> str:
    """The page, the same each time."""
    return asyncio.run(_page())


async def _page() -> str:
    operator = FakeOperator()
    for name in HOSTS:
        operator.add_host(name, labels={"role": "web"})
    spec = TaskSpec(
        "role=web",
        STEPS,
        name="upgrade web",
        created_by="ana@pts/3",
        rollout=RolloutSpec(batches="1,4,rest", max_failures="3"),
    )
    for _ in range(TASK_ID):
        await operator.create_task(spec)
    await operator.start_task(TASK_ID)
    begin = START
    for first, last in _BATCHES:
        numbers = sorted(range(first, last), key=lambda number: number == _SLOW)  # the last to end
        begin = max([_run(operator, number, begin) for number in numbers])
    operator.clock = begin + timedelta(minutes=4)
    return "".join(
        [piece async for piece in document(operator, TASK_ID, Format.HTML, operator.clock)]
    )


def _run(operator: FakeOperator, number: int, begin: datetime) -> datetime:
    """Both steps on a host; returns when they have ended."""
    upgrade, restart = (operator.execution(TASK_ID, HOSTS[number], step) for step in (0, 1))
    locked = number in _LOCKED_ON
    operator.clock = begin + timedelta(seconds=0.2 * (number % 5))
    operator.apply(upgrade, Operation.START)
    operator.clock += timedelta(seconds=2.4 if locked else 14 + number * 7 % 9)
    if locked:
        operator.emit(upgrade, _LOCKED, Stream.STDERR)
        operator.apply(upgrade, Operation.FAIL, Reason.EXIT_CODE, exit_code=100)
        operator.apply(restart, Operation.SKIP, Reason.EARLIER_FAILED)
        return operator.clock
    operator.emit(upgrade, _UPGRADED)
    operator.apply(upgrade, Operation.COMPLETE, exit_code=0)
    operator.apply(restart, Operation.START)
    operator.clock += timedelta(seconds=60 if number == _SLOW else 5 + number * 5 % 7)
    if number == _SLOW:
        operator.apply(restart, Operation.TIME_OUT, Reason.TIMEOUT)
    else:
        operator.emit(restart, b"ok\n")
        operator.apply(restart, Operation.COMPLETE, exit_code=0)
    return operator.clock


def main() -> None:
    """The picture, beside this file."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.stderr.write("No chromium here: the picture of the exported page stays as it is.\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.html")
        path.write_text(page(), encoding="utf-8")
        subprocess.run(
            [
                chromium,
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                f"--user-data-dir={folder}/profile",
                f"--window-size={SIZE[0]},{SIZE[1]}",
                f"--screenshot={HERE / 'export.png'}",
                path.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


if __name__ == "__main__":
    main()

"""Copies and fetches as steps of task files, templates and schedules, and run again."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.transfers import HOSTS, Capture, Manager, logs
from tui_manager.cli.main import main
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.task_spec.task_spec import StepKind


@pytest.fixture
def manager(connect_to: Connect) -> Manager:
    return Manager(connect_to)


def task_file(tmp_path: Path, text: str) -> str:
    folder = tmp_path / "tasks"
    folder.mkdir(exist_ok=True)
    (folder / "app.conf").write_text("conf")
    path = folder / "task.toml"
    path.write_text(f'target = "@all"\n{text}')
    return str(path)


STEPS = """
[[steps]]
copy = "app.conf"
to = "/etc/"
mode = "0600"
[[steps]]
run = "true"
[[steps]]
fetch = "/var/log/app"
to = "logs"
"""


async def act_on_steps(operator: FakeOperator) -> None:
    for host in HOSTS:
        for command in range(3):
            execution_id = operator.execution(1, host, command)
            if command == 2:
                sent = logs(host.encode())
                files = sent.files
                operator.sets |= sent.manager.sets
                transfer = Transfer(5, 1, 0, 5, "ab" * 32, files)
            else:
                transfer = Transfer(4, 1, 0, 4, "ab" * 32)
            operator.end_transfer(execution_id, transfer)


def test_a_task_file_copies_and_fetches(manager: Manager, tmp_path: Path, capsys: Capture) -> None:
    manager.acts(act_on_steps)
    assert main(["run", "--file", task_file(tmp_path, STEPS)]) == 0
    copy, run, fetch = manager.spec.commands
    assert copy.copy is not None
    assert copy.copy.mode == 0o600
    assert manager.operator.sets[copy.copy.files.sha256][1] == b"conf"
    assert run.kind is StepKind.RUN
    assert fetch.fetch is not None
    assert fetch.fetch.to == str(tmp_path / "tasks/logs")
    assert (tmp_path / "tasks/logs/web03/var/log/app").read_text() == "web03"
    captured = capsys.readouterr()
    assert "web01: copied 1 file, 4 B\n" in captured.out
    assert "web01: fetched 1 file, 5 B\n" in captured.out
    assert captured.err == "tui-manager: 9 completed\n"


def test_files_for_no_host_are_not_sent(manager: Manager, tmp_path: Path, capsys: Capture) -> None:
    assert main(["run", "--file", task_file(tmp_path, STEPS), "--target", "web09"]) == 2
    assert capsys.readouterr().err == "tui-manager: Not known: web09.\n"
    assert manager.operator.sets == {}


def test_a_missing_file_of_a_task_file_is_named_with_its_line(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    path = task_file(tmp_path, STEPS.replace("app.conf", "none"))
    assert main(["run", "--file", path]) == 2
    expected = f"line 4: steps[0].copy: {tmp_path}/tasks/none: No such file or directory."
    assert expected in capsys.readouterr().err


def test_a_saved_template_says_what_is_stored(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    path = task_file(tmp_path, STEPS)
    assert main(["template", "save", "conf", path]) == 0
    ((digest, (_, data)),) = manager.operator.sets.items()
    assert data == b"conf"
    capsys.readouterr()
    assert main(["template", "export", "conf"]) == 0
    text = capsys.readouterr().out
    assert f'sha256 = "{digest}"' in text
    assert 'copy = "app.conf"' in text
    assert 'to = "logs"' in text
    (tmp_path / "tasks/app.conf").unlink()
    assert main(["template", "show", "conf"]) == 0
    assert "copy app.conf to /etc/ (1 file, 4 bytes, mode 0600)" in capsys.readouterr().out
    assert main(["template", "run", "conf", "--no-start"]) == 0
    assert manager.step.copy is not None
    assert manager.step.copy.files.sha256 == digest


def test_a_schedule_stores_the_files_of_its_task(
    manager: Manager, tmp_path: Path, capsys: Capture
) -> None:
    path = task_file(tmp_path, STEPS)
    add = ["schedule", "add", "nightly", "--file", path, "--cron", "@daily", "--zone", "UTC"]
    assert main(add) == 0
    assert [data for _, data in manager.operator.sets.values()] == [b"conf"]
    (tmp_path / "tasks/app.conf").write_text("new")
    assert main(["schedule", "edit", "nightly", "--file", path]) == 0
    assert sorted(data for _, data in manager.operator.sets.values()) == [b"conf", b"new"]


def test_a_rerun_of_a_fetch_saves_into_the_same_folder(
    connect_to: Connect, tmp_path: Path, capsys: Capture
) -> None:
    class Again(FakeOperator):
        async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
            left_out = await super().start_task(task_id, request_id)
            for row in list(self.tasks[task_id].rows.values()):
                sent = logs(b"again")
                files = sent.files
                self.sets |= sent.manager.sets
                transfer = Transfer(5, 1, 0, 5, files.sha256, files)
                self.end_on(row.host, transfer=transfer, task_id=task_id)
            return left_out

    operator = Again(*HOSTS)
    connect_to(lambda: operator)
    assert main(["fetch", "@all", "/var/log/app", str(tmp_path / "logs")]) == 0
    (tmp_path / "logs/web01/var/log/app").unlink()
    assert main(["task", "rerun", "1", "--all"]) == 0
    assert (tmp_path / "logs/web01/var/log/app").read_text() == "again"
    assert "3 hosts: 1 fetched, 2 unchanged" in capsys.readouterr().err


def test_run_without_copies_loads_nothing_of_them() -> None:
    import subprocess

    code = (
        "import sys; import tui_manager.cli.commands.tasks.run; "
        "print([m for m in sys.modules if 'local_files' in m or 'watch_transfers' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"

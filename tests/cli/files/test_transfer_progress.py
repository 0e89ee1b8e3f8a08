"""How far copies and fetches are: the words, and the line on a terminal."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.fake import FakeOperator
from tests.cli.transfers import fetched, logs
from tests.support.waiting import wait_until
from tui_manager.cli.commands.files.watch_transfers import TransferWatch
from tui_manager.cli.printing import status_line
from tui_manager.cli.printing.status_line import clear_status, show_status
from tui_manager.cli.printing.summary_text import FailureReasons
from tui_manager.cli.printing.transfers import TransferSummary, progress_words
from tui_manager.cli.printing.write_text import note
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet, Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost, Counts

SET = FileSet("ab" * 32, 300, 1_000_000, 2, 2_000_000)
COPY = CommandSpec("", copy=CopySpec(SET, "/etc/"))
FETCH = CommandSpec("", fetch=FetchSpec(("/var/log/app",)))


def row(host: str, status: Status, transfer: Transfer | None = None) -> CommandHost:
    return CommandHost(
        execution_id=host,
        task_id=1,
        command=0,
        host_id=host,
        host=host,
        status=status,
        reason=Reason.NONE,
        detail="",
        exit_code=None,
        signal=None,
        stdout_bytes=0,
        stderr_bytes=0,
        truncated_bytes=0,
        sent_at=None,
        started_at=None,
        finished_at=None,
        cancel_requested_at=None,
        late=False,
        kill_incomplete=False,
        transfer=transfer,
    )


def test_the_progress_of_a_copy_is_a_share_of_all_bytes() -> None:
    rows = [
        row("web01", Status.COMPLETED, Transfer(2_000_000, 2)),
        row("web02", Status.RUNNING, Transfer(500_000, 0)),
        row("web03", Status.PENDING),
    ]
    words = "1 of 3 hosts ended; 2.5 MB of 6.0 MB"
    assert progress_words(rows, [COPY], 0) == f"{words}; web02 25%"
    assert progress_words(rows, [COPY], 1_500_000) == f"{words}, 1.5 MB/s; web02 25%"


def test_the_progress_of_a_fetch_says_what_is_known() -> None:
    rows = [
        row("web01", Status.RUNNING, Transfer(500_000, 0, stored=SET)),
        row("web02", Status.RUNNING, Transfer(500_000, 0)),
    ]
    words = progress_words(rows, [FETCH], 0)
    assert " of " not in words.split("; ")[1]  # nobody knows how much web02 has
    assert "web01 25%, web02 " in words


def test_the_summary_counts_each_end() -> None:
    rows = [
        row("web01", Status.COMPLETED, Transfer(5, 1, 1, 0, "ab" * 32)),
        row("web02", Status.COMPLETED, Transfer(5, 1, 0, 5, "ab" * 32)),
        row("web03", Status.CANCELED),
    ]
    counts = Counts(total=3, completed=2, canceled=1)
    assert summary(counts, rows) == "3 hosts: 1 copied, 1 unchanged, 1 canceled"
    alone = Counts(total=1, canceled=1)
    assert summary(alone, [rows[2]]) == "1 host: 1 canceled"


def summary(counts: Counts, rows: Sequence[CommandHost]) -> str:
    ends, faults = TransferSummary(COPY, {}), FailureReasons()
    for row in rows:
        ends.add(row)
        faults.add(row)
    return ends.summarize(counts, faults)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_gives_way_to_every_other_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(status_line, "_drawn_at", -1.0)
    show_status(lambda: "1 of 3\x1b[31m hosts ended, and more")
    note("left out")
    clear_status()
    assert terminal.getvalue() == ("\r\x1b[K1 of 3 hosts ended…\r\x1b[Ktui-manager: left out\n")


def test_a_line_that_stands_for_a_while_is_always_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(status_line, "_drawn_at", float("inf"))
    show_status(lambda: "1 of 3")
    show_status(lambda: "checks", at_once=True)
    clear_status()
    assert terminal.getvalue() == "\r\x1b[Kchecks\r\x1b[K"


def test_nothing_is_drawn_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(lambda: "1 of 3")
    clear_status()
    assert capsys.readouterr().err == ""


async def test_a_host_is_saved_while_others_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = FakeOperator("web01", "web02")
    await operator.create_task(TaskSpec("@all", (FETCH,)))
    await operator.start_task(1)
    watch = TransferWatch(operator, 1, [FETCH], {0: tmp_path}, prints_hosts=True)

    async def saved() -> bool:
        return (tmp_path / "web01/var/log/app").exists()

    async with watch.running():
        fetched(operator, "web01", logs(b"1"))
        watch.wake()
        await wait_until(saved, bool)
        assert operator.tasks[1].row.status.ended is False
        fetched(operator, "web02", logs(b"22"))
    assert capsys.readouterr().out == ("web01: fetched 1 file, 1 B\nweb02: fetched 1 file, 2 B\n")
    assert (tmp_path / "web02/var/log/app").read_bytes() == b"22"


async def test_an_error_of_a_save_ends_the_watch(tmp_path: Path) -> None:
    operator = FakeOperator("web01")
    await operator.create_task(TaskSpec("@all", (FETCH,)))
    await operator.start_task(1)
    gone = tmp_path / "gone"
    watch = TransferWatch(operator, 1, [FETCH], {0: gone}, prints_hosts=True)
    with pytest.raises(OSError, match=r"gone/web01 cannot be opened: .* `tui-manager task files 1"):
        async with watch.running():
            fetched(operator, "web01", logs(b"1"))

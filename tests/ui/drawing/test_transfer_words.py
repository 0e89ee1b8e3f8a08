"""What is said of a copy or a fetch on a host."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.fake_operator.fake_operator import START
from tests.ui.tasks.test_command_host_state import row
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet, Transfer
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.drawing.transfer_words import TransferSpec, option_texts, pane_lines, run_lines
from tui_manager.ui.tasks.one_task.command_host_state import (
    STATE_WIDTH,
    StepFacts,
    line_cell,
    state_cell,
)
from tui_manager.ui.tasks.transfer_rates import TransferRates

SET = FileSet("a" * 64, 900, 60_000_000, 240, 68_000_000)
COPY = CopySpec(SET, "/etc/app/", 0o640, "app:www", True, ("app.conf", "keys"))
FETCH = FetchSpec(("/var/log/app",), True, "./logs")
SHA = "c" * 64


def cells(
    what: CommandHost, spec: TransferSpec, rate: float | None = None, width: int = 80
) -> list[str]:
    facts = StepFacts(timedelta(hours=1), timedelta(seconds=10), spec, rate)
    state = state_cell(what, None, STATE_WIDTH, START, facts)
    return [plain(state), plain(line_cell(what, None, START, facts, width))]


@pytest.mark.parametrize(
    ("what", "spec", "said"),
    [
        (row(Status.PENDING), COPY, ["sent", "to be started"]),
        (row(Status.RUNNING), COPY, ["running", ""]),
        (row(Status.RUNNING, transfer=Transfer(41_000_000, 12)), COPY,
            ["▇▇▇▇▇▁▁▁▁  60%", "41 MB of 68 MB   3.2 MB/s   12 of 240 files"]),
        (row(Status.COMPLETED, transfer=Transfer(68_000_000, 240, 228, 14_000_000, SHA)), COPY,
            ["completed", "240 files, 68 MB   228 unchanged   14 MB sent"]),
        (row(Status.COMPLETED, transfer=Transfer(68_000_000, 240, 240, 0, SHA)), COPY,
            ["unchanged", "240 files, 68 MB"]),
        (row(Status.COMPLETED, transfer=Transfer(10, 1, 0, 10, SHA)), COPY,
            ["completed", "1 file, 10 B"]),
        (row(Status.FAILED, Reason.TRANSFER_FAILED, detail="/etc/app/keys: No space left."), COPY,
            ["copy failed", "/etc/app/keys: No space left."]),
        (row(Status.FAILED, Reason.REJECTED, detail="[files] does not allow /etc/app."), COPY,
            ["refused", "rejected ([files] does not allow /etc/app.)"]),
        (row(Status.CANCELED, Reason.CANCELED), COPY, ["canceled", ""]),
        (row(Status.TIMEOUT, Reason.TIMEOUT, detail="It hangs.", kill_incomplete=True), COPY,
            ["timeout", "It hangs."]),
        (row(Status.RUNNING, cancel_requested_at=START), COPY,
            ["canceling", "waits for the answer of its host"]),
        (row(Status.RUNNING), FETCH, ["running", "looks for the files"]),
        (row(Status.RUNNING, transfer=Transfer(34_000_000, 3)), FETCH,
            ["running", "34 MB   3.2 MB/s"]),
        (row(Status.RUNNING, transfer=Transfer(34_000_000, 3, stored=SET)), FETCH,
            ["▇▇▇▇▁▁▁▁▁  50%", "34 MB of 68 MB   3.2 MB/s   3 of 240 files"]),
        (row(Status.COMPLETED, detail="Left out: 2 devices.",
            transfer=Transfer(68_000_000, 240, sha256=SHA, stored=SET)), FETCH,
            ["completed", "240 files, 68 MB   Left out: 2 devices."]),
        (row(Status.FAILED, Reason.TRANSFER_FAILED, detail="/x: No such file."), FETCH,
            ["fetch failed", "/x: No such file."]),
    ],
)  # fmt: skip
def test_a_row_says_how_far_its_files_are(
    what: CommandHost, spec: TransferSpec, said: list[str]
) -> None:
    assert cells(what, spec, 3_200_000) == said


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (46, "41 MB of 68 MB   3.2 MB/s   12 of 240 files"),
        (40, "41 MB of 68 MB   3.2 MB/s"),
        (24, "41 MB of 68 MB"),
        (8, "41 MB of 68 MB"),
    ],
)
def test_a_row_shows_no_number_that_is_cut(width: int, said: str) -> None:
    what = row(Status.RUNNING, transfer=Transfer(41_000_000, 12))
    assert cells(what, COPY, 3_200_000, width)[1] == said


def test_a_set_without_bytes_has_no_bar() -> None:
    empty = replace(COPY, files=replace(SET, size=0, bytes=0))
    assert cells(row(Status.RUNNING, transfer=Transfer(0, 0)), empty)[0] == "running"


def lines(what: CommandHost, spec: TransferSpec) -> list[str]:
    return [plain(line) for line in pane_lines(what, spec, None, 60, "ctrl+s")]


def test_the_output_pane_says_what_was_copied() -> None:
    done = row(Status.COMPLETED, transfer=Transfer(10, 1, 0, 10, SHA))
    assert lines(done, replace(COPY, files=replace(SET, files=1, bytes=10))) == [
        "Copied.", "1 file, 10 B", "",
        "app.conf, keys → /etc/app/",
        "mode 0640, owner app:www, old files are kept",
        f"SHA-256 {SHA[:52]}", SHA[52:],
    ]  # fmt: skip


def test_the_output_pane_says_how_fetched_files_are_saved() -> None:
    done = row(Status.COMPLETED, transfer=Transfer(20, 2, sha256=SHA, stored=SET))
    said = lines(done, FETCH)
    assert said[:2] == ["Fetched.", "2 files, 20 B"]
    assert said[-1] == "ctrl+s saves the files in a folder here."
    assert "SHA-256 of the list of files" in said[5]


def test_the_output_pane_says_why_it_failed() -> None:
    why = "/etc/app/keys: No space left on device. Free some space and run it again."
    failed = row(Status.FAILED, Reason.TRANSFER_FAILED, detail=why)
    said = lines(failed, COPY)
    assert said[0] == "The copy failed."
    assert " ".join(said[1:3]) == why


def test_the_output_pane_says_what_a_stopped_copy_leaves() -> None:
    assert lines(row(Status.CANCELED, Reason.CANCELED), COPY)[0] == (
        "Canceled. Files that were complete by then stay."
    )
    hangs = row(Status.TIMEOUT, Reason.TIMEOUT, detail="It hangs.", kill_incomplete=True)
    assert " ".join(lines(hangs, COPY)).startswith(
        "Timeout (It hangs.). Files that were complete by then stay."
    )
    before = row(Status.CANCELED, Reason.CANCELED, started_at=None)
    assert lines(before, COPY)[0] == "canceled"


def test_a_host_says_in_short_what_was_copied() -> None:
    done = row(Status.COMPLETED, transfer=Transfer(10, 2, 2, 0, SHA))
    assert [plain(line) for line in run_lines(done)] == ["Unchanged", "2 files, 10 B"]
    assert run_lines(row(Status.COMPLETED)) == ()


def test_option_texts() -> None:
    assert option_texts(FETCH) == ("with folders", "to ./logs")
    assert option_texts(CopySpec(SET, "/a")) == ("240 files, 68 MB",)


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rates = TransferRates()

    def note(second: float, done: int) -> float | None:
        what = row(Status.RUNNING, transfer=Transfer(done, 0))
        rates.note(what, START + timedelta(seconds=second))
        return rates.rate(what)

    assert note(0, 0) is None
    assert note(1, 1000) == 1000
    assert note(1, 1000) == 1000, "drawn again"
    assert note(2, 4000) == 2000
    assert note(8, 4000) == 0, "it stands still"
    rates.note(row(Status.COMPLETED), START)
    assert rates.rate(row(Status.COMPLETED)) is None

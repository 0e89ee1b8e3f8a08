"""`schedule list` and `show`, and what pauses, runs and deletes a schedule."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.documents.test_docs import PAGES, section
from tests.cli.fake import NOW, FakeOperator
from tests.cli.schedules.conftest import TEMPLATE, WHEN, Capture
from tui_manager.cli.main import main
from tui_manager.cli.printing.list_and_show import schedule_details
from tui_manager.domain.schedules.schedule import SkipReason


def test_the_list_says_what_is_due_and_what_was(nightly: FakeOperator, capsys: Capture) -> None:
    arguments = ["--template", "restart@1", "--param", "SERVICE=a", "--cron", "@daily"]
    assert main(["schedule", "add", "backup", *arguments, "--zone", "UTC"]) == 0
    assert main(["schedule", "pause", "backup"]) == 0
    nightly.add_run("nightly", NOW - timedelta(hours=9), skipped=SkipReason.OVERLAP)
    nightly.set_problem("backup", "There is no template restart.")
    capsys.readouterr()
    assert main(["schedule", "list"]) == 0
    out, err = capsys.readouterr()
    header, backup, night = (line.split() for line in out.splitlines())
    assert header == ["NAME", "NEXT", "RESULT", "LAST", "CRON", "ZONE", "TASK"]
    assert backup == ["backup", "paused", "-", "-", "@daily", "UTC", "template", "restart@1"]
    assert night[:3] == ["nightly", "2026-03-02", "02:30:00+0100"]
    assert night[3:7] == ["skipped", "(overlap)", "2026-03-01", "04:00:00+0100"]
    assert night[-2:] == ["its", "own"]
    assert err == ("tui-manager: backup cannot start a task now: There is no template restart.\n")


def test_a_last_due_time_that_was_refused_is_said(nightly: FakeOperator, capsys: Capture) -> None:
    refused = "No host matches web*."
    nightly.add_run("nightly", NOW, skipped=SkipReason.REFUSED, detail=refused)
    assert main(["schedule", "list"]) == 0
    said = f"tui-manager: nightly could not start its last task: {refused}\n"
    assert capsys.readouterr().err == said
    assert main(["schedule", "show", "nightly"]) == 0
    assert f"\nRefused     the last time: {refused}\n" in capsys.readouterr().out
    nightly.add_run("nightly", NOW, task_id=7)
    assert main(["schedule", "list"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["schedule", "show", "nightly"]) == 0
    assert "\nRefused " not in capsys.readouterr().out


def test_the_list_as_json_keeps_its_keys(nightly: FakeOperator, capsys: Capture) -> None:
    assert main(["schedule", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row == {
        "name": "nightly",
        "cron": "30 2 * * *",
        "zone": "Europe/Berlin",
        "next": "2026-03-02T01:30:00.000Z",
        "paused": False,
        "last": None,
    }
    nightly.add_run("nightly", NOW, skipped=SkipReason.MISFIRE)
    assert main(["schedule", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["last"] == {
        "due": "2026-03-01T12:00:00.250Z",
        "task_id": None,
        "skipped": "misfire",
    }
    assert main(["schedule", "run", "nightly"]) == 0
    capsys.readouterr()
    assert main(["schedule", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["last"]["task_id"] == 1


def test_an_empty_list_says_what_to_do(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["schedule", "list"]) == 0
    out, err = capsys.readouterr()
    assert (out, "`tui-manager schedule add` makes one" in err) == ("", True)
    assert main(["schedule", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_one_schedule_is_shown_with_its_next_and_last_due_times(
    nightly: FakeOperator, capsys: Capture
) -> None:
    day = datetime(2026, 2, 20, 1, 30, tzinfo=UTC)
    last = day + timedelta(days=7)
    nightly.add_run("nightly", last, skipped=SkipReason.STOPPED, count=8, first_due=day)
    assert main(["schedule", "run", "nightly"]) == 0
    nightly.add_run("nightly", NOW, waits=True)
    capsys.readouterr()
    assert main(["schedule", "show", "nightly"]) == 0
    out = capsys.readouterr().out
    for line in (
        "Cron        30 2 * * *  Europe/Berlin",
        "Target      @all",
        "Command     df -h",
        "Overlap     skip",
        "Misfire     5m",
        "Next        2026-03-02 02:30:00+0100  2026-03-02 01:30:00Z",
        "            2026-03-06 02:30:00+0100  2026-03-06 01:30:00Z",
    ):
        assert f"{line}\n" in out
    waits, by_hand, stopped = out.split("\nDUE")[1].splitlines()[1:]
    assert "waits for the task before" in waits
    assert "task 1, by an operator" in by_hand
    assert stopped.startswith("2026-02-20 02:30:00+0100 to 2026-02-27 02:30:00+0100  skipped (stop")
    assert stopped.endswith("8 due times.")
    assert main(["schedule", "show", "nightly", "--limit", "1"]) == 0
    assert len(capsys.readouterr().out.split("\nDUE")[1].splitlines()) == 2


def test_the_steps_of_its_own_task_are_shown(
    operator: FakeOperator, capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "task.toml").write_text(TEMPLATE + "\n[[steps]]\nrun = 'date'\nalways = true\n")
    given = ["--file", str(tmp_path / "task.toml"), "--param", "SERVICE=nginx", "--batches", "1"]
    assert main(["schedule", "add", "nightly", *given, *WHEN]) == 0
    capsys.readouterr()
    assert main(["schedule", "show", "nightly"]) == 0
    out = capsys.readouterr().out
    assert "\nParameters  SERVICE=nginx  WAIT=5\n" in out
    assert "\nRollout     batches 1" in out
    _, restart, date = out.split("\nSTEP")[1].splitlines()[:3]
    assert restart.split() == ["0", "-", "systemctl", "restart", "$SERVICE", "-"]
    assert date.split() == ["1", "-", "date", "always"]
    assert out.endswith("\nNothing was due yet.\n")


def test_one_schedule_as_json(operator: FakeOperator, capsys: Capture) -> None:
    arguments = ["--template", "restart", "--param", "SERVICE=a", "--misfire", "90"]
    assert main(["schedule", "add", "nightly", *arguments, *WHEN]) == 0
    operator.add_run("nightly", NOW, skipped=SkipReason.REFUSED, detail="No host matches.")
    capsys.readouterr()
    assert main(["schedule", "show", "--json", "nightly"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["template"] == {
        "name": "restart",
        "version": None,
        "parameters": {"SERVICE": "a"},
        "target": None,
    }
    assert (shown["misfire"], shown["overlap"], shown["task_file"]) == (90, "skip", None)
    assert [shown["due"][0], len(shown["due"])] == ["2026-03-02T01:30:00.000Z", 5]
    (run,) = shown["runs"]
    assert (run["skipped"], run["detail"], run["task_id"]) == ("refused", "No host matches.", None)


def test_the_page_of_schedules_has_every_key_of_the_json(
    nightly: FakeOperator, capsys: Capture
) -> None:
    nightly.add_run("nightly", NOW, task_id=7)
    assert main(["schedule", "show", "--json", "nightly"]) == 0
    shown = json.loads(capsys.readouterr().out)
    text = section(PAGES["schedules.md"], "For scripts")
    named = set(re.findall(r"`(\w+)`", text)) | set(re.findall(r'"(\w+)":', text))
    assert {*shown, *shown["last"], *shown["runs"][0]} - named == set()


def test_a_long_history_is_read_to_its_limit(nightly: FakeOperator, capsys: Capture) -> None:
    for number in range(30):
        nightly.add_run("nightly", NOW + timedelta(days=number), skipped=SkipReason.PAUSED)
    assert main(["schedule", "show", "nightly", "--json", "--limit", "25"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["due"][:10] for run in runs[:2]] == ["2026-03-30", "2026-03-29"]
    assert len(runs) == 25


def test_a_schedule_is_paused_and_resumed(nightly: FakeOperator, capsys: Capture) -> None:
    assert main(["schedule", "pause", "nightly"]) == 0
    assert main(["schedule", "list", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("nightly\n")
    (row,) = json.loads(out.removeprefix("nightly\n"))
    assert (row["paused"], row["next"]) == (True, None)
    assert main(["schedule", "edit", "nightly", "--cron", "@daily"]) == 0
    assert "nightly is paused" in capsys.readouterr().err
    assert main(["schedule", "pause", "nightly"]) == 2
    assert main(["schedule", "resume", "nightly"]) == 0
    assert not nightly.schedules["nightly"].paused
    assert main(["schedule", "resume", "nightly"]) == 2
    assert "not paused" in capsys.readouterr().err


def test_a_run_now_prints_the_task_whose_author_is_the_schedule(
    nightly: FakeOperator, capsys: Capture
) -> None:
    assert main(["schedule", "run", "nightly"]) == 0
    assert capsys.readouterr() == ("1\n", "")
    assert main(["task", "list", "--by", "schedule:nightly", "--json"]) == 0
    (task,) = json.loads(capsys.readouterr().out)
    assert (task["task_id"], task["created_by"]) == (1, "schedule:nightly")
    assert main(["schedule", "run", "nightly"]) == 2
    assert "has not ended" in capsys.readouterr().err


def test_a_run_now_may_be_followed(
    nightly: FakeOperator, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = nightly.run_schedule

    async def run_schedule(name: str, request_id: str = "") -> int:
        task_id = await run(name, request_id)
        nightly.say("web01", "full\n")
        nightly.end_on("web01")
        nightly.end_on("web02")
        return task_id

    monkeypatch.setattr(nightly, "run_schedule", run_schedule)
    assert main(["schedule", "run", "--follow", "nightly"]) == 0
    out, err = capsys.readouterr()
    assert out == "web01: full\n"
    assert "task 1" in err


def test_a_deleted_schedule_leaves_its_tasks(nightly: FakeOperator, capsys: Capture) -> None:
    assert main(["schedule", "run", "nightly"]) == 0
    assert main(["schedule", "delete", "nightly"]) == 0
    assert capsys.readouterr().out == "1\nnightly\n"
    assert (nightly.schedules, list(nightly.tasks)) == ({}, [1])
    assert [entry.action for entry in nightly.audit][-1] == "delete_schedule"


@pytest.mark.parametrize("action", ["show", "pause", "resume", "run", "delete"])
@pytest.mark.parametrize(
    ("name", "words"),
    [("weekly", "There is no schedule weekly"), ("-x", "'-x' is not a schedule's name")],
)
def test_a_schedule_that_is_not_there_is_said_to_be_missing(
    nightly: FakeOperator, capsys: Capture, action: str, name: str, words: str
) -> None:
    assert main(["schedule", action, "--", name]) == 2
    assert words in capsys.readouterr().err
    assert list(nightly.schedules) == ["nightly"]


def test_a_zone_that_this_machine_does_not_know_is_shown_in_utc(
    nightly: FakeOperator, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(name: str) -> None:
        raise LookupError(name)

    monkeypatch.setattr(schedule_details, "ZoneInfo", unknown)
    assert main(["schedule", "list"]) == 0
    assert "2026-03-02 01:30:00+0000" in capsys.readouterr().out

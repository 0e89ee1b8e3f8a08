"""`schedule add` and `edit`: what they ask for, print and refuse."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.fake import NOW, FakeOperator
from tests.cli.schedules.conftest import TEMPLATE, WHEN, Capture, spec_of, task_of
from tui_manager.cli.main import main
from tui_manager.domain.errors import NoAnswerError
from tui_manager.domain.schedules.schedule import Overlap, SkipReason, TemplateUse


def test_a_command_becomes_a_schedule_that_says_when_it_is_due(
    operator: FakeOperator, capsys: Capture
) -> None:
    arguments = ["nightly", *WHEN, "web*", "--user", "ops", "--batches", "1,rest"]
    assert main(["schedule", "add", *arguments, "--", "df", "-h", "|", "tail"]) == 0
    out, err = capsys.readouterr()
    assert out == "nightly\n"
    assert err == (
        "tui-manager: nightly is due in Europe/Berlin at 2026-03-02 02:30:00+0100, "
        "2026-03-03 02:30:00+0100, 2026-03-04 02:30:00+0100\n"
    )
    spec, task = spec_of(operator), task_of(operator)
    assert (spec.cron, spec.zone, spec.overlap) == ("30 2 * * *", "Europe/Berlin", Overlap.SKIP)
    assert spec.misfire == timedelta(minutes=5)
    assert (task.target, task.commands[0].text) == ("web*", "df -h | tail")
    assert (task.commands[0].run_as_user, task.rollout.batches) == ("ops", "1,rest")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nightly", "web01", *WHEN, "--", "up", "-p"],
        ["nightly", *WHEN, "web01", "--", "up", "-p"],
        [*WHEN, "nightly", "web01", "--", "up", "-p"],
        [*WHEN, "--", "nightly", "web01", "--", "up", "-p"],
        ["nightly", *WHEN, "--", "web01", "--", "up", "-p"],
    ],
)
def test_name_and_target_may_stand_before_or_behind_dashes(
    operator: FakeOperator, arguments: list[str]
) -> None:
    assert main(["schedule", "add", *arguments]) == 0
    task = task_of(operator)
    assert (task.target, task.commands[0].text) == ("web01", "up -p")


def test_parameters_of_a_command_are_kept(operator: FakeOperator) -> None:
    arguments = ["nightly", "@all", *WHEN, "--param", "A=1", "--env", "B=2"]
    assert main(["schedule", "add", *arguments, "--", "env"]) == 0
    assert main(["schedule", "run", "nightly"]) == 0
    (command,) = operator.tasks[1].spec.commands
    assert (command.parameters, command.environment) == ({"A": "1"}, {"B": "2"})


def test_a_template_becomes_a_schedule(operator: FakeOperator) -> None:
    arguments = ["nightly", "--template", "restart@1", "--param", "SERVICE=nginx"]
    more = ["--target", "web02", "--overlap", "wait", "--misfire", "2h"]
    assert main(["schedule", "add", *arguments, *more, *WHEN]) == 0
    spec = spec_of(operator)
    assert spec.template == TemplateUse("restart", 1, {"SERVICE": "nginx"}, "web02")
    assert (spec.overlap, spec.misfire) == (Overlap.WAIT, timedelta(hours=2))
    assert spec.task_file == ""


def test_a_task_file_becomes_a_schedule_with_its_scripts(
    operator: FakeOperator, tmp_path: Path
) -> None:
    (tmp_path / "clean.sh").write_text("#!/bin/sh\nrm -rf /tmp/cache\n")
    text = TEMPLATE + "\n[[steps]]\nscript = 'clean.sh'\n"
    (tmp_path / "task.toml").write_text(text)
    given = ["--file", str(tmp_path / "task.toml"), "--param", "SERVICE=nginx", "--target", "@all"]
    assert main(["schedule", "add", "nightly", *given, *WHEN]) == 0
    (tmp_path / "clean.sh").unlink()
    (tmp_path / "task.toml").unlink()
    assert main(["schedule", "run", "nightly"]) == 0
    spec = operator.tasks[1].spec
    restart, clean = spec.commands
    assert (spec.target, restart.parameters) == ("@all", {"SERVICE": "nginx", "WAIT": "5"})
    assert clean.script
    assert clean.script.data == b"#!/bin/sh\nrm -rf /tmp/cache\n"


def test_a_script_becomes_a_schedule_as_it_is_now(operator: FakeOperator, tmp_path: Path) -> None:
    script = tmp_path / "clean.sh"
    script.write_text('#!/bin/sh\necho "$1"\n')
    arguments = ["nightly", "@all", "--script", str(script), *WHEN]
    assert main(["schedule", "add", *arguments, "--", "a b"]) == 0
    script.write_text("#!/bin/sh\nexit 1\n")
    (step,) = task_of(operator).commands
    assert (step.arguments, step.name) == (("a b",), "clean.sh")
    assert step.script
    assert step.script.data == b'#!/bin/sh\necho "$1"\n'


@pytest.mark.parametrize(
    "arguments", [["pause"], ["resume"], ["delete"], ["edit", "--cron", "@daily"]]
)
def test_a_change_without_an_answer_says_how_to_look(
    nightly: FakeOperator, capsys: Capture, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    async def no_answer(*_: object) -> None:
        raise NoAnswerError("The manager does not answer.")

    monkeypatch.setattr(nightly, f"{arguments[0]}_schedule", no_answer)
    assert main(["schedule", *arguments, "nightly"]) == 3
    err = capsys.readouterr().err
    assert err.endswith("`tui-manager schedule show nightly` says whether it was.\n")


@pytest.mark.parametrize(
    "task",
    [
        ["web9", "--", "date"],
        ["--template", "restart", "--param", "SERVICE=a", "--target", "web9"],
    ],
)
def test_a_target_that_matches_nothing_yet_is_named(
    operator: FakeOperator, capsys: Capture, task: list[str]
) -> None:
    assert main(["schedule", "add", "nightly", *WHEN, *task]) == 0
    out, err = capsys.readouterr()
    assert out == "nightly\n"
    assert "tui-manager: nightly could not start a task now: " in err
    assert "web9" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "@all", "--cron", "30 2 * * *", "--", "date"], "required: --zone"),
        (["x", "@all", "--zone", "UTC", "--", "date"], "required: --cron"),
        (["x", *WHEN], "The schedule needs a task: --template NAME"),
        (["x", "@all", *WHEN], "There is no command; put it after `--`: schedule add NAME TARGET"),
        (["x", *WHEN, "--", "date"], "TARGET is missing: schedule add NAME TARGET"),
        (["x", "@all", "--template", "restart", *WHEN, "--", "date"], "in one way only"),
        (["x", "--file", "a.toml", "--template", "restart", *WHEN], "in one way only"),
        (
            ["x", "--template", "restart", "--timeout", "5", *WHEN],
            "--timeout is not for a template",
        ),
        (["x", "@all", "--target", "web01", *WHEN, "--", "date"], "TARGET or --target, not both"),
        (["x", "@all", "--secret", "KEY", *WHEN, "--", "date"], "A schedule has no secrets"),
        (["x", "--template", "restart", *WHEN], "SERVICE"),
        (["x", "--template", "restart", "--param", "SERVICE=7", *WHEN], "SERVICE"),
        (["x", "--template", "restart", "--param", "NO=1", *WHEN], "There is no parameter NO"),
        (["x", "--template", "restart@7", "--param", "SERVICE=a", *WHEN], "no template restart"),
        (["x", "--template", "login", *WHEN], "secret"),
        (["x", "--template", "-x", *WHEN], "--template"),
        (["x", "--file", "absent.toml", *WHEN], "absent.toml"),
        (["x", "@all", "--cron", "61 2 * * *", "--zone", "UTC", "--", "date"], "minute is wrong"),
        (["x", "@all", "--cron", "0 0 31 2 *", "--zone", "UTC", "--", "date"], "cron"),
        (["x", "@all", "--cron", "@daily", "--zone", "Mars/Rover", "--", "date"], "Mars/Rover"),
        (["x", "@all", "--misfire", "soon", *WHEN, "--", "date"], "--misfire soon"),
        (["x", "@all", "--misfire", "0", *WHEN, "--", "date"], "30 d"),
        (
            ["x", "@all", "--overlap", "kill", *WHEN, "--", "date"],
            "--overlap: 'kill' is none of skip, wait",
        ),
        (["x", "y z", "more", *WHEN, "--", "date"], "unrecognized arguments: more"),
        ([*WHEN, "--template", "restart", "--", "-x"], "'-x' is not a schedule's name"),
    ],
)
def test_what_makes_no_schedule_is_refused(
    operator: FakeOperator, capsys: Capture, arguments: list[str], words: str
) -> None:
    assert main(["schedule", "add", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert operator.schedules == {}


def test_there_is_one_schedule_of_a_name(nightly: FakeOperator, capsys: Capture) -> None:
    assert main(["schedule", "add", "nightly", "@all", *WHEN, "--", "date"]) == 2
    assert "There is a schedule nightly already" in capsys.readouterr().err
    assert task_of(nightly).commands[0].text == "df -h"


def test_an_edit_changes_what_is_given_alone(nightly: FakeOperator, capsys: Capture) -> None:
    nightly.add_run("nightly", NOW, skipped=SkipReason.STOPPED)
    assert main(["schedule", "edit", "nightly", "--cron", "@hourly", "--overlap", "wait"]) == 0
    out, err = capsys.readouterr()
    assert out == "nightly\n"
    assert "at 2026-03-01 14:00:00+0100, " in err
    spec = spec_of(nightly)
    assert (spec.cron, spec.zone, spec.overlap) == ("@hourly", "Europe/Berlin", Overlap.WAIT)
    assert task_of(nightly).commands[0].text == "df -h"
    assert len(nightly.schedules["nightly"].runs) == 1


def test_an_edit_may_give_another_task(nightly: FakeOperator) -> None:
    assert main(["schedule", "edit", "nightly", "web01", "--timeout", "5", "--", "date"]) == 0
    task = task_of(nightly)
    assert (task.target, task.commands[0].text) == ("web01", "date")
    assert task.commands[0].timeout == timedelta(seconds=5)
    template = ["--template", "restart", "--param", "SERVICE=nginx"]
    assert main(["schedule", "edit", "nightly", *template]) == 0
    assert spec_of(nightly).template == TemplateUse("restart", 0, {"SERVICE": "nginx"})
    assert main(["schedule", "edit", "nightly", "--param", "WAIT=9", "--target", "web02"]) == 0
    expected = TemplateUse("restart", 0, {"SERVICE": "nginx", "WAIT": "9"}, "web02")
    assert spec_of(nightly).template == expected
    assert spec_of(nightly).cron == "30 2 * * *"


def test_an_edit_of_the_version_keeps_parameters_and_target(
    nightly: FakeOperator, capsys: Capture
) -> None:
    asyncio.run(nightly.save_template("reload", TEMPLATE))
    given = ["--template", "restart", "--param", "SERVICE=nginx", "--target", "web02"]
    assert main(["schedule", "edit", "nightly", *given]) == 0
    more = ["--template", "restart@1", "--param", "WAIT=9"]
    assert main(["schedule", "edit", "nightly", *more]) == 0
    parameters = {"SERVICE": "nginx", "WAIT": "9"}
    assert spec_of(nightly).template == TemplateUse("restart", 1, parameters, "web02")
    assert "lost" not in capsys.readouterr().err
    # Another template has parameters of its own, and runs on the same hosts.
    assert main(["schedule", "edit", "nightly", "--template", "reload"]) == 2
    assert "These parameters need a value: SERVICE" in capsys.readouterr().err
    assert spec_of(nightly).template == TemplateUse("restart", 1, parameters, "web02")
    other = ["--template", "reload", "--param", "SERVICE=sshd"]
    assert main(["schedule", "edit", "nightly", *other]) == 0
    assert spec_of(nightly).template == TemplateUse("reload", 0, {"SERVICE": "sshd"}, "web02")
    assert capsys.readouterr().err.endswith(
        "nightly has lost what was for the template restart: --param SERVICE, --param WAIT\n"
    )


def test_an_edit_to_a_file_says_which_parameters_and_target_it_has_lost(
    nightly: FakeOperator, capsys: Capture, tmp_path: Path
) -> None:
    given = ["--template", "restart", "--param", "SERVICE=nginx", "--target", "web02"]
    assert main(["schedule", "edit", "nightly", *given]) == 0
    (tmp_path / "task.toml").write_text('target = "@all"\n[[steps]]\nrun = "true"\n')
    assert main(["schedule", "edit", "nightly", "--file", str(tmp_path / "task.toml")]) == 0
    assert capsys.readouterr().err.endswith(
        "has lost what was for the template restart: --param SERVICE, --target web02\n"
    )


@pytest.mark.parametrize("command", ["add", "edit"])
def test_the_help_offers_no_secrets(capsys: Capture, command: str) -> None:
    assert main(["schedule", command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--param" in text
    assert "--secret" not in text


def test_an_edit_may_change_a_part_of_the_same_command(nightly: FakeOperator) -> None:
    options = ["--target", "web02", "--timeout", "5", "--max-failures", "1"]
    assert main(["schedule", "edit", *options, "--", "nightly"]) == 0
    task = task_of(nightly)
    assert (task.target, task.commands[0].text) == ("web02", "df -h")
    assert task.commands[0].timeout == timedelta(seconds=5)
    assert task.rollout.max_failures == "1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nightly"], "There is nothing to change"),
        (["nightly", "--timeout", "0"], "timeout"),
        (["nightly", "--secret", "KEY"], "A schedule has no secrets"),
        (["nightly", "--param", "NO=1"], "There is no parameter NO"),
        (["nightly", "--zone", "Mars/Rover"], "Mars/Rover"),
        (["nightly", "--", "date"], "TARGET is missing: schedule edit NAME TARGET"),
        (["nightly", "web0[1-2]"], "give it as an option: --target 'web0[1-2]'"),
        (["nightly", "web01", "--timeout", "5"], "give it as an option: --target web01"),
        (["nightly", "web01", "--file", "task.toml"], "in one way only"),
        (["weekly", "--cron", "@weekly"], "There is no schedule weekly"),
    ],
)
def test_an_edit_that_makes_no_sense_changes_nothing(
    nightly: FakeOperator, capsys: Capture, arguments: list[str], words: str
) -> None:
    before = spec_of(nightly)
    assert main(["schedule", "edit", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert spec_of(nightly) == before


def test_an_edit_does_not_undo_that_of_another(
    nightly: FakeOperator, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = nightly.get_schedule

    async def get_schedule(name: str) -> object:
        detail = await read(name)
        await nightly.edit_schedule(detail.schedule.spec, detail.schedule.revision)
        return detail

    monkeypatch.setattr(nightly, "get_schedule", get_schedule)
    assert main(["schedule", "edit", "nightly", "--cron", "@hourly"]) == 2
    assert "was edited since it was read" in capsys.readouterr().err
    assert spec_of(nightly).cron == "30 2 * * *"

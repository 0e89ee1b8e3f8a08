"""`tui-manager template`: saves, lists, shows, prints and deletes templates."""

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import NOW, FakeOperator
from tests.support.fake_operator.fake_schedules import FakeSchedule
from tui_manager.cli.main import main
from tui_manager.cli.options import parameter_values
from tui_manager.domain.errors import NoAnswerError
from tui_manager.domain.schedules.schedule import ScheduleSpec, TemplateUse
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_files.task_file import read_task_file
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

Capture = pytest.CaptureFixture[str]
TEXT = """\
# Restarts a service.
target = "web*"
description = "Restarts a service"

[params.SERVICE]
type = "choice"
choices = ["nginx", "php"]
help = "What is restarted"

[params.WAIT]
type = "integer"
default = 3

[[steps]]
name = "restart"
run = 'systemctl restart "$SERVICE"'

[[steps]]
run = "date"
always = true
"""


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    made = FakeOperator("web01", "web02")
    connect_to(lambda: made)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "restart.toml"
    path.write_text(TEXT)
    return path


def run(capsys: Capture, *words: str, code: int = 0) -> tuple[str, str]:
    """What a command of `template` prints to both streams."""
    assert main(["template", *words]) == code
    out, err = capsys.readouterr()
    return out, err


def test_a_file_is_saved_as_it_was_written(
    operator: FakeOperator, file: Path, capsys: Capture
) -> None:
    assert run(capsys, "save", "restart", str(file)) == ("restart@1\n", "")
    assert run(capsys, "export", "restart") == (TEXT, "")


def test_the_same_text_makes_no_version(
    operator: FakeOperator, file: Path, capsys: Capture
) -> None:
    run(capsys, "save", "restart", str(file))
    out, err = run(capsys, "save", "restart", str(file))
    assert out == "restart@1\n"
    assert "restart@1 has the same text, so no version was made" in err
    file.write_text(TEXT + "# more\n")
    assert run(capsys, "save", "restart", str(file)) == ("restart@2\n", "")


def test_scripts_are_saved_with_the_file(
    operator: FakeOperator, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "work.sh").write_text("#!/bin/sh\necho 'ü \\ \"'\n")
    (tmp_path / "input").write_text("typed\n")
    file = tmp_path / "job.toml"
    file.write_text('target = "web*"\n[[steps]]\nscript = "parts/work.sh"\nstdin = "input"\n')
    monkeypatch.chdir("/")
    run(capsys, "save", "job", str(file))
    (tmp_path / "parts" / "work.sh").unlink()
    out, _ = run(capsys, "export", "job")
    again = tmp_path / "again.toml"
    again.write_text(out)
    assert run(capsys, "save", "job", str(again))[0] == "job@1\n"
    (step,) = read_task_file(out, "job").spec.commands
    assert step.contents["script"].data == "#!/bin/sh\necho 'ü \\ \"'\n".encode()
    assert step.contents["stdin"].data == b"typed\n"


def test_a_number_is_a_task_and_a_path_a_file(
    operator: FakeOperator, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["run", "web01", "--no-start", "--name", "look", "--", "uptime"]) == 0
    capsys.readouterr()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1").write_text(TEXT)
    assert run(capsys, "save", "restart", "1")[0] == "restart@1\n"
    exported = run(capsys, "export", "restart")[0]
    assert 'target = "web01"' in exported
    assert "uptime" in exported
    assert run(capsys, "save", "restart", "./1")[0] == "restart@2\n"
    assert run(capsys, "export", "restart")[0] == TEXT


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["save", "a@b", "FILE"], "'a@b' is not a template's name"),
        (["save", "restart", "missing.toml"], "missing.toml"),
        (["save", "restart", "77"], "There is no task 77"),
        (["save", "restart", "0"], "'0' is not a task's number"),
        (["save", "restart", "9" * 20], "is not a task's number"),
        (["save", "restart"], "the following arguments are required"),
        (["show", "restart"], "There is no template restart"),
        (["show", "restart@x"], "'x' is not a version of the template restart"),
        (["show", "restart@0"], "'0' is not a version"),
        (["export", "a/b@1"], "'a/b' is not a template's name"),
        (["delete", "restart"], "There is no template restart"),
        (["delete", "restart@1"], "'restart@1' is not a template's name"),
        (["list", "restart"], "unrecognized arguments: restart"),
        (["--", "-x"], "-x"),
        (["delete", "-x"], "the following arguments are required: NAME"),
        (["delete", "--", "-x"], "'-x' is not a template's name"),
    ],
)
def test_wrong_usage(
    operator: FakeOperator, file: Path, capsys: Capture, words: list[str], said: str
) -> None:
    given = [str(file) if word == "FILE" else word for word in words]
    out, err = run(capsys, *given, code=2)
    assert (out, operator.templates) == ("", {})
    assert said in err


def test_a_file_that_is_wrong_is_not_sent(
    operator: FakeOperator, file: Path, capsys: Capture
) -> None:
    file.write_text(TEXT.replace("always = true", "alwayz = true"))
    _, err = run(capsys, "save", "restart", str(file), code=2)
    assert "restart.toml" in err
    assert "alwayz" in err
    assert "save_template" not in operator.calls


def test_templates_are_listed(operator: FakeOperator, file: Path, capsys: Capture) -> None:
    out, err = run(capsys, "list")
    assert (out, "There is no template yet" in err) == ("", True)
    for name in ("b", "a", "c"):
        run(capsys, "save", name, str(file))
    out, _ = run(capsys, "list")
    header, *rows = out.splitlines()
    assert header.split() == ["NAME", "VERSION", "SAVED", "BY", "SCHEDULES", "ABOUT"]
    assert [row.split()[:2] for row in rows] == [["a", "1"], ["b", "1"], ["c", "1"]]
    assert rows[0].endswith("ana@pts/3  -          Restarts a service")
    assert run(capsys, "list", "--text", "x")[1].endswith(
        "No template has 'x' in its name or description.\n"
    )
    listed = json.loads(run(capsys, "list", "--json", "--text", "B")[0])
    assert listed == [
        {
            "name": "b",
            "version": 1,
            "description": "Restarts a service",
            "saved_by": "ana@pts/3",
            "saved_at": "2026-03-01T12:00:00.250Z",
            "schedules": 0,
        }
    ]


def test_what_a_text_says_stays_on_its_line(
    operator: FakeOperator, file: Path, capsys: Capture
) -> None:
    file.write_text(TEXT.replace('"Restarts a service"', '"a\\u001b]0;x\\u0007\\nb\\u009b"'))
    run(capsys, "save", "restart", str(file))
    for words in (["list"], ["show", "restart"]):
        out, _ = run(capsys, *words)
        assert "\x1b" not in out
        assert "\x9b" not in out
        assert "\nb" not in out


def test_a_template_is_shown(operator: FakeOperator, file: Path, capsys: Capture) -> None:
    run(capsys, "save", "restart", str(file))
    file.write_text(TEXT + "# more\n")
    run(capsys, "save", "restart", str(file))
    out, _ = run(capsys, "show", "restart@1")
    assert out.splitlines()[:4] == [
        "Template    restart@1",
        "Newest      restart@2",
        "About       Restarts a service",
        "Target      web*",
    ]
    words = [line.split() for line in out.splitlines()]
    assert ["0", "restart", "systemctl", "restart", '"$SERVICE"', "-"] in words
    assert ["1", "-", "date", "always"] in words
    assert "SERVICE    yes       one of: nginx, php  -        What is restarted" in out
    assert "WAIT       no        integer             3        -" in out
    assert [line[0] for line in words[-2:]] == ["2", "1"]
    assert "Newest" not in run(capsys, "show", "restart")[0]


def test_patterns_and_what_may_be_left_out_are_shown(
    operator: FakeOperator, file: Path, capsys: Capture
) -> None:
    more = "[params.TO]\npattern = '[0-9.]+'\nrequired = false\n[params.X]\ndefault = ''\n"
    file.write_text(TEXT.replace("[[steps]]", more + "[[steps]]", 1))
    run(capsys, "save", "restart", str(file))
    rows = [line.split() for line in run(capsys, "show", "restart")[0].splitlines()]
    assert ["TO", "no", "text,", "matches", "[0-9.]+", "-", "-"] in rows
    assert ["X", "no", "text", '""', "-"] in rows


def test_a_template_is_shown_as_json(operator: FakeOperator, file: Path, capsys: Capture) -> None:
    run(capsys, "save", "restart", str(file))
    use = ScheduleSpec("nightly", "0 3 * * *", "UTC", template=TemplateUse("restart"))
    operator.schedules["nightly"] = FakeSchedule(use, NOW)
    shown = json.loads(run(capsys, "show", "restart", "--json")[0])
    at = "2026-03-01T12:00:00.250Z"
    assert shown == {
        "name": "restart",
        "version": 1,
        "newest": 1,
        "description": "Restarts a service",
        "saved_by": "ana@pts/3",
        "saved_at": at,
        "schedules": ["nightly"],
        "target": "web*",
        "parameters": [
            {
                "name": "SERVICE", "type": "choice", "default": None, "pattern": None,
                "choices": ["nginx", "php"], "help": "What is restarted", "required": True,
            },
            {
                "name": "WAIT", "type": "integer", "default": "3", "pattern": None, "choices": [],
                "help": "", "required": False,
            },
        ],
        "versions": [{"version": 1, "saved_by": "ana@pts/3", "saved_at": at}],
        "text": TEXT,
    }  # fmt: skip


def test_an_older_version_is_printed(operator: FakeOperator, file: Path, capsys: Capture) -> None:
    run(capsys, "save", "restart", str(file))
    file.write_text(TEXT + "# more\n")
    run(capsys, "save", "restart", str(file))
    assert run(capsys, "export", "restart@1")[0] == TEXT
    assert run(capsys, "export", "restart")[0] == TEXT + "# more\n"
    assert "no version 3" in run(capsys, "export", "restart@3", code=2)[1]


def test_a_template_is_deleted(operator: FakeOperator, file: Path, capsys: Capture) -> None:
    run(capsys, "save", "restart", str(file))
    use = ScheduleSpec("nightly", "0 3 * * *", "UTC", template=TemplateUse("restart"))
    operator.schedules["nightly"] = FakeSchedule(use, NOW)
    assert "nightly" in run(capsys, "delete", "restart", code=2)[1]
    del operator.schedules["nightly"]
    assert run(capsys, "delete", "restart") == ("restart\n", "")
    assert run(capsys, "save", "restart", str(file))[0] == "restart@2\n"


def test_no_answer_to_a_save_says_how_to_look(
    operator: FakeOperator, file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object) -> int:
        raise NoAnswerError("No answer. The template restart may have been saved.")

    monkeypatch.setattr(operator, "save_template", silent)
    _, err = run(capsys, "save", "restart", str(file), code=3)
    assert "may have been saved. `tui-manager template list` says whether it was." in err


def test_a_task_names_its_template(operator: FakeOperator, file: Path, capsys: Capture) -> None:
    run(capsys, "save", "restart", str(file))
    made = TaskSpec("web01", (CommandSpec("date"),), template=TemplateVersion("restart", 1))
    asyncio.run(operator.create_task(made))
    assert main(["task", "show", "1"]) == 0
    assert "\nTemplate    restart@1\n" in capsys.readouterr().out
    for words in (["list"], ["show", "1"]):
        assert main(["task", *words, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        task = found[0] if words == ["list"] else found
        assert task["template"] == {"name": "restart", "version": 1}


@pytest.fixture
def saved(operator: FakeOperator, file: Path, capsys: Capture) -> FakeOperator:
    """Two versions of the template: the second one waits longer."""
    run(capsys, "save", "restart", str(file))
    file.write_text(TEXT.replace("default = 3", "default = 5"))
    run(capsys, "save", "restart", str(file))
    return operator


def test_a_template_is_run(saved: FakeOperator, capsys: Capture) -> None:
    assert run(capsys, "run", "restart", "--param", "SERVICE=nginx", "--detach") == ("1\n", "")
    task = saved.tasks[1]
    assert task.row.status is TaskStatus.RUNNING
    assert task.row.template == TemplateVersion("restart", 2)
    assert (task.spec.target, task.spec.description) == ("web*", "Restarts a service")
    assert [(step.text, step.always) for step in task.spec.commands] == [
        ('systemctl restart "$SERVICE"', False),
        ("date", True),
    ]
    assert [dict(step.parameters) for step in task.spec.commands] == [
        {"SERVICE": "nginx", "WAIT": "5"}
    ] * 2


def test_an_older_version_is_run(saved: FakeOperator, capsys: Capture) -> None:
    run(capsys, "run", "restart@1", "--param", "SERVICE=php", "--param", "WAIT=7", "--no-start")
    task = saved.tasks[1]
    assert task.row.status is TaskStatus.PENDING
    assert task.row.template == TemplateVersion("restart", 1)
    assert task.spec.commands[0].parameters == {"SERVICE": "php", "WAIT": "7"}


def test_options_win_over_the_template(saved: FakeOperator, capsys: Capture) -> None:
    run(
        capsys, "run", "restart", "--param", "SERVICE=php", "--target", "web02", "--timeout", "5m",
        "--name", "now", "--batches", "1", "--user", "deploy", "--no-start",
    )  # fmt: skip
    spec = saved.tasks[1].spec
    assert (spec.target, spec.name, spec.rollout.batches) == ("web02", "now", "1")
    assert [(step.timeout, step.run_as_user) for step in spec.commands] == [
        (timedelta(minutes=5), "deploy")
    ] * 2


def test_a_run_saved_as_a_template_keeps_types(saved: FakeOperator, capsys: Capture) -> None:
    run(capsys, "run", "restart", "--param", "SERVICE=php", "--target", "web01", "--no-start")
    assert run(capsys, "save", "mine", "1") == ("mine@1\n", "")
    kept = json.loads(run(capsys, "show", "mine", "--json")[0])["parameters"]
    assert [(one["name"], one["type"], one["default"]) for one in kept] == [
        ("SERVICE", "choice", "php"),
        ("WAIT", "integer", "5"),
    ]


def test_what_a_template_of_a_task_lacks_is_said(saved: FakeOperator, capsys: Capture) -> None:
    run(capsys, "run", "restart", "--param", "SERVICE=php", "--target", "web01", "--no-start")
    asyncio.run(saved.delete_template("restart"))
    _, err = run(capsys, "save", "mine", "1")
    assert "task 1 was made from restart@2, which is gone: the parameters of mine@1 are" in err
    made = TaskSpec("task:1:failed,task:1:unreached", (CommandSpec("date"),))
    task_id = asyncio.run(saved.create_task(made))
    _, err = run(capsys, "save", "again", str(task_id))
    assert f"again@1 has the target of task {task_id}, task:1:failed,task:1:unreached;" in err
    assert "--target" in err


def test_the_plan_of_a_template(saved: FakeOperator, capsys: Capture) -> None:
    out, _ = run(capsys, "run", "restart", "--param", "SERVICE=php", "--plan", "--json")
    assert [host["host"] for host in json.loads(out)["hosts"]] == ["web01", "web02"]
    assert saved.tasks == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["restart"], "--param SERVICE="),
        (["restart", "--param", "SERVICE=x"], "SERVICE cannot be 'x': give one of: nginx, php."),
        (["restart", "--param", "SERVICE=php", "--param", "WAIT=x"], "WAIT cannot be 'x'"),
        (["restart", "--param", "SERVICES=php"], "There is no parameter SERVICES"),
        (["restart", "--secret", "SERVICE"], "no secret"),
        (["restart", "--param", "SERVICE=php", "--target", "none"], "none"),
        (["restart@3", "--param", "SERVICE=php"], "no version 3 of the template restart"),
        (["other"], "There is no template other"),
        (["restart", "--plan"], "These parameters need a value; give --param SERVICE="),
        (["restart", "--param", "SERVICE=php", "--plan", "--detach"], "--plan starts nothing"),
        (["restart", "--param", "SERVICE=php", "--", "date"], "unrecognized arguments: date\n"),
        (["restart", "web01"], "unrecognized arguments: web01; give another target than the "
         "template's with --target web01"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_run_is_said_before_anything_starts(
    saved: FakeOperator,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(parameter_values, "TERMINAL", "/dev/null/none")
    out, err = run(capsys, "run", *words, code=2)
    assert (out, saved.tasks) == ("", {})
    assert said in err


def test_a_template_that_is_deleted_meanwhile(
    saved: FakeOperator, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = saved.create_task

    async def delete_first(spec: TaskSpec, request_id: str = "") -> int:
        await saved.delete_template("restart")
        return await create(spec, request_id)

    monkeypatch.setattr(saved, "create_task", delete_first)
    _, err = run(capsys, "run", "restart", "--param", "SERVICE=php", "--detach", code=2)
    assert "There is no template restart" in err
    assert saved.tasks == {}


def test_the_example_of_the_manual_is_a_task_file() -> None:
    page = (Path(__file__).parents[3] / "docs" / "templates.md").read_text()
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    task_file = read_task_file(text, "restart.toml")
    assert [one.name for one in task_file.parameters] == ["SERVICE"]
    assert task_file.spec.rollout.batches == "2"

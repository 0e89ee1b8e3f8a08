"""The fields of the form for a new task, without a screen: errors, the task, the command line."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.rollout_spec import HoldRule, Order, RolloutSpec
from tui_manager.domain.task_spec.script_and_stdin import CONTENT_LENGTH, content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, OnFailure, TaskSpec
from tui_manager.ui.forms.files.local_files import read_local_file
from tui_manager.ui.forms.new_task.new_task_fields import FormFields
from tui_manager.ui.forms.new_task.new_task_folds import INPUT, PROCESS, input_title, process_title
from tui_manager.ui.forms.new_task.rollout_fields import RolloutTexts
from tui_manager.ui.forms.new_task.task_in_form import fields_of, fits_form
from tui_manager.ui.forms.tasks.secret_fields import kept_values

SCRIPT = content_of(b"#!/bin/sh\nid\n")
EVERYTHING = FormFields(
    target=" role=web ",
    command="systemctl restart $UNIT\n",
    name="restart",
    timeout="5m",
    waits=True,
    within="6h",
    include_maintenance=True,
    user="deploy",
    cwd="/srv",
    param="UNIT=nginx LEVEL='very high'",
    env="LANG=C",
    secret="TOKEN, PASSWORD",
    secret_values={"TOKEN": "t", "PASSWORD": "p"},
    memory_max="512M",
    tasks_max="100",
    cpu_max="50%",
    description="after the upgrade",
    rollout=RolloutTexts(batches="1,rest", max_failures="1 strict", hold="each 6h"),
)
SPEC = TaskSpec(
    "role=web",
    (
        CommandSpec(
            "systemctl restart $UNIT",
            timedelta(minutes=5),
            {"UNIT": "nginx", "LEVEL": "very high"},
            {"LANG": "C"},
            "/srv",
            "deploy",
            ResourceLimits(512 << 20, 100, 50),
            {"TOKEN": "t", "PASSWORD": "p"},
        ),
    ),
    "restart",
    "after the upgrade",
    offline=Offline.WAIT,
    delivery_timeout=timedelta(hours=6),
    rollout=RolloutSpec(
        "1,rest", max_failures="1", strict=True, hold=HoldRule.EACH, hold_timeout=timedelta(hours=6)
    ),
    include_maintenance=True,
)


def test_all_fields_together_are_the_task() -> None:
    assert EVERYTHING.spec() == SPEC
    assert EVERYTHING.problems() == {}
    line = EVERYTHING.command_line()
    assert line.startswith("tui-manager run role=web --name restart --description 'after the ")
    assert "--secret TOKEN --secret PASSWORD" in line
    assert line.endswith("-- 'systemctl restart $UNIT'")


def test_a_script_takes_the_place_of_the_command() -> None:
    fields = FormFields(
        target="db1",
        script="~/jobs/check it.sh",
        arguments="--deep 'a b'",
        stdin="/tmp/in",
        contents={"script": SCRIPT, "stdin": content_of(b"x")},
    )
    step = fields.spec().commands[0]
    assert (step.name, step.script, step.arguments) == ("check it.sh", SCRIPT, ("--deep", "a b"))
    assert step.stdin == content_of(b"x")
    assert fields.problems() == {}
    script = str(Path("~/jobs/check it.sh").expanduser())
    assert fields.command_line() == (
        f"tui-manager run db1 --script '{script}' --stdin /tmp/in -- --deep 'a b'"
    )
    both = replace(fields, command="true").problems()
    assert both == {"script": "A step has a command or a script, not both."}


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("command", "a\0", "NUL"),
        ("name", "n" * 300, "at most 200"),
        ("timeout", "8d", "from 1 s to 7 d"),
        ("within", "31d", "from 1 s to 30 d"),
        ("within", "5x", "like 6h"),
        ("user", "a b", "not a user's name"),
        ("param", "LEVEL", "write NAME=value"),
        ("param", "A='x", "quote is not closed"),
        ("env", "1=2", "not a variable's name"),
        ("env", "A=1 A=2", "given twice"),
        ("secret", "TOKEN=abc", "only the name"),
        ("secret", "A A", "given twice"),
        ("secret", "A B C D E F G H I", "at most 8"),
        ("arguments", "'", "quote is not closed"),
        ("memory_max", "12", "from 1 MiB"),
        ("memory_max", "much", "expected a number of bytes"),
        ("tasks_max", "0", "more than 0"),
        ("cpu_max", "50", "expected a percentage"),
        ("description", "d" * 5000, "at most 4000"),
    ],
)
def test_each_wrong_field_is_named(field: str, text: str, words: str) -> None:
    typed: dict[str, Any] = {field: text}
    fields = FormFields(waits=True, **typed)
    found = fields.problems()
    assert set(found) == {field}
    assert words in found[field]
    assert fields.command_line() == ""


def test_all_errors_are_told_at_once() -> None:
    fields = FormFields(timeout="x", within="x", user="a b", cpu_max="1", name="n" * 300)
    assert set(fields.problems()) == {"timeout", "within", "user", "cpu_max", "name"}


def test_empty_fields_are_not_wrong_yet() -> None:
    assert FormFields().problems() == {}
    assert FormFields().command_line() == "tui-manager run TARGET -- COMMAND"


def test_what_is_wrong_only_together() -> None:
    twice = FormFields(param="TOKEN=x", secret="TOKEN")
    assert set(twice.problems()) == {"secret"}
    with pytest.raises(InvalidInputError) as raised:
        FormFields("db1", "true", secret="TOKEN").spec()
    assert raised.value.field == "secret"
    assert "The secret TOKEN is empty" in str(raised.value)


def test_a_closed_fold_says_what_is_set_in_it() -> None:
    assert process_title(FormFields()) == PROCESS
    assert process_title(EVERYTHING) == ("As deploy, in /srv, 2 parameters, 1 variable, 2 secrets")
    assert process_title(FormFields(param="'")) == "Parameters not valid yet"
    assert input_title(FormFields()) == INPUT
    assert input_title(EVERYTHING) == "Memory 512M, processes 100, CPU 50%, described"
    assert input_title(FormFields(script="/a/b.sh", stdin="in")) == "Script b.sh, stdin in"


def test_a_task_fills_the_form_which_makes_it_again() -> None:
    assert fits_form(SPEC)
    fields = replace(fields_of(SPEC), secret_values={"TOKEN": "t", "PASSWORD": "p"})
    assert fields.spec() == SPEC
    one = TaskSpec("@all", (CommandSpec("true"),), rollout=RolloutSpec(order=Order.RANDOM))
    assert fields_of(one).spec() == one


def test_what_a_copy_does_not_have() -> None:
    step = replace(SPEC.commands[0], name="restart it", always=True, on_failure=OnFailure.CONTINUE)
    secrets = dict.fromkeys(step.secrets, "")  # as they are read back
    spec = replace(
        SPEC,
        name="",
        commands=(replace(step, secrets=secrets),),
        created_by="ana@pts/3",
        template=TemplateVersion("restart", 3),
    )
    assert fits_form(spec)
    assert fields_of(spec).name == "restart it"
    named = replace(SPEC, name="systemctl restart $UNIT")  # as a task is stored without a name
    assert fits_form(named)
    assert fields_of(named).name == "", "it is another one after an edit"


@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, commands=SPEC.commands * 2),
        replace(SPEC, commands=(CommandSpec("", script=SCRIPT),)),
        replace(SPEC, commands=(CommandSpec("cat", stdin=SCRIPT),)),
        replace(SPEC, commands=(CommandSpec("true", parameters={"A": "two\nlines"}),)),
        replace(SPEC, commands=(CommandSpec("true", cwd="/ends with a blank "),)),
        replace(SPEC, description="two\nlines"),
        *(
            replace(SPEC, commands=(CommandSpec(text),))
            for text in ("a\rb", "a\r\nb", "a\x0cb", "a\u2028b", "a\x85b", "a\x1b[1mb", "a\u202eb")
        ),
        replace(SPEC, commands=(CommandSpec("true", secrets=dict.fromkeys("ABCDEFGHI", "")),)),
    ],
)
def test_what_the_form_cannot_hold(spec: TaskSpec) -> None:
    assert not fits_form(spec)


@pytest.mark.parametrize(
    ("before", "values", "names", "kept"),
    [
        ((), (), ("A",), ("",)),
        (("A",), ("a",), ("AB",), ("a",)),  # it is being typed
        (("A", "B"), ("a", "b"), ("B",), ("b",)),
        (("A", "B"), ("a", "b"), ("B", "A"), ("b", "a")),
        (("A", "B"), ("a", "b"), ("B", "C"), ("b", "")),  # never the value of B for C
        (("A",), ("a",), ("A", "B"), ("a", "")),
    ],
)
def test_a_secret_stays_with_its_name(
    before: tuple[str, ...], values: tuple[str, ...], names: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    assert kept_values(before, values, names) == kept


async def test_a_file_is_read_or_says_why_not(tmp_path: Path) -> None:
    good, large, pipe = tmp_path / "job.sh", tmp_path / "large", tmp_path / "pipe"
    good.write_bytes(b"#!/bin/sh\nid\n")
    large.write_bytes(b"x" * (CONTENT_LENGTH + 1))
    os.mkfifo(pipe)
    assert await read_local_file("script", str(good)) == SCRIPT
    for path, words in (
        (large, "more than"),
        (pipe, "Not a file"),
        (tmp_path, "Not a file"),
        (tmp_path / "none", "No such file"),
        (Path("~nobody-of-this-name/x"), "home"),
    ):
        with pytest.raises(InvalidInputError) as raised:
            await read_local_file("script", str(path))
        assert raised.value.field == "script"
        assert words.lower() in str(raised.value).lower()

"""A written task file is read back as the same one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.task_file import TaskFile, read_task_file
from tui_manager.domain.task_files.toml_table import _places
from tui_manager.domain.task_files.write_task_file import write_task_file
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.rollout_spec import HoldRule, Order, RolloutSpec
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, OnFailure, TaskSpec

# Texts that a writer of TOML may get wrong, and that a process can be given.
TEXTS = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    st.text(alphabet="\r\n\t'\"\\#[]= a\x7f\x1b\u2028", max_size=20),
)
FILLED = TEXTS.filter(lambda text: bool(text.strip()))
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
VARIABLES = st.dictionaries(NAMES.map(lambda name: f"E_{name}"), TEXTS, max_size=3)
SECONDS = st.integers(1_000, 604_800_000).map(lambda number: timedelta(milliseconds=number))
COUNTS = st.integers(0, 1000)

SCRIPTS = TEXTS.map(lambda text: content_of(f"#!/bin/sh\n{text}".encode()))
INPUTS = st.none() | TEXTS.map(lambda text: content_of(text.encode()))
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "timeout": SECONDS,
    "environment": VARIABLES,
    "cwd": TEXTS,
    "run_as_user": st.sampled_from(["", "root", "déploy"]),
    "limits": st.builds(
        ResourceLimits,
        memory_max=st.one_of(st.just(0), st.integers(1 << 20, 1 << 50)),
        tasks_max=COUNTS,
        cpu_max=COUNTS,
    ),
    "name": TEXTS,
    "stdin": INPUTS,
    "on_failure": st.sampled_from(OnFailure),
    "always": st.booleans(),
    "barrier": st.booleans(),
}
STEPS = st.one_of(
    st.builds(CommandSpec, text=FILLED, **OPTIONS),
    st.builds(
        CommandSpec,
        text=st.just(""),
        script=SCRIPTS,
        arguments=st.lists(TEXTS, max_size=3).map(tuple),
        **OPTIONS,
    ),
)
NO_ROLLOUT = st.just(RolloutSpec())
ROLLOUTS = st.builds(
    RolloutSpec,
    batches=st.sampled_from(["1", "1,10%,rest", " 2 , rest"]),
    order=st.sampled_from(Order),
    delay=SECONDS,
    max_concurrency=st.sampled_from(["", "5", "10%"]),
    max_failures=st.sampled_from(["", "0", "10%"]),
    hold=st.sampled_from(HoldRule),
)
HOLDS = st.builds(
    RolloutSpec, batches=st.just("1"), hold=st.just(HoldRule.EACH), hold_timeout=SECONDS
)


def _parameters(name: str) -> st.SearchStrategy[Parameter]:
    more = {"name": st.just(name), "help": TEXTS, "required": st.booleans()}

    def of(
        kind: ParameterType, **fields: st.SearchStrategy[object]
    ) -> st.SearchStrategy[Parameter]:
        return st.builds(Parameter, type=st.just(kind), **more, **fields)

    numbers = st.from_regex(
        r"-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
    )
    integers = st.integers(-(10**17), 10**17).map(str)
    choices = st.lists(FILLED, min_size=1, max_size=3, unique=True).map(tuple)
    return st.one_of(
        of(ParameterType.TEXT, default=st.none() | TEXTS),
        of(ParameterType.TEXT, pattern=st.just(r"[a-z]+\.'\"")),
        of(ParameterType.INTEGER, default=st.none() | integers),
        of(ParameterType.NUMBER, default=st.none() | numbers.filter("-0".__ne__)),
        of(ParameterType.BOOLEAN, default=st.sampled_from([None, "true", "false"])),
        of(ParameterType.CHOICE, choices=choices),
        of(ParameterType.SECRET),
    )


PARAMETERS = (
    st.lists(NAMES.map(lambda name: f"P_{name}"), unique=True, max_size=3)
    .flatmap(lambda names: st.tuples(*map(_parameters, names)))
)  # fmt: skip
TASK_FILES = st.builds(
    TaskFile,
    st.builds(
        TaskSpec,
        target=TEXTS,
        commands=st.lists(STEPS, min_size=1, max_size=3).map(tuple),
        name=TEXTS,
        description=TEXTS,
        offline=st.sampled_from(Offline),
        rollout=st.one_of(NO_ROLLOUT, ROLLOUTS, HOLDS),
        include_maintenance=st.booleans(),
    ),
    PARAMETERS,
)


@given(TASK_FILES)
def test_what_is_written_is_read_back(task_file: TaskFile) -> None:
    assert read_task_file(write_task_file(task_file), "x") == task_file


@given(TASK_FILES)
def test_each_line_of_a_key_begins_with_the_key(task_file: TaskFile) -> None:
    text = write_task_file(task_file)
    lines = text.split("\n")
    for path, line, _ in _places(text):
        shown = lines[line - 1].strip("[]").replace("steps.", "").replace("params.", "")
        assert shown.partition(" ")[0] in (path[-1], path[-2] if len(path) > 1 else "")


def test_a_script_is_written_as_it_is() -> None:
    command = 'for one in "$@"; do\n\techo \'\\n\' "$one" \\\ndone\n'
    for text in (command, 'echo "$HOME" \\', "it's"):
        assert text in write_task_file(TaskFile(TaskSpec("", (CommandSpec(text),))))


def test_steps_share_what_they_have_alike() -> None:
    step = CommandSpec("a", timeout=timedelta(seconds=5), environment={"A": "1"})
    text = write_task_file(TaskFile(TaskSpec("web01", (step, step))))
    assert text == (
        'target = "web01"\ntimeout = "5s"\n\n[env]\nA = "1"\n\n'
        '[[steps]]\nrun = "a"\n\n[[steps]]\nrun = "a"\n'
    )


def test_a_script_that_is_no_text_is_refused() -> None:
    step = CommandSpec("", script=content_of(b"#!/bin/sh\n\xff"))
    with pytest.raises(InvalidInputError, match="The script of step 0 is not text: byte 10 is not"):
        write_task_file(TaskFile(TaskSpec("", (step,))))


def test_a_script_whose_bytes_are_not_here_is_refused() -> None:
    script = replace(content_of(b"#!/bin/sh\n"), data=None)
    with pytest.raises(InvalidInputError, match="The bytes of the script are missing"):
        write_task_file(TaskFile(TaskSpec("", (CommandSpec("", script=script),))))

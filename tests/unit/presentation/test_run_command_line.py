"""The command line of a task: it makes an equal task."""

import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.cli.options.arguments import parse
from tui_manager.cli.options.secret_values import secret_names
from tui_manager.cli.options.tasks.run import task_spec
from tui_manager.domain.presentation.run_command_line import arguments, command_line
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.rollout_spec import HoldRule, Order, RolloutSpec
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, TaskSpec

UPTIME = TaskSpec("role=web&env=prod", (CommandSpec("uptime"),))
# Without NUL and surrogates, which no command can have.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
NOT_BLANK = TEXTS.filter(lambda text: bool(text.strip()))
VARIABLES = st.dictionaries(st.from_regex("[A-Za-z_][a-z]{0,4}", fullmatch=True), TEXTS, max_size=2)
SIZES = st.one_of(st.integers(1, 99).map(str), st.integers(1, 100).map("{}%".format))


def seconds(low: int, high: int) -> st.SearchStrategy[timedelta]:
    return st.integers(low * 1000, high * 1000).map(lambda ms: timedelta(milliseconds=ms))


@st.composite
def rollouts(draw: st.DrawFn) -> RolloutSpec:
    batches = draw(st.sampled_from(["", "1", "1,10%,rest"]))
    hold = draw(st.sampled_from(list(HoldRule))) if batches else HoldRule.NEVER
    failures = draw(st.one_of(st.just(""), SIZES))
    rollout = RolloutSpec(
        batches=batches,
        order=draw(st.sampled_from(list(Order))),
        delay=draw(seconds(0, 604800)) if batches else timedelta(0),
        max_concurrency=draw(st.one_of(st.just(""), SIZES)),
        max_failures=failures,
        strict=bool(failures) and draw(st.booleans()),
        hold=hold,
    )
    return replace(rollout, hold_timeout=draw(seconds(1, 2592000))) if hold else rollout


@st.composite
def specs(draw: st.DrawFn) -> TaskSpec:
    parameters, environment = draw(VARIABLES), draw(VARIABLES)
    names = st.from_regex("[A-Z]{1,3}", fullmatch=True)
    secrets = draw(st.dictionaries(names, st.just("hidden-value"), max_size=2))
    taken = (*parameters, *environment)
    step = CommandSpec(
        draw(NOT_BLANK),
        timeout=draw(seconds(1, 604800)),
        parameters=parameters,
        environment=environment,
        cwd=draw(TEXTS),
        run_as_user=draw(st.sampled_from(["", "deploy", "münchen"])),
        limits=ResourceLimits(
            draw(st.sampled_from([0, 1 << 20, (1 << 30) + 1])),
            draw(st.sampled_from([0, 100])),
            draw(st.sampled_from([0, 50, 200])),
        ),
        secrets={name: value for name, value in secrets.items() if name not in taken},
    )
    offline = draw(st.sampled_from(list(Offline)))
    spec = TaskSpec(
        draw(st.one_of(st.sampled_from(["@all", "web[01-20],db1", "-old"]), NOT_BLANK)),
        (step,),
        draw(TEXTS),
        draw(TEXTS),
        offline=offline,
        rollout=draw(rollouts()),
        include_maintenance=draw(st.booleans()),
    )
    spec.check()
    if offline is Offline.WAIT:
        return replace(spec, delivery_timeout=draw(seconds(1, 2592000)))
    return spec


def read(words: list[str]) -> tuple[TaskSpec, tuple[str, ...]]:
    """The task that a command line makes, and the names of its secrets."""
    assert words[0] == "tui-manager"
    options = parse(words[1:])
    return task_spec(options), secret_names(options.secret)


def without_secrets(spec: TaskSpec) -> TaskSpec:
    return replace(spec, commands=(replace(spec.commands[0], secrets={}),))


@given(specs())
def test_the_command_line_makes_an_equal_task(spec: TaskSpec) -> None:
    line = command_line(spec)
    made, secrets = read(shlex.split(line))
    assert made == without_secrets(spec)
    assert secrets == tuple(spec.commands[0].secrets)
    assert "hidden-value" not in line


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        (UPTIME, "tui-manager run 'role=web&env=prod' -- uptime"),
        # Without `offline wait` the program refuses this option.
        (
            replace(UPTIME, delivery_timeout=timedelta(hours=6)),
            "tui-manager run 'role=web&env=prod' -- uptime",
        ),
        (
            replace(UPTIME, target="@all", commands=(CommandSpec("a | b", timedelta(minutes=5)),)),
            "tui-manager run @all --timeout 5m -- 'a | b'",
        ),
        (replace(UPTIME, target="-x"), "tui-manager run -- -x -- uptime"),
        (
            replace(UPTIME, name="-n", offline=Offline.WAIT, delivery_timeout=timedelta(hours=6)),
            "tui-manager run 'role=web&env=prod' --name=-n --offline wait --delivery-timeout 6h "
            "-- uptime",
        ),
    ],
)
def test_what_it_looks_like(spec: TaskSpec, line: str) -> None:
    assert command_line(spec) == line


def test_a_file_stands_as_its_path(tmp_path: Path) -> None:
    script, given = tmp_path / "-job.sh", tmp_path / "some input"
    script.write_bytes(b"#!/bin/sh\ncat\n")
    given.write_bytes(b"\0\1")
    step = CommandSpec(
        "",
        script=content_of(script.read_bytes()),
        stdin=content_of(given.read_bytes()),
        arguments=("--deep", "a b", ""),
        name=script.name,
    )
    spec = TaskSpec("db1", (step,))
    files = {"script": str(script), "stdin": str(given)}
    made, _ = read(list(arguments(spec, files)))
    assert made == spec
    assert made.commands[0].stdin == step.stdin
    assert "--script FILE --stdin FILE" in command_line(spec)


def test_the_folder_of_the_manager_is_named_if_it_is_another_one() -> None:
    words = arguments(UPTIME, state_dir="/var/lib/my fleet")
    assert parse(words[1:]).state_dir == "/var/lib/my fleet"
    assert command_line(UPTIME, state_dir="/a").startswith("tui-manager --state-dir /a run ")


TRICKY = """printf '%s\\n' "$HOME" '`id`' \\
  && echo "*" ~ !! $(date) # 'done'"""


def test_a_shell_gives_the_program_these_words() -> None:
    variables = {"A": 'it\'s "$HOME"', "B": "-x\n\ttwo lines", "C": "é"}
    spec = TaskSpec("web[01-20],!db*", (CommandSpec(TRICKY, parameters=variables),), "na\\me $1")
    show = f"{shlex.quote(sys.executable)} -c 'import sys; print(sys.argv[1:])'"
    line = command_line(spec)
    assert line.startswith("tui-manager ")
    shell = subprocess.run(
        ["/bin/sh", "-c", f'tui_manager() {{ {show} "$@"; }}\n' + line.replace("-", "_", 1)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout.strip() == repr(list(arguments(spec))[1:])
    assert read(list(arguments(spec)))[0] == spec

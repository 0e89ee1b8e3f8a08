"""The command line of a copy or a fetch: it makes an equal task."""

import shlex
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.cli.options.arguments import parse
from tui_manager.cli.options.tasks.transfer import NO_FILES, copy_task, fetch_task, sources_of
from tui_manager.domain.presentation.run_command_line import command_line
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, TaskSpec

TEXTS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=9
)
NAMES = TEXTS.filter(lambda text: text != "-")
HOST_PATHS = TEXTS.map(lambda path: f"/{path}").filter(lambda path: ".." not in path)
TARGETS = st.sampled_from(["@all", "web[01-20],db1", "-old"])
COPIES = st.builds(
    CopySpec,
    files=st.just(NO_FILES),
    to=HOST_PATHS,
    mode=st.none() | st.integers(0, 0o7777),
    owner=st.sampled_from(["", "root", "root:www-data"]),
    backup=st.sampled_from([True, False]),
)
FETCHES = st.builds(
    FetchSpec,
    paths=st.lists(HOST_PATHS, min_size=1, max_size=3).map(tuple),
    recursive=st.booleans(),
    to=NAMES,
)


def task(step: CommandSpec, target: str) -> TaskSpec:
    return TaskSpec(target, (replace(step, timeout=timedelta(minutes=9)),), offline=Offline.WAIT)


@given(COPIES, st.lists(NAMES, min_size=1, max_size=3), st.booleans(), TARGETS)
def test_the_command_line_of_a_copy(
    copy: CopySpec, sources: list[str], recursive: bool, target: str
) -> None:
    spec = task(CommandSpec("", copy=copy), target)
    words = shlex.split(command_line(spec, sources=sources, recursive=recursive))
    options = parse(words[1:])
    assert copy_task(options) == spec
    assert sources_of(options) == sources
    assert options.recursive == recursive


@given(FETCHES, TARGETS)
def test_the_command_line_of_a_fetch(fetch: FetchSpec, target: str) -> None:
    spec = task(CommandSpec("", fetch=fetch), target)
    assert fetch_task(parse(shlex.split(command_line(spec))[1:])) == spec


COPY = CopySpec(NO_FILES, "/etc/app/", 0o640, "root", True, ("app.conf",))


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (
            CommandSpec("", copy=COPY),
            "tui-manager copy @all app.conf /etc/app/ --mode 0640 --owner root --backup",
        ),
        (CommandSpec("", copy=CopySpec(NO_FILES, "/x")), "tui-manager copy @all FILE /x"),
        (CommandSpec("", fetch=FetchSpec(("/a",))), "tui-manager fetch @all /a DIR"),
        (
            CommandSpec("", fetch=FetchSpec(("/a", "/b"), True, "-x")),
            "tui-manager fetch --recursive -- @all /a /b -x",
        ),
    ],
)
def test_what_it_looks_like(step: CommandSpec, line: str) -> None:
    assert command_line(TaskSpec("@all", (step,))) == line

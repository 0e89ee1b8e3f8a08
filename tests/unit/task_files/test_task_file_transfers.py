"""Steps of task files that copy and fetch: what is read, what an error says, what is written."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.task_file import TaskFile, fill, read_task_file, task_file_of
from tui_manager.domain.task_files.task_file_steps import LocalCopy
from tui_manager.domain.task_files.write_task_file import write_task_file
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet
from tui_manager.domain.task_spec.step_and_task_options import with_step_options
from tui_manager.domain.task_spec.task_spec import CommandSpec, StepKind, TaskSpec

SET = FileSet("ab" * 32, 300, 2048, 2, 4096)
STORED = (
    f'stored = {{ sha256 = "{SET.sha256}", manifest_size = 300, size = 2048, files = 2, '
    "bytes = 4096 }\n"
)
COPY = '[[steps]]\ncopy = ["app.conf", "keys"]\nto = "/etc/app/"\n'
FETCH = '[[steps]]\nfetch = "/var/log/syslog"\n'


def read_files(paths: Sequence[str], *, recursive: bool) -> tuple[FileSet, Sequence[str]]:
    """All folders are read, and no file is."""
    if not recursive:
        raise InvalidInputError("files", f"{paths[0]} is a folder.")
    return SET, [path.rpartition("/")[2] for path in paths]


def steps(text: str) -> tuple[CommandSpec, ...]:
    return read_task_file(text, "a.toml", read_files=read_files).spec.commands


def test_a_copy_is_read() -> None:
    text = COPY.replace("app.conf", "conf/app.conf")
    (step,) = steps(
        f'{text}recursive = true\nmode = "0640"\nowner = "root:www"\nbackup = true\n'
        'name = "configure"\ntimeout = "5m"\nalways = true\n'
    )
    assert step.kind is StepKind.COPY
    assert step.copy == CopySpec(SET, "/etc/app/", 0o640, "root:www", True, ("app.conf", "keys"))
    assert (step.name, step.timeout, step.always) == ("configure", timedelta(minutes=5), True)


def test_a_fetch_is_read() -> None:
    (one,) = steps(FETCH)
    assert one.kind is StepKind.FETCH
    assert one.fetch == FetchSpec(("/var/log/syslog",))
    (many,) = steps('[[steps]]\nfetch = ["/a", "/b"]\nto = "logs"\nrecursive = true\n')
    assert many.fetch == FetchSpec(("/a", "/b"), True, "logs")


def test_a_copy_of_stored_files_reads_none() -> None:
    (step,) = read_task_file(COPY + STORED, "a.toml").spec.commands
    assert step.copy == CopySpec(SET, "/etc/app/", sources=("app.conf", "keys"))


def test_what_is_for_commands_alone_does_not_reach_copies() -> None:
    task_file = read_task_file(
        'user = "root"\ncwd = "/"\ntimeout = "9s"\nmemory_max = "1G"\nenv = { A = "b" }\n'
        '[params.V]\ndefault = "1"\n[params.S]\ntype = "secret"\n'
        f'{COPY}{STORED}{FETCH}[[steps]]\nrun = "x"\n',
        "a.toml",
    )
    copy, fetch, run = fill(task_file, {"V": "2"}, {"S": "hidden"}).commands
    for step in (copy, fetch):
        step.check()
        assert step.timeout == timedelta(seconds=9)
        assert (step.run_as_user, step.cwd, step.limits.words) == ("", "", ())
        assert not step.environment
        assert not step.parameters
        assert not step.secrets
    assert (run.run_as_user, run.parameters, run.secrets) == ("root", {"V": "2"}, {"S": "hidden"})
    spec = TaskSpec("@all", (copy, fetch, run))
    again = task_file_of(spec)
    assert [(one.name, one.default) for one in again.parameters] == [("V", "2"), ("S", None)]
    assert with_step_options(copy, {"run_as_user": "x", "user": "x"}) == copy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (COPY, "line 2: steps[0].copy: app.conf is a folder."),
        ("[[steps]]\ncopy = []\nto = '/x'\n", "line 2: steps[0].copy: it names no file"),
        ("[[steps]]\ncopy = ''\nto = '/x'\n", "line 2: steps[0].copy: it names no file"),
        ("[[steps]]\ncopy = 1\nto = '/x'\n", "line 2: steps[0].copy: it is a whole number; write"),
        ("[[steps]]\ncopy = 'x'\n", 'line 1: steps[0]: a step with copy needs a path on the hosts'),
        (COPY.replace("/etc/app/", "app") + STORED, "line 3: steps[0].to: 'app' does not begin"),
        (COPY + "mode = 0o644\n", "line 4: steps[0].mode: it is a whole number; write text in"),
        (COPY + "mode = '9'\n", "line 4: steps[0].mode: '9': expected permission bits in octal"),
        (COPY + STORED + "owner = 'a b'\n", "line 5: steps[0].owner: 'a b' is not an owner"),
        (COPY + "owner = ''\n", "line 4: steps[0].owner: '': the name is empty"),
        (COPY + "user = 'x'\n", "line 4: steps[0].user: a step with copy has no such key"),
        (COPY + "stored = { sha256 = 'x' }\n", "steps[0].stored: manifest_size is missing"),
        (COPY + STORED.replace("ab", "AB", 1), "is not a SHA-256"),
        (COPY + STORED.replace("300", "-1"), "line 2: steps[0].copy: A manifest has from 1"),
        (COPY + STORED.replace("300", "'x'"), "steps[0].stored.manifest_size: it is text; write"),
        (COPY + STORED.replace("bytes", "byte"), "stored has no such key; did you mean bytes?"),
        (FETCH + "mode = '0644'\n", "line 3: steps[0].mode: a step with fetch has no such key"),
        (FETCH.replace("/var", "var"), "line 2: steps[0].fetch: 'var/log/syslog' does not begin"),
        ("[[steps]]\nfetch = []\n", "line 2: steps[0].fetch: A fetch has from 1 to 1000 paths"),
        (FETCH + "copy = 'x'\n", "line 2: steps[0].fetch: the step has copy too"),
        ("to = '/x'\n" + FETCH, "line 1: to: it belongs to a step"),
    ],
)  # fmt: skip
def test_an_error_names_line_and_key(text: str, expected: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        steps(text)
    assert expected in str(error.value)


def test_files_are_not_read_where_there_are_none() -> None:
    with pytest.raises(InvalidInputError, match="no file can be read here"):
        read_task_file(COPY, "a.toml")


def test_a_copy_that_is_not_stored_yet_is_written_with_its_files() -> None:
    copy = CommandSpec("", copy=CopySpec(SET, "/etc/", sources=("app.conf",)))
    task_file = TaskFile(TaskSpec("@all", (copy, copy)))
    text = write_task_file(task_file, {0: LocalCopy(("conf/app.conf",), recursive=True)})
    assert text.count("stored") == 1
    assert 'copy = "conf/app.conf"\nto = "/etc/"\nrecursive = true\n' in text
    spec = read_task_file(text, "a.toml", read_files=read_files).spec
    assert spec == task_file.spec


PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9)
HOST_PATHS = PATHS.map(lambda path: f"/{path}").filter(lambda path: ".." not in path)
RULES = {"name": PATHS, "always": st.booleans(), "barrier": st.booleans()}
COPIES = st.builds(
    CopySpec,
    files=st.just(SET),
    to=HOST_PATHS,
    mode=st.none() | st.integers(0, 0o7777),
    owner=st.sampled_from(["", "root", "root:www-data"]),
    backup=st.booleans(),
    sources=st.lists(PATHS, max_size=3).map(tuple),
)
FETCHES = st.builds(
    FetchSpec,
    paths=st.lists(HOST_PATHS, min_size=1, max_size=3).map(tuple),
    recursive=st.booleans(),
    to=st.just("") | PATHS,
)
STEPS = st.one_of(
    st.builds(CommandSpec, text=st.just(""), copy=COPIES, **RULES),
    st.builds(CommandSpec, text=st.just(""), fetch=FETCHES, **RULES),
    st.builds(CommandSpec, text=st.just("true"), run_as_user=st.sampled_from(["", "root"])),
)


@given(st.lists(STEPS, min_size=1, max_size=3))
def test_a_written_task_file_is_read_back(commands: list[CommandSpec]) -> None:
    task_file = TaskFile(TaskSpec("@all", tuple(commands)))
    assert read_task_file(write_task_file(task_file), "a.toml") == task_file

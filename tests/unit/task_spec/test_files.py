"""Steps that copy and fetch: what is checked of them, and how they are named."""

from dataclasses import replace
from typing import Any

import pytest

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet, Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec, StepKind

SET = FileSet("ab" * 32, 100, 1000, 3, 1000)
COPY = CopySpec(SET, "/etc/app/", sources=("app.conf",))
FETCH = FetchSpec(("/var/log/syslog",))


def test_steps_say_what_they_do() -> None:
    copy, fetch = CommandSpec("", copy=COPY), CommandSpec("", fetch=FETCH)

    assert (copy.kind, copy.title) == (StepKind.COPY, "copy app.conf to /etc/app/")
    assert (fetch.kind, fetch.title) == (StepKind.FETCH, "fetch /var/log/syslog")
    many = replace(COPY, sources=("a", "b", "c", "d"))
    assert CommandSpec("", copy=many).title == "copy a, b and 2 more to /etc/app/"
    assert CommandSpec("", copy=COPY, name="configuration").title == "configuration"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("to", {"to": "etc/app"}),
        ("to", {"to": "/etc/../app"}),
        ("to", {"to": "/etc/\0"}),
        ("to", {"to": "/etc/\udcff"}),
        ("to", {"to": "/" + "x" * 4095}),
        ("mode", {"mode": 0o10000}),
        ("mode", {"mode": -1}),
        ("owner", {"owner": "-x"}),
        ("owner", {"owner": "a:b:c"}),
        ("owner", {"owner": "a b"}),
        ("owner", {"owner": ":group"}),
        ("files", {"files": replace(SET, sha256="AB" * 32)}),
        ("files", {"files": replace(SET, sha256="../../etc")}),
        ("files", {"files": replace(SET, manifest_size=0)}),
        ("files", {"files": replace(SET, size=-1)}),
        ("files", {"files": replace(SET, bytes=999)}),
    ],
)
def test_a_copy_out_of_bounds_names_its_field(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as raised:
        CommandSpec("", copy=replace(COPY, **changes)).check()
    assert raised.value.field == field


@pytest.mark.parametrize("owner", ["", "www-data", "root:adm", "1000:1000"])
def test_an_owner_is_a_user_with_or_without_a_group(owner: str) -> None:
    CommandSpec("", copy=replace(COPY, owner=owner)).check()


@pytest.mark.parametrize("paths", [(), ("relative",), ("/a",) * 1001, ("/a/../b",)])
def test_a_fetch_out_of_bounds_names_its_field(paths: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError) as raised:
        CommandSpec("", fetch=FetchSpec(paths)).check()
    assert raised.value.field == "paths"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("command", {"text": "true"}),
        ("user", {"run_as_user": "deploy"}),
        ("cwd", {"cwd": "/tmp"}),
        ("env", {"environment": {"A": "1"}}),
        ("param", {"parameters": {"A": "1"}}),
        ("secret", {"secrets": {"A": "1"}}),
        ("arguments", {"arguments": ("a",)}),
        ("copy", {"fetch": FETCH}),
    ],
)
def test_a_copy_has_nothing_of_a_command(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as raised:
        replace(CommandSpec("", copy=COPY), **changes).check()
    assert raised.value.field == field


def test_a_transfer_is_unchanged_once_it_has_completed_and_the_host_had_all_files() -> None:
    assert Transfer(10, 2, 2, 0, "ab" * 32).unchanged
    assert not Transfer(10, 2, 1, 5, "ab" * 32).unchanged
    assert not Transfer(0, 0, 0, 0, "ab" * 32).unchanged
    assert not Transfer(10, 2, 2).unchanged, "it still runs"

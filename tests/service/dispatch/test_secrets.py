"""Secrets of commands: sealed in the database, opened for a host, erased with the task."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases.engines import holding
from tests.support.managers.manager_parts import Parts, failed, manager_parts, result
from tests.support.waiting import wait_until
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.task_spec.text_and_variables import COMMAND_LENGTH
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.transport.messages.convert_messages import from_run

DATABASE = ("manager.db", "manager.db-wal")
VALUE = "correct horse battery staple"
ANOTHER = "Tr0ub4dor&3 ünïcode"


def spec(*commands: str, target: str = "@all", **given: Any) -> TaskSpec:
    """A task whose commands all have a secret."""
    given.setdefault("secrets", {"TOKEN": VALUE})
    made = tuple(CommandSpec(text, **given) for text in commands or ("true",))
    return TaskSpec(target=target, commands=made, created_by="ana@pts/3")


async def stored(parts: Parts) -> list[tuple[str, bytes | None]]:
    """The rows of secrets as they are."""

    def rows(tx: Transaction) -> list[tuple[str, bytes | None]]:
        found = tx.execute("SELECT name, value FROM secrets ORDER BY command_id, name").fetchall()
        return [(row["name"], row["value"]) for row in found]

    return await parts.database.read(rows)


async def erase(parts: Parts) -> None:
    """As a backup does."""
    await parts.database.write(lambda tx: tx.execute("UPDATE secrets SET value = NULL").close())


async def test_a_secret_reaches_only_the_host(parts: Parts, tmp_path: Path) -> None:
    await parts.connect("web01")
    given = spec("a", "b", secrets={"TOKEN": VALUE, "KEY": ANOTHER}, environment={"A": "1"})
    task_id = await parts.tasks.create_task(given)
    await parts.tasks.start_task(task_id)
    ((_, run),) = await parts.send()
    assert run.environment == {"A": "1", "TOKEN": VALUE, "KEY": ANOTHER}
    assert sorted(run.secrets) == ["KEY", "TOKEN"]
    message = from_run(run).run_command
    assert dict(message.environment) == run.environment
    assert list(message.secret_names) == list(run.secrets)
    detail = await parts.tasks.get_task(task_id)
    assert [command.spec.secrets for command in detail.commands] == [{"KEY": "", "TOKEN": ""}] * 2
    for shown in (given, detail, run, parts.dispatcher.sent):
        assert VALUE not in repr(shown)
        assert ANOTHER not in repr(shown)
    for value in (VALUE, ANOTHER):
        assert holding(tmp_path, value.encode()) == []


async def test_a_command_without_secrets_gets_none(parts: Parts) -> None:
    await parts.connect("web01")
    commands = (CommandSpec("a", secrets={"TOKEN": VALUE}), CommandSpec("b"))
    task_id = await parts.tasks.create_task(TaskSpec(target="@all", commands=commands))
    await parts.tasks.start_task(task_id)
    ((host_id, first),) = await parts.send()
    await parts.report(host_id, result(first.execution_id))
    ((_, second),) = await parts.send()
    assert first.environment == {"TOKEN": VALUE}
    assert (second.environment, second.secrets) == ({}, ())


async def test_every_host_gets_the_secret_also_at_a_second_attempt(parts: Parts) -> None:
    opened = [await parts.connect(name) for name in ("web01", "web02")]
    parts.dispatcher.broken.add(opened[1].host_id)
    task_id = await parts.tasks.create_task(spec())
    await parts.tasks.start_task(task_id)
    ((first, run),) = await parts.send()
    assert (first, run.environment) == (opened[0].host_id, {"TOKEN": VALUE})
    parts.dispatcher.broken.clear()
    parts.dispatch.wake([opened[1].host_id])
    ((second, run),) = await parts.send()
    assert (second, run.environment) == (opened[1].host_id, {"TOKEN": VALUE})


@pytest.mark.parametrize("end", ["completed", "failed", "canceled", "canceled before it started"])
async def test_a_secret_is_erased_when_the_task_ends(
    parts: Parts, end: str, tmp_path: Path
) -> None:
    await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec())
    ((_, sealed),) = await stored(parts)
    assert sealed
    assert holding(tmp_path, sealed) != []
    if end == "canceled before it started":
        await parts.tasks.cancel_task(task_id)
    else:
        await parts.tasks.start_task(task_id)
        ((host_id, run),) = await parts.send()
        await parts.report(host_id, Started(run.execution_id, timedelta(0)))
        if end == "canceled":
            await parts.tasks.cancel_task(task_id)
        assert [value for _, value in await stored(parts) if value] != [], "until it ends"
        status, reason = CommandHostStatus.CANCELED, Reason.CANCELED
        answers = {
            "completed": result(run.execution_id),
            "failed": failed(run.execution_id),
            "canceled": result(run.execution_id, status, reason),
        }
        await parts.report(host_id, answers[end])
    assert (await parts.tasks.get_task_status(task_id)) is TaskStatus(end.split()[0])
    assert await stored(parts) == [("TOKEN", None)]
    assert (await parts.tasks.get_task(task_id)).commands[0].spec.secrets == {"TOKEN": ""}

    async def look() -> list[str]:
        return holding(tmp_path, sealed)

    await wait_until(look, lambda names: names == [])  # also not in the log of the database


@pytest.mark.sqlite("its log")
async def test_the_log_of_a_killed_manager_is_truncated_at_the_start(
    tmp_path: Path,
) -> None:
    async with manager_parts(tmp_path) as before:
        await before.tasks.create_task(spec())
        ((_, sealed),) = await stored(before)
        copies = {name: (tmp_path / name).read_bytes() for name in DATABASE}
        await erase(before)
    for name, data in copies.items():
        (tmp_path / name).write_bytes(data)
    with closing(sqlite3.connect(tmp_path / "manager.db", isolation_level=None)) as killed:
        killed.execute("PRAGMA wal_autocheckpoint = 0")
        killed.execute("PRAGMA secure_delete = ON")
        killed.execute("UPDATE secrets SET value = NULL")
        copies = {name: (tmp_path / name).read_bytes() for name in DATABASE}
    for name, data in copies.items():
        (tmp_path / name).write_bytes(data)
    assert holding(tmp_path, sealed or b"?") != []

    async def look() -> list[str]:
        return holding(tmp_path, sealed or b"?")

    async with manager_parts(tmp_path):
        await wait_until(look, lambda names: names == [])


async def test_without_its_secrets_a_command_is_undeliverable(parts: Parts) -> None:
    """As after a backup was put back."""
    await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("a", "b"))
    await erase(parts)
    await parts.tasks.start_task(task_id)
    assert await parts.send() == []
    first, second = await parts.rows(task_id)
    assert (first.status, first.reason) == (CommandHostStatus.FAILED, Reason.UNDELIVERABLE)
    assert first.detail == (
        "its secret TOKEN is erased, as in every backup and once a task has ended; "
        "create the task again"
    )
    assert first.sent_at is None
    assert (second.status, second.reason) == (CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED


async def test_the_next_command_is_sent_after_a_refused_one(parts: Parts) -> None:
    host = await parts.connect("web01", capacity=1)
    parts.dispatcher.rooms[host.host_id] = 1
    with_secret = await parts.tasks.create_task(spec())
    without = await parts.tasks.create_task(spec("behind", secrets={}))
    await erase(parts)
    await parts.tasks.start_task(with_secret)
    await parts.tasks.start_task(without)
    ((_, run),) = await parts.send()
    assert run.command.text == "behind"


async def test_with_another_key_a_command_is_undeliverable(tmp_path: Path) -> None:
    async with manager_parts(tmp_path) as before:
        await before.connect("web01")
        task_id = await before.tasks.create_task(spec())
    (tmp_path / "security" / "secrets.key").unlink()
    async with manager_parts(tmp_path) as parts:
        await parts.connect("web01")
        await parts.tasks.start_task(task_id)
        assert await parts.send() == []
        (row,) = await parts.rows(task_id)
        assert (row.status, row.reason) == (CommandHostStatus.FAILED, Reason.UNDELIVERABLE)
        assert row.detail.startswith("its secret TOKEN is lost: ")
        assert VALUE not in row.detail


async def test_a_manager_that_starts_again_still_has_the_key(tmp_path: Path) -> None:
    async with manager_parts(tmp_path) as before:
        await before.connect("web01")
        task_id = await before.tasks.create_task(spec())
    async with manager_parts(tmp_path) as parts:
        await parts.connect("web01")
        await parts.tasks.start_task(task_id)
        ((_, run),) = await parts.send()
        assert run.environment == {"TOKEN": VALUE}


@pytest.mark.parametrize(
    "moved",
    [
        "UPDATE secrets SET value = (SELECT value FROM secrets WHERE command_id = 1) "
        "WHERE command_id = 2",
        "UPDATE secrets SET name = 'SHOWN' WHERE command_id = 2",
    ],
)
async def test_a_sealed_value_opens_in_its_own_row_only(parts: Parts, moved: str) -> None:
    """Whoever can write to the database cannot have a secret of another command shown."""
    await parts.connect("web01")
    await parts.tasks.create_task(spec())
    task_id = await parts.tasks.create_task(spec("env", secrets={"TOKEN": ANOTHER}))
    await parts.database.write(lambda tx: tx.execute(moved).close())
    await parts.tasks.start_task(task_id)
    assert await parts.send() == []
    (row,) = await parts.rows(task_id)
    assert row.reason is Reason.UNDELIVERABLE


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        ({"1A": VALUE}, "'1A' is not a variable's name"),
        ({"A-B": VALUE}, "'A-B' is not a variable's name"),
        ({"TUI_MANAGER_X": VALUE}, "begin with TUI_MANAGER_"),
        ({"TOKEN": VALUE + "\0"}, "A NUL character"),
        ({"TOKEN": VALUE + "\ud800"}, "Not valid UTF-8 at character"),
        ({"TOKEN": VALUE * COMMAND_LENGTH}, f"longer than {COMMAND_LENGTH} bytes"),
        ({"TOKEN": ""}, "The secret TOKEN is empty"),
        ({"PARAMETER": VALUE}, "PARAMETER is given twice"),
        ({"VARIABLE": VALUE}, "VARIABLE is given twice"),
    ],
)
async def test_an_invalid_secret_makes_no_task(
    parts: Parts, secrets: dict[str, str], words: str
) -> None:
    given = spec(secrets=secrets, parameters={"PARAMETER": "1"}, environment={"VARIABLE": "1"})
    with pytest.raises(InvalidInputError, match=words) as wrong:
        await parts.tasks.create_task(given)
    assert wrong.value.field == "secret"
    assert VALUE not in str(wrong.value)
    assert await stored(parts) == []


async def test_a_copied_task_without_its_secret_is_refused(parts: Parts) -> None:
    task_id = await parts.tasks.create_task(spec())
    shown = (await parts.tasks.get_task(task_id)).commands[0].spec
    with pytest.raises(InvalidInputError, match="The secret TOKEN is empty"):
        await parts.tasks.create_task(replace(spec(), commands=(shown,)))


async def test_no_secret_is_in_the_audit_or_the_log(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec())
    await parts.tasks.start_task(task_id)
    ((host_id, run),) = await parts.send()
    await parts.report(host_id, result(run.execution_id))
    audit = await parts.database.read(
        lambda tx: [tuple(row) for row in tx.execute("SELECT * FROM audit").fetchall()]
    )
    assert audit
    said = [str(vars(record)) for record in caplog.records]
    assert said
    assert VALUE not in f"{audit} {said}"

"""A backup is one consistent state, made while a manager writes; no incomplete file is left."""

import asyncio
import os
import socket
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.managers.manager_parts import manager_parts, result
from tui_manager.domain.errors import InvalidInputError, NotFoundError, StorageError
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.sqlite.migrations import migrations
from tui_manager.storage.maintenance import backup
from tui_manager.storage.maintenance.backup import back_up
from tui_manager.storage.maintenance.check import check_database
from tui_manager.storage.tables.manager import manager_state


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    """A database that no program has open."""
    folder = tmp_path / "state"
    folder.mkdir()
    async with open_database(folder / DATABASE) as database:
        await database.write(lambda tx: manager_state.manager_id(tx, 0))
    return folder / DATABASE


async def test_a_backup_made_while_a_manager_writes_is_sound(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    async with manager_parts(state) as parts:
        host = await parts.connect("web01")

        async def work() -> None:
            for _ in range(60):
                await parts.started("web01", "first", "second")
                for _, run in parts.dispatcher.sent[-1:]:
                    await parts.report(host.host_id, result(run.execution_id))

        working = asyncio.create_task(work())
        for number in range(3):
            await asyncio.sleep(0)
            await asyncio.to_thread(back_up, state / DATABASE, tmp_path / f"{number}.db")
        await working
        await asyncio.to_thread(back_up, state / DATABASE, tmp_path / "3.db")
        whole = check_database(state / DATABASE)
    copies = [check_database(tmp_path / f"{number}.db") for number in range(4)]
    assert [copy.findings for copy in copies] == [()] * 4
    assert copies[0].tasks <= copies[1].tasks <= copies[2].tasks <= copies[3].tasks
    assert copies[3] == whole


async def test_a_backup_is_one_private_file_that_a_manager_opens(
    source: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy" / DATABASE
    copy.parent.mkdir()
    assert back_up(source, copy) == copy.stat().st_size
    assert copy.stat().st_mode & 0o777 == 0o600
    assert list(copy.parent.iterdir()) == [copy]
    async with open_database(copy) as database:
        found = await database.write(lambda tx: manager_state.manager_id(tx, 1))
    async with open_database(source) as database:
        assert found == await database.write(lambda tx: manager_state.manager_id(tx, 2))


def test_nothing_is_overwritten_without_force(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    with pytest.raises(InvalidInputError, match="there already"):
        back_up(source, copy)
    assert copy.read_text() == "mine"
    back_up(source, copy, overwrite=True)
    assert check_database(copy).findings == ()


def test_a_backup_to_a_symbolic_link_replaces_its_target(source: Path, tmp_path: Path) -> None:
    file, link = tmp_path / "elsewhere" / "copy.db", tmp_path / "link.db"
    file.parent.mkdir()
    file.write_text("mine")
    link.symlink_to("elsewhere/copy.db")
    with pytest.raises(InvalidInputError, match="there already"):
        back_up(source, link)
    assert file.read_text() == "mine"
    assert back_up(source, link, overwrite=True) == file.stat().st_size
    assert link.readlink() == Path("elsewhere/copy.db")
    assert check_database(file).findings == ()
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("overwrite", [False, True])
def test_only_a_regular_file_is_replaced(source: Path, tmp_path: Path, overwrite: bool) -> None:
    fifo, unix, null = tmp_path / "fifo", tmp_path / "socket", Path("/dev/null")
    os.mkfifo(fifo)
    if os.geteuid() == 0:  # who could replace the real one
        null = tmp_path / "null"
        os.mknod(null, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(unix))
        link = tmp_path / "link"
        for target, kind in ((fifo, "a FIFO"), (unix, "a socket"), (null, "a device")):
            link.unlink(missing_ok=True)
            link.symlink_to(target)
            for name in (target, link):
                before = name.lstat()
                with pytest.raises(InvalidInputError, match=f"{name} is {kind}"):
                    back_up(source, name, overwrite=overwrite)
                assert os.path.samestat(name.lstat(), before)
    link.unlink()
    link.symlink_to(tmp_path / "missing")
    with pytest.raises(InvalidInputError, match=f"link to {tmp_path}/missing, which is not there"):
        back_up(source, link, overwrite=overwrite)
    assert link.is_symlink()
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_appears_during_the_backup_is_not_replaced(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    target = tmp_path / "copy.db"
    if overwrite:
        target.write_text("mine")

    def replace(copy: sqlite3.Connection) -> None:
        target.unlink(missing_ok=True)
        if overwrite:
            os.mkfifo(target)
        else:
            target.write_text("theirs")

    monkeypatch.setattr(backup, "_erase_secrets", replace)
    if not overwrite:  # it comes behind the last look
        monkeypatch.setattr(backup, "_check_target", lambda *_: None)
    with pytest.raises(InvalidInputError, match="a FIFO" if overwrite else "there already"):
        back_up(source, target, overwrite=overwrite)
    assert target.is_fifo() if overwrite else target.read_text() == "theirs"
    assert sorted(tmp_path.iterdir()) == [target, source.parent]


def test_the_database_itself_is_never_overwritten(source: Path) -> None:
    before = source.read_bytes()
    with pytest.raises(InvalidInputError, match="the database itself"):
        back_up(source, source, overwrite=True)
    assert source.read_bytes() == before


def test_a_file_that_a_program_uses_is_left_alone(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(copy)) as used:
        used.execute("PRAGMA journal_mode = WAL")
        used.execute("CREATE TABLE theirs (x)")
        with pytest.raises(InvalidInputError, match="uses"):
            back_up(source, copy, overwrite=True)


def test_a_backup_that_cannot_be_made_is_reported_and_leaves_no_file(
    source: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="no database"):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")
    with pytest.raises(StorageError, match="No such file or directory"):
        back_up(source, tmp_path / "missing" / "copy.db")
    with pytest.raises(InvalidInputError, match="folder"):
        back_up(source, tmp_path)
    assert sorted(tmp_path.iterdir()) == [source.parent]


def test_a_full_disk_is_reported_and_leaves_no_file(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sqlite3.connect

    def small(path: Any, **given: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = real(path, **given)
        if str(path).endswith(".partial"):
            connection.execute("PRAGMA max_page_count = 2")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(StorageError, match="disk is full"):
        back_up(source, tmp_path / "copy.db")
    assert sorted(tmp_path.iterdir()) == [source.parent]


def test_a_disk_full_at_the_sync_is_reported_and_leaves_no_file(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        back_up(source, tmp_path / "copy.db")
    assert sorted(tmp_path.iterdir()) == [source.parent]


async def test_a_backup_has_no_secrets_not_even_sealed(tmp_path: Path) -> None:
    """A copy leaves the folder where the key lies. Large values lie on pages of their own."""
    state, copy = tmp_path / "state", tmp_path / "copy.db"
    state.mkdir()
    secrets = {"SMALL": "small secret", "LARGE": "large secret " * 9000}
    command = CommandSpec("true", secrets=secrets)
    async with manager_parts(state) as parts:
        await parts.connect("web01")
        ended, waits = [
            await parts.tasks.create_task(TaskSpec(target="@all", commands=(command,)))
            for _ in range(2)
        ]
        sealed = await parts.database.read(
            lambda tx: [row["value"] for row in tx.execute("SELECT value FROM secrets").fetchall()]
        )
        await parts.tasks.cancel_task(ended)
        await asyncio.to_thread(back_up, state / DATABASE, copy)
        assert check_database(copy).findings == ()
        assert (await parts.tasks.get_task(waits)).commands[0].spec.secrets
    data = copy.read_bytes()
    assert len(sealed) == 4
    for value in sealed:
        pieces = [value[at : at + 24] for at in range(0, len(value) - 24, 1000)]
        assert [piece for piece in pieces if piece in data] == []
    with closing(sqlite3.connect(copy)) as connection:
        assert set(connection.execute("SELECT name, value FROM secrets")) == {
            ("SMALL", None),
            ("LARGE", None),
        }
    still = (state / DATABASE).read_bytes()
    for value in sealed:
        kept = value[:24] in still
        assert kept == (value in sealed[2:]), "what is erased is gone from the database as well"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "state"]


def test_a_database_of_a_schema_without_secrets_is_backed_up(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        for number, sql in migrations()[:3]:
            connection.executescript(f"{sql}; PRAGMA user_version = {number}")
    back_up(old, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)

"""What is removed when nobody needs it, and what a crash has left."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.databases import engines
from tests.support.file_sets import MadeSet, make_set, read, send, store
from tests.support.managers.manager_parts import Parts, manager_parts, result, spec, totals
from tests.support.managers.schedules import hourly
from tui_manager.domain.errors import NotFoundError, StorageError
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FileSetPart
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.service.files import file_threads
from tui_manager.service.files.file_store import FileStore
from tui_manager.storage.engine.transaction import Transaction

HOUR = timedelta(hours=1).total_seconds()
DAY = 24 * HOUR
MADE = make_set({b"app.conf": b"1" * 900})
OTHER = make_set({b"app.conf": b"2" * 900})


def copy(made: MadeSet = MADE) -> CommandSpec:
    return CommandSpec("", copy=CopySpec(made.files, "/srv/app/", sources=("app.conf",)))


async def is_kept(parts: Parts, made: MadeSet = MADE) -> bool:
    """Whether a set is there after a look of the clean-up."""
    await parts.files_clean_up.run_once()
    there = await parts.files.find(made.files.sha256) is not None
    assert parts.files.folder.has(made.files) is there
    return there


def age(parts: Parts, seconds: float) -> None:
    """All files of the folder were written so long ago."""
    at = parts.clock.instant.timestamp() - seconds
    for path in parts.files.folder.path.rglob("*"):
        os.utime(path, (at, at))


async def prune(parts: Parts) -> None:
    """All tasks that have ended are removed."""
    parts.clock.turn(40 * DAY)
    await parts.pruning.run_once()


async def test_a_set_that_no_task_uses_goes_after_an_hour(parts: Parts) -> None:
    await store(parts.files, MADE)
    parts.clock.turn(HOUR - 1)
    assert await is_kept(parts)
    parts.clock.turn(2)
    assert not await is_kept(parts)


async def test_a_set_goes_with_the_last_task_that_used_it(parts: Parts) -> None:
    host = await parts.connect("web01", features=("files",))
    await store(parts.files, MADE)
    task_id = await parts.started("web01", copy())
    await parts.tasks.create_task(spec("web01", copy()))
    parts.clock.turn(DAY)
    assert await is_kept(parts)
    (row,) = await parts.rows(task_id)
    await parts.report(host.host_id, result(row.execution_id, totals=totals()))
    await parts.tasks.cancel_task(2)
    assert await is_kept(parts)  # for a re-run
    await prune(parts)
    assert not await is_kept(parts)


async def test_a_set_that_a_template_names_stays(parts: Parts) -> None:
    await store(parts.files, MADE)
    task_id = await parts.tasks.create_task(spec("@all", copy()))
    await parts.tasks.cancel_task(task_id)
    await parts.templates.save("app", "", task_id, "ana")
    await parts.templates.save("app", "target = '@all'\n[[steps]]\nrun = 'true'\n", 0, "ana")
    await prune(parts)
    assert await is_kept(parts)
    await parts.templates.delete("app", "ana")
    assert not await is_kept(parts)


async def test_a_set_that_the_task_file_of_a_schedule_names_stays(parts: Parts) -> None:
    for made in (MADE, OTHER):
        await store(parts.files, made)
    texts = []
    for made in (MADE, OTHER):
        task_id = await parts.tasks.create_task(spec("@all", copy(made)))
        await parts.tasks.cancel_task(task_id)
        texts.append(await parts.templates.text_of_task(task_id))
    added = await parts.schedules.add_schedule(hourly(task_file=texts[0]), "ana")
    await parts.schedules.pause_schedule(added.spec.name, "ana")
    await prune(parts)
    assert await is_kept(parts)
    assert not await is_kept(parts, OTHER)
    await store(parts.files, OTHER)
    revision = (await parts.schedules.get_schedule(added.spec.name)).schedule.revision
    await parts.schedules.edit_schedule(hourly(task_file=texts[1]), revision, "ana")
    parts.clock.turn(DAY)
    assert not await is_kept(parts)
    assert await is_kept(parts, OTHER)
    await parts.schedules.delete_schedule(added.spec.name, "ana")
    assert not await is_kept(parts, OTHER)


async def test_a_set_that_a_fetch_has_brought_stays_with_its_task(parts: Parts) -> None:
    host = await parts.connect("web01")
    await store(parts.files, MADE, "fetch")
    task_id = await parts.started("web01", "true")
    (row,) = await parts.rows(task_id)

    def brings(tx: Transaction) -> None:
        tx.execute(
            "INSERT INTO transfers (command_host, bytes, files, unchanged_files, received_bytes,"
            " sha256, stored_sha256) SELECT id, 900, 1, 0, 900, ?, ? FROM command_hosts",
            (MADE.files.sha256, MADE.files.sha256),
        )

    await parts.database.write(brings)
    parts.clock.turn(DAY)
    assert await is_kept(parts)
    assert await parts.files.space.remove_least_used() is None
    await parts.report(host.host_id, result(row.execution_id, totals=totals()))
    assert await is_kept(parts)
    await prune(parts)
    assert not await is_kept(parts)


async def test_what_has_partly_arrived_goes_after_a_day(parts: Parts) -> None:
    async with parts.files.receive(MADE.files) as incoming:
        await send(incoming, MADE, 200)
        age(parts, 2 * DAY)
        await parts.files_clean_up.run_once()
        assert list(parts.files.folder.incoming.iterdir())  # it is being received
    age(parts, DAY - 1)
    await parts.files_clean_up.run_once()
    assert list(parts.files.folder.incoming.iterdir())
    age(parts, DAY + 1)
    await parts.files_clean_up.run_once()
    assert not list(parts.files.folder.incoming.iterdir())


async def test_files_without_a_row_go_after_an_hour(parts: Parts) -> None:
    await store(parts.files, MADE)
    await parts.database.write(lambda tx: tx.execute("DELETE FROM file_sets"))
    age(parts, HOUR - 1)
    await parts.files_clean_up.run_once()
    assert parts.files.folder.has(MADE.files)
    age(parts, HOUR + 1)
    assert not await is_kept(parts)


async def test_nothing_goes_while_the_clock_is_not_trusted(parts: Parts) -> None:
    await store(parts.files, MADE)
    parts.clock.instant += timedelta(days=400)
    await parts.watch.run_once()
    await parts.files_clean_up.run_once()
    assert await parts.files.find(MADE.files.sha256)
    await parts.watch.accept("ana")
    assert await is_kept(parts)  # it came a moment ago all the same
    parts.clock.turn(HOUR + 1)
    assert not await is_kept(parts)


async def test_a_set_that_came_while_the_clock_was_behind_is_not_older(parts: Parts) -> None:
    parts.clock.instant -= timedelta(days=400)
    await parts.watch.run_once()
    await store(parts.files, MADE)
    parts.clock.turn(10)
    parts.clock.instant += timedelta(days=400)
    assert await is_kept(parts)
    assert await parts.watch.may_prune()
    assert await parts.files.space.remove_least_used() is None
    parts.clock.turn(HOUR)
    assert await parts.files.space.remove_least_used() == MADE.files


async def test_a_manager_that_is_killed_before_the_commit_takes_the_set_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> None:
        raise StorageError("killed")

    async with manager_parts(tmp_path) as parts:
        with monkeypatch.context() as patched:
            patched.setattr(FileStore, "_store", dies)
            with pytest.raises(StorageError, match="killed"):
                await store(parts.files, MADE)
    async with manager_parts(tmp_path) as parts:
        assert parts.files.folder.has(MADE.files)
        assert await parts.files.find(MADE.files.sha256) is None
        assert await store(parts.files, MADE) == 0  # nothing has to be sent
        assert await read(parts.files, MADE)


async def test_a_manager_that_is_killed_between_both_names_gets_the_set_again(
    parts: Parts,
) -> None:
    await store(parts.files, MADE)
    await parts.database.write(lambda tx: tx.execute("DELETE FROM file_sets"))
    parts.files.folder.place(MADE.files.sha256, FileSetPart.MANIFEST).unlink()
    assert await store(parts.files, MADE) > 0
    assert await read(parts.files, MADE)


async def test_a_database_without_its_files_refuses_their_tasks(tmp_path: Path) -> None:
    """It was restored from a backup, which has no files."""
    backup = tmp_path / "restored"
    (tmp_path / "first").mkdir()
    backup.mkdir()
    async with manager_parts(tmp_path / "first") as parts:
        await store(parts.files, MADE)
        for _ in range(2):
            await parts.tasks.create_task(spec("@all", copy()))
        await parts.tasks.cancel_task(1)
        engines.copy_database(tmp_path / "first", backup)
    async with manager_parts(backup) as parts:
        await parts.connect("web01", features=("files",))
        if parts.database.shared:  # it has the bytes
            assert await read(parts.files, MADE)
            return
        with pytest.raises(NotFoundError, match="does not have the file set"):
            await parts.files.read(MADE.files.sha256, FileSetPart.DATA, 0, 1)
        for act in (
            parts.tasks.create_task(spec("@all", copy())),
            parts.tasks.start_task(2),
        ):
            with pytest.raises(NotFoundError, match=r"copy app.conf to /srv/app/.*Copy them from"):
                await act
        assert await store(parts.files, MADE) > 0
        await parts.tasks.start_task(2)


async def test_a_folder_that_is_away_for_a_moment_is_waited_for(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(parts.files, MADE)
    path, away = parts.files.folder.path, parts.files.folder.path.with_name("away")
    path.rename(away)
    slept = 0

    async def sleep(_: float) -> None:
        nonlocal slept
        slept += 1
        if slept == 3:
            away.rename(path)

    monkeypatch.setattr(file_threads, "sleep", sleep)
    assert await read(parts.files, MADE)
    assert slept == 3
    path.rename(away)
    slept = 3
    with pytest.raises(StorageError, match=r"files is missing\. Put it back"):
        await store(parts.files, OTHER)
    assert not path.exists()
    away.rename(path)
    await store(parts.files, OTHER)


async def test_the_folder_is_private(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir(mode=0o755)
    async with manager_parts(tmp_path) as parts:
        await store(parts.files, MADE)
        for path in (tmp_path / "files", tmp_path / "files" / "incoming"):
            assert path.stat().st_mode & 0o777 == 0o700
        for part in FileSetPart:
            assert parts.files.folder.place(MADE.files.sha256, part).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_the_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir(mode=0o700)
    os.chown(tmp_path / "files", 12345, 12345)
    with pytest.raises(StorageError, match="belongs to another user"):
        async with manager_parts(tmp_path):
            pass


@pytest.mark.sqlite("from PostgreSQL the set is read once more")
async def test_links_in_the_folder_are_not_followed(parts: Parts, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(MADE.data)
    await store(parts.files, MADE)
    place = parts.files.folder.place(MADE.files.sha256, FileSetPart.DATA)
    place.unlink()
    place.symlink_to(secret)
    with pytest.raises(NotFoundError):
        await parts.files.read(MADE.files.sha256, FileSetPart.DATA, 0, 1)

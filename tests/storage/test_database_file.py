"""While the files of a database are missing or replaced, nothing is written."""

import shutil
from pathlib import Path

import pytest

from tui_manager.domain.errors import StorageError
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.database import Database, open_database
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import manager_state


def rename(tx: Transaction) -> None:
    tx.execute("UPDATE manager SET manager_id = 'renamed'")


async def name(database: Database) -> str:
    return await database.read(lambda tx: str(tx.execute("SELECT * FROM manager").fetchone()[0]))


@pytest.mark.parametrize("what", ["folder", DATABASE, f"{DATABASE}-wal"])
async def test_nothing_is_written_until_the_files_are_back(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    place = folder if what == "folder" else folder / what
    errors: list[str] = []
    async with open_database(
        folder / DATABASE, lambda _, error, *__: errors.append(error)
    ) as database:
        await database.write(lambda tx: manager_state.manager_id(tx, 0))
        before, size = await name(database), database.size
        assert database.problem == ""
        place.rename(tmp_path / "away")
        with pytest.raises(StorageError, match="is out of reach: No such file or directory"):
            await database.write(rename)
        assert "out of reach" in database.problem
        assert errors[-1] == database.problem
        assert not place.exists()
        assert await name(database) == before
        assert 0 < database.size <= size
        (tmp_path / "away").rename(place)
        assert database.problem == ""
        await database.write(rename)
        assert await name(database) == "renamed"
    async with open_database(folder / DATABASE) as database:
        assert await name(database) == "renamed"


async def test_a_copy_at_the_path_of_the_database_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_database(path) as database:
        path.rename(tmp_path / "away")
        shutil.copy(tmp_path / "away", path)
        with pytest.raises(StorageError, match="is another file than the one"):
            await database.write(rename)

"""What `tui-manager check` finds in the folder of files."""

from pathlib import Path

import pytest

from tests.support.databases import engines
from tests.support.file_sets import MadeSet, make_set, store
from tests.support.managers.manager_parts import Parts, manager_parts
from tui_manager.domain.task_spec.copy_and_fetch import FileSetPart
from tui_manager.service.files.check_files import check_files
from tui_manager.storage.tables.files import file_sets

MANIFEST, DATA = FileSetPart.MANIFEST, FileSetPart.DATA
MADE = make_set({b"one": b"1" * 900, b"two": b"2" * 400})


async def faults(parts: Parts, *, removed: bool = False) -> list[str]:
    """What the check finds; `removed`: the sets are removed while it looks."""
    rows = await parts.database.read(file_sets.all_sets)
    looks = iter([rows, [] if removed else rows])
    return check_files(parts.files.folder.path, lambda: next(looks))


async def test_files_that_are_as_they_were_stored_have_no_fault(parts: Parts) -> None:
    await store(parts.files, MADE)
    assert await faults(parts) == []


async def damage_size(parts: Parts, made: MadeSet) -> None:
    parts.files.folder.place(made.files.sha256, DATA).write_bytes(b"x")


async def damage_data(parts: Parts, made: MadeSet) -> None:
    parts.files.folder.place(made.files.sha256, DATA).write_bytes(b"x" * made.files.size)


async def damage_manifest(parts: Parts, made: MadeSet) -> None:
    place = parts.files.folder.place(made.files.sha256, MANIFEST)
    place.write_bytes(b"x" * made.files.manifest_size)


@pytest.mark.parametrize("damage", [damage_size, damage_data, damage_manifest])
async def test_damage_is_found(parts: Parts, damage: object) -> None:
    await store(parts.files, MADE)
    await damage(parts, MADE)  # type: ignore[operator]
    (text,) = await faults(parts)
    assert f"The file set {MADE.files.sha256}" in text
    assert "is damaged: " in text
    assert await faults(parts, removed=True) == []


@pytest.mark.parametrize("part", FileSetPart)
async def test_a_missing_part_is_found_unless_the_database_has_it(
    parts: Parts, part: FileSetPart
) -> None:
    await store(parts.files, MADE)
    parts.files.folder.place(MADE.files.sha256, part).unlink()
    found = await faults(parts)
    if parts.database.shared:
        assert found == []
    else:
        (text,) = found
        assert f".{part} is missing. Copy or fetch its files once more." in text


async def test_sets_that_are_needed_and_pieces_that_are_missing_are_found(tmp_path: Path) -> None:
    async with manager_parts(tmp_path) as parts:
        await store(parts.files, MADE)
        assert engines.check(tmp_path).findings == ()
        await parts.templates.save("app", TASK_FILE, 0, "ana")
        await parts.database.write(lambda tx: tx.execute("DELETE FROM file_pieces"))
        found = {one.check: one.text for one in engines.check(tmp_path).findings}
        if parts.database.shared:
            assert "has 0 bytes in the database instead of" in found["file_pieces"]
        else:
            assert found == {}
        await parts.database.write(lambda tx: tx.execute("DELETE FROM file_sets"))
        (finding,) = engines.check(tmp_path).findings
        assert "is not stored, and the template app@1 copies it" in finding.text


TASK_FILE = f"""
target = '@all'
[[steps]]
copy = ['app.conf']
to = '/srv/app/'
[steps.stored]
sha256 = '{MADE.files.sha256}'
manifest_size = {MADE.files.manifest_size}
size = {MADE.files.size}
files = {MADE.files.files}
bytes = {MADE.files.bytes}
"""

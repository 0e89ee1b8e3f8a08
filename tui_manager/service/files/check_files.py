"""Compares the folder of files with the database: whether each set is there with its bytes. A
manager may be using both."""

from collections.abc import Callable, Iterator
from pathlib import Path

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.service.files.check_data import check_data, check_manifest
from tui_manager.service.files.files_folder import FilesFolder
from tui_manager.storage.tables.files.file_sets import FileSetRow


def check_files(path: Path, stored: Callable[[], list[FileSetRow]]) -> list[str]:
    """A sentence for each fault. Reads all bytes of the folder.

    Args:
        path: of the folder.
        stored: reads which sets the database has. A set that was removed meanwhile has no fault.
    """
    folder = FilesFolder(path)
    found = {row.files.sha256: text for row in stored() for text in _faults(folder, row)}
    known = {row.files.sha256 for row in stored()} if found else set()
    return [text for sha256, text in found.items() if sha256 in known]


def _faults(folder: FilesFolder, row: FileSetRow) -> Iterator[str]:
    """What is wrong with a set; nothing if the folder lacks it and the database has its bytes."""
    files = row.files
    places = [folder.place(files.sha256, part) for part in FileSetPart]
    missing = [place for place in places if not place.exists()]
    if missing:
        if row.upload is None:
            yield (
                f"The file set {files.sha256} is not whole: {missing[0]} is missing. Copy or fetch "
                "its files once more."
            )
        return
    try:
        _check_set(folder, files)
    except (InvalidInputError, StorageError) as error:
        remedy = "Copy or fetch its files once more." if row.upload is None else "Remove it."
        yield f"The file set {files.sha256} in {folder.path} is damaged: {error} {remedy}"


def _check_set(folder: FilesFolder, files: FileSet) -> None:
    """Raises InvalidInputError or StorageError unless the bytes of a set are right."""
    if not folder.has(files):
        raise InvalidInputError("files", "A part has another size.")
    with (
        folder.errors(),
        folder.place(files.sha256, FileSetPart.MANIFEST).open("rb") as manifest,
        folder.place(files.sha256, FileSetPart.DATA).open("rb") as data,
    ):
        check_manifest(manifest, files)
        check_data(manifest, data)

"""What must be true of copies and fetches that have ended, by their rows and the hosts' disks."""

import hashlib
import json
from collections.abc import Sequence

from tests.faults.fleet.files_of_fleet import FilesOfFleet
from tests.faults.fleet.operators import Operators
from tests.support.file_trees import Tree
from tui_manager.domain.task_spec.copy_and_fetch import FileSet
from tui_manager.storage.engine.transaction import Row

# Of a row of `command_hosts`; `c` is its command, `f` its transfer.
FILE_COLUMNS = """
c.copy_step, c.fetch_step, c.update_step, c.files_sha256, f.bytes AS file_bytes,
f.files AS file_count, f.unchanged_files, f.received_bytes, f.sha256 AS file_sha256, f.stored_sha256
"""
FILE_JOIN = "LEFT JOIN transfers AS f ON f.command_host = ch.id"
_FETCHED = """
SELECT h.name AS host, c.fetch_step, s.sha256, s.manifest_size, s.size, s.files, s.bytes
FROM transfers AS f JOIN file_sets AS s ON s.sha256 = f.stored_sha256
JOIN command_hosts AS ch ON ch.id = f.command_host JOIN commands AS c ON c.id = ch.command_id
JOIN hosts AS h ON h.id = ch.host WHERE c.fetch_step IS NOT NULL
"""
_SIZES = ("sha256", "manifest_size", "size", "files", "bytes")


def is_transfer(row: Row) -> bool:
    """Whether it copies, fetches, or updates the agent."""
    return bool(row["copy_step"] or row["fetch_step"] or row["update_step"])


async def compare_fetched(fleet: Operators, files: FilesOfFleet) -> None:
    """Compares what managers have stored of all fetches with what is on the hosts."""
    for row in fleet.rows(_FETCHED):
        (path,) = json.loads(row["fetch_step"])["paths"]
        await files.compare(row["host"], path, FileSet(*(row[name] for name in _SIZES)))


def file_violations(files: FilesOfFleet, rows: Sequence[Row]) -> list[str]:
    """A sentence for each thing that is not as it must be.

    Args:
        rows: all of `command_hosts`, with FILE_COLUMNS and `host_name`.
    """
    found = [*files.violations, *files.left_over()]
    for host in {row["host_name"] for row in rows}:
        found += files.mixed(host)
    for row in filter(is_transfer, rows):
        found += [f"{row['execution_id']}: {wrong}" for wrong in _of_row(files, row)]
    return found


def _of_row(files: FilesOfFleet, row: Row) -> list[str]:
    if row["reason"] == "interrupted":
        return ["it is interrupted, and it needs no supervisor"]
    if row["status"] != "completed":
        return [] if row["file_bytes"] is None else ["it has counts, and has not completed"]
    if row["file_bytes"] is None:
        return ["it has completed, and nothing says what it did"]
    if row["update_step"]:
        return [] if row["file_count"] == 1 else ["it is no single file"]
    if row["copy_step"]:
        return _copied(files, row)
    (path,) = json.loads(row["fetch_step"])["paths"]
    tree = files.fetched[path][row["host_name"]]
    wrong = _counts(tree, row)
    if not row["stored_sha256"]:
        wrong.append("no set is named that it has brought")
    return wrong


def _copied(files: FilesOfFleet, row: Row) -> list[str]:
    sha256, step = row["files_sha256"], json.loads(row["copy_step"])
    tree = files.copied[sha256]
    wrong = _counts(tree, row)
    if missing := files.missing(row["host_name"], sha256, step["to"]):
        wrong.append(f"{missing} are not on {row['host_name']}")
    if not 0 <= row["received_bytes"] <= row["file_bytes"]:
        wrong.append(f"{row['received_bytes']} bytes were sent of {row['file_bytes']}")
    if row["unchanged_files"] == row["file_count"] and row["received_bytes"]:
        wrong.append(f"all files are unchanged, and {row['received_bytes']} bytes were sent")
    if not 0 <= row["unchanged_files"] <= row["file_count"]:
        wrong.append(f"{row['unchanged_files']} of {row['file_count']} files are unchanged")
    contents = [content for content in tree.values() if content is not None]
    if len(contents) != 1 and row["file_sha256"] != sha256:
        wrong.append("its hash is not that of the manifest")
    return wrong


def _counts(tree: Tree, row: Row) -> list[str]:
    contents = [content for content in tree.values() if content is not None]
    wrong = []
    told, real = (row["file_count"], row["file_bytes"]), (len(contents), sum(map(len, contents)))
    if told != real:
        wrong.append(f"{told} files and bytes are counted, there are {real}")
    if len(contents) == 1 and row["file_sha256"] != hashlib.sha256(contents[0]).hexdigest():
        wrong.append("its hash is not that of its only file")
    return wrong

"""The progress of a copy on disk, with which an agent continues it after a restart.

Before a group of files gets its names, the record says which of them differ. So a file that got its
name just before the agent died does not count as unchanged.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from enum import IntEnum
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager_agent.files.copy.destination import Destination
from tui_manager_agent.supervisor import record

PROGRESS = "progress"  # a file in the execution's folder


class Difference(IntEnum):
    """How a file of the host differs from that of the manifest."""

    NONE = 0
    ATTRIBUTES = 1  # mode or owner
    CONTENT = 2  # or it is not there


@dataclass(slots=True)
class WriteProgress:
    """What is done.

    Attributes:
        stamp: when the copy began; in the names of backups.
        done: entries of the manifest that are done.
        files, bytes, unchanged_files, received_bytes: as of `Transferred`, of these entries.
        pending: those from `done` on that differed when they were first compared.
    """

    destination: Destination
    stamp: str = field(default_factory=lambda: time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    done: int = 0
    files: int = 0
    bytes: int = 0
    unchanged_files: int = 0
    received_bytes: int = 0
    pending: Mapping[int, Difference] = field(default_factory=dict)

    def count(self, size: int, difference: Difference) -> None:
        """One more file is done."""
        self.files += 1
        self.bytes += size
        if difference is Difference.NONE:
            self.unchanged_files += 1
        if difference is Difference.CONTENT:
            self.received_bytes += size

    def write(self, folder: Path) -> None:
        """Durably. Raises OSError."""
        destination = self.destination
        entries = {
            "base": _text(destination.base),
            "make": _text(b"/".join(destination.missing)),
            "name": _text(destination.name),
            "stamp": self.stamp,
            "done": self.done,
            "files": self.files,
            "bytes": self.bytes,
            "unchanged_files": self.unchanged_files,
            "received_bytes": self.received_bytes,
            "pending": " ".join(f"{number}:{int(what)}" for number, what in self.pending.items()),
        }
        record.write(str(folder), PROGRESS, record.encode(entries))

    @classmethod
    def read(cls, folder: Path) -> "WriteProgress | None":
        """None if nothing was written yet that must be known. Raises OSError."""
        entries: dict[str, str] = {}
        with suppress(FileNotFoundError):
            entries = record.read(f"{folder}/{PROGRESS}")
        if not entries:
            return None
        missing = _bytes(entries["make"])
        pending = (item.split(":") for item in entries["pending"].split())
        return cls(
            Destination(
                _bytes(entries["base"]),
                tuple(missing.split(b"/")) if missing else (),
                _bytes(entries["name"]),
            ),
            entries["stamp"],
            int(entries["done"]),
            int(entries["files"]),
            int(entries["bytes"]),
            int(entries["unchanged_files"]),
            int(entries["received_bytes"]),
            {int(number): Difference(int(what)) for number, what in pending},
        )


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")

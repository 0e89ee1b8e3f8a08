"""Files to hosts, ours and theirs in turn: the first time, and once more with nothing to do.

Each round has other bytes, so that nobody has seen them before. No other program stores them for
the hosts that are away.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure, table
from bench.peers.file_copiers import Copier
from bench.peers.outcome import FAILURES, finish_in_time

_FOLDER = "files"  # what is copied, if there are several


@dataclass(frozen=True, slots=True)
class Load:
    """So many files of so many bytes; one file is copied by itself, several as a folder."""

    count: int
    size: int

    @property
    def words(self) -> str:
        """`100 MB` or `1,000 files of 10 kB`."""
        size = f"{self.size / 1e6:g} MB" if self.size >= 1e6 else f"{self.size / 1e3:g} kB"
        return size if self.count == 1 else f"{self.count:,} files of {size}"

    def make(self, folder: Path) -> Path:
        """The source in a new folder, with new bytes."""
        folder.mkdir()
        if self.count == 1:
            source = folder / "file"
            source.write_bytes(os.urandom(self.size))
            return source
        source = folder / _FOLDER
        source.mkdir()
        for number in range(self.count):
            (source / f"{number:06d}").write_bytes(os.urandom(self.size))
        return source

    def is_at(self, folder: Path) -> bool:
        """Whether all of it has come into a folder."""
        if self.count == 1:
            found = [folder / "file"]
        else:
            found = [folder / _FOLDER / f"{number:06d}" for number in range(self.count)]
        return all(path.is_file() and path.stat().st_size == self.size for path in found)


@dataclass(slots=True)
class FileRace:
    """One load to so many hosts."""

    load: Load
    hosts: int
    first: dict[Copier, list[float]] = field(default_factory=dict)
    again: dict[Copier, list[float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    async def round(self, folder: Path, copiers: Sequence[Copier]) -> None:
        """Each twice, one after the other, with a source in `folder`, which it makes."""
        source = await asyncio.to_thread(self.load.make, folder)
        for copier in copiers:
            if copier.name not in self.failed:
                await self._copy_twice(copier, source)
                await asyncio.to_thread(_put_aside, copier.places)

    async def _copy_twice(self, copier: Copier, source: Path) -> None:
        for times in (self.first, self.again):
            began = time.monotonic()
            try:
                await finish_in_time(copier.copy(source))
            except FAILURES as error:
                self.failed[copier.name] = str(error)
                return
            taken = time.monotonic() - began
            sys.stderr.write(f"{copier.name}: {self.load.words}: {taken:.2f} s\n")
            if not all(self.load.is_at(place) for place in copier.places):
                self.failed[copier.name] = "not all files came"
                return
            times.setdefault(copier, []).append(taken)

    def figures(self) -> list[Figure]:
        """The medians, in seconds."""
        return [
            Figure(
                key=key,
                what=f"{copier.name}: {self.load.words} to {self.hosts} hosts, {words}",
                value=statistics.median(taken),
                unit="s",
                agents=self.hosts,
            )
            for key, words, times in (
                ("peer_copy", "the first time", self.first),
                ("peer_copy_again", "once more", self.again),
            )
            for copier, taken in times.items()
        ]

    def text(self) -> str:
        """The medians as a table."""

        def seconds(times: dict[Copier, list[float]], copier: Copier) -> str:
            return f"{statistics.median(times[copier]):.2f} s" if copier in times else ""

        rows = [
            (copier.name, seconds(self.first, copier), seconds(self.again, copier), "")
            for copier in sorted(self.first, key=lambda one: statistics.median(self.first[one]))
        ]
        rows += [(name, "failed", "", why[:100]) for name, why in self.failed.items()]
        shown = table(("who", "first time", "once more", ""), rows)
        return f"\n== {self.load.words} to {self.hosts} hosts\n{shown}\n"


def _put_aside(places: Sequence[Path]) -> None:
    """Makes room for the next round. Many files stay until the end: ext4 does not use their numbers
    again at once, and looks long for others, so whoever comes next would pay for removing them."""
    for place in places:
        (place / "file").unlink(missing_ok=True)
        if (copied := place / _FOLDER).exists():
            copied.rename(place / f"{_FOLDER}-{time.monotonic_ns()}")

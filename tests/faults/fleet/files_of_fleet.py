"""The files that operators copy to the hosts of a fleet and fetch from them, all known beforehand.

Each host has a folder that stands for its disk, and one path means another folder on each of them.
Several copies go to the same place: what is there then is of any of them, and whole.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from pathlib import Path

from tui_manager_protos.rules.files.file_manifest import EntryKind, read_entries

from tests.faults.fleet.operators import Operators
from tests.support.file_trees import (
    OF_HOST,
    Tree,
    is_partial,
    partial_files,
    random_tree,
    read_tree,
    write_tree,
)
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet, FileSetPart
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.operator.api import Operator
from tui_manager.operator.local_files.find_sources import find_sources
from tui_manager.operator.local_files.upload import upload

IN, OUT = "in", "out"  # folders of each host
TREE = "tree"  # what each copied folder is called
_PLACES = 3  # of a host, to which random copies go
_LOOK_EVERY = 0.05  # seconds


class FilesOfFleet:
    """What was copied and fetched.

    Attributes:
        copied: the trees, by the names of their sets.
        fetched: the trees by host, and by the path that is fetched.
        violations: what was seen to be wrong.
    """

    def __init__(self, fleet: Operators) -> None:
        self._fleet = fleet
        self.copied: dict[str, Tree] = {}
        self.fetched: dict[str, dict[str, Tree]] = {}
        self.violations: list[str] = []
        self._places: dict[str, list[Tree]] = {}  # what was copied to each, by the path of it
        self._compared: set[str] = set()  # the sets that were fetched, by host and name

    def disk(self, host: str) -> Path:
        """The folder that stands for the disk of a host."""
        return self._fleet.folder / "hosts" / host

    def on_disk(self, host: str, path: str) -> Path:
        """What this path means on a host."""
        return self.disk(host) / path.removeprefix(f"{OF_HOST}/")

    async def copy(self, dice: random.Random) -> CommandSpec:
        """A step that copies a new tree to one of a few places."""
        tree = random_tree(dice, f"{self._fleet.seed} copy {len(self.copied)}")
        return await self.copy_of(tree, f"place {dice.randrange(_PLACES)}")

    async def copy_of(self, tree: Tree, place: str) -> CommandSpec:
        """A step that copies this tree to this place. A manager stores its files now."""
        source = self._fleet.folder / "sources" / str(len(self.copied)) / TREE
        await asyncio.to_thread(write_tree, source, tree)
        with await asyncio.to_thread(find_sources, [source], recursive=True) as sources:
            await self._fleet.ask(lambda operator: upload(operator, sources, patience=0))
            files = sources.files
        to = f"{OF_HOST}/{IN}/{place}/"
        self.copied[files.sha256] = tree
        self._places.setdefault(to, []).append(tree)
        return CommandSpec("", copy=CopySpec(files, to, sources=(TREE,)))

    async def fetch(self, dice: random.Random) -> CommandSpec:
        """A step that fetches a new tree of each host."""
        name = f"{self._fleet.seed} fetch {len(self.fetched)}"
        return await self.fetch_of(
            {host: random_tree(dice, f"{name} {host}") for host in self._fleet.agents}
        )

    async def fetch_of(self, trees: Mapping[str, Tree]) -> CommandSpec:
        """A step that fetches these trees, by the names of the hosts that have them."""
        path = f"{OF_HOST}/{OUT}/{len(self.fetched)}"
        self.fetched[path] = dict(trees)
        for host, tree in trees.items():  # not on the loop of the proxies, for which agents wait
            await asyncio.to_thread(write_tree, self.on_disk(host, path), tree)
        return CommandSpec("", fetch=FetchSpec((path,), recursive=True))

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Until the block is left, all files in all places are read again and again."""

        async def watch() -> None:
            while True:
                for host in list(self._fleet.agents):
                    self.violations += await asyncio.to_thread(self.mixed, host)
                await asyncio.sleep(_LOOK_EVERY)

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()
            (outcome,) = await asyncio.gather(watching, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome

    def mixed(self, host: str) -> list[str]:
        """A sentence for each file of a host that has not the content of any copy, whole."""
        found = []
        for to, trees in list(self._places.items()):
            for path, content in self._there(host, to).items():
                if content is not None and all(tree.get(path) != content for tree in trees):
                    found.append(f"{host}: {to}: {path!r}, {len(content)} bytes, was never copied")
        return found

    def _there(self, host: str, to: str) -> Tree:
        found = read_tree(self.on_disk(host, to) / TREE)
        return {path: content for path, content in found.items() if not is_partial(path)}

    def missing(self, host: str, sha256: str, to: str) -> list[bytes]:
        """What a host lacks of a set, although it was copied to this place."""
        return sorted(self.copied[sha256].keys() - self._there(host, to).keys())

    def left_over(self) -> list[str]:
        """A sentence for each file that a copy has begun, and that is still there."""
        return [
            f"{host}: {name!r} was left"
            for host in self._fleet.agents
            for name in partial_files(self.disk(host) / IN)
        ]

    async def compare(self, host: str, path: str, files: FileSet) -> None:
        """Reads the files that a manager has stored of a fetch, unless that was done before."""
        if (name := f"{host} {files.sha256}") in self._compared:
            return
        self._compared.add(name)
        found = await self._fleet.ask(lambda operator: _stored(operator, files))
        start = f"{path[1:]}/".encode()
        if found != {start + one: data for one, data in _files(self.fetched[path][host]).items()}:
            self.violations.append(f"{host}: what was fetched of {path} is not what is there")


def _files(tree: Tree) -> dict[bytes, bytes]:
    return {path: content for path, content in tree.items() if content is not None}


async def _stored(operator: Operator, files: FileSet) -> dict[bytes, bytes]:
    """The files of a set, by their paths."""
    parts = {}
    for part in FileSetPart:
        pieces = [bytes(piece) async for piece in operator.read_files(files, part)]
        parts[part] = b"".join(pieces)
    return {
        entry.path: parts[FileSetPart.DATA][entry.offset : entry.offset + entry.size]
        for entry in read_entries(BytesIO(parts[FileSetPart.MANIFEST]))
        if entry.kind is EntryKind.FILE
    }

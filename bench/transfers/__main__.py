"""`python -m bench.transfers [--hosts 10] [--size BYTES] [--files N] [--kills N] [--seed N]`.

A large file, and a folder of small ones, to real hosts over mTLS and back, as people copy and
fetch them, while the manager and agents are killed. Exit status 0: in the end all hosts have the
same bytes, nothing half was left, a second copy has sent nothing, and what was fetched is what the
hosts have. It needs room for three times the bytes of all hosts together.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.clean_up import run_to_end
from bench.transfers.kills import KilledFleet
from bench.transfers.memory import watched
from bench.under_test.manager_process import program
from bench.under_test.real_agents import OWN_FOLDER, real_fleet
from tui_manager.client.read_lists import all_tasks
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.tasks.task import CommandHost

_SMALL = 10_000  # bytes of a file of the folder, about
_BLOCK = 1 << 20
_PARTIAL = ".tui-manager."
_LOOK_EVERY = 0.05  # seconds


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.transfers")
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--size", type=int, default=1_000_000_000, help="of the large file")
    parser.add_argument("--files", type=int, default=10_000, help="small ones")
    parser.add_argument("--kills", type=int, default=6, help="in each copy and each fetch")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _fill(path: Path, size: int, dice: random.Random) -> None:
    with path.open("wb") as file:
        while size > 0:
            size -= file.write(dice.randbytes(min(_BLOCK, size)))


def _make_sources(folder: Path, options: argparse.Namespace, dice: random.Random) -> list[Path]:
    large, many = folder / "large", folder / "many"
    _fill(large, options.size, dice)
    many.mkdir()
    for number in range(options.files):
        inner = many / f"{number // 100:03d}"
        inner.mkdir(exist_ok=True)
        _fill(inner / f"{number:06d}", dice.randrange(2 * _SMALL), dice)
    return [large, many]


def _hashes(path: Path) -> dict[str, str]:
    """The SHA-256 of a file, or of all files in a folder, by their paths in it."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    found = {}
    for one in files:
        with one.open("rb") as file:
            found[str(one.relative_to(path))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)


class Trial:
    """Copies and fetches of one fleet.

    Attributes:
        wrong: sentences on what is not as it must be.
    """

    def __init__(self, killed: KilledFleet, options: argparse.Namespace, folder: Path) -> None:
        self.wrong: list[str] = []
        self._killed = killed
        self._state = killed.fleet.manager.state_dir
        self._kills: int = options.kills
        self._folder = folder

    async def copy(self, source: Path) -> None:
        """Under kills, and once more in quiet."""
        words = ("copy", "--recursive", "--offline", "wait", "@all", str(source), OWN_FOLDER)
        total = await asyncio.to_thread(_size, source) * len(self._killed.folders)
        began = time.monotonic()
        async with watched(lambda: self._killed.pids) as memory:
            await self._kill_upload(words)
            _, out = await self._program(*words, "--detach")
            rows = await self._killed.run_to_end(int(out), total, self._kills)
        self._tell(f"copy of {source.name}", began, memory.text, rows)
        expected = await asyncio.to_thread(_hashes, source)
        for name, folder in self._killed.folders.items():
            if await asyncio.to_thread(_hashes, folder / source.name) != expected:
                self.wrong.append(f"{name} has other bytes of {source.name}")
        self._look_for_leftovers()
        _, out = await self._program(*words, "--json")
        again = json.loads(out)
        sent = sum(
            row.transfer.received_bytes if row.transfer else -1
            for row in await self._killed.rows(again["task_id"])
        )
        unchanged = sum(row["unchanged"] for row in again["hosts"])
        _say(f"once more: {unchanged} hosts unchanged, {sent} bytes sent")
        if (unchanged, sent) != (len(self._killed.folders), 0):
            self.wrong.append(f"the second copy of {source.name} was no second one")

    async def _kill_upload(self, words: Sequence[str]) -> None:
        """Kills the operator's program while it gives the files to the manager."""
        before = len(await self._killed.ask(all_tasks))
        process = await self._start(*words)
        while not self._uploads():
            if process.returncode is not None:
                break
            await asyncio.sleep(_LOOK_EVERY)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if not self._uploads():
            _say("the upload was over before it could be killed: it is too small")
        elif len(await self._killed.ask(all_tasks)) != before:
            self.wrong.append("an upload that was killed has made a task")

    def _uploads(self) -> bool:
        """Whether the manager has some of the bytes of an upload."""
        incoming = (self._state / "files" / "incoming").iterdir()
        return any(path.suffix == ".data" and path.stat().st_size > _BLOCK for path in incoming)

    async def fetch(self, name: str) -> None:
        """Other bytes of each host, under kills; then they are saved here."""
        path = f"{OWN_FOLDER}{name}"
        for host, folder in self._killed.folders.items():
            first = folder / name
            first = first if first.is_file() else first / "host"
            with first.open("ab") as file:
                file.write(host.encode())  # not the same: equal files are stored once
        total = sum(
            [await asyncio.to_thread(_size, each / name) for each in self._killed.folders.values()]
        )
        began = time.monotonic()
        async with watched(lambda: self._killed.pids) as memory:
            words = ("fetch", "--recursive", "--offline", "wait", "@all", path, "unused")
            _, out = await self._program(*words, "--detach")
            rows = await self._killed.run_to_end(int(out), total, self._kills)
            code, _ = await self._program("task", "files", out.decode().strip(), str(self._folder))
        self._tell(f"fetch of {name}", began, memory.text, rows)
        if code:
            self.wrong.append(f"task files: exit status {code}")
        for host, folder in self._killed.folders.items():
            here = self._folder / host / path.removeprefix("/")
            expected = await asyncio.to_thread(_hashes, folder / name)
            if await asyncio.to_thread(_hashes, here) != expected:
                self.wrong.append(f"what came of {name} of {host} is not what it has")
        self._look_for_leftovers()

    def _tell(self, what: str, began: float, memory: str, rows: Sequence[CommandHost]) -> None:
        seconds = time.monotonic() - began
        _say(f"{what}: {seconds:.0f} s, {self._killed.killed} killed until now; memory {memory}")
        for row in rows:
            if row.status is not CommandHostStatus.COMPLETED:
                self.wrong.append(f"{what}: {row.host}: {row.status} {row.reason}: {row.detail}")

    def _look_for_leftovers(self) -> None:
        places = [*self._killed.folders.values(), self._state / "files" / "incoming", self._folder]
        for place in places:
            for path in place.rglob("*"):
                if path.is_file() and (path.name.startswith(_PARTIAL) or place.name == "incoming"):
                    self.wrong.append(f"{path} was left")

    async def _start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(str(program()), *words, "--state-dir", str(self._state)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env=self._killed.fleet.manager.environment,
            start_new_session=True,
        )

    async def _program(self, *words: str) -> tuple[int, bytes]:
        process = await self._start(*words)
        out, _ = await process.communicate()
        return process.returncode or 0, out


async def run(options: argparse.Namespace) -> list[str]:
    """What is not as it must be."""
    dice = random.Random(options.seed)
    async with real_fleet(options.hosts) as fleet:
        folder = fleet.manager.folder
        (back := folder / "back").mkdir()
        (made := folder / "sources").mkdir()
        sources = await asyncio.to_thread(_make_sources, made, options, dice)
        trial = Trial(KilledFleet(fleet, dice), options, back)
        for source in sources:
            await trial.copy(source)
        for source in sources:
            await trial.fetch(source.name)
        return trial.wrong


def main() -> int:
    """Runs it, and returns the exit status."""
    options = _options()
    _say(f"{options.hosts} hosts, seed {options.seed}, load {os.getloadavg()[0]:.1f}")
    wrong = run_to_end(run(options))
    for text in wrong[:50]:
        _say(f"WRONG: {text}")
    _say("nothing wrong" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

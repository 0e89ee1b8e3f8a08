"""The whole stored output of what is shown, as text in a file for the operator's pager. It has
colours, and no other escape sequence of a host."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import field
from pathlib import Path
from typing import TextIO

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import Stream
from tui_manager.domain.text.number_format import size
from tui_manager.domain.text.safe_text import SafeTextDecoder, safe_line
from tui_manager.operator.api import Operator, OutputChunk
from tui_manager.ui.drawing.state_words_and_colours import STDERR, STDOUT
from tui_manager.ui.output.output_reader import Source
from tui_manager.ui.terminal.run_program import ProgramError, words_of

_PAGERS = ("less", "more")  # without PAGER: the first that there is
READ = 256 * 1024  # bytes of one answer, which are decoded at once
TEXT_MAX = 128 << 20  # bytes of output, and of the file
_FREE = 64 << 20  # bytes of a disk that are left to others

Progress = Callable[[int], None]  # takes the bytes that were read so far


@dataclass(slots=True)
class _Line:
    """The line of a stream that grows."""

    before: str
    decoder: SafeTextDecoder = field(default_factory=lambda: SafeTextDecoder(rewrites=True))
    parts: list[str] = field(default_factory=list)
    rewrite: bool = False

    def add(self, pieces: list[str]) -> Iterator[str]:
        """The lines that are complete."""
        for piece in pieces:
            if piece == "\r":
                self.rewrite = True
            elif piece == "\n":
                yield f"{self.before}{''.join(self.parts)}\n"
                self.parts, self.rewrite = [], False
            else:
                if self.rewrite:
                    self.parts.clear()
                self.parts.append(piece)
                self.rewrite = False


class PagerText:
    """Makes lines of chunks.

    Args:
        names: whether each line begins with the name of its host.
    """

    def __init__(self, *, names: bool) -> None:
        self._names = names
        self._lines: dict[tuple[str, Stream], _Line] = {}

    def feed(self, chunk: OutputChunk) -> Iterator[str]:
        """The lines that a chunk completes."""
        key = (chunk.execution_id, chunk.stream)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(self._before(chunk))
        if chunk.gap:
            yield from line.add(["\n"] if line.parts else [])
            yield f"{line.before}… {size(chunk.gap)} are gone\n"
        yield from line.add(line.decoder.feed(chunk.data))

    def end(self) -> Iterator[str]:
        """The lines that have no end."""
        for line in self._lines.values():
            yield from line.add(line.decoder.close())
            if line.parts:
                yield from line.add(["\n"])

    def _before(self, chunk: OutputChunk) -> str:
        bar = STDERR if chunk.stream is Stream.STDERR else STDOUT
        name = f"{safe_line(chunk.host)} " if self._names else ""
        return f"{name}{bar.text} "


@asynccontextmanager
async def text_file(
    operator: Operator, source: Source, progress: Progress, save_key: str
) -> AsyncIterator[Path]:
    """A file with the text, which only this user can read. It is removed afterwards. A thread
    makes the text, a part at a time.

    Args:
        save_key: saves output to a file; for an error.

    Raises:
        ProgramError: there is too much output, or too little space.
    """
    text = PagerText(names=not source.host_id and not source.execution_id)
    with tempfile.TemporaryDirectory(prefix="tui-manager-") as folder:
        path = Path(folder, f"output-of-task-{source.task_id}")
        with _private(path) as file:
            after = read = 0
            while chunks := await source.read(operator, after=after, limit=READ):
                after = chunks[-1].position
                read += sum(len(chunk.data) for chunk in chunks)
                lines = itertools.chain.from_iterable(map(text.feed, chunks))
                await asyncio.to_thread(_write, file, lines, path, read, save_key)
                progress(read)
            await asyncio.to_thread(file.writelines, text.end())
        yield path


def _write(file: TextIO, lines: Iterable[str], path: Path, read: int, save_key: str) -> None:
    """Writes lines if there is space for what was read."""
    if max(read, path.stat().st_size) > TEXT_MAX:
        raise ProgramError(
            f"This output has more than {size(TEXT_MAX)}, too much for the pager: "
            f"save it to a file with {save_key}."
        )
    free = shutil.disk_usage(path.parent).free
    if free < _FREE:
        raise ProgramError(
            f"{path.parent.parent} has only {size(free)} left, too little for the text of the "
            f"pager: set TMPDIR to a folder with more, or save the output with {save_key}."
        )
    file.writelines(lines)


def _private(path: Path) -> TextIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return open(descriptor, "w", encoding="utf-8", errors="replace")


def pager() -> list[str]:
    """The operator's pager with its arguments. Raises ProgramError if there is none."""
    if os.environ.get("PAGER", "").strip():
        words = list(words_of(os.environ["PAGER"], "PAGER"))
    else:
        words = [name for name in _PAGERS if shutil.which(name)][:1]
    if not words:
        raise ProgramError("There is no pager: set PAGER to one.")
    return [*words, "-R"] if Path(words[0]).name == "less" else words  # -R shows colours

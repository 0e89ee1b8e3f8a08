"""Groups of hosts with the same output. They grow while output arrives. Pure.

All bytes of both streams are compared. Their beginnings are kept to be shown.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from ClusterShell.NodeSet import NodeSet

from tui_manager.domain.status import Stream
from tui_manager.operator.api import OutputChunk
from tui_manager.ui.output.output_buffer import OutputBuffer

KEPT = 64 * 1024  # bytes of a stream that are shown; the chunk in which it ends is shown whole
COMPARED = 2_000  # lines of each side


@dataclass(slots=True)
class _Output:
    """The output of one command host so far."""

    host: str
    command: int
    kept: list[OutputChunk] = field(default_factory=list)
    sizes: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 0))
    digests: dict[Stream, "hashlib._Hash"] = field(
        default_factory=lambda: {stream: hashlib.sha256() for stream in Stream}
    )

    def add(self, chunk: OutputChunk) -> None:
        if self.sizes[chunk.stream] < KEPT:
            self.kept.append(chunk)
        self.sizes[chunk.stream] += len(chunk.data) + chunk.gap
        self.digests[chunk.stream].update(chunk.data or b"\0gap")

    @property
    def unshown(self) -> int:
        """Bytes that are not kept."""
        return sum(self.sizes.values()) - sum(len(chunk.data) + chunk.gap for chunk in self.kept)

    @property
    def comparison_key(self) -> tuple[int, bytes, bytes]:
        stdout, stderr = (self.digests[stream].digest() for stream in Stream)
        return self.command, stdout, stderr


@dataclass(frozen=True, slots=True)
class OutputGroup:
    """Hosts whose output of a command is the same.

    Attributes:
        folded: their names, `web[01-02,04]`.
        lines: the beginning of the output, safe text with colours.
        dropped: lines before `lines` that are not kept.
        unshown: bytes after `lines` that are not kept. They are compared too.
    """

    command: int
    hosts: tuple[str, ...]
    folded: str
    lines: tuple[str, ...]
    dropped: int = 0
    unshown: int = 0


class OutputGroups:
    """Reads chunks from the first on."""

    def __init__(self) -> None:
        self._outputs: dict[str, _Output] = {}

    def feed(self, chunks: Iterable[OutputChunk]) -> None:
        """Appends chunks in the order in which they were stored."""
        for chunk in chunks:
            output = self._outputs.get(chunk.execution_id)
            if output is None:
                output = self._outputs[chunk.execution_id] = _Output(chunk.host, chunk.command)
            output.add(chunk)

    def groups(self) -> list[OutputGroup]:
        """By command, the largest first."""
        alike: dict[tuple[int, bytes, bytes], list[_Output]] = defaultdict(list)
        for output in self._outputs.values():
            alike[output.comparison_key].append(output)
        made = [self._group(outputs) for outputs in alike.values()]
        return sorted(made, key=lambda group: (group.command, -len(group.hosts), group.hosts))

    @staticmethod
    def _group(outputs: Sequence[_Output]) -> OutputGroup:
        first = outputs[0]
        buffer = OutputBuffer()
        buffer.feed(sorted(first.kept, key=lambda chunk: list(Stream).index(chunk.stream)))
        hosts = tuple(sorted(output.host for output in outputs))
        folded = str(NodeSet.fromlist(list(hosts)))
        texts = tuple(line.text for line in buffer.lines)
        return OutputGroup(first.command, hosts, folded, texts, 0, first.unshown)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one output differs from another.

    Attributes:
        lines: of both, each with "-" for the largest group's alone, "+" for the other's, or " ".
        left_out: lines of both that were not compared.
    """

    lines: list[tuple[str, str]]
    left_out: int


def compare(largest: Sequence[str], other: Sequence[str]) -> Comparison:
    """Compares the first lines of both."""
    before, after = largest[:COMPARED], other[:COMPARED]
    lines: list[tuple[str, str]] = []
    for kind, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [(" ", line) for line in before[i:j]]
        else:
            lines += [("-", line) for line in before[i:j]]
            lines += [("+", line) for line in after[k:m]]
    left_out = len(largest) + len(other) - len(before) - len(after)
    return Comparison(lines, left_out)

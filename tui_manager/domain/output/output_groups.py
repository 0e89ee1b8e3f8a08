"""Groups of hosts that printed the same and ended in the same way. They grow while output arrives.
Pure.

All bytes of both streams are compared, by their digests. What a group printed is read when it is
shown.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import field
from difflib import SequenceMatcher

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import CommandHostStatus, Stream
from tui_manager.domain.tasks.task import CommandHost, OutputChunk
from tui_manager.domain.text.host_name_ranges import fold_names, natural_key
from tui_manager.domain.text.safe_text import safe_line

COMPARED = 2_000  # lines of each side
_PAIRS_MAX = 200_000  # pairs of the same line in what is compared
_LINE_MAX = 4096  # bytes of a line without an end that are masked together
_NOTHING = hashlib.sha256().digest()  # of a stream without output
# Numbers, with or without a fraction, and addresses of networks and of memory.
_VARYING = re.compile(
    rb"0[xX][0-9a-fA-F]+|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}|[0-9a-fA-F]{8,}|\d+"
)


def masked(data: bytes) -> bytes:
    """The same with `#` for each number and address."""
    return _VARYING.sub(b"#", data)


@dataclass(slots=True)
class _Digest:
    """Of one stream. If it is masked, a line counts when it is complete."""

    masks: bool
    made: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    line: bytes = b""

    def add(self, chunk: OutputChunk) -> None:
        if not self.masks or chunk.gap:
            self.made.update(chunk.data or b"\0gap")
            return
        data = self.line + chunk.data
        end = data.rfind(b"\n") + 1
        if len(data) - end > _LINE_MAX:
            end = len(data)
        self.made.update(masked(data[:end]))
        self.line = data[end:]

    def digest(self) -> bytes:
        whole = self.made.copy()
        whole.update(masked(self.line))
        return whole.digest()


@dataclass(slots=True)
class _Output:
    """One command host, with the digests of its output so far.

    Attributes:
        digests: of the streams that have output.
        digest: of both streams; empty: output has come since it was made.
    """

    execution_id: str
    host: str
    command: int
    digests: dict[Stream, _Digest] = field(default_factory=dict)
    size: int = 0
    state: str = ""
    failed: bool = False
    stderr: bool = False
    digest: bytes = b""

    def whole_digest(self) -> bytes:
        if not self.digest:
            found = map(self.digests.get, Stream)
            self.digest = b"".join(each.digest() if each else _NOTHING for each in found)
        return self.digest


@dataclass(frozen=True, slots=True)
class OutputGroup:
    """Hosts whose output of a command is the same, and that ended in the same way.

    Attributes:
        folded: their names, `web[01-02,04]`.
        state: how they ended: `exit 0`; or that they run.
        failed: whether that is a problem.
        stderr: whether they wrote to stderr.
        execution_id: of the first of them.
        size: bytes of its output.
    """

    command: int
    hosts: tuple[str, ...]
    folded: str
    state: str
    failed: bool
    stderr: bool
    execution_id: str
    size: int


class OutputGroups:
    """Reads chunks from the first on.

    Args:
        masks: outputs that differ in numbers and addresses only count as the same.
    """

    def __init__(self, *, masks: bool = False) -> None:
        self.masks = masks
        self.size = 0  # bytes that were read
        self._outputs: dict[str, _Output] = {}

    def feed(self, chunks: Iterable[OutputChunk]) -> None:
        """Appends chunks in the order in which they were stored."""
        for chunk in chunks:
            output = self._output(chunk.execution_id, chunk.host, chunk.command)
            digest = output.digests.get(chunk.stream)
            if digest is None:
                digest = output.digests[chunk.stream] = _Digest(self.masks)
            digest.add(chunk)
            output.digest = b""
            output.size += len(chunk.data) + chunk.gap
            output.stderr = output.stderr or chunk.stream is Stream.STDERR
            self.size += len(chunk.data)

    def end(self, execution_id: str) -> None:
        """All output of a command host was fed: needs less memory for it from here on."""
        if output := self._outputs.get(execution_id):
            output.whole_digest()
            output.digests.clear()

    def set_states(self, rows: Iterable[CommandHost]) -> None:
        """Notes how commands have ended. One that has not begun is in no group."""
        for row in rows:
            if row.started_at is None and not row.status.ended:
                continue
            output = self._output(row.execution_id, row.host, row.command)
            output.state = state_words(row)
            output.failed = row.status.ended and row.status is not CommandHostStatus.COMPLETED

    def _output(self, execution_id: str, host: str, command: int) -> _Output:
        output = self._outputs.get(execution_id)
        if output is None:
            output = self._outputs[execution_id] = _Output(execution_id, host, command)
        return output

    def groups(self, *, failed_only: bool = False) -> list[OutputGroup]:
        """By command, the largest first."""
        alike: dict[tuple[object, ...], list[_Output]] = defaultdict(list)
        for output in self._outputs.values():
            if output.failed or not failed_only:
                alike[output.command, output.state, output.whole_digest()].append(output)
        made = map(_group, alike.values())
        return sorted(
            made, key=lambda group: (group.command, -len(group.hosts), natural_key(group.hosts[0]))
        )


def _group(outputs: Sequence[_Output]) -> OutputGroup:
    outputs = sorted(outputs, key=lambda output: natural_key(output.host))
    first, hosts = outputs[0], tuple(output.host for output in outputs)
    return OutputGroup(
        first.command,
        hosts,
        fold_names(hosts) if len(hosts) > 1 else first.host,
        first.state,
        first.failed,
        first.stderr,
        first.execution_id,
        first.size,
    )


def state_words(row: CommandHost) -> str:
    """How a command ended on a host, in a word or two."""
    if row.exit_code is not None:
        return f"exit {row.exit_code}"
    if row.signal is not None:
        return f"signal {row.signal}"
    words = row.reason.value or row.status.value
    return safe_line(words.replace("_", " "))


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one output differs from another.

    Attributes:
        lines: of both, each with "-" for the largest group's alone, "+" for the other's, or " ".
        compared: lines of each that were compared at most.
        left_out: lines of both that were not compared.
    """

    lines: list[tuple[str, str]]
    compared: int
    left_out: int


def compare(largest: Sequence[str], other: Sequence[str]) -> Comparison:
    """Compares the first lines of both; the fewer, the more of them are alike."""
    compared = COMPARED
    while True:
        before, after = largest[:compared], other[:compared]
        head = _alike(before, after)
        tail = _alike(before[head:][::-1], after[head:][::-1])
        old, new = before[head : len(before) - tail], after[head : len(after) - tail]
        if _pairs(old, new) <= _PAIRS_MAX:
            break
        compared //= 2
    lines = [(" ", line) for line in before[:head]]
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [(" ", line) for line in old[i:j]]
        else:
            lines += [("-", line) for line in old[i:j]]
            lines += [("+", line) for line in new[k:m]]
    lines += [(" ", line) for line in before[len(before) - tail :]]
    left_out = len(largest) + len(other) - len(before) - len(after)
    return Comparison(lines, compared, left_out)


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines are the same at the beginning of both."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def _pairs(one: Sequence[str], other: Sequence[str]) -> int:
    """How many pairs of the same line there are: the time of a comparison grows with them."""
    counts = Counter(other)
    return sum(counts[line] for line in one)

"""Stored output as readers get it."""

from dataclasses import dataclass, replace

from tui_manager.domain.status import Stream


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """A piece of stored output.

    Attributes:
        position: grows in the order in which output was stored; what `after` takes.
        command: the index of the command in its task, from 0.
        offset: of its first byte in its stream.
        gap: instead of data, so many bytes are gone.
    """

    position: int
    execution_id: str
    host: str
    command: int
    stream: Stream
    offset: int
    data: bytes
    gap: int = 0

    def behind(self, offset: int) -> "OutputChunk | None":
        """The part that lies at `offset` (bytes in the stream) or behind it; None for none."""
        skip = offset - self.offset
        if skip <= 0:
            return self
        if skip >= (self.gap or len(self.data)):
            return None
        gap = self.gap - skip if self.gap else 0
        return replace(self, offset=offset, data=self.data[skip:], gap=gap)

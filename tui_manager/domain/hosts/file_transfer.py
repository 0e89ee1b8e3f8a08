"""What the manager and an agent say to each other about the bytes of files."""

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.task_spec.copy_and_fetch import FileSetPart


@dataclass(frozen=True, slots=True)
class FileRequest:
    """The receiver of a copy or a fetch asks for bytes.

    Attributes:
        offset: from the beginning of the part.
        length: bytes, at least 1.
    """

    execution_id: str
    part: FileSetPart
    offset: int
    length: int

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class FilePiece:
    """Bytes that were asked for.

    Attributes:
        content: the bytes; a number: so many zeros.
        problem: instead of bytes: a sentence; empty: there is none.
    """

    execution_id: str
    part: FileSetPart
    offset: int
    content: bytes | int = b""
    problem: str = ""

    @property
    def length(self) -> int:
        """How many bytes it is."""
        return self.content if isinstance(self.content, int) else len(self.content)

    @property
    def sent(self) -> int:
        """How many bytes a connection carries for it."""
        return 0 if isinstance(self.content, int) else len(self.content)


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """How far a copy or a fetch is, as its agent says.

    Attributes:
        bytes: of the files that are done, and of a part of the next.
        files: that are done.
    """

    execution_id: str
    bytes: int
    files: int

"""Converts what agents and the manager say about files between wire and domain; `message_guard`
checks the messages of agents before."""

from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.hosts.file_transfer import FilePiece, FileRequest, TransferProgress
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart, Transfer
from tui_manager.transport.messages import field_limits

PART = {
    pb.FILE_SET_PART_MANIFEST: FileSetPart.MANIFEST,
    pb.FILE_SET_PART_DATA: FileSetPart.DATA,
}
_PART_TO = {value: key for key, value in PART.items()}


def to_file_set(files: pb.FileSet) -> FileSet:
    """The set that an agent has found."""
    return FileSet(files.sha256.hex(), files.manifest_size, files.size, files.files, files.bytes)


def to_request(request: pb.FileRequest) -> FileRequest:
    """What an agent asks for."""
    return FileRequest(request.execution_id, PART[request.part], request.offset, request.length)


def to_piece(part: pb.FilePart) -> FilePiece:
    """What an agent answers."""
    return FilePiece(
        part.execution_id,
        PART[part.part],
        part.offset,
        part.zeros or part.data,
        field_limits.cut(part.problem, field_limits.DETAIL),
    )


def to_progress(progress: pb.TransferProgress) -> TransferProgress:
    """How far an agent is with a copy or a fetch."""
    return TransferProgress(
        progress.execution_id, field_limits.number(progress.bytes), progress.files
    )


def to_transfer(transfer: pb.Transfer) -> Transfer:
    """What a copy or a fetch did. Of the set of a fetch only its hash is known here."""
    return Transfer(
        bytes=field_limits.number(transfer.bytes),
        files=transfer.files,
        unchanged_files=min(transfer.unchanged_files, transfer.files),
        received_bytes=field_limits.number(transfer.received_bytes),
        sha256=transfer.sha256.hex(),
        stored=_stored(transfer),
    )


def _stored(transfer: pb.Transfer) -> FileSet | None:
    manifest = transfer.manifest_sha256.hex()
    return FileSet(manifest, 0, 0, transfer.files, transfer.bytes) if manifest else None


def from_request(request: FileRequest) -> pb.ManagerMessage:
    """What the manager asks for."""
    return pb.ManagerMessage(
        file_request=pb.FileRequest(
            execution_id=request.execution_id,
            part=_PART_TO[request.part],
            offset=request.offset,
            length=request.length,
        )
    )


def from_piece(piece: FilePiece) -> pb.ManagerMessage:
    """What the manager answers."""
    message = pb.ManagerMessage()  # filled in place, without a second copy of the bytes
    to = message.file_part
    to.execution_id = piece.execution_id
    to.part = _PART_TO[piece.part]
    to.offset = piece.offset
    if piece.problem:
        to.problem = piece.problem
    elif isinstance(piece.content, int):
        to.zeros = piece.content
    else:
        to.data = piece.content
    return message


def from_stored(execution_id: str, problem: str = "", *, retry: bool = False) -> pb.ManagerMessage:
    """How the manager ends a fetch."""
    stored = pb.FilesStored(execution_id=execution_id, problem=problem, retry=retry)
    return pb.ManagerMessage(files_stored=stored)

"""Checks what agents say about files. Each function returns what is wrong as a sentence; empty:
nothing. Whether an execution is the host's own is checked when it is looked up."""

from tui_manager_protos.rules.files.transfer_window import REQUEST_LENGTH
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import InvalidInputError
from tui_manager.transport.messages import convert_files

SIZE_MAX = 1 << 60  # bytes: what every reader of the database can hold
_HASH = 32  # bytes


def wrong_request(request: pb.FileRequest) -> str:
    """What is wrong with a request for bytes."""
    if request.part not in convert_files.PART:
        return f"A part of files has the unknown value {request.part}."
    if not 0 < request.length <= REQUEST_LENGTH:
        return (
            f"An agent asked for {request.length:,} bytes of files; 1 to {REQUEST_LENGTH:,} are "
            "allowed."
        )
    if request.offset > SIZE_MAX:
        return f"An agent asked for bytes of files from {request.offset:,} on."
    return ""


def wrong_files(files: pb.FileSet) -> str:
    """What is wrong with files that an agent has found."""
    if len(files.sha256) != _HASH:
        return f"A SHA-256 has {_HASH} bytes, not {len(files.sha256):,}."
    if max(files.size, files.bytes) > SIZE_MAX:
        return f"An agent has found {max(files.size, files.bytes):,} bytes of files."
    try:
        convert_files.to_file_set(files).check()
    except InvalidInputError as error:
        return str(error)
    return ""


def wrong_transfer(transfer: pb.Transfer) -> str:
    """What is wrong with what a copy or a fetch did."""
    for sha256 in (transfer.sha256, transfer.manifest_sha256):
        if len(sha256) not in (0, _HASH):
            return f"A SHA-256 has {_HASH} bytes, not {len(sha256):,}."
    return ""

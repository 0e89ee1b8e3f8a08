"""File sets, the steps that copy and fetch, and what they did, between the wire and the domain."""

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import (
    CopySpec,
    FetchSpec,
    FileSet,
    FileSetPart,
    Transfer,
    UpdateSpec,
)
from tui_manager.operator.conversion.convert_values import word

PARTS = {
    FileSetPart.MANIFEST: wire.STORED_FILES_PART_MANIFEST,
    FileSetPart.DATA: wire.STORED_FILES_PART_DATA,
}


def file_set_to_wire(files: FileSet | None) -> wire.StoredFiles | None:
    if files is None:
        return None
    return wire.StoredFiles(
        sha256=files.sha256,
        manifest_size=files.manifest_size,
        size=files.size,
        files=files.files,
        bytes=files.bytes,
    )


def file_set_from_wire(message: wire.StoredFiles) -> FileSet:
    sizes = (message.manifest_size, message.size, message.files, message.bytes)
    return FileSet(message.sha256, *sizes)


def copy_to_wire(copy: CopySpec | None) -> wire.CopyStep | None:
    if copy is None:
        return None
    return wire.CopyStep(
        files=file_set_to_wire(copy.files),
        to=copy.to,
        mode=copy.mode,
        owner=copy.owner,
        backup=copy.backup,
        sources=copy.sources,
    )


def copy_from_wire(message: wire.CopyStep) -> CopySpec:
    return CopySpec(
        files=file_set_from_wire(message.files),
        to=message.to,
        mode=message.mode if message.HasField("mode") else None,
        owner=message.owner,
        backup=message.backup,
        sources=tuple(message.sources),
    )


def fetch_to_wire(fetch: FetchSpec | None) -> wire.FetchStep | None:
    if fetch is None:
        return None
    return wire.FetchStep(paths=fetch.paths, recursive=fetch.recursive, to=fetch.to)


def fetch_from_wire(message: wire.FetchStep) -> FetchSpec:
    return FetchSpec(tuple(message.paths), message.recursive, message.to)


def update_to_wire(update: UpdateSpec | None) -> wire.UpdateStep | None:
    if update is None:
        return None
    return wire.UpdateStep(
        files=file_set_to_wire(update.files),
        version=update.version,
        build=update.build,
        system=update.system,
        arch=update.arch,
    )


def update_from_wire(message: wire.UpdateStep) -> UpdateSpec:
    words = (message.version, message.build, message.system, message.arch)
    return UpdateSpec(file_set_from_wire(message.files), *words)


def transfer_to_wire(transfer: Transfer | None) -> wire.HostTransfer | None:
    if transfer is None:
        return None
    return wire.HostTransfer(
        bytes=transfer.bytes,
        files=transfer.files,
        unchanged_files=transfer.unchanged_files,
        received_bytes=transfer.received_bytes,
        sha256=transfer.sha256,
        stored=file_set_to_wire(transfer.stored),
    )


def transfer_from_wire(message: wire.HostTransfer) -> Transfer:
    return Transfer(
        bytes=message.bytes,
        files=message.files,
        unchanged_files=message.unchanged_files,
        received_bytes=message.received_bytes,
        sha256=message.sha256,
        stored=file_set_from_wire(message.stored) if message.HasField("stored") else None,
    )


def part_from_wire(number: int) -> FileSetPart:
    return word(PARTS, number)


def piece_to_wire(part: FileSetPart, offset: int, content: bytes | int) -> wire.FilesPiece:
    """Args: content: an int: so many bytes that are zero."""
    if isinstance(content, int):
        return wire.FilesPiece(part=PARTS[part], offset=offset, zeros=content)
    return wire.FilesPiece(part=PARTS[part], offset=offset, data=content)


def content_from_wire(message: wire.FilesPiece) -> bytes | int:
    """The bytes of a piece, or how many that are zero. Raises InvalidInputError if it has none."""
    content = message.zeros if message.WhichOneof("content") == "zeros" else message.data
    if not content:
        raise InvalidInputError("files", "A piece of a file set has no bytes.")
    return content

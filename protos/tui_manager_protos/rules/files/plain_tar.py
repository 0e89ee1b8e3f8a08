"""Tar files of regular files and folders only, with headers that can have one value only (ustar).

Owner, time and padding are fixed, so that the same files always make the same bytes, and a changed
byte of a header is noticed. There are no links, devices, or names that lead out of the folder.
"""

import re
from typing import BinaryIO, Final

from tui_manager_protos.lazy_dataclass import dataclass

BLOCK: Final = 512  # bytes
END: Final = bytes(2 * BLOCK)
CHANGED_AT: Final = 315_532_800  # 1980-01-01: tar finds 1970 implausible
SIZE_MAX: Final = 8**11 - 1  # bytes of a file
FILE_MODE, PROGRAM_MODE = 0o644, 0o755
_NAME, _PREFIX = 100, 155  # bytes
_PATH = re.compile(r"[A-Za-z0-9._+@-]+(/[A-Za-z0-9._+@-]+)*")
_SHOWN = 80  # characters of a wrong path in an error


class TarError(ValueError):
    """No such tar; a sentence."""


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file, or a folder.

    Attributes:
        path: relative, of letters, digits, `._+@-` and `/`; no part is `.` or `..`.
        size: bytes of a file.
        is_program: whether it may be executed.
    """

    path: str
    size: int = 0
    is_program: bool = False
    is_folder: bool = False


def header(member: Member) -> bytes:
    """The only header that a member can have. Raises TarError if it can have none."""
    check_path(member.path)
    if not 0 <= member.size <= SIZE_MAX or (member.is_folder and member.size):
        raise TarError(f"{member.path} has a wrong size: {member.size}.")
    prefix, name = _split(f"{member.path}/" if member.is_folder else member.path)
    mode = PROGRAM_MODE if member.is_program or member.is_folder else FILE_MODE
    before = name.ljust(_NAME, b"\0") + f"{mode:07o}\x000000000\x000000000\0".encode()
    before += f"{member.size:011o}\0{CHANGED_AT:011o}\0".encode()
    after = (b"5" if member.is_folder else b"0") + bytes(100) + b"ustar\x0000" + bytes(64)
    after += b"0000000\x000000000\0" + prefix.ljust(_PREFIX, b"\0") + bytes(12)
    total = sum(before) + sum(after) + 8 * ord(" ")
    return before + f"{total:06o}\0 ".encode() + after


def read_header(file: BinaryIO) -> Member | None:
    """The next member, or None for the first block of the end.

    Raises:
        TarError: it is no such header.
    """
    data = file.read(BLOCK)
    if data == bytes(BLOCK):
        return None
    if len(data) < BLOCK:
        raise TarError("it is cut")
    if data[257:263] != b"ustar\0":
        raise TarError("something is no header")
    name, prefix = _text(data[:_NAME]), _text(data[345 : 345 + _PREFIX])
    path = (f"{prefix}/{name}" if prefix else name).removesuffix("/")
    if data[156:157] not in (b"0", b"5"):
        raise TarError(f"{path[:_SHOWN]!r} is neither a file nor a folder")
    digits = data[124:135]
    if not re.fullmatch(rb"[0-7]{11}", digits):
        raise TarError(f"{path[:_SHOWN]!r} has no size")
    is_folder = data[156:157] == b"5"
    is_program = not is_folder and data[100:107] == b"%07o" % PROGRAM_MODE
    member = Member(path, int(digits, 8), is_program, is_folder)
    if header(member) != data:
        raise TarError(f"the header of {path[:_SHOWN]!r} is damaged")
    return member


def check_path(path: str) -> None:
    """Raises TarError unless a member may have this path."""
    if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        raise TarError(f"{path[:_SHOWN]!r} is not relative, has '..', or an unusual character")


def padding(size: int) -> int:
    """The number of zero bytes that follow so many bytes of a file."""
    return -size % BLOCK


def check_zeros(file: BinaryIO, size: int) -> None:
    """Raises TarError unless so many zero bytes come next."""
    if file.read(size) != bytes(size):
        raise TarError("it is cut, or there is something between its members")


def _split(path: str) -> tuple[bytes, bytes]:
    """Prefix and name of a header: the shortest prefix that leaves a name short enough."""
    data = path.encode()
    if len(data) <= _NAME:
        return b"", data
    cut = data.find(b"/", len(data) - _NAME - 1)
    if cut in (-1, len(data) - 1) or cut > _PREFIX:
        raise TarError(f"{path[:_SHOWN]!r} is too long")
    return data[:cut], data[cut + 1 :]


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode("ascii", "replace")

"""A file that exists already at a destination: whether it may be replaced, how it differs, and what
is kept of it."""

import errno
import os
import stat
from itertools import count

from tui_manager_protos.rules.files.file_manifest import PART_LENGTH, Entry

from tui_manager_agent.files.copy.destination import find_at, kind_of, refuse_own
from tui_manager_agent.files.copy.mode_and_owner import Attributes
from tui_manager_agent.files.copy.write_progress import Difference
from tui_manager_agent.files.file_problems import as_transfer_error, describe
from tui_manager_agent.files.hashing import hash_file
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import StopSignal, TransferError
from tui_manager_agent.policy.file_rules import show_path

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_CHANGED = "Another program has changed {} while it was copied. Run it again."


def look(folder: int, name: bytes, path: bytes, own: ProtectedFiles) -> os.stat_result | None:
    """The regular file of that name in a folder; None if nothing is there.

    Raises TransferError if something else is there, or if it is the agent's own.
    """
    status = find_at(folder, name, path)
    if status is not None and not stat.S_ISREG(status.st_mode):
        kind = kind_of(status.st_mode)
        advice = "Choose another destination"  # others may need it: nobody removes /dev/null
        raise TransferError(f"{show_path(path)} is {kind}, which a copy never replaces. {advice}.")
    if status and not own.may_be_replaced(status):
        raise TransferError(refuse_own(path))
    refuse_policy(folder, name, path, own)
    return status


def refuse_policy(folder: int, name: bytes, path: bytes, own: ProtectedFiles) -> None:
    """Raises TransferError if this is the place of the owner's policy."""
    if not own.may_be_named(folder, name):
        raise TransferError(refuse_own(path))


def compare(
    folder: int,
    name: bytes,
    status: os.stat_result | None,
    entry: Entry,
    attributes: Attributes,
    stop: StopSignal,
) -> Difference:
    """How a file, found by `look`, differs from what it is to be. Raises OSError, StoppedError."""
    if status is None or status.st_size != entry.size:
        return Difference.CONTENT
    fits = attributes.fit(status, entry)
    if not fits and not _may_be_changed(status, attributes):
        return Difference.CONTENT
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT):
            return Difference.CONTENT
        raise
    try:
        is_same = hash_file(descriptor, entry.size, stop.check).digest() == entry.sha256
    finally:
        os.close(descriptor)
    if not is_same:
        return Difference.CONTENT
    return Difference.NONE if fits else Difference.ATTRIBUTES


def _may_be_changed(status: os.stat_result, attributes: Attributes) -> bool:
    """Whether mode and owner may be set in place; else a new file gets them. Other names of the
    file must not change with it. And who may write it now can keep it open, and would write into it
    also when it is another user's, or runs with the rights of one."""
    own = status.st_uid == os.geteuid() or (not os.geteuid() and attributes.keeps_owner(status))
    return own and status.st_nlink == 1 and not status.st_mode & _OTHERS_WRITE


def set_attributes(
    folder: int,
    name: bytes,
    path: bytes,
    found: os.stat_result | None,
    entry: Entry,
    attributes: Attributes,
    stop: StopSignal,
) -> None:
    """Gives mode and owner to a file whose content is right; `found` when it was compared.

    Raises TransferError, also if it has changed since then, and StoppedError.
    """
    with as_transfer_error(path):
        descriptor = os.open(name, _READ, dir_fd=folder)
        try:
            if found is None or _state(os.fstat(descriptor)) != _state(found):
                raise TransferError(_CHANGED.format(show_path(path)))
            stop.check()
            attributes.apply(descriptor, entry, found)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_nlink, status.st_size, status.st_mtime_ns


def keep_backup(
    folder: int, name: bytes, path: bytes, old: os.stat_result, stamp: str, stop: StopSignal
) -> None:
    """Gives the old file a second name beside it, such as `NAME.backup-20261127T234005Z`. It may
    have that name already. Raises TransferError, StoppedError."""
    with as_transfer_error(path, "kept as a backup"):
        for number in count(1):
            backup = backup_name(name, stamp, number)
            stop.check()
            try:
                os.link(name, backup, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                there = os.stat(backup, dir_fd=folder, follow_symlinks=False)
                if not os.path.samestat(there, old):
                    continue
            except OSError as error:
                problem = describe(path, error, "kept as a backup, which is a hard link")
                raise TransferError(problem) from error
            return


def backup_name(name: bytes, stamp: str, number: int = 1) -> bytes:
    """A name that is too long for the ending is cut, between two characters."""
    ending = f".backup-{stamp}" + (f"-{number}" if number > 1 else "")
    kept = name[: PART_LENGTH - len(ending)]
    for _ in range(3):  # as long as one can be in UTF-8, without its first byte
        if name[len(kept) : len(kept) + 1] and name[len(kept)] & 0xC0 == 0x80:
            kept = kept[:-1]
    return kept + ending.encode()


def require_folder(status: os.stat_result, path: bytes) -> None:
    """Raises TransferError if what is there, where a folder must be, is none."""
    if not stat.S_ISDIR(status.st_mode):
        kind = kind_of(status.st_mode)
        raise TransferError(f"{show_path(path)} is {kind}, where a folder must be.")

"""Whose an execution is: a file that exists once claimed, locked as long as its owner lives."""

from __future__ import annotations

import fcntl
import os

from tui_manager_agent.supervisor import record


def take(folder: str) -> bool:
    """Claims an execution for this process, for as long as it lives.

    The file is locked before it gets its name, so that nobody ever sees it without its lock.
    Returns False if it is claimed already, or gone.
    """
    draft = f"{folder}/{record.CLAIM}.{os.getpid()}"
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        record.write_all(descriptor, record.encode({"pid": os.getpid()}))
        os.link(draft, f"{folder}/{record.CLAIM}")
    except (FileExistsError, FileNotFoundError):
        return False
    finally:
        os.unlink(draft)
    return True


def is_held(folder: str) -> bool:
    """Whether the process that claimed an execution lives. Raises FileNotFoundError if none did."""
    descriptor = os.open(f"{folder}/{record.CLAIM}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def bar(folder: str) -> bool:
    """Claims an execution for nobody, so that no supervisor starts it. False if one claimed it."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(f"{folder}/{record.CLAIM}", flags, 0o600))
    except FileExistsError:
        return False
    return True

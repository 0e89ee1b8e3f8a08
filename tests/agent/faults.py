"""Errors that a host may give to the agent."""

import errno
from collections.abc import Callable
from typing import NoReturn, TypeVar

_T = TypeVar("_T")


def full(*_: object) -> NoReturn:
    """Replaces a function that writes."""
    raise OSError(errno.ENOSPC, "No space left on device")


def too_many_files(*_: object) -> NoReturn:
    """Replaces a function that opens a file."""
    raise OSError(errno.EMFILE, "Too many open files")


def forbidden(*_: object) -> NoReturn:
    """Replaces a function that sends a signal."""
    raise PermissionError(errno.EPERM, "Operation not permitted")


def broken(*_: object, **__: object) -> NoReturn:
    """Replaces a function that reads or changes a file."""
    raise OSError(errno.EIO, "Input/output error")


def until(
    over: Callable[[], object], fault: Callable[..., NoReturn], works: Callable[..., _T]
) -> Callable[..., _T]:
    """A function that fails until a condition is true, and works after that."""

    def act(*arguments: object) -> _T:
        return (works if over() else fault)(*arguments)

    return act

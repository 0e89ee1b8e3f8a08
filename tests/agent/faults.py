"""What a host may do to the agent."""

import errno
from collections.abc import Callable
from typing import NoReturn, TypeVar

_T = TypeVar("_T")


def full(*_: object) -> NoReturn:
    """In place of whatever writes."""
    raise OSError(errno.ENOSPC, "No space left on device")


def too_many_files(*_: object) -> NoReturn:
    """In place of whatever opens a file."""
    raise OSError(errno.EMFILE, "Too many open files")


def forbidden(*_: object) -> NoReturn:
    """In place of whatever sends a signal."""
    raise PermissionError(errno.EPERM, "Operation not permitted")


def broken(*_: object) -> NoReturn:
    """In place of whatever reads or changes a file."""
    raise OSError(errno.EIO, "Input/output error")


def until(
    over: Callable[[], object], fault: Callable[..., NoReturn], works: Callable[..., _T]
) -> Callable[..., _T]:
    """What fails until it is over, and works from then on."""

    def act(*arguments: object) -> _T:
        return (works if over() else fault)(*arguments)

    return act

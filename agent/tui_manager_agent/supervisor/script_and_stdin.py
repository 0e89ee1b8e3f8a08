"""The files that come with an order: a script, and what its command reads from stdin. Gives them to
the command, and removes them.

Only the agent can read their folder. So a script that runs as another user is copied to a folder
that only this user can read; `executions/orders/script_copies.py` says where that is, and why.
"""

from __future__ import annotations

import os
import stat

from tui_manager_agent.supervisor import record
from tui_manager_agent.supervisor.spawn import SpawnError, shell_command, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = (record.SCRIPT, record.STDIN)
SIZE = "_size"  # behind the name of a file: its entry in an order, bytes
# Entries of an order.
SCRIPT_SIZE, STDIN_SIZE = record.SCRIPT + SIZE, record.STDIN + SIZE
COMMAND = "command"
# Instead of that one, for a command that reads stdin. An older agent, which would run it without,
# finds that it cannot read the order; nor can it read that of a script, which has no command.
COMMAND_WITH_STDIN = "command_with_stdin"
INTERPRETER, INTERPRETER_ARGUMENT = "interpreter", "interpreter_argument"
COPY = "script_copy"  # where the order's user can read the script
_BLOCK = 65536  # bytes


def are_in(order: Mapping[str, str]) -> bool:
    """Whether the order has a script or an input."""
    return SCRIPT_SIZE in order or STDIN_SIZE in order


def arguments(order: Mapping[str, str], path: str, folder: int) -> list[bytes]:
    """The program that is to run, and its arguments. Raises SpawnError.

    Args:
        path: of the execution's folder.
        folder: a descriptor of it.
    """
    if SCRIPT_SIZE not in order:
        name = COMMAND_WITH_STDIN if STDIN_SIZE in order else COMMAND
        return shell_command(order[name])
    descriptor = _open(order, record.SCRIPT, folder)
    try:
        script = f"{path}/{record.SCRIPT}"
        if COPY in order:
            script = order[COPY]
            _copy(order, descriptor)
    finally:
        os.close(descriptor)
    words = [order[INTERPRETER], order.get(INTERPRETER_ARGUMENT, ""), script]
    while (argument := order.get(f"{record.ARGUMENT}{len(words) - 3}")) is not None:
        words.append(argument)
    return [to_bytes(word) for at, word in enumerate(words) if word or at != 1]


def open_stdin(order: Mapping[str, str], folder: int) -> int:
    """A descriptor of what the command reads; -1 if the order brings nothing. Its file is removed:
    it may hold secrets, and nobody opens it once more. Raises SpawnError."""
    if STDIN_SIZE not in order:
        return -1
    descriptor = _open(order, record.STDIN, folder)
    _unlink(record.STDIN, folder)
    return descriptor


def remove_files(order: Mapping[str, str], folder: int) -> None:
    """Removes the files that the command no longer needs. The agent removes later what cannot be
    removed now."""
    for name in FILES:
        if name + SIZE in order:
            _unlink(name, folder)
    if COPY in order:
        _unlink(order[COPY], folder)


def _open(order: Mapping[str, str], name: str, folder: int) -> int:
    """A descriptor of a file in the execution's folder. Raises SpawnError unless it is whole."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise SpawnError(
            f"the agent cannot read the {name} on its disk: {error.strerror}"
        ) from None
    found = os.fstat(descriptor)
    problem = ""
    if found.st_uid != os.geteuid():
        problem = "belongs to another user"
    elif found.st_size != int(order[name + SIZE]):
        problem = "is not whole"
    if problem:
        os.close(descriptor)
        raise SpawnError(f"the {name} in the agent's folder {problem}")
    return descriptor


def _copy(order: Mapping[str, str], script: int) -> None:
    """Copies the script to where the order's user alone can read it. Raises SpawnError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        _make_copies_folder(os.path.dirname(order[COPY]))
        descriptor = os.open(order[COPY], flags, 0o600)
        try:
            while block := os.read(script, _BLOCK):
                record.write_all(descriptor, block)
            os.fchmod(descriptor, 0o400)
            os.fchown(descriptor, int(order["uid"]), int(order["gid"]))
        finally:
            os.close(descriptor)
    except OSError as error:
        where = f"{order[COPY]}, where {order['user']} could read it"
        raise SpawnError(f"cannot copy the script to {where}: {error.strerror}") from None


def _make_copies_folder(folder: str) -> None:
    """Others can enter it, but not list it. Raises OSError, SpawnError."""
    try:  # noqa: SIM105 - contextlib is not cheap
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise SpawnError(f"cannot copy the script: other users could change {folder}; remove it")
    os.chmod(folder, 0o711)  # whatever the umask


def _unlink(path: str, folder: int) -> None:
    try:  # noqa: SIM105 - contextlib is not cheap
        os.unlink(path, dir_fd=folder)
    except OSError:
        pass

"""The values of `--secret`: typed at the terminal or read from a file descriptor. They are never
arguments, because every user of the machine can see these."""

import fcntl
import getpass
import os
from collections.abc import Sequence

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.text_and_variables import COMMAND_LENGTH, check_variable

OPTION = "secret"
TERMINAL = "/dev/tty"


def read_secrets(options: Sequence[str]) -> dict[str, str]:
    """The secrets that `--secret NAME` and `--secret NAME:FD` ask for, in their order.

    Raises:
        InvalidInputError: a name is none or given twice, or its value cannot be had.
    """
    wanted = _parse(options)
    return {
        name: _ask(name) if descriptor is None else _read(name, descriptor)
        for name, descriptor in wanted.items()
    }


def secret_names(options: Sequence[str]) -> tuple[str, ...]:
    """The names of these secrets. Raises InvalidInputError for a name that is none or given
    twice."""
    return tuple(_parse(options))


def _parse(options: Sequence[str]) -> dict[str, int | None]:
    """Names and descriptors. An error never repeats text that may be the secret."""
    wanted: dict[str, int | None] = {}
    for option in options:
        name, colon, descriptor = option.partition(":")
        if "=" in option or (colon and not (descriptor.isascii() and descriptor.isdigit())):
            raise InvalidInputError(
                OPTION,
                "--secret takes a name and no value, because all users of this machine can read "
                "a command line: --secret NAME asks for it, --secret NAME:FD reads a descriptor.",
            )
        check_variable(OPTION, name, "")
        if name in wanted:
            raise InvalidInputError(OPTION, f"--secret {name} is given twice.")
        if colon and int(descriptor) in wanted.values():
            raise InvalidInputError(OPTION, f"Descriptor {descriptor} can be read only once.")
        wanted[name] = int(descriptor) if colon else None
    return wanted


def _ask(name: str) -> str:
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        raise InvalidInputError(
            OPTION,
            f"There is no terminal to ask for the secret {name} at; give it on a file descriptor: "
            f"--secret {name}:3 3<FILE",
        ) from None
    try:
        return getpass.getpass(f"Secret {name}: ")
    except EOFError:
        raise InvalidInputError(OPTION, f"Nothing was typed for the secret {name}.") from None
    except UnicodeDecodeError:
        raise InvalidInputError(OPTION, f"What was typed for {name} is not valid text.") from None


def _read(name: str, descriptor: int) -> str:
    """Reads to the end of the descriptor, and removes one newline there."""
    data = b""
    try:
        # Descriptors of this program are close-on-exec; inherited ones are not.
        if fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
            raise OverflowError
        while len(data) <= COMMAND_LENGTH and (piece := os.read(descriptor, 65536)):
            data += piece
    except (OSError, OverflowError):
        raise InvalidInputError(
            OPTION,
            f"--secret {name}:{descriptor}: there is nothing to read on descriptor {descriptor}; "
            f"open it for this program, as with {descriptor}<FILE.",
        ) from None
    try:
        text = data.removesuffix(b"\n").decode()
    except UnicodeDecodeError:
        raise InvalidInputError(OPTION, f"The secret {name} is not valid UTF-8.") from None
    check_variable(OPTION, name, text)
    return text

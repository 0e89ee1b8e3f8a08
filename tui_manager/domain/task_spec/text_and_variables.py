"""What a command can get from the manager: text, arguments, environment variables. A file of its
own, because steps, parameters and files all check it."""

import re

from tui_manager.domain.errors import InvalidInputError

# Linux refuses a longer single argument of exec: MAX_ARG_STRLEN is 32 pages of 4 KiB, with the NUL.
COMMAND_LENGTH = 131071  # bytes
RESERVED = "TUI_MANAGER_"  # of variables: an agent finds the processes of a command by such a one
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_text(kind: str, text: str) -> None:
    """Raises InvalidInputError unless `text` can be given to a process as UTF-8."""
    if "\0" in text:
        raise InvalidInputError(kind, "A NUL character cannot be passed to a command.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            kind, f"Not valid UTF-8 at character {error.start + 1}; write such bytes as \\x.."
        ) from None


def check_variable(kind: str, name: str, value: str) -> None:
    """Raises InvalidInputError unless an environment variable can have this name and value."""
    if not _VARIABLE.fullmatch(name):
        raise InvalidInputError(
            kind, f"{name!r} is not a variable's name: letters, digits and _, no digit first."
        )
    if name.startswith(RESERVED):
        raise InvalidInputError(
            kind, f"{name}: names that begin with {RESERVED} are tui-manager's own; take another."
        )
    check_text(kind, value)
    if len(name.encode()) + len(value.encode()) + 1 > COMMAND_LENGTH:
        raise InvalidInputError(kind, f"The value of {name} is longer than {COMMAND_LENGTH} bytes.")

"""Finds the state folder of a manager: reads the configuration file, and the paths of settings."""

import os
from collections.abc import Mapping
from pathlib import Path

from tui_manager.domain.errors import InvalidInputError
from tui_manager.user_folders import config_folder, default_state_dir

VARIABLE = "TUI_MANAGER_STATE_DIR"
SETTING = "state_dir"


def find_state_dir(given: str | os.PathLike[str] | None = None) -> Path:
    """The folder that is given, else that of the environment, else that of the configuration file,
    else the default one. It need not exist.

    Raises:
        InvalidInputError: ("state_dir") it is not an absolute path; ("config") the configuration
            file cannot be read.
    """
    if given is not None:
        return read_state_dir(typed_path(os.fspath(given)), "argument")
    if named := os.environ.get(VARIABLE):
        return read_state_dir(typed_path(named), f"environment {VARIABLE}")
    path = config_path()
    found = read_config(path)
    return (
        read_state_dir(found[SETTING], f"file {path}") if SETTING in found else default_state_dir()
    )


def config_path() -> Path:
    """The path of the configuration file, which need not exist."""
    return config_folder() / "config.toml"


def read_config(path: Path) -> Mapping[str, object]:
    """The settings of a configuration file; none if there is no file.

    Raises:
        InvalidInputError: ("config") it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error
    import tomllib  # here, because most commands find no file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> InvalidInputError:
    reason = error.strerror if isinstance(error, OSError) else error
    return InvalidInputError("config", f"{path} cannot be used: {reason}.")


def typed_path(text: str) -> str:
    """A path that was typed, made absolute from the current folder."""
    return text if not text or text.startswith("~") else str(Path(text).absolute())


def read_path(value: object) -> Path:
    """The absolute path that a setting names. Raises ValueError, which says what is expected."""
    try:
        path = file_path(value).expanduser() if isinstance(value, str) and value else None
    except RuntimeError as error:  # ~ of a user that does not exist
        raise ValueError(str(error)) from None
    if path is None or not path.is_absolute() or "\0" in str(path):
        raise ValueError("expected an absolute path, or one that begins with ~")
    return path


def file_path(text: str) -> Path:
    """The path that `text` names, which is UTF-8 also if the locale, such as C, is not."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        text = os.fsdecode(text.encode(errors="surrogateescape"))
    return Path(text)


def read_state_dir(value: object, source: str) -> Path:
    """The state folder that a setting names.

    Raises:
        InvalidInputError: naming the source, the value and what is allowed.
    """
    try:
        return read_path(value)
    except ValueError as error:
        raise InvalidInputError(SETTING, f"{source}: {SETTING} = {value!r}: {error}.") from error

"""Opens the operator's own editor on a command."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App

from tui_manager.domain.task_spec.script_and_stdin import CONTENT_LENGTH
from tui_manager.ui.forms.text_area_limits import CANNOT_HOLD, can_hold_command
from tui_manager.ui.terminal.run_program import ProgramError, run_program, words_of

_EDITORS = ("sensible-editor", "nano", "vi")  # without VISUAL and EDITOR: the first that there is
_FILE = "command.sh"


def edited(app: App[Any], text: str) -> str:
    """The text as it is after the editor has ended.

    Only this user can read its file, which is removed with all that the editor left beside it.

    Raises:
        ProgramError: there is no editor, it ended with an error, or what it wrote is no text or
            does not fit into the field.
    """
    words = _editor()
    with tempfile.TemporaryDirectory(prefix="tui-manager-") as folder:
        path = Path(folder, _FILE)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode(errors="replace") + b"\n" * bool(text))
        status = run_program(app, [*words, str(path)])
        if status:
            ended = f"status {status}" if status > 0 else f"signal {-status}"
            raise ProgramError(f"{words[0]} ended with {ended}; the command is as it was.")
        return _read(path)


def _read(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(CONTENT_LENGTH + 1)
        if len(data) > CONTENT_LENGTH:
            raise ProgramError(f"The editor wrote more than {CONTENT_LENGTH} bytes.")
        text = data.decode().replace("\r\n", "\n").removesuffix("\n")
    except OSError as error:
        raise ProgramError(f"What the editor wrote cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ProgramError("What the editor wrote is not text in UTF-8.") from None
    if not can_hold_command(text):
        raise ProgramError(f"What the editor wrote {CANNOT_HOLD}; the command is as it was.")
    return text


def _editor() -> list[str]:
    for variable in ("VISUAL", "EDITOR"):
        if os.environ.get(variable, "").strip():
            return list(words_of(os.environ[variable], variable))
    found = next((name for name in _EDITORS if shutil.which(name)), None)
    if found is None:
        raise ProgramError("There is no editor: set VISUAL or EDITOR to one.")
    return [found]

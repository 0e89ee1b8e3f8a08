"""The folders of the user in which the program has its own: configuration, state, logs.

On Linux they come from the variables that name them, because `platformdirs` takes longer to import
than a short command may. On other systems, and if a variable is not absolute, it decides.
"""

import os
import sys
from pathlib import Path

from tui_manager.state_files import APP


def config_folder() -> Path:
    """Where the configuration file is. The folder need not exist."""
    if found := _linux_folder("XDG_CONFIG_HOME", ".config"):
        return found
    from platformdirs import user_config_path

    return user_config_path(APP)


def default_state_dir() -> Path:
    """The state folder of a manager that was given no other."""
    if found := _linux_folder("XDG_STATE_HOME", ".local/state"):
        return found
    from platformdirs import user_state_path

    return user_state_path(APP)


def default_log_dir() -> Path:
    """The folder of the log file."""
    if found := _linux_folder("XDG_STATE_HOME", ".local/state"):
        return found / "log"
    from platformdirs import user_log_path

    return user_log_path(APP)


def _linux_folder(variable: str, in_home: str) -> Path | None:
    """Our folder in the one that a variable names, or in the home; None: `platformdirs` knows."""
    if sys.platform != "linux" or "ANDROID_ROOT" in os.environ:
        return None
    named, home = os.environ.get(variable, ""), os.environ.get("HOME", "")
    if named:
        return Path(named, APP) if named.startswith("/") else None
    return Path(home, in_home, APP) if home.startswith("/") else None

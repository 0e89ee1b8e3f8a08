"""Every setting of the manager, with its default. Where values come from is `cli/config.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from platformdirs import user_log_path, user_state_path

from tui_manager.domain.task import KILL_GRACE, OUTPUT_LIMIT

APP = "tui-manager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator can set.

    Attributes:
        state_dir: holds the database and the operator's socket.
        log_dir: where the rotating log file lies.
        listen: where agents dial in, HOST:PORT; port 0 takes a free one.
        insecure: no TLS, and hosts admitted as they come; on loopback only.
        lost_after: silence of an agent that turns its work into failure.
        heartbeat: an agent reports at least this often.
        kill_grace: between SIGTERM and SIGKILL.
        output_limit: bytes kept of one command on one host, both streams together.
        free_disk: bytes that must be free in the state folder for a task to start.
        groups: host groups, name → target.
    """

    state_dir: Path = field(default_factory=lambda: user_state_path(APP))
    log_dir: Path = field(default_factory=lambda: user_log_path(APP))
    listen: str = "127.0.0.1:7443"
    insecure: bool = False
    lost_after: timedelta = timedelta(minutes=5)
    heartbeat: timedelta = timedelta(seconds=5)
    kill_grace: timedelta = KILL_GRACE
    output_limit: int = OUTPUT_LIMIT
    free_disk: int = 256 * 1024 * 1024
    groups: Mapping[str, str] = field(default_factory=dict)

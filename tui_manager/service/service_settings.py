"""The settings that the services obey, with their defaults and the values that are allowed. All
other settings are in `tui_manager/settings.py`."""

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from typing import Annotated, Any, NamedTuple, get_origin, get_type_hints

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules import command_defaults

_MIB = 1024 * 1024


class Bounds(NamedTuple):
    """The lowest and the highest value of a setting; `size`: the setting is a number of bytes."""

    low: Any
    high: Any
    size: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """What an operator can set and a service obeys. Each field is a setting.

    Attributes:
        lost_after: if an agent is silent for this long, its commands count as failed.
        heartbeat: an agent reports at least this often; with thousands of agents less often.
        kill_grace: time between SIGTERM and SIGKILL.
        output_limit: stored bytes of one command on one host, both streams together.
        free_disk: bytes that must be free in the state folder before a task can start.
        files_limit: bytes of the files on their way to and from hosts that the manager keeps.
        history_days: a task is removed with its output so many days after its end, and the history
            of schedules is kept as long; 0: for ever.
        groups: host groups, name → target.
    """

    lost_after: Annotated[timedelta, Bounds(timedelta(seconds=1), timedelta(days=7))] = timedelta(
        minutes=5
    )
    heartbeat: Annotated[timedelta, Bounds(timedelta(milliseconds=100), timedelta(minutes=10))] = (
        timedelta(seconds=5)
    )
    kill_grace: Annotated[timedelta, Bounds(timedelta(0), timedelta(hours=1))] = (
        command_defaults.KILL_GRACE
    )
    output_limit: Annotated[int, Bounds(1024, 16 << 30, size=True)] = command_defaults.OUTPUT_LIMIT
    free_disk: Annotated[int, Bounds(0, 1 << 50, size=True)] = 256 * _MIB
    files_limit: Annotated[int, Bounds(_MIB, 1 << 50, size=True)] = 20 << 30
    history_days: Annotated[int, Bounds(0, 36_500)] = 30
    groups: Mapping[str, str] = field(default_factory=dict)


BOUNDS: Mapping[str, Bounds] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(ServiceSettings, include_extras=True).items()
    if get_origin(hint) is Annotated
}

"""What each argument of the command line names, such as a host or a task. This decides how it is
completed. An argument with fixed choices needs no line here. A test finds other arguments that are
missing."""

from collections.abc import Mapping
from enum import Enum, auto

# Values that an argument can have, and beside each what a shell may show with it.
Candidates = Mapping[str, str]


class Kind(Enum):
    """What an argument names."""

    NOTHING = auto()  # that could be listed: a number, a text, a path on hosts
    FILE = auto()  # of this machine; the shell completes it by its own rules
    FOLDER = auto()
    TARGET = auto()
    TARGET_AND_FILES = auto()  # a target, and then files of this machine
    TARGET_AND_FOLDER = auto()
    FILE_OR_TASK = auto()
    HOST = auto()  # a host of any admission
    PENDING_HOST = auto()
    ADMITTED_HOST = auto()
    OFFLINE_HOST = auto()
    LABEL = auto()  # K=V
    LABEL_KEY = auto()
    TASK = auto()  # by its number
    PENDING_TASK = auto()
    OPEN_TASK = auto()  # pending or running
    RUNNING_TASK = auto()
    ENDED_TASK = auto()
    TEMPLATE = auto()
    PARAMETER = auto()  # K=V, of the template that is named before
    SECRET = auto()  # K, of the template or task that is named before
    SCHEDULE = auto()
    TOKEN = auto()
    RECEIVER = auto()  # of notifications
    ZONE = auto()  # a time zone


# By the name under which the parser keeps the argument.
_ARGUMENTS: Mapping[str, Kind] = {
    **dict.fromkeys(("target", "other_target"), Kind.TARGET),
    **dict.fromkeys(("task_file", "script", "stdin", "file", "key", "ssh_config"), Kind.FILE),
    **dict.fromkeys(("bundle", "source", "output"), Kind.FILE),
    **dict.fromkeys(("state_dir", "folder"), Kind.FOLDER),
    **dict.fromkeys(("names", "host", "hosts"), Kind.HOST),
    "set": Kind.LABEL,
    "unset": Kind.LABEL_KEY,
    "label": Kind.LABEL,
    "task_id": Kind.TASK,
    "template": Kind.TEMPLATE,
    "of_template": Kind.TEMPLATE,
    "param": Kind.PARAMETER,
    "secret": Kind.SECRET,
    "schedule": Kind.SCHEDULE,
    "token_ids": Kind.TOKEN,
    "receiver": Kind.RECEIVER,
    "zone": Kind.ZONE,
    **dict.fromkeys((
        "agents", "batches", "by", "command", "cpu_max", "cron", "cwd", "delay",
        "delivery_timeout", "description", "enroll_listen", "env", "file_mode", "hold_timeout",
        "limit", "listen", "manager", "max_concurrency", "max_failures", "memory_max", "metrics",
        "misfire", "name", "new_name", "owner", "parallel", "reason", "since",
        "tasks_max", "text", "timeout", "trust", "ttl", "until", "user", "uses",
    ), Kind.NOTHING),
}  # fmt: skip

# What differs with a command.
_OF_COMMANDS: Mapping[tuple[str, str], Kind] = {
    ("copy", "names"): Kind.TARGET_AND_FILES,
    ("fetch", "names"): Kind.TARGET_AND_FOLDER,
    ("hosts approve", "names"): Kind.PENDING_HOST,
    ("hosts reject", "names"): Kind.PENDING_HOST,
    ("hosts revoke", "names"): Kind.ADMITTED_HOST,
    ("hosts remove", "names"): Kind.OFFLINE_HOST,
    ("agent install", "names"): Kind.NOTHING,  # hosts that the manager does not know yet
    ("schedule add", "schedule"): Kind.NOTHING,  # a name that is new
    ("task start", "task_id"): Kind.PENDING_TASK,
    ("task cancel", "task_id"): Kind.OPEN_TASK,
    ("task follow", "task_id"): Kind.OPEN_TASK,
    ("task pause", "task_id"): Kind.RUNNING_TASK,
    ("task resume", "task_id"): Kind.RUNNING_TASK,
    ("task rerun", "task_id"): Kind.ENDED_TASK,
    ("template save", "source"): Kind.FILE_OR_TASK,
}


def kind_of(command: str, argument: str) -> Kind | None:
    """What an argument names; None: it is missing here.

    Args:
        command: as `hosts show`; empty for arguments before a command.
        argument: the name under which the parser keeps it.
    """
    return _OF_COMMANDS.get((command, argument), _ARGUMENTS.get(argument))

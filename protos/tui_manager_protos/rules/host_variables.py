"""The environment variables that the manager adds to each command: its task, its host and the
labels of the host. The manager makes them; an agent knows by the same rules that they are not an
operator's. A file of its own, because no other rule uses it."""

import re
from collections import Counter
from collections.abc import Mapping

FEATURE = "host-variables"  # a word of Hello: the agent's policy need not name these variables
TASK_ID = "TUI_MANAGER_TASK_ID"
EXECUTION_ID = "TUI_MANAGER_EXECUTION_ID"
HOST = "TUI_MANAGER_HOST"
BATCH = "TUI_MANAGER_BATCH"
LABEL = "TUI_MANAGER_LABEL_"  # a prefix
_NAME = re.compile(rf"{TASK_ID}|{EXECUTION_ID}|{HOST}|{BATCH}|{LABEL}[A-Z0-9_]{{1,63}}")
_VALUE = re.compile(r"[A-Za-z0-9._:/@+-]{0,128}")  # no more than a label's value may hold
_OTHER = re.compile(r"[^A-Z0-9]")


def variables_of_host(name: str, labels: Mapping[str, str]) -> dict[str, str]:
    """The variables that all commands of a host have. Labels whose variables would have the same
    name are left out."""
    names = {key: LABEL + _OTHER.sub("_", key.upper()) for key in labels}
    times = Counter(names.values())
    return {
        HOST: name,
        **{names[key]: value for key, value in labels.items() if times[names[key]] == 1},
    }


def is_host_variable(name: str, value: str) -> bool:
    """Whether a variable is one of these, with a value that one of these can have."""
    return bool(_NAME.fullmatch(name) and _VALUE.fullmatch(value))

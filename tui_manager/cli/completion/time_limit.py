"""How long completion waits for a manager. A file of its own, because it is needed also where no
manager is asked, and to import what asks takes long."""

import os
from contextlib import suppress

TIMEOUT_VARIABLE = "TUI_MANAGER_COMPLETION_TIMEOUT"
_TIMEOUT = 0.3  # seconds, for all that is asked at one time
_TIMEOUT_MAX = 600.0


def time_limit() -> float:
    """How long the manager may take, in seconds."""
    with suppress(ValueError):
        return max(0.0, min(float(os.environ.get(TIMEOUT_VARIABLE, "")), _TIMEOUT_MAX))
    return _TIMEOUT

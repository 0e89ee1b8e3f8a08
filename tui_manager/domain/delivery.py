"""What becomes of a command whose host is offline when its turn comes."""

from datetime import timedelta
from enum import StrEnum

from tui_manager.domain.errors import InvalidInputError

DELIVERY_TIMEOUT = timedelta(hours=1)  # unless the task says otherwise
DELIVERY_TIMEOUT_RANGE = (timedelta(seconds=1), timedelta(days=30))


class Offline(StrEnum):
    """The policy of a task."""

    FAIL = "fail"  # undeliverable at once
    WAIT = "wait"  # waits for the host, up to the task's delivery timeout


def check_delivery_timeout(timeout: timedelta) -> None:
    """Raises InvalidInputError when it is out of bounds."""
    low, high = DELIVERY_TIMEOUT_RANGE
    if not low <= timeout <= high:
        seconds = timeout.total_seconds()
        raise InvalidInputError(
            "delivery_timeout",
            f"A delivery timeout must be from 1 s to 30 d (2592000 s); {seconds:g} s is not.",
        )

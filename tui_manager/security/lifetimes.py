"""How long certificates last, and when they are renewed."""

from datetime import datetime, timedelta

AUTHORITY_LIFETIME = timedelta(days=3650)
ENROLLMENT_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=90)
HOST_LIFETIME = timedelta(days=30)
# All start this long ago: a host whose clock is behind can use its certificate at once.
BACKDATED = timedelta(days=1)


def due_at(begins: datetime, ends: datetime) -> datetime:
    """When a certificate should be renewed: two thirds of its time are over."""
    return begins + (ends - begins) * 2 / 3


def is_due(begins: datetime, ends: datetime, now: datetime) -> bool:
    """Whether a certificate should be renewed: it is time, or, after a clock was put right, it has
    not begun."""
    return now < begins or now >= due_at(begins, ends)

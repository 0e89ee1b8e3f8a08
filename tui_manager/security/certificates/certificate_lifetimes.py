"""How long certificates last, and when they are renewed. A file of its own, because people look
up these figures more often than how a certificate is made."""

from datetime import datetime, timedelta

AUTHORITY_LIFETIME = timedelta(days=3650)
ENROLLMENT_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=90)
HOST_LIFETIME = timedelta(days=30)
# A certificate begins this long ago, so that a host whose clock is behind can use it at once.
BACKDATED = timedelta(days=1)


def renewal_time(begins: datetime, ends: datetime) -> datetime:
    """When a certificate should be renewed: after two thirds of its time."""
    return begins + (ends - begins) * 2 / 3


def is_due(begins: datetime, ends: datetime, now: datetime) -> bool:
    """Whether a certificate should be renewed: it is time, or it has not begun, as can happen after
    a clock was corrected."""
    return now < begins or now >= renewal_time(begins, ends)

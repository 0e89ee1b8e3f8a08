"""What a disk may do to the agent."""

import errno


def full(*_: object) -> None:
    """In place of whatever writes."""
    raise OSError(errno.ENOSPC, "No space left on device")

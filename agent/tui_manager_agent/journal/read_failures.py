"""When the agent gives up what its disk cannot read. A file of its own, because output, results and
orders are judged by the same rule."""

import errno

from tui_manager_agent.supervisor import clock

GONE_AFTER = 300 * clock.SECOND  # what a disk has failed to read for so long is given up


class ReadFailures:
    """Since when the disk has failed to read something, by a name of the caller's choice."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[int, int]] = {}  # errno, boot-time ns

    def note(self, name: str, error: OSError) -> bool:
        """Returns whether this failure is new: the first, or another one than before."""
        known = self._since.get(name)
        if known is not None and known[0] == error.errno:
            return False
        self._since[name] = (error.errno or 0, clock.now())
        return True

    def is_permanent(self, name: str) -> bool:
        """Whether to give up. A file that only cannot be opened now may be read later."""
        number, since = self._since.get(name, (0, 0))
        return number == errno.EIO and clock.now() - since >= GONE_AFTER

    def forget(self, name: str) -> None:
        """It was read, or is not needed any more."""
        self._since.pop(name, None)

    def clear(self) -> None:
        self._since.clear()

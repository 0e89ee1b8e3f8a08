"""Since when what a disk does not give has been asked for in vain."""

import errno

from tui_manager_agent.supervisor import clock

GONE_AFTER = 300 * clock.SECOND  # a disk that fails for so long will not give its bytes any more


class Unreadable:
    """By the name of what cannot be read."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[int, int]] = {}  # errno, since which boot-time ns

    def is_new(self, name: str, error: OSError) -> bool:
        """Whether this has gone wrong for the first time, or in another way than before."""
        known = self._since.get(name)
        if known is not None and known[0] == error.errno:
            return False
        self._since[name] = (error.errno or 0, clock.now())
        return True

    def is_gone(self, name: str) -> bool:
        """Whether there is no more hope; what only cannot be opened now, may be later."""
        number, since = self._since.get(name, (0, 0))
        return number == errno.EIO and clock.now() - since >= GONE_AFTER

    def forget(self, name: str) -> None:
        """It can be read, or nobody asks any more."""
        self._since.pop(name, None)

    def clear(self) -> None:
        """Nothing has been asked for."""
        self._since.clear()

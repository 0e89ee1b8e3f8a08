"""Where this agent's managers listen: the addresses that its owner gave it, and those that a
manager told it later. The latter are kept in the state folder."""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tui_manager_protos.rules.manager_address import (
    ADDRESSES_MAX,
    check_manager_address,
    is_loopback,
)

from tui_manager_agent.supervisor import record

FILE = "addresses"
_SHOWN = 80  # characters of a wrong address in the log
_LOG = logging.getLogger(__name__)


class KnownManagers:
    """The addresses that this agent can dial. A failing or damaged state folder costs only those
    that it was told.

    Args:
        given: HOST:PORT, at least one; these are dialed in any case.
        only_loopback: addresses of other machines are not taken from a manager.
    """

    def __init__(self, state_dir: Path, given: Sequence[str], *, only_loopback: bool) -> None:
        self._state_dir = state_dir
        self._given = given
        self._only_loopback = only_loopback
        self._told: Sequence[str] = ()  # the last list, as it came
        self._learned = self._load()

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys((*self._given, *self._learned)))

    async def learn(self, told: Iterable[str]) -> bool:
        """Keeps what the manager tells, instead of what one told before. Returns whether there are
        other addresses now. An empty list, or one without any good address, changes nothing."""
        told = tuple(told)
        if not told or told == self._told:
            return False
        self._told = told
        learned = tuple(self._check(told))
        if not learned or set(learned) == set(self._learned):
            return False
        self._learned = learned
        try:
            await asyncio.to_thread(self._save, learned)
        except OSError as error:
            _LOG.warning("the addresses of managers are not kept: error=%s", error)
        _LOG.info("the manager tells where to dial: addresses=%s", ",".join(learned))
        return True

    def _check(self, told: Iterable[str]) -> Iterator[str]:
        """Those that can be dialed, up to ADDRESSES_MAX."""
        for number, address in enumerate(dict.fromkeys(told)):
            if number == ADDRESSES_MAX:
                _LOG.warning("more than %d addresses of managers are ignored", ADDRESSES_MAX)
                return
            problem = ""
            try:
                check_manager_address(address)
            except ValueError as error:
                problem = str(error)
            if not problem and self._only_loopback and not is_loopback(address):
                problem = "with --insecure a manager must be on this machine"
            if problem:
                _LOG.warning("address=%r of a manager ignored: %s", address[:_SHOWN], problem)
            else:
                yield address

    def _load(self) -> tuple[str, ...]:
        path = self._state_dir / FILE
        try:
            found = record.read_sealed(str(path))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            _LOG.warning("the addresses of managers cannot be read: error=%s", error)
            return ()
        if not found:
            _LOG.warning("the file with addresses of managers is damaged and not used: %s", path)
        return tuple(self._check(found.values()))

    def _save(self, learned: Sequence[str]) -> None:
        numbered = {str(number): address for number, address in enumerate(learned)}
        record.write(str(self._state_dir), FILE, record.seal(record.encode(numbered)))

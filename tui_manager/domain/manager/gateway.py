"""A gateway is one of the managers that share a database: it owns the sessions of the hosts that
have dialed it. Here are the state of each, and the figures that it writes with its beats. If there
is only one manager, it is the only gateway."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.manager.manager_status import Health

GONE_AFTER = timedelta(days=1)  # of silence; then a manager is neither listed nor missed
HEARS_NOBODY = (
    "This manager does not hear the others: it shows their hosts as they were, and hosts that have "
    "gone to them as offline. Another manager may know more."
)


class GatewayState(StrEnum):
    """The state of a manager, in the words that operators read."""

    LEADS = "leads"
    RUNNING = "running"
    NOT_HEARD = "not heard"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Gateway:
    """One manager, as the owner of the sessions of its hosts.

    Attributes:
        number: what hosts and sessions name it by; 0 for a manager on SQLite.
        name: of its machine.
        address: for agents, `host:port`.
        leads: it plans rollouts and schedules, and ends tasks.
        alive: its beats are heard.
        stopped: it was stopped in order, and not started since.
        last_seen: when it was heard last, by the database's clock; None: not known.
        health: its newest figures; None: it has not told any.
        runs: how often it has started; 0: not known.
    """

    number: int
    name: str
    address: str
    version: str
    started_at: datetime | None = None
    leads: bool = False
    alive: bool = True
    stopped: bool = False
    last_seen: datetime | None = None
    health: Health | None = None
    runs: int = 0

    @property
    def state(self) -> GatewayState:
        """The state. A manager that is not heard does not lead, whatever the database still
        says."""
        if self.alive:
            return GatewayState.LEADS if self.leads else GatewayState.RUNNING
        return GatewayState.STOPPED if self.stopped else GatewayState.NOT_HEARD

    @property
    def with_address(self) -> str:
        """`NAME (ADDRESS)`."""
        return f"{self.name} ({self.address})" if self.address else self.name

    @property
    def hosts(self) -> int | None:
        """Hosts that are connected to it, or were when it was heard last; None: not known."""
        return self.health.sessions if self.health else None

    @property
    def newest_health(self) -> Health | None:
        """Its figures as they are now; None: not known, as it is not heard, or has just started."""
        measured = self.health is not None and self.health.memory_bytes > 0
        return self.health if self.alive and measured else None

    def silent_for(self, now: datetime) -> timedelta | None:
        """How long it was not heard; None: not known."""
        return max(now - self.last_seen, timedelta()) if self.last_seen else None

    def is_gone(self, now: datetime) -> bool:
        """Whether it has not been heard for longer than `GONE_AFTER`."""
        silent = self.silent_for(now)
        return silent is not None and silent > GONE_AFTER


@dataclass(frozen=True, slots=True)
class ManagerGroup:
    """The states of all managers of the database, as one of them sees them.

    Attributes:
        own: the number of this manager.
        gateways: all of them, this one too, by number. Empty: this one is alone.
    """

    own: int = 0
    gateways: tuple[Gateway, ...] = ()

    @property
    def leader(self) -> Gateway | None:
        """The one that leads; None: none does, or the one that did is not heard."""
        return next((one for one in self.gateways if one.state is GatewayState.LEADS), None)

    @property
    def others(self) -> tuple[Gateway, ...]:
        """All except this manager itself."""
        return tuple(one for one in self.gateways if one.number != self.own)

    @property
    def agent_addresses(self) -> tuple[str, ...]:
        """Where agents find a manager, also one that may come back; none if there is one manager.
        This one is the first."""
        found = [one for one in self.gateways if one.address and not one.stopped]
        found.sort(key=lambda one: one.number != self.own)
        return tuple(one.address for one in found) if len(found) > 1 else ()

    def without_leader(self) -> "ManagerGroup":
        """The same if nobody leads."""
        found = (replace(one, leads=False) for one in self.gateways)
        return replace(self, gateways=tuple(found))

    def without_others(self) -> "ManagerGroup":
        """The same if nobody else is heard, because this manager cannot reach the database."""
        return replace(
            self,
            gateways=tuple(
                one if one.number == self.own else replace(one, alive=False, leads=False)
                for one in self.gateways
            ),
        )

    def recent(self, now: datetime) -> "ManagerGroup":
        """Without the managers that have been gone for longer than `GONE_AFTER`: their machine or
        their state folder was given up."""
        return replace(
            self,
            gateways=tuple(
                one
                for one in self.gateways
                if one.alive or one.number == self.own or not one.is_gone(now)
            ),
        )

    def label(self, number: int) -> str:
        """The name of a manager, with its address if several have that name; empty: there is no
        manager with this number."""
        found = next((one for one in self.gateways if one.number == number), None)
        if found is None:
            return ""
        named = sum(one.name == found.name for one in self.gateways)
        return found.name if named == 1 else f"{found.name} ({found.address})"


_AT = "at"  # when the figures were written


def figures_text(health: Health, at: datetime) -> str:
    """The figures of a beat, as JSON.

    Args:
        at: the time of the beat, by the database's clock.
    """
    return json.dumps({_AT: at.isoformat(), **asdict(health)})


def read_figures(text: str) -> tuple[Health | None, datetime | None]:
    """The figures of a beat and their time; None for what is not there. A manager of another
    version may write other figures: those that are not known are ignored."""
    try:
        found = json.loads(text)
    except ValueError:
        return None, None
    if not isinstance(found, dict):
        return None, None
    return _health(found), _moment(found.get(_AT))


def _health(found: Mapping[str, Any]) -> Health | None:
    usual = Health()
    known = {}
    for field in fields(Health):
        value, kind = found.get(field.name), type(getattr(usual, field.name))
        if isinstance(value, kind) or (kind is float and isinstance(value, int)):
            known[field.name] = kind(value)
    return Health(**known) if known else None


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None

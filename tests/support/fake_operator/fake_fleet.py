"""What operators say of the hosts of the fake operator: labels, names, maintenance, removal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tests.support.fake_operator.fake_core import ACTOR
from tests.support.fake_operator.fake_hosts import WAYS_OUT, FakeHosts
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError
from tui_manager.domain.hosts.host import Host, check_labels, check_name, labels_text
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.text.host_name_ranges import natural_key


class FakeFleet(FakeHosts):
    """A maintenance ends when an operator ends it.

    Attributes:
        own_labels: those of its agent, of each host that operators have labeled.
        operator_labels: those of operators, by host_id.
    """

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(now)
        self.own_labels: dict[str, Mapping[str, str]] = {}
        self.operator_labels: dict[str, dict[str, str]] = {}

    # The Protocol.

    async def remove_hosts(self, names: Sequence[str]) -> Sequence[str]:
        self._check("remove_hosts")
        hosts = [self._only(name) for name in names]
        for host in hosts:
            if host.online:
                raise IllegalMoveError(f"{host.name} cannot be removed: it is online.")
        for host in hosts:
            self.record("remove_host", host=host, admission=host.admission)
            (key,) = self._keys_of(host.host_id)
            del self.hosts[key]
        return self._changed(hosts)

    async def rename_host(self, name: str, new_name: str) -> str:
        self._check("rename_host")
        check_name(new_name, "Give the host another name.")
        host = self._only(name)
        if any(new_name == other.name for other in self.known):
            raise IllegalMoveError(f"Another host has the name {new_name}.")
        (key,) = self._keys_of(host.host_id)
        del self.hosts[key]
        renamed = replace(host, name=new_name)
        self.hosts[new_name if new_name not in self.hosts else host.host_id] = renamed
        self.record("rename_host", host=renamed, before=host.name, after=new_name)
        self._changed([renamed])
        return new_name

    async def label_hosts(
        self, names: Sequence[str], to_set: Mapping[str, str], to_unset: Sequence[str] = ()
    ) -> Sequence[str]:
        self._check("label_hosts")
        if not (to_set or to_unset):
            raise InvalidInputError("label", "Say which labels are to be set or unset.")
        hosts = [self._member(name) for name in names]
        for host in hosts:
            given = dict(self.operator_labels.get(host.host_id, {}))
            for key in to_unset:
                if key not in given:
                    raise InvalidInputError("label", f"No operator has given the label {key}.")
                del given[key]
            given.update(to_set)
            check_labels(given)
            own = self.own_labels.setdefault(host.host_id, host.labels)
            self.operator_labels[host.host_id] = given
            self._replace(host, labels={**own, **given})
            unset = ",".join(to_unset)
            self.record("label_host", host=host, set=labels_text(to_set), unset=unset)
        return self._changed(hosts)

    async def set_maintenance(
        self,
        names: Sequence[str],
        reason: str = "",
        until: datetime | None = None,
        *,
        end: bool = False,
    ) -> Sequence[str]:
        self._check("set_maintenance")
        maintenance = None if end else Maintenance(reason.strip(), until, ACTOR)
        if maintenance:
            maintenance.check(self.now())
        hosts = [self._member(name) for name in names]
        for host in hosts:
            if end and host.maintenance is None:
                raise IllegalMoveError(f"{host.name} is not in maintenance.")
        for host in hosts:
            self._replace(host, maintenance=maintenance)
            action = "end_maintenance" if end else "set_maintenance"
            self.record(action, host=host, reason=reason)
        return self._changed(hosts)

    # How it keeps its word.

    def _only(self, name: str) -> Host:
        keys = self._keys_of(name)
        if len(keys) > 1:
            raise IllegalMoveError(f"{len(keys)} hosts are called {name}. Name one by its id.")
        return self.hosts[keys[0]]

    def _member(self, name: str) -> Host:
        members = [
            self.hosts[key] for key in self._keys_of(name) if self.hosts[key].admission in WAYS_OUT
        ]
        if not members:
            raise IllegalMoveError(f"{name} was turned away.")
        return members[0]

    def _replace(self, host: Host, **fields: object) -> None:
        (key,) = self._keys_of(host.host_id)
        self.hosts[key] = replace(self.hosts[key], **fields)  # type: ignore[arg-type]

    def _changed(self, hosts: Sequence[Host]) -> tuple[str, ...]:
        self._order = None
        self.publish(Changes(hosts=True, manager=True))
        return tuple(sorted((host.name for host in hosts), key=natural_key))

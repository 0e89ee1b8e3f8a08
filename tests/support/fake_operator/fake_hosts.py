"""The hosts of the fake operator: who they are, and whether they belong."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tests.support.fake_operator.fake_core import FakeCore, page
from tests.support.fake_operator.fake_filters import filter_hosts
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.domain.lists.filter_by_target import asks_for_turned_away
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission
from tui_manager.domain.text.host_name_ranges import natural_key

WAYS_OUT = {Admission.PENDING: Admission.REJECTED, Admission.ADMITTED: Admission.REVOKED}


class FakeHosts(FakeCore):
    """Hosts by name; a second one of a name, which only a pending one can be, by its host_id."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(now)
        self.hosts: dict[str, Host] = {}
        self._order: list[str] | None = None

    def add_host(
        self,
        name: str,
        *,
        host_id: str = "",
        labels: dict[str, str] | None = None,
        online: bool = True,
        admission: Admission = Admission.ADMITTED,
        cpu: tuple[float, ...] = (5.0,),
        memory: float = 0.4,
        running: int = 0,
        ago: timedelta = timedelta(hours=2),
        fingerprint: str = "",
        note: str = "",
    ) -> Host:
        """A host, online since `ago` before now; a second one of a name needs a host_id."""
        total = 16 << 30
        host = Host(
            host_id=host_id or f"host-{name}",
            name=name,
            labels=labels or {},
            admission=admission,
            online=online,
            since=self.now() - ago,
            address="10.0.0.9:40112",
            os="linux",
            arch="x86_64",
            agent_version="0.1.0",
            capacity=4,
            vitals=Vitals(cpu[-1], 0.5, int(total * memory), total, running=running, cores=8)
            if online
            else None,
            cpu_history=cpu if online else (),
            fingerprint=fingerprint,
            note=note,
        )
        taken = name in self.hosts and self.hosts[name].host_id != host.host_id
        self.hosts[host.host_id if taken else name] = host
        self._order = None
        self.publish(Changes(hosts=True, manager=True))
        return host

    def change_host(self, name: str, **fields: object) -> None:
        """Replaces fields of a host."""
        self.hosts[name] = replace(self.hosts[name], **fields)  # type: ignore[arg-type]
        self._order = None
        self.publish(Changes(hosts=True))

    @property
    def known(self) -> list[Host]:
        """Those that were not turned away."""
        return [host for host in self.hosts.values() if host.admission in WAYS_OUT]

    @property
    def admitted(self) -> list[Host]:
        """Those that are given work."""
        return [host for host in self.hosts.values() if host.admission is Admission.ADMITTED]

    # The Protocol.

    async def list_hosts(self, window: Window) -> Page[Host]:
        self._check("list_hosts")
        if self._order is None:
            self._order = sorted(self.hosts, key=lambda key: _place(self.hosts[key]))
        hosts = [self.hosts[key] for key in self._order]
        if window.text:
            hosts = filter_hosts(window.text, hosts, self.now())
        if window.faults_only:
            hosts = [
                host
                for host in hosts
                if not (host.online or host.maintenance) or host.admission is not Admission.ADMITTED
            ]
        if window.sort and window.sort != "name":
            hosts.sort(key=_SORT_KEYS[window.sort])
        total, found = len(self.hosts), len(hosts)
        if window.hide_turned_away and not asks_for_turned_away(window.text):
            hosts = [host for host in hosts if not _turned_away(host)]
            total -= sum(map(_turned_away, self.hosts.values()))
        return replace(page(hosts, window, total), hidden=found - len(hosts))

    async def approve_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        self._check("approve_hosts")
        keys = self._meant(names, Admission.PENDING, all_pending=all_pending)
        admitted = [host.name for host in self.admitted]
        if all_pending:
            keys = [key for key in keys if not self.hosts[key].note]
        for key in keys:
            if (name := self.hosts[key].name) in admitted:
                raise IllegalMoveError(f"Another host is known as {name}: revoke it first.")
            admitted.append(name)
        return self._move(keys, Admission.ADMITTED, "admit_host")

    async def reject_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        self._check("reject_hosts")
        keys = self._meant(names, Admission.PENDING, all_pending=all_pending)
        return self._move(keys, Admission.REJECTED, "reject_host")

    async def revoke_hosts(self, names: Sequence[str]) -> Sequence[str]:
        self._check("revoke_hosts")
        return self._move(self._meant(names, Admission.ADMITTED), Admission.REVOKED, "revoke_host")

    # How it keeps its word.

    def record(
        self, action: str, *, task_id: int = 0, host: Host | None = None, **detail: str
    ) -> None:
        """Writes into the audit, where there is one."""

    def name_of_task(self, task_id: int) -> str:
        """What people call a task; empty if there is no such task."""
        return ""

    def _meant(
        self, names: Sequence[str], admission: Admission, *, all_pending: bool = False
    ) -> list[str]:
        """The keys of the hosts that are meant; each must be as `admission` says."""
        if bool(names) is all_pending:
            raise InvalidInputError("names", "Name hosts, or say all pending.")
        fit = [key for key, host in self.hosts.items() if host.admission is admission]
        if all_pending:
            return fit
        keys = []
        for name in dict.fromkeys(names):
            known = self._keys_of(name)
            if not (found := [key for key in known if key in fit]):
                raise IllegalMoveError(
                    f"{name} is {self.hosts[known[0]].admission}, not {admission}."
                )
            keys += found
        return list(dict.fromkeys(keys))

    def _keys_of(self, name: str) -> list[str]:
        """The keys of the hosts with a name, or of the one with a host_id."""
        known = [
            key
            for key, host in self.hosts.items()
            if name in (host.name, host.host_id, f"{host.name}/{host.host_id}")
        ]
        if not known:
            raise NotFoundError(f"There is no host {name}.")
        return known

    def _move(self, keys: list[str], admission: Admission, action: str) -> tuple[str, ...]:
        for key in keys:
            host = replace(self.hosts[key], admission=admission, note="")
            if admission in WAYS_OUT.values():
                host = replace(host, online=False, vitals=None, cpu_history=(), since=self.now())
            self.hosts[key] = host
            self.record(action, host=host)
        self._order = None
        self.publish(Changes(hosts=True, manager=True))
        return tuple(sorted((self.hosts[key].name for key in keys), key=natural_key))


def _turned_away(host: Host) -> bool:
    return host.admission in WAYS_OUT.values()


def _place(host: Host) -> tuple[int, str]:
    """Those that wait for an operator first, those that were turned away last."""
    waits, out = host.admission is Admission.PENDING, host.admission not in WAYS_OUT
    return (0 if waits else 2 if out else 1, host.name)


_SORT_KEYS: dict[str, Callable[[Host], tuple[float | str, str]]] = {
    "agent": lambda host: (host.agent_version, host.name),
    "state": lambda host: (float(host.online), host.name),
    "cpu": lambda host: (host.vitals.cpu_percent if host.vitals else -1.0, host.name),
    "memory": lambda host: (host.vitals.memory_percent if host.vitals else -1.0, host.name),
    "running": lambda host: (float(host.running), host.name),
    "since": lambda host: (host.since.timestamp() if host.since else 0.0, host.name),
}

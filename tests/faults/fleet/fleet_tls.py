"""TLS in a fleet, if the variable FAULTS_TLS of this process says so: agents enrol with a join
token, and several managers share their keys."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import timedelta

from tui_manager_protos.rules.join_token import JoinToken

from tests.faults.fleet.manager_of_fleet import ManagerOfFleet
from tests.faults.fleet.proxy import Proxy
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.operator.api import Operator
from tui_manager.security.cluster_key import CLUSTER_KEY

TLS = "FAULTS_TLS"
_SPEC = TokenSpec(ttl=timedelta(days=1), uses=1000, auto_approve=True)
_ENROLLING = re.compile(r", enrolment on \S*:([0-9]+)")


def chosen_tls() -> bool:
    """Whether the fleets of this process use TLS."""
    return os.environ.get(TLS, "") not in ("", "0")


class FleetTls:
    """The enrolment of a fleet's agents. Its port is that of a proxy, because a manager that starts
    again has another one.

    Attributes:
        proxy: before the enrolment port of the manager that has started last.
    """

    def __init__(self) -> None:
        self.proxy = Proxy()
        self._token = ""

    def share_keys(self, manager: ManagerOfFleet, managers: Sequence[ManagerOfFleet]) -> None:
        """Copies the keys of another manager to this one, as its operator does before the first
        start."""
        own = manager.state_dir / CLUSTER_KEY
        for other in managers:
            key = other.state_dir / CLUSTER_KEY
            if other is not manager and key.exists() and not own.exists():
                own.parent.mkdir(mode=0o700, exist_ok=True)
                shutil.copy2(key, own)

    def lead_to(self, line: str) -> None:
        """Agents enrol from now on at the manager that has printed this line."""
        found = _ENROLLING.search(line)
        assert found, line
        self.proxy.target = int(found[1])

    @property
    def has_token(self) -> bool:
        """Whether agents have a join token."""
        return bool(self._token)

    async def make_token(self, operator: Operator) -> None:
        """Makes the join token of all agents."""
        made = JoinToken.parse((await operator.create_token(_SPEC)).text)
        self._token = JoinToken(made.pin, made.secret, self.proxy.port).text

    def variables(self, arguments: Sequence[str]) -> Mapping[str, str]:
        """The environment of an agent with these arguments. All agents of a fleet run on one
        machine, which is another one for each name."""
        name = arguments[arguments.index("--name") + 1]
        return {"TUI_MANAGER_AGENT_JOIN_TOKEN": self._token, "FAULTS_MACHINE_ID": f"of-{name}"}

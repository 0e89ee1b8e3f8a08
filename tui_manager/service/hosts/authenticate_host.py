"""Which host connects: what its agent says is compared with its certificate and the database.

With TLS the certificate alone decides. Without TLS, on loopback only, the agent is believed, unless
it says that it is a host that has enrolled.
"""

from collections.abc import Mapping
from dataclasses import replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError, Refusal, RefusedError
from tui_manager.domain.hosts.agent_messages import AgentHello
from tui_manager.domain.hosts.host import check_labels, check_name
from tui_manager.domain.status import Admission
from tui_manager.security.certificates.client_certificate import PeerCertificate
from tui_manager.service.core.clock import Clock
from tui_manager.service.core.hosts.host_directory import Directory
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.hosts.hosts import HostRow

_HOST_ID_LENGTH = 36


class ImpostorError(RefusedError):
    """An agent is refused because it pretends to be another host, which is a violation.

    Attributes:
        host_id: of its certificate, or the one that it names.
    """

    def __init__(self, message: str, host_id: str) -> None:
        super().__init__(Refusal.INVALID_HELLO, message)
        self.host_id = host_id


@dataclass(frozen=True, slots=True)
class HostAuthenticator:
    """Finds out which host an agent is.

    Attributes:
        manager_id: of this manager.
    """

    manager_id: str
    directory: Directory
    clock: Clock

    def check(self, greeting: AgentHello, identity: PeerCertificate | None) -> AgentHello:
        """Checks what needs no database. Returns the greeting with the host_id of the certificate.

        Raises:
            RefusedError: the agent may not come in.
        """
        if greeting.manager_id and greeting.manager_id != self.manager_id:
            raise RefusedError(
                Refusal.WRONG_MANAGER,
                f"This agent belongs to manager {greeting.manager_id[:36]}, and this is "
                f"{self.manager_id}. Give the agent another --state-dir to serve this one too.",
            )
        if identity:
            greeting = _with_host_id(greeting, identity)
        refuse_labels(greeting.labels)
        if greeting.host_id:
            self._refuse_duplicate(greeting.host_id, greeting)
        return greeting

    def identify(
        self, tx: Transaction, greeting: AgentHello, identity: PeerCertificate | None
    ) -> HostRow | None:
        """The host of an agent; None: a new one, which is possible without TLS only. What operators
        say of it elsewhere waits for the end of the transaction, and is not overwritten.

        Raises:
            RefusedError: it was turned away, is not the host that it says it is, or has the name of
                another host.
        """
        if identity:
            known: HostRow | None = _find_by_certificate(tx, identity)
        else:
            known = self._find_without_tls(tx, greeting)
        if known:
            refuse_turned_away(known)
            self._refuse_duplicate_elsewhere(known, greeting)
        name = known.name_with(greeting.name) if known else greeting.name
        refuse_name(tx, name, known)
        _refuse_taken_name(tx, name, known, secure=identity is not None)
        return known

    def _find_without_tls(self, tx: Transaction, greeting: AgentHello) -> HostRow | None:
        """Without TLS: the host that this agent says it is. An agent that missed its first Welcome
        does not know its host_id, and is found by its journal."""
        if greeting.host_id:
            known = _lock(tx, greeting.host_id)
            if known and known.key_hash is not None:
                raise ImpostorError(
                    f"The host {known.name} has enrolled, and comes in with its certificate only. "
                    "Start its agent without --insecure.",
                    known.host_id,
                )
            return known
        for owner in hosts.by_name(tx, greeting.name):
            if greeting.journal_id == owner.journal_id != "" and owner.key_hash is None:
                self._refuse_duplicate(owner.host_id, greeting)
                return _lock(tx, owner.host_id)
        return None

    def _refuse_duplicate(self, host_id: str, greeting: AgentHello) -> None:
        """Raises RefusedError if another live agent has this identity, as with a copied state
        folder: the connected agent stays."""
        entry = self.directory.get(host_id)
        if entry is None or entry.session is None:
            return
        session = entry.session
        alive = session.is_alive(self.clock.monotonic())
        if session.instance_id != greeting.instance_id and alive:
            raise _duplicate(entry.row.name)

    def _refuse_duplicate_elsewhere(self, known: HostRow, greeting: AgentHello) -> None:
        """The same if it is connected to another manager that is alive. That one stores soon that
        an agent has gone. An agent that has lost its connection to there is the same one, and comes
        in."""
        elsewhere = self.directory.is_elsewhere(known)
        if elsewhere and known.instance_id != greeting.instance_id:
            raise _duplicate(known.name, " at another manager")


def _duplicate(name: str, where: str = "") -> RefusedError:
    restarted = "If the host has just restarted, its agent comes in soon. " if where else ""
    return RefusedError(
        Refusal.DUPLICATE_IDENTITY,
        f"Another agent is connected{where} as {name} with this same identity. {restarted}If its "
        "state folder was copied, give this one a new --state-dir and --name.",
    )


def _refuse_taken_name(tx: Transaction, name: str, known: HostRow | None, *, secure: bool) -> None:
    """Raises RefusedError if a new name is that of another host. With TLS, several pending
    hosts may have one name, and an admitted host keeps its name whatever a pending one has."""
    if secure and known and known.name == name:
        return
    for owner in hosts.by_name(tx, name):
        if (known and owner.host_id == known.host_id) or (
            secure and owner.admission is not Admission.ADMITTED
        ):
            continue
        raise RefusedError(
            Refusal.NAME_TAKEN,
            f"Another host is known as {name} already (last seen from "
            f"{owner.address or 'nowhere'}). Start this agent with another --name, or with "
            "the --state-dir that it had before. If that state folder is lost, an operator first "
            f"removes that host: tui-manager hosts remove {name}.",
        )


def refuse_labels(labels: Mapping[str, str]) -> None:
    """Raises RefusedError unless these can be a host's labels."""
    try:
        check_labels(labels)
    except InvalidInputError as error:
        raise RefusedError(Refusal.INVALID_HELLO, str(error)) from error


def refuse_name(tx: Transaction, name: str, known: HostRow | None) -> None:
    """Raises RefusedError unless a host may have this name. A known host keeps the name that it
    has, which an earlier version of the manager may have accepted.

    The id of another host is no name: an operator who types it means that host.
    """
    if known is None or known.name != name:
        try:
            check_name(name)
        except InvalidInputError as error:
            raise RefusedError(Refusal.INVALID_HELLO, str(error)) from error
    other = hosts.by_host_id(tx, name) if len(name) == _HOST_ID_LENGTH else None
    if other and (known is None or other.host_id != known.host_id):
        raise RefusedError(
            Refusal.INVALID_HELLO,
            f"The name {name} is the id of another host. Start this agent with another --name.",
        )


def refuse_turned_away(host: HostRow) -> None:
    """Raises RefusedError if this host was rejected, revoked or removed."""
    if host.removed:
        raise RefusedError(
            Refusal.REVOKED,
            f"The host {host.name} was removed from this manager. To make its machine a new host, "
            "start the agent with a new --state-dir.",
        )
    if host.admission in (Admission.REVOKED, Admission.REJECTED):
        raise RefusedError(
            Refusal(host.admission.value), f"The host {host.name} was {host.admission}."
        )


def _with_host_id(greeting: AgentHello, identity: PeerCertificate) -> AgentHello:
    if greeting.host_id not in ("", identity.host_id):
        raise ImpostorError(
            f"The agent says that it is host {greeting.host_id[:36]}, and its certificate is that "
            f"of host {identity.host_id}. Give each agent a --state-dir of its own.",
            identity.host_id,
        )
    return replace(greeting, host_id=identity.host_id)


def _find_by_certificate(tx: Transaction, identity: PeerCertificate) -> HostRow:
    """With TLS: the host that the certificate names. Raises RefusedError if it has another key."""
    known = _lock(tx, identity.host_id)
    if known is None:
        raise RefusedError(
            Refusal.INVALID_HELLO,
            "This manager's database does not know the host of this certificate: it is older than "
            "the enrolment. Enrol the host again with a new join token.",
        )
    if known.key_hash != identity.key_hash:
        raise ImpostorError(
            f"The certificate is made out for {known.name} with another key than it enrolled with.",
            known.host_id,
        )
    return known


def _lock(tx: Transaction, host_id: str) -> HostRow | None:
    return hosts.lock(tx, [host_id]).get(host_id)

"""What this manager asks of the other managers on the database: to send commands to hosts that are
connected to them, and to tell their agents of cancels. What is asked for is in the database; a
request only says where to look."""

from collections.abc import Callable, Iterable

from tui_manager_protos.lazy_dataclass import dataclass

_NAMED_MAX = 200  # hosts or tasks; if there are more, others look at all that they have


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that can be merged.

    Attributes:
        send: row ids of hosts that may have commands to be sent.
        send_any: any host may.
        cancels: tasks with cancels that agents must be told of.
        cancel_any: any task may have some.
    """

    send: frozenset[int] = frozenset()
    send_any: bool = False
    cancels: frozenset[int] = frozenset()
    cancel_any: bool = False

    def __or__(self, other: "Requests") -> "Requests":
        send, cancels = self.send | other.send, self.cancels | other.cancels
        send_any = self.send_any or other.send_any or len(send) > _NAMED_MAX
        cancel_any = self.cancel_any or other.cancel_any or len(cancels) > _NAMED_MAX
        return Requests(
            send=frozenset() if send_any else send,
            send_any=send_any,
            cancels=frozenset() if cancel_any else cancels,
            cancel_any=cancel_any,
        )

    def __bool__(self) -> bool:
        return bool(self.send or self.send_any or self.cancels or self.cancel_any)


ANYTHING = Requests(send_any=True, cancel_any=True)


class GatewayRequests:
    """Gathers requests while another manager is alive. Used on the manager's loop; nothing waits.

    Attributes:
        wanted: another manager is alive. While it is False, nothing is gathered.
        on_request: called after each request.
        on_opened: called with the row id of a host with which a session has begun here.
    """

    def __init__(self) -> None:
        self.wanted = False
        self.on_request: Callable[[], None] = lambda: None
        self.on_opened: Callable[[int], None] = lambda _: None
        self._pending = Requests()

    def send(self, hosts: Iterable[int]) -> None:
        """These hosts, by row id, are not connected here and may have commands to be sent."""
        if self.wanted and (named := frozenset(hosts)):
            self._add(Requests(send=named))

    def send_any(self) -> None:
        """Hosts that are not known to be connected may have commands to be sent."""
        if self.wanted:
            self._add(Requests(send_any=True))

    def cancel(self, task_id: int) -> None:
        """Agents have to be told of cancels of this task."""
        if self.wanted:
            self._add(Requests(cancels=frozenset({task_id})))

    def opened(self, host: int) -> None:
        """A session has begun here with this host, by row id. A request of another manager that
        came while it was being stored has found no session."""
        if self.wanted:
            self.on_opened(host)

    def take(self) -> Requests:
        """What was asked for since the last call."""
        requests, self._pending = self._pending, Requests()
        return requests

    def _add(self, requests: Requests) -> None:
        self._pending |= requests
        self.on_request()

"""What an install asks of the manager: its hosts, join tokens for one key each, and a test command
on all hosts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.status import Admission, CommandHostStatus, Reason
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.operator.api import Operator
from tui_manager.operator.watching import watching

CHECK_NAME = "agent install: check"
CHECK_TIMEOUT = timedelta(seconds=30)
_CHECK_WITHIN = 90.0  # seconds
TOKEN_TTL = timedelta(minutes=15)
INTERVAL = 1.0  # seconds between two readings of all hosts
_TURNED_AWAY = (Admission.REJECTED, Admission.REVOKED)


class HostReader:
    """The hosts of a manager, read at most once a second however many wait for one."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.interval = INTERVAL
        self._lock = asyncio.Lock()
        self._hosts: Sequence[Host] = ()
        self._read_at = float("-inf")

    async def by_key(self, fingerprint: str, *, fresh: bool = False) -> Host | None:
        """The host with a key. Raises UnreachableError."""
        hosts = await self._read(fresh=fresh)
        return next((host for host in hosts if host.fingerprint == fingerprint), None)

    async def by_id(self, host_id: str) -> Host | None:
        """The host with an id. Raises UnreachableError."""
        hosts = await self._read(fresh=False)
        return next((host for host in hosts if host_id and host.host_id == host_id), None)

    async def by_name(self, name: str) -> Host | None:
        """The host that has a name, and so nobody else may."""
        taking = (
            host
            for host in await self._read(fresh=False)
            if host.name == name and host.admission not in _TURNED_AWAY
        )
        return next(taking, None)

    async def token_for(self, key_sha256: bytes) -> str:
        """A join token with which only the host of this key enrols."""
        spec = TokenSpec(ttl=TOKEN_TTL, key_sha256=key_sha256)
        return (await self.operator.create_token(spec)).text

    async def _read(self, *, fresh: bool) -> Sequence[Host]:
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        async with self._lock:
            old = asked_at if fresh else asked_at - self.interval
            if self._read_at < old:
                read_at = loop.time()
                self._hosts = await self._read_all()
                self._read_at = read_at
            return self._hosts

    async def _read_all(self) -> Sequence[Host]:
        rows: dict[str, Host] = {}
        window = Window(limit=LIMIT_MAX)
        while True:
            page = await self.operator.list_hosts(window)
            rows.update((host.host_id, host) for host in page.rows)
            window = replace(window, offset=window.offset + len(page.rows))
            if not page.partial and (not page.rows or window.offset >= page.matching):
                return tuple(rows.values())


async def check_hosts(operator: Operator, hosts: Sequence[Host]) -> tuple[int, Mapping[str, str]]:
    """Runs `true` on hosts, and returns the number of the task, and by host_id what went wrong;
    hosts where it has completed have an empty text, hosts whose policy refuses it too.

    Args:
        hosts: at least one.

    Raises UnreachableError.
    """
    spec = TaskSpec(
        target=fold_names(host.name for host in hosts),
        commands=(CommandSpec(text="true", timeout=CHECK_TIMEOUT),),
        name=CHECK_NAME,
        include_maintenance=True,
    )
    task_id = (await operator.start_new_task(spec)).task_id
    try:
        async with asyncio.timeout(_CHECK_WITHIN):
            await _wait_for_end(operator, task_id)
    except TimeoutError:
        await operator.cancel_task(task_id)
    rows = await _rows_of(operator, task_id)
    return task_id, {row.host_id: _problem(row) for row in rows}


async def _wait_for_end(operator: Operator, task_id: int) -> None:
    async with watching(operator) as changes:
        async for _ in changes:
            if (await operator.get_task_status(task_id)).ended:
                return


async def _rows_of(operator: Operator, task_id: int) -> Sequence[CommandHost]:
    rows: dict[str, CommandHost] = {}
    window = Window(sort="host", limit=LIMIT_MAX)
    while True:
        page = await operator.list_command_hosts(task_id, window)
        rows.update((row.execution_id, row) for row in page.rows)
        window = replace(window, offset=window.offset + len(page.rows))
        if not page.partial and (not page.rows or window.offset >= page.matching):
            return tuple(rows.values())


def _problem(row: CommandHost) -> str:
    if row.status is CommandHostStatus.COMPLETED or row.reason is Reason.REJECTED:
        return ""
    if not row.status.ended:
        return "the command `true` has not ended there in time"
    why = row.detail or row.reason.value.replace("_", " ")
    return f"the command `true` has not completed there: {why}"

"""An Operator in memory that records the calls it gets and answers what it is told to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tui_manager.domain.audit import AuditEntry
from tui_manager.domain.changes import Changes
from tui_manager.domain.health import Health, ManagerStatus
from tui_manager.domain.host import Disk, Host, Vitals
from tui_manager.domain.spec import CommandSpec, TaskSpec
from tui_manager.domain.status import Admission, CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.domain.task import Command, CommandHost, Counts, Progress, Task, TaskDetail
from tui_manager.domain.token import NewToken, Token, TokenSpec, TokenState
from tui_manager.domain.window import Page, Window
from tui_manager.operator.api import Operator, OutputChunk, TargetPreview

AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
STATUS = ManagerStatus(
    "m-1", "0.1.0", 42, "/state", "127.0.0.1:7443", "mTLS", AT, True, 3, 2, 1, 1,
    ("The disk is full.",),
    Health(sessions=2, commands_per_second=1.5, storage_error="full", log_bytes=3),
    "127.0.0.1:7444", timedelta(days=40), timedelta(hours=23),
)  # fmt: skip
HOST = Host(
    "h-1", "web01", {"env": "prod"}, Admission.ADMITTED, True, AT, "10.0.0.1:5", "Linux", "x86_64",
    "0.1.0", 4, Vitals(12.5, 0.5, 1, 2, (Disk("/", 1, 2),), 1, 0, 8), (1.0, 12.5),
    "lusab-babad-gutih", "Its machine id is another host's.",
)  # fmt: skip
SPEC = TaskSpec(
    "web*,!web02",
    (CommandSpec("uptime", timedelta(seconds=5), {"A": "ü"}, {"B": ""}, "/tmp"),),
    "name",
    "why",
    "ann@tty1",
)
REQUEST = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
COUNTS = Counts(total=2, running=1, failed=1)
TASK = Task(7, "name", "why", "web*", TaskStatus.RUNNING, COUNTS, 2, "ann", AT, AT, None, None)
DETAIL = TaskDetail(TASK, (Command(0, SPEC.commands[0], CommandHostStatus.RUNNING, COUNTS),))
COMMAND_HOST = CommandHost(
    "e-1", 7, 0, "h-1", "web01", CommandHostStatus.FAILED, Reason.EXIT_CODE, "detail", 0, None, 5,
    6, 7, AT, AT, AT, None, True, False,
)  # fmt: skip
PROGRESS = Progress(7, TaskStatus.RUNNING, COUNTS, (COUNTS,), 0.5, timedelta(seconds=9), None)
PREVIEW = TargetPreview(("web01", "web02"), ("web02",), "web[01-02]")
CHUNKS = (
    OutputChunk(3, "e-1", "web01", 0, Stream.STDOUT, 0, b"\xff\0x"),
    OutputChunk(4, "e-1", "web01", 0, Stream.STDERR, 3, b"", 10),
)
TOKEN_SPEC = TokenSpec(timedelta(hours=1), 3, True, {"env": "prod"})
TOKEN = NewToken("tm1.pin.secret", AT, 4)
LISTED = Token(4, TokenState.USED_UP, "ann@tty1", AT, AT, 3, 3, True, {"env": "prod"})
ENTRY = AuditEntry(9, AT, "ann@tty1", "revoke_host", 7, "h-1", "web01", {"why": "lost"})
WINDOW = Window("web", "name", True, True, 20, 50)

# Every call with arguments of its own and what it answers.
CALLS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("manager_status", (), STATUS),
    ("accept_clock", (), True),
    ("list_hosts", (WINDOW,), Page((HOST,), 1, 3)),
    ("approve_hosts", (("web01", "h-2"),), ("web01", "web02")),
    ("reject_hosts", (("web01",),), ("web01",)),
    ("revoke_hosts", (("web01",),), ("web01",)),
    ("create_token", (TOKEN_SPEC,), TOKEN),
    ("list_tokens", (WINDOW, True), Page((LISTED,), 1, 3)),
    ("list_tokens", (WINDOW, False), Page((), 0, 3)),
    ("revoke_tokens", ((4, 5),), (LISTED,)),
    ("list_audit", (WINDOW,), Page((ENTRY,), 1, 3)),
    ("list_tasks", (Window(limit=0),), Page((), 0, 3)),
    ("list_tasks", (WINDOW,), Page((TASK,), 1, 3)),
    ("list_command_hosts", (7, WINDOW, 0), Page((COMMAND_HOST,), 1, 2)),
    ("list_command_hosts", (7, WINDOW, None), Page((COMMAND_HOST,), 1, 2)),
    ("get_task", (7,), DETAIL),
    ("get_task_status", (7,), TaskStatus.CANCELED),
    ("get_task_progress", (7,), PROGRESS),
    ("preview_target", ("web*",), PREVIEW),
    ("create_task", (SPEC, REQUEST), 8),
    ("start_task", (7, REQUEST), None),
    ("cancel_task", (7,), None),
    ("read_output", ("e-1", Stream.STDERR, 5, 100), CHUNKS),
    ("follow_output", (7, -3, "h-1", 100), CHUNKS),
]
EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True)


class RecordingOperator:
    """Answers with `answers[call]`: a value, an error to raise, or something to call and await.

    Attributes:
        calls: what was called, with its arguments.
        changes: what `watch` gives, after EVERYTHING, which comes first.
        watching: how many watchers there are now.
        watch_moved: set when a watcher came or went.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {name: answer for name, _, answer in CALLS}
        self.changes: Callable[[], AsyncIterator[Changes]] = silence
        self.watching = 0
        self.watch_moved = asyncio.Event()

    async def _answer(self, name: str, *arguments: Any) -> Any:
        self.calls.append((name, *arguments))
        answer = self.answers[name]
        if isinstance(answer, BaseException):
            raise answer
        return await answer() if callable(answer) else answer

    async def manager_status(self) -> ManagerStatus:
        return await self._answer("manager_status")  # type: ignore[no-any-return]

    async def accept_clock(self) -> bool:
        return await self._answer("accept_clock")  # type: ignore[no-any-return]

    async def list_hosts(self, window: Window) -> Page[Host]:
        return await self._answer("list_hosts", window)  # type: ignore[no-any-return]

    async def approve_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        asked = (*names, *(["all_pending"] if all_pending else []))
        return await self._answer("approve_hosts", asked)  # type: ignore[no-any-return]

    async def reject_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        asked = (*names, *(["all_pending"] if all_pending else []))
        return await self._answer("reject_hosts", asked)  # type: ignore[no-any-return]

    async def revoke_hosts(self, names: Sequence[str]) -> Sequence[str]:
        return await self._answer("revoke_hosts", tuple(names))  # type: ignore[no-any-return]

    async def create_token(self, spec: TokenSpec) -> NewToken:
        return await self._answer("create_token", spec)  # type: ignore[no-any-return]

    async def list_tokens(self, window: Window, everything: bool = False) -> Page[Token]:
        return await self._answer("list_tokens", window, everything)  # type: ignore[no-any-return]

    async def revoke_tokens(self, token_ids: Sequence[int]) -> Sequence[Token]:
        return await self._answer("revoke_tokens", tuple(token_ids))  # type: ignore[no-any-return]

    async def list_audit(self, window: Window) -> Page[AuditEntry]:
        return await self._answer("list_audit", window)  # type: ignore[no-any-return]

    async def list_tasks(self, window: Window) -> Page[Task]:
        return await self._answer("list_tasks", window)  # type: ignore[no-any-return]

    async def get_task(self, task_id: int) -> TaskDetail:
        return await self._answer("get_task", task_id)  # type: ignore[no-any-return]

    async def get_task_status(self, task_id: int) -> TaskStatus:
        return await self._answer("get_task_status", task_id)  # type: ignore[no-any-return]

    async def get_task_progress(self, task_id: int) -> Progress:
        return await self._answer("get_task_progress", task_id)  # type: ignore[no-any-return]

    async def list_command_hosts(
        self, task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        return await self._answer(  # type: ignore[no-any-return]
            "list_command_hosts", task_id, window, command
        )

    async def preview_target(self, target: str) -> TargetPreview:
        return await self._answer("preview_target", target)  # type: ignore[no-any-return]

    async def create_task(self, spec: TaskSpec, request_id: str = "") -> int:
        return await self._answer(  # type: ignore[no-any-return]
            "create_task", spec, request_id
        )

    async def start_task(self, task_id: int, request_id: str = "") -> None:
        await self._answer("start_task", task_id, request_id)

    async def cancel_task(self, task_id: int) -> None:
        await self._answer("cancel_task", task_id)

    async def read_output(
        self, execution_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> Sequence[OutputChunk]:
        return await self._answer(  # type: ignore[no-any-return]
            "read_output", execution_id, stream, offset, limit
        )

    async def follow_output(
        self, task_id: int, after: int = 0, host_id: str = "", limit: int = 1 << 18
    ) -> Sequence[OutputChunk]:
        return await self._answer(  # type: ignore[no-any-return]
            "follow_output", task_id, after, host_id, limit
        )

    async def watch(self) -> AsyncIterator[Changes]:
        self._moved(1)
        try:
            yield EVERYTHING
            async for change in self.changes():
                yield change
        finally:
            self._moved(-1)

    def _moved(self, by: int) -> None:
        self.watching += by
        self.watch_moved.set()

    async def until_watching(self, count: int) -> None:
        """Waits until there are so many watchers."""
        while self.watching != count:
            self.watch_moved.clear()
            await self.watch_moved.wait()


async def silence() -> AsyncIterator[Changes]:
    """Nothing more, without end."""
    await asyncio.Event().wait()
    yield Changes()


def call(operator: Operator, name: str, arguments: tuple[Any, ...]) -> Any:
    """Calls by name; what comes is awaited by the caller."""
    return getattr(operator, name)(*arguments)

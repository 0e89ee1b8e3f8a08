"""An Operator in memory that records the calls it gets and answers what it is told to."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.support.fake_operator.fake_files import FakeFiles
from tui_manager.domain.hosts.host import Host, HostDetail, HostRun
from tui_manager.domain.hosts.join_token import NewToken, Token, TokenSpec, TokenState
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.hosts.vitals import Disk, Vitals, VitalsPoint
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS, TaskFilter
from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.gateway import Gateway
from tui_manager.domain.manager.manager_status import Health, ManagerStatus
from tui_manager.domain.manager.notification import (
    Answer,
    Event,
    Outcome,
    ReceiverKind,
    ReceiverStatus,
)
from tui_manager.domain.output.last_line import LastLine
from tui_manager.domain.output.output_by_host import (
    OutputByHost,
    OutputPlace,
    TruncatedOutput,
    WantedOutput,
)
from tui_manager.domain.output.output_search import OutputMatch, OutputMatches
from tui_manager.domain.schedules.schedule import (
    Overlap,
    Schedule,
    ScheduleDetail,
    ScheduleRun,
    ScheduleSpec,
    SkipReason,
    TemplateUse,
)
from tui_manager.domain.status import Admission, CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_files.template import (
    SavedVersion,
    Template,
    TemplateDetail,
    TemplateVersion,
)
from tui_manager.domain.task_spec.rollout_spec import HoldRule, Order, RolloutSpec
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.command_history import PastCommand
from tui_manager.domain.tasks.common_label import CommonLabel
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.domain.tasks.task import (
    Command,
    CommandHost,
    Counts,
    Hold,
    NewTask,
    Progress,
    Rerun,
    RolloutProgress,
    Task,
    TaskDetail,
)
from tui_manager.domain.tasks.task_map import FailureGroup, TaskMap, TaskSummary
from tui_manager.domain.tasks.task_plan import PlannedHost, TaskPlan
from tui_manager.operator.api import Call, ForwardingOperator, Operator, OutputChunk
from tui_manager.operator.follow_task import follow_task
from tui_manager.operator.output_calls import TaskEvent

_Reply = TypeVar("_Reply")

AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
STATUS = ManagerStatus(
    "m-1", "0.1.0", 42, "/state", "127.0.0.1:7443", "mTLS", AT, True, 3, 2, 1, 1,
    (Alert("The disk is full."), Alert("h-1 is odd.", "h-1", 7, "nightly", "state=offline")),
    Health(sessions=2, commands_per_second=1.5, storage_error="full", log_bytes=3),
    "127.0.0.1:7444", timedelta(days=40), timedelta(hours=23), timedelta(seconds=10),
    other_managers=2, others_alive=1, leader="web-b", leads=True, number=2,
)  # fmt: skip
GATEWAY = Gateway(
    2,
    "web-b",
    "10.0.0.2:7443",
    "0.1.0",
    AT,
    True,
    True,
    False,
    AT,
    Health(sessions=9, cpu_percent=1),
)
HOST = Host(
    "h-1", "web01", {"env": "prod"}, Admission.ADMITTED, True, AT, "10.0.0.1:5", "Linux", "x86_64",
    "0.1.0", 4, Vitals(12.5, 0.5, 1, 2, (Disk("/", 1, 2),), 1, 0, 8), (1.0, 12.5),
    "lusab-babad-gutih", "Its machine id is another host's.",
    maintenance=Maintenance("new disks", AT, "ann@tty1"),
)  # fmt: skip
SPEC = TaskSpec(
    "web*,!web02",
    (CommandSpec("uptime", timedelta(seconds=5), {"A": "ü"}, {"B": ""}, "/tmp"),),
    "name",
    "why",
    "ann@tty1",
    rollout=RolloutSpec(
        "1,10%,rest", Order.RANDOM, timedelta(minutes=5), "2", "10%", True, HoldRule.EACH,
        timedelta(hours=6),
    ),
    include_maintenance=True,
    template=TemplateVersion("uptime", 3),
    parameters=(
        Parameter("A", pattern="ü+", help="how many", required=False),
        Parameter("C", ParameterType.CHOICE, choices=("x", "y")),
    ),
)  # fmt: skip
REQUEST = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
COUNTS = Counts(total=2, running=1, failed=1)
TASK = Task(
    7, "name", "why", "web*", TaskStatus.RUNNING, COUNTS, 2, "ann", AT, AT, None, None,
    paused=True, hold=Hold(1, 3, AT), rerun_of=4, rollout=RolloutProgress(1, 3, 7, 2, 1, 3, 5),
    template=TemplateVersion("uptime", 3),
)  # fmt: skip
DETAIL = TaskDetail(
    TASK, (Command(0, SPEC.commands[0], CommandHostStatus.RUNNING, COUNTS),), SPEC.rollout, (9, 8),
    ("web03",), True, SPEC.parameters,
)  # fmt: skip
COMMAND_HOST = CommandHost(
    "e-1", 7, 0, "h-1", "web01", CommandHostStatus.FAILED, Reason.EXIT_CODE, "detail", 0, None, 5,
    6, 7, AT, AT, AT, None, True, False, 3, AT,
)  # fmt: skip
PROGRESS = Progress(
    7, TaskStatus.RUNNING, COUNTS, (COUNTS,), 0.5, timedelta(seconds=9), None, True, Hold(1, 2, AT),
)  # fmt: skip
FAILURES = (
    FailureGroup(
        CommandHostStatus.FAILED,
        Reason.EXIT_CODE,
        4,
        None,
        12,
        "web[01-12]",
        12,
        CommonLabel("zone=eu", 1, 80),
    ),
    FailureGroup(CommandHostStatus.FAILED, Reason.SIGNAL, None, 9, 1, "db01", 1),
)
PREVIEW = TargetPreview(("web01", "web02"), ("web02",), "web[01-02]", ("web03",))
PLANNED = (PlannedHost("web01", 1, True), PlannedHost("web02", 2, False, True, "too old"))
PLAN = TaskPlan(PLANNED, ("web03",), (1, 1), 5, 0)
CHUNKS = (
    OutputChunk(3, "e-1", "web01", 0, Stream.STDOUT, 0, b"\xff\0x"),
    OutputChunk(4, "e-1", "web01", 0, Stream.STDERR, 3, b"", 10, AT),
)
WANTED_OUTPUT = WantedOutput(7, "web01", 0, Stream.STDERR)
OUTPUT_BY_HOST = OutputByHost(CHUNKS, OutputPlace(5, 6), (TruncatedOutput("web01", 0, 9),))
MATCHES = OutputMatches(
    (OutputMatch(4, "e-1", "web01", 1, Stream.STDERR, 7, 3),), 5, 1 << 22, True, 9
)
TOKEN_SPEC = TokenSpec(timedelta(hours=1), 3, True, {"env": "prod"})
TOKEN = NewToken("tm1.pin.secret", AT, 4)
LISTED = Token(4, TokenState.USED_UP, "ann@tty1", AT, AT, 3, 3, True, {"env": "prod"})
ENTRY = AuditEntry(9, AT, "ann@tty1", "revoke_host", 7, "h-1", "web01", {"why": "lost"}, "name")
TEMPLATE = Template("uptime", 3, "why", "ann@tty1", AT, 1)
TEMPLATE_DETAIL = TemplateDetail(
    TEMPLATE, 2, 'run = "uptime"\n', (SavedVersion(3, "ann@tty1", AT), SavedVersion(2, "bob", AT)),
    ("nightly",),
)  # fmt: skip
TASK_FILTER = TaskFilter((TaskStatus.RUNNING, TaskStatus.FAILED), "web01", "ann@tty1", AT)
WINDOW = Window("web", "name", True, True, 20, 50, True)
HOST_DETAIL = HostDetail(
    HOST, {"os": "debian"}, AT, (TASK,), {"env": "prod"}, (VitalsPoint(AT, 12.5, 40.0),),
    (HostRun("deploy", 3, COMMAND_HOST, AT, AT), HostRun("wait", 1, COMMAND_HOST)), AT, "ann@tty1",
    "web-b",
)  # fmt: skip
USE = TemplateUse("restart", 3, {"SERVICE": "nginx"}, "web*")
SCHEDULE_SPEC = ScheduleSpec(
    "nightly", "30 2 * * *", "Europe/Berlin", Overlap.WAIT, timedelta(minutes=2), USE
)
SCHEDULE_RUN = ScheduleRun(5, AT, 0, SkipReason.STOPPED, "It was off.", 8, AT, False, AT)
SCHEDULE = Schedule(SCHEDULE_SPEC, 2, True, AT, SCHEDULE_RUN, "ann@tty1", AT, "No template.")
RECEIVER = ReceiverStatus("chat", ReceiverKind.WEBHOOK, "https://chat/…", tuple(Event))
BAD_RECEIVER = ReceiverStatus(
    "page", ReceiverKind.HOOK, "/bin/é", (), 3, 4, 5, 6, 7, AT, AT, "exit status 1", AT
)
OWN_TASK = ScheduleSpec("nightly", "@daily", "UTC", task_file="[[steps]]\nrun = 'date'")

# Every call with arguments of its own and what it answers.
CALLS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("manager_status", (), STATUS),
    ("list_managers", (), (GATEWAY, replace(GATEWAY, number=3, last_seen=None, health=None))),
    ("accept_clock", (), True),
    ("list_hosts", (WINDOW,), Page((HOST,), 1, 3, hidden=2)),
    ("get_host", ("web01",), HOST_DETAIL),
    ("approve_hosts", (("web01", "h-2"),), ("web01", "web02")),
    ("reject_hosts", (("web01",),), ("web01",)),
    ("revoke_hosts", (("web01",),), ("web01",)),
    ("remove_hosts", (("web01/h-1",),), ("web01",)),
    ("rename_host", ("web01", "web02"), "web02"),
    ("label_hosts", (("web01",), {"env": "prod"}, ("role",)), ("web01",)),
    ("set_maintenance", (("web01",), "new disks", AT), ("web01",)),
    ("create_token", (TOKEN_SPEC,), TOKEN),
    ("list_tokens", (WINDOW, True), Page((LISTED,), 1, 3)),
    ("list_tokens", (WINDOW, False), Page((), 0, 3)),
    ("revoke_tokens", ((4, 5),), (LISTED,)),
    ("list_audit", (WINDOW,), Page((ENTRY,), 1, 3)),
    ("list_tasks", (Window(limit=0), ALL_TASKS), Page((), 0, 3)),
    ("list_tasks", (WINDOW, TASK_FILTER), Page((TASK,), 1, 3)),
    ("list_command_hosts", (7, WINDOW, 0), Page((COMMAND_HOST,), 1, 2)),
    ("list_command_hosts", (7, WINDOW, None), Page((COMMAND_HOST,), 1, 2)),
    ("get_task", (7,), DETAIL),
    ("get_task_status", (7,), TaskStatus.CANCELED),
    ("get_task_progress", (7,), PROGRESS),
    (
        "read_last_lines",
        (7, ("e-1", "e-2")),
        {"e-1": LastLine("50%", True, 50), "e-2": LastLine("é", False, None)},
    ),
    ("get_task_map", (7,), TaskMap(("fr", "pp"))),
    ("get_task_map", (8,), TaskMap(("fr", "pp"), 2, AT)),
    ("find_task_host", (7, 3), COMMAND_HOST),
    ("summarize_failures", (7,), FAILURES),
    ("summarize_tasks", ((7, 8),), {7: TaskSummary(FAILURES), 8: TaskSummary(percent=0)}),
    ("preview_target", ("web*",), PREVIEW),
    ("list_command_history", ("nginx", 5), (PastCommand("systemctl restart nginx", TASK),)),
    ("complete_target", ("role=w", 5), ("role=web",)),
    ("plan_task", (SPEC,), PLAN),
    ("create_task", (SPEC, REQUEST), 8),
    ("start_task", (7, REQUEST), ("web03",)),
    ("start_new_task", (SPEC, REQUEST), NewTask(8, ("web03",))),
    ("rerun_task", (7, (HostClass.FAILED,), {"KEY": "é"}, REQUEST, ()), Rerun(9, ("web03",))),
    ("rerun_task", (7, tuple(HostClass), {}, REQUEST, ()), Rerun(9)),
    ("rerun_task", (7, (), {"KEY": "é"}, REQUEST, ("h-1", "h-2")), Rerun(9)),
    ("cancel_task", (7, ()), None),
    ("cancel_task", (7, ("h-1", "h-2")), None),
    ("get_task_file", (7,), "[[steps]]\nrun = 'é'\n"),
    ("pause_task", (7,), None),
    ("resume_task", (7,), None),
    ("save_template", ("uptime", "text", 0, REQUEST), 3),
    ("save_template", ("uptime", "", 7, REQUEST), 3),
    ("list_templates", (WINDOW,), Page((TEMPLATE,), 1, 3)),
    ("get_template", ("uptime", 2), TEMPLATE_DETAIL),
    ("delete_template", ("uptime",), None),
    ("add_schedule", (SCHEDULE_SPEC, REQUEST), SCHEDULE),
    ("add_schedule", (OWN_TASK, REQUEST), SCHEDULE),
    ("edit_schedule", (SCHEDULE_SPEC, 2), SCHEDULE),
    ("list_schedules", (WINDOW,), Page((SCHEDULE,), 1, 3)),
    ("get_schedule", ("nightly",), ScheduleDetail(SCHEDULE, (AT, AT + timedelta(days=1)))),
    ("list_schedule_runs", ("nightly", WINDOW), Page((SCHEDULE_RUN,), 1, 3)),
    ("preview_schedule", ("30 2 * * *", "Europe/Berlin", 3), (AT,)),
    ("pause_schedule", ("nightly",), None),
    ("resume_schedule", ("nightly",), None),
    ("run_schedule", ("nightly", REQUEST), 8),
    ("delete_schedule", ("nightly",), None),
    ("list_receivers", (), (RECEIVER, BAD_RECEIVER)),
    ("test_receiver", ("chat",), Answer(Outcome.REFUSED, "HTTP status 410")),
    ("read_output", ("e-1", Stream.STDERR, 5, 100), CHUNKS),
    ("follow_output", (7, -3, "h-1", 100, 0, ""), CHUNKS),
    ("follow_output", (7, 0, "", 100, 9, "e-1"), CHUNKS),
    ("read_output_by_host", (WANTED_OUTPUT, OutputPlace(3, 4), 100), OUTPUT_BY_HOST),
    ("read_output_by_host", (WantedOutput(7), OutputPlace(), 100), OutputByHost((), None)),
    ("search_output", (7, "/a.b/", 3, 0, "h-1", "", True, 6), MATCHES),
    ("search_output", (7, "é", 0, 9, "", "e-1", False, 0), MATCHES),
]
EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True, templates=True, schedules=True)


class RecordingOperator(FakeFiles, ForwardingOperator):
    """Answers with `answers[call]`: a value, an error to raise, or something to call and await. It
    keeps files in memory.

    Attributes:
        calls: what was called, with its arguments.
        changes: what `watch` gives, after EVERYTHING, which comes first.
        watching: how many watchers there are now.
        watch_moved: set when a watcher came or went.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {name: answer for name, _, answer in CALLS}
        self.changes: Callable[[], AsyncIterator[Changes]] = silence
        self.watching = 0
        self.watch_moved = asyncio.Event()

    async def forward(self, call: Call[_Reply]) -> _Reply:
        method = inspect.signature(getattr(Operator, call.name))
        given = method.bind(self, *call.arguments, **call.keywords)
        given.apply_defaults()
        flags = (name for name, value in given.kwargs.items() if value)
        self.calls.append((call.name, *given.args[1:], *flags))
        answer = self.answers[call.name]
        if isinstance(answer, BaseException):
            raise answer
        reply: _Reply = await answer() if callable(answer) else answer
        return reply

    async def watch(self) -> AsyncIterator[Changes]:
        self._moved(1)
        try:
            yield EVERYTHING
            async for change in self.changes():
                yield change
        finally:
            self._moved(-1)

    def follow_task(
        self, task_id: int, *, after: int = 0, host_id: str = "", output: bool = True
    ) -> AsyncGenerator[TaskEvent, None]:
        return follow_task(self, task_id, after=after, host_id=host_id, output=output)

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

"""The client: an Operator that calls a manager in another process over its unix socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grpc import aio
from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.ids import new_request_id
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS
from tui_manager.domain.tasks.task import NewTask, Rerun
from tui_manager.operator import conversion
from tui_manager.operator.conversion import convert_values
from tui_manager.operator.socket.client.answer_timeout import ANSWER_TIMEOUT
from tui_manager.operator.socket.client.file_client import FileClient
from tui_manager.operator.socket.client.find_manager import find_manager
from tui_manager.operator.socket.client.output_client import OutputClient
from tui_manager.operator.socket.client.schedule_client import ScheduleClient, TemplateClient
from tui_manager.operator.socket.client.task_overview_client import (
    NewTaskClient,
    TaskOverviewClient,
)
from tui_manager.operator.socket.unix_socket import OPTIONS, socket_address

if TYPE_CHECKING:
    from tui_manager.domain.hosts.host import Host, HostDetail
    from tui_manager.domain.hosts.join_token import NewToken, Token, TokenSpec
    from tui_manager.domain.lists.list_window import Page, Window
    from tui_manager.domain.lists.task_filter_and_sort import TaskFilter
    from tui_manager.domain.manager.audit import AuditEntry
    from tui_manager.domain.manager.changes import Changes
    from tui_manager.domain.manager.gateway import Gateway
    from tui_manager.domain.manager.manager_status import ManagerStatus
    from tui_manager.domain.manager.notification import Answer, ReceiverStatus
    from tui_manager.domain.status import TaskStatus
    from tui_manager.domain.targets.target_preview import TargetPreview
    from tui_manager.domain.task_spec.task_spec import TaskSpec
    from tui_manager.domain.tasks.host_class import HostClass
    from tui_manager.domain.tasks.task import CommandHost, Progress, Task, TaskDetail
    from tui_manager.domain.tasks.task_plan import TaskPlan
    from tui_manager.operator.api import Operator

_RECONNECT = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Time for one attempt: longer than a call, so that a stopped manager does not count as gone.
    ("grpc.min_reconnect_backoff_ms", int(ANSWER_TIMEOUT * 2000)),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


@asynccontextmanager
async def connect(state_dir: Path) -> AsyncIterator[Operator]:
    """Connects to the manager that runs on `state_dir`.

    Raises UnreachableError at once if none runs there, or if it belongs to another user.
    """
    path = await find_manager(state_dir)
    channel = aio.insecure_channel(socket_address(path), options=(*OPTIONS, *_RECONNECT))
    async with channel:
        yield SocketOperator(channel, str(state_dir))


class SocketOperator(
    NewTaskClient,
    TaskOverviewClient,
    TemplateClient,
    ScheduleClient,
    OutputClient,
    FileClient,
):
    """An Operator whose calls go over a gRPC channel; see Operator for each call."""

    async def manager_status(self) -> ManagerStatus:
        reply = await self._call(self._stub.GetManagerStatus, wire.GetManagerStatusRequest)
        return conversion.convert_manager.status_from_wire(reply)

    async def list_receivers(self) -> Sequence[ReceiverStatus]:
        reply = await self._call(self._stub.ListReceivers, wire.ListReceiversRequest)
        return tuple(map(conversion.convert_notification.receiver_from_wire, reply.receivers))

    async def test_receiver(self, name: str) -> Answer:
        reply = await self._call(
            self._stub.TestReceiver,
            lambda: wire.TestReceiverRequest(name=name),
            follows=True,
            unclear=f"A test may have been sent to {name}.",
        )
        return conversion.convert_notification.answer_from_wire(reply)

    async def list_managers(self) -> Sequence[Gateway]:
        reply = await self._call(self._stub.ListManagers, wire.ListManagersRequest)
        return tuple(map(conversion.convert_manager.gateway_from_wire, reply.managers))

    async def accept_clock(self) -> bool:
        reply = await self._call(
            self._stub.AcceptClock,
            wire.AcceptClockRequest,
            unclear="The clock may have been accepted.",
        )
        accepted: bool = reply.waited
        return accepted

    async def list_hosts(self, window: Window) -> Page[Host]:
        reply = await self._call(
            self._stub.ListHosts,
            lambda: wire.ListHostsRequest(window=convert_values.window_to_wire(window)),
        )
        return convert_values.page_from_wire(
            map(conversion.convert_host.host_from_wire, reply.hosts), reply.size
        )

    async def get_host(self, name: str) -> HostDetail:
        reply = await self._call(self._stub.GetHost, lambda: wire.GetHostRequest(name=name))
        return conversion.convert_host.host_detail_from_wire(reply)

    async def approve_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        reply = await self._call(
            self._stub.ApproveHosts,
            lambda: wire.HostsRequest(names=names, all_pending=all_pending),
            unclear="The hosts may have been approved.",
        )
        return tuple(reply.names)

    async def reject_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        reply = await self._call(
            self._stub.RejectHosts,
            lambda: wire.HostsRequest(names=names, all_pending=all_pending),
            unclear="The hosts may have been rejected.",
        )
        return tuple(reply.names)

    async def revoke_hosts(self, names: Sequence[str]) -> Sequence[str]:
        reply = await self._call(
            self._stub.RevokeHosts,
            lambda: wire.HostsRequest(names=names),
            unclear="The hosts may have been revoked.",
        )
        return tuple(reply.names)

    async def remove_hosts(self, names: Sequence[str]) -> Sequence[str]:
        reply = await self._call(
            self._stub.RemoveHosts,
            lambda: wire.HostsRequest(names=names),
            unclear="The hosts may have been removed.",
        )
        return tuple(reply.names)

    async def rename_host(self, name: str, new_name: str) -> str:
        reply = await self._call(
            self._stub.RenameHost,
            lambda: wire.RenameHostRequest(name=name, new_name=new_name),
            unclear="The host may have been renamed.",
        )
        (renamed,) = reply.names
        return str(renamed)

    async def label_hosts(
        self, names: Sequence[str], to_set: Mapping[str, str], to_unset: Sequence[str] = ()
    ) -> Sequence[str]:
        reply = await self._call(
            self._stub.LabelHosts,
            lambda: wire.LabelHostsRequest(names=names, set=to_set, unset=to_unset),
            unclear="The labels may have been changed.",
        )
        return tuple(reply.names)

    async def set_maintenance(
        self,
        names: Sequence[str],
        reason: str = "",
        until: datetime | None = None,
        *,
        end: bool = False,
    ) -> Sequence[str]:
        reply = await self._call(
            self._stub.SetMaintenance,
            lambda: wire.SetMaintenanceRequest(
                names=names,
                reason=reason,
                until=convert_values.timestamp(until),
                end=end,
            ),
            unclear="The maintenance may have been changed.",
        )
        return tuple(reply.names)

    async def create_token(self, spec: TokenSpec) -> NewToken:
        spec.check()  # on the wire 0 uses would mean the default
        reply = await self._call(
            self._stub.CreateToken,
            lambda: conversion.convert_security.token_spec_to_wire(spec),
            unclear="A join token may have been made.",
        )
        return conversion.convert_security.new_token_from_wire(reply)

    async def list_tokens(self, window: Window, everything: bool = False) -> Page[Token]:
        reply = await self._call(
            self._stub.ListTokens,
            lambda: wire.ListTokensRequest(
                window=convert_values.window_to_wire(window), all=everything
            ),
        )
        tokens = map(conversion.convert_security.token_from_wire, reply.tokens)
        return convert_values.page_from_wire(tokens, reply.size)

    async def revoke_tokens(self, token_ids: Sequence[int]) -> Sequence[Token]:
        reply = await self._call(
            self._stub.RevokeTokens,
            lambda: wire.RevokeTokensRequest(token_ids=token_ids),
            unclear="The join tokens may have been revoked.",
        )
        return tuple(map(conversion.convert_security.token_from_wire, reply.tokens))

    async def list_audit(self, window: Window) -> Page[AuditEntry]:
        reply = await self._call(
            self._stub.ListAudit,
            lambda: wire.ListAuditRequest(window=convert_values.window_to_wire(window)),
        )
        entries = map(conversion.convert_security.entry_from_wire, reply.entries)
        return convert_values.page_from_wire(entries, reply.size)

    async def list_tasks(self, window: Window, wanted: TaskFilter = ALL_TASKS) -> Page[Task]:
        reply = await self._call(
            self._stub.ListTasks,
            lambda: conversion.convert_task.list_request_to_wire(window, wanted),
        )
        return convert_values.page_from_wire(
            map(conversion.convert_task.task_from_wire, reply.tasks), reply.size
        )

    async def list_command_hosts(
        self, task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        reply = await self._call(
            self._stub.ListCommandHosts,
            lambda: wire.ListCommandHostsRequest(
                task_id=task_id,
                window=convert_values.window_to_wire(window),
                command=command,
            ),
        )
        rows = map(conversion.convert_task.command_host_from_wire, reply.command_hosts)
        return convert_values.page_from_wire(rows, reply.size)

    async def get_task(self, task_id: int) -> TaskDetail:
        reply = await self._call(self._stub.GetTask, lambda: wire.GetTaskRequest(task_id=task_id))
        return conversion.convert_task.detail_from_wire(reply)

    async def get_task_status(self, task_id: int) -> TaskStatus:
        reply = await self._call(
            self._stub.GetTaskStatus,
            lambda: wire.GetTaskStatusRequest(task_id=task_id),
            follows=True,
        )
        return convert_values.word(conversion.convert_task.TASK_STATUSES, reply.status)

    async def get_task_progress(self, task_id: int) -> Progress:
        reply = await self._call(
            self._stub.GetTaskProgress,
            lambda: wire.GetTaskProgressRequest(task_id=task_id),
            follows=True,
        )
        return conversion.convert_task.progress_from_wire(reply)

    async def preview_target(
        self, target: str, *, include_maintenance: bool = False
    ) -> TargetPreview:
        reply = await self._call(
            self._stub.PreviewTarget,
            lambda: wire.PreviewTargetRequest(
                target=target, include_maintenance=include_maintenance
            ),
        )
        return conversion.convert_rollout.preview_from_wire(reply)

    async def plan_task(self, spec: TaskSpec) -> TaskPlan:
        reply = await self._call(
            self._stub.PlanTask,
            lambda: wire.PlanTaskRequest(spec=conversion.convert_spec.spec_to_wire(spec)),
        )
        return conversion.convert_rollout.plan_from_wire(reply)

    async def create_task(self, spec: TaskSpec, request_id: str = "") -> int:
        reply = await self._call(
            self._stub.CreateTask,
            lambda: wire.CreateTaskRequest(
                spec=conversion.convert_spec.spec_to_wire(spec),
                request_id=request_id or new_request_id(),
            ),
            unclear="The task may have been made.",
        )
        return reply.task_id

    async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
        reply = await self._call(
            self._stub.StartTask,
            lambda: wire.StartTaskRequest(
                task_id=task_id, request_id=request_id or new_request_id()
            ),
            unclear=f"Task {task_id} may have started.",
        )
        return tuple(reply.left_out)

    async def start_new_task(self, spec: TaskSpec, request_id: str = "") -> NewTask:
        reply = await self._call(
            self._stub.StartNewTask,
            lambda: wire.StartNewTaskRequest(
                spec=conversion.convert_spec.spec_to_wire(spec),
                request_id=request_id or new_request_id(),
            ),
            unclear="The task may have been made and started.",
        )
        return NewTask(reply.task_id, tuple(reply.left_out))

    async def rerun_task(
        self,
        task_id: int,
        classes: Sequence[HostClass] = (),
        secrets: Mapping[str, str] | None = None,
        request_id: str = "",
        host_ids: Sequence[str] = (),
    ) -> Rerun:
        sealed = {name: value.encode() for name, value in (secrets or {}).items()}
        request_id = request_id or new_request_id()
        unclear = "The task may have been made."
        if host_ids:
            reply = await self._call(
                self._stub.RerunTaskOnHosts,
                lambda: wire.RerunTaskOnHostsRequest(
                    task_id=task_id, host_ids=host_ids, request_id=request_id, secrets=sealed
                ),
                unclear=unclear,
            )
        else:
            reply = await self._call(
                self._stub.RerunTask,
                lambda: wire.RerunTaskRequest(
                    task_id=task_id,
                    classes=[conversion.convert_task.HOST_CLASSES[one] for one in classes],
                    request_id=request_id,
                    secrets=sealed,
                ),
                unclear=unclear,
            )
        return Rerun(reply.task_id, tuple(reply.gone))

    async def cancel_task(self, task_id: int, host_ids: Sequence[str] = ()) -> None:
        unclear = f"Task {task_id} may have been canceled."
        if host_ids:
            await self._call(
                self._stub.CancelTaskOnHosts,
                lambda: wire.CancelTaskOnHostsRequest(task_id=task_id, host_ids=host_ids),
                unclear=unclear,
            )
        else:
            await self._call(
                self._stub.CancelTask,
                lambda: wire.CancelTaskRequest(task_id=task_id),
                unclear=unclear,
            )

    async def pause_task(self, task_id: int) -> None:
        await self._call(
            self._stub.PauseTask,
            lambda: wire.PauseTaskRequest(task_id=task_id),
            unclear=f"Task {task_id} may have been paused.",
        )

    async def resume_task(self, task_id: int) -> None:
        await self._call(
            self._stub.ResumeTask,
            lambda: wire.ResumeTaskRequest(task_id=task_id),
            unclear=f"Task {task_id} may have been resumed.",
        )

    async def watch(self) -> AsyncIterator[Changes]:
        changes = self._messages(self._stub.WatchChanges, wire.WatchChangesRequest)
        async with aclosing(changes) as messages:
            async for message in messages:
                yield convert_values.changes_from_wire(message)

"""The operator's API on a unix socket: a servicer that converts, calls the operator, converts
back."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from grpc import aio
from tui_manager_protos.v1 import operator_pb2 as wire
from tui_manager_protos.v1.operator_pb2_grpc import (
    OperatorServiceServicer,
    add_OperatorServiceServicer_to_server,
)

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.operator.api import Operator
from tui_manager.operator.conversion import (
    convert_host,
    convert_manager,
    convert_rollout,
    convert_security,
    convert_spec,
    convert_task,
    convert_values,
)
from tui_manager.operator.file_calls import PIECE
from tui_manager.operator.socket.convert_errors import Context, answering
from tui_manager.operator.socket.server.file_servicer import FileServicer
from tui_manager.operator.socket.server.new_task_servicer import NewTaskServicer
from tui_manager.operator.socket.server.notification_servicer import NotificationServicer
from tui_manager.operator.socket.server.output_servicer import OutputServicer
from tui_manager.operator.socket.server.schedule_servicer import ScheduleServicer
from tui_manager.operator.socket.server.task_overview_servicer import TaskOverviewServicer
from tui_manager.operator.socket.server.template_servicer import TemplateServicer
from tui_manager.operator.socket.unix_socket import (
    OPTIONS,
    forget,
    point_to,
    socket_address,
    socket_path,
)
from tui_manager.operator.watching import until, watching
from tui_manager.security.private_files import private_folder

_GRACE = 2.0  # seconds for running calls when the server ends
# Of an upload: with the 64 KiB of gRPC a client stops many times within each piece.
_UNREAD = ("grpc.http2.lookahead_bytes", PIECE)


@asynccontextmanager
async def serve_operator(operator: Operator, state_dir: Path) -> AsyncIterator[Path]:
    """Serves `operator` on the socket of `state_dir` until the block is left.

    The caller holds the lock of the state folder, so a socket that exists there is not in use.

    Yields the path of the socket. Raises StorageError when it cannot be made.
    """
    path = socket_path(state_dir)
    server = aio.server(options=(*OPTIONS, _UNREAD))
    servicer = OperatorServicer(operator)
    add_OperatorServiceServicer_to_server(servicer, server)
    _listen(server, path)
    try:
        await server.start()
        point_to(path, state_dir)
        yield path
    finally:
        servicer.ending.set()
        await server.stop(_GRACE)
        forget(path, state_dir)


def _listen(server: aio.Server, path: Path) -> None:
    """Binds a socket that only its owner can use from the beginning."""
    try:
        private_folder(path.parent)
        if path.is_socket():
            path.unlink()
        with _private_files():
            server.add_insecure_port(socket_address(path))
    except (OSError, RuntimeError) as error:
        raise StorageError(f"The operator's socket {path} cannot be made: {error}") from error


@contextmanager
def _private_files() -> Iterator[None]:
    """Within the block, only the owner can use files that the process creates."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


class OperatorServicer(
    NewTaskServicer,
    TaskOverviewServicer,
    TemplateServicer,
    ScheduleServicer,
    NotificationServicer,
    OutputServicer,
    FileServicer,
    OperatorServiceServicer,
):
    """Answers each call by one call of the operator."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self.ending = asyncio.Event()

    async def GetManagerStatus(
        self, request: wire.GetManagerStatusRequest, context: Context
    ) -> wire.ManagerStatus:
        async with answering(context, "GetManagerStatus"):
            return convert_manager.status_to_wire(await self._operator.manager_status())

    async def ListManagers(
        self, request: wire.ListManagersRequest, context: Context
    ) -> wire.ListManagersResponse:
        async with answering(context, "ListManagers"):
            found = await self._operator.list_managers()
            return wire.ListManagersResponse(managers=map(convert_manager.gateway_to_wire, found))

    async def AcceptClock(
        self, request: wire.AcceptClockRequest, context: Context
    ) -> wire.AcceptClockResponse:
        async with answering(context, "AcceptClock", request.asked_by):
            return wire.AcceptClockResponse(waited=await self._operator.accept_clock())

    async def ListHosts(
        self, request: wire.ListHostsRequest, context: Context
    ) -> wire.ListHostsResponse:
        async with answering(context, "ListHosts"):
            page = await self._operator.list_hosts(convert_values.window_from_wire(request.window))
            return wire.ListHostsResponse(
                hosts=map(convert_host.host_to_wire, page.rows),
                size=convert_values.size_to_wire(page),
            )

    async def GetHost(self, request: wire.GetHostRequest, context: Context) -> wire.HostDetail:
        async with answering(context, "GetHost"):
            return convert_host.host_detail_to_wire(await self._operator.get_host(request.name))

    async def ApproveHosts(
        self, request: wire.HostsRequest, context: Context
    ) -> wire.HostsResponse:
        async with answering(context, "ApproveHosts", request.asked_by):
            names = await self._operator.approve_hosts(
                tuple(request.names), all_pending=request.all_pending
            )
            return wire.HostsResponse(names=names)

    async def RejectHosts(self, request: wire.HostsRequest, context: Context) -> wire.HostsResponse:
        async with answering(context, "RejectHosts", request.asked_by):
            names = await self._operator.reject_hosts(
                tuple(request.names), all_pending=request.all_pending
            )
            return wire.HostsResponse(names=names)

    async def RevokeHosts(self, request: wire.HostsRequest, context: Context) -> wire.HostsResponse:
        async with answering(context, "RevokeHosts", request.asked_by):
            names = await self._operator.revoke_hosts(convert_security.named(request))
            return wire.HostsResponse(names=names)

    async def RemoveHosts(self, request: wire.HostsRequest, context: Context) -> wire.HostsResponse:
        async with answering(context, "RemoveHosts", request.asked_by):
            names = await self._operator.remove_hosts(convert_security.named(request))
            return wire.HostsResponse(names=names)

    async def RenameHost(
        self, request: wire.RenameHostRequest, context: Context
    ) -> wire.HostsResponse:
        async with answering(context, "RenameHost", request.asked_by):
            name = await self._operator.rename_host(request.name, request.new_name)
            return wire.HostsResponse(names=[name])

    async def LabelHosts(
        self, request: wire.LabelHostsRequest, context: Context
    ) -> wire.HostsResponse:
        async with answering(context, "LabelHosts", request.asked_by):
            names = await self._operator.label_hosts(
                tuple(request.names), dict(request.set), tuple(request.unset)
            )
            return wire.HostsResponse(names=names)

    async def SetMaintenance(
        self, request: wire.SetMaintenanceRequest, context: Context
    ) -> wire.HostsResponse:
        async with answering(context, "SetMaintenance", request.asked_by):
            names = await self._operator.set_maintenance(
                tuple(request.names),
                request.reason,
                convert_host.end_from_wire(request),
                end=request.end,
            )
            return wire.HostsResponse(names=names)

    async def CreateToken(
        self, request: wire.CreateTokenRequest, context: Context
    ) -> wire.CreateTokenResponse:
        async with answering(context, "CreateToken", request.asked_by):
            spec = convert_security.token_spec_from_wire(request)
            return convert_security.new_token_to_wire(await self._operator.create_token(spec))

    async def ListTokens(
        self, request: wire.ListTokensRequest, context: Context
    ) -> wire.ListTokensResponse:
        async with answering(context, "ListTokens"):
            page = await self._operator.list_tokens(
                convert_values.window_from_wire(request.window), everything=request.all
            )
            return wire.ListTokensResponse(
                tokens=map(convert_security.token_to_wire, page.rows),
                size=convert_values.size_to_wire(page),
            )

    async def RevokeTokens(
        self, request: wire.RevokeTokensRequest, context: Context
    ) -> wire.RevokeTokensResponse:
        async with answering(context, "RevokeTokens", request.asked_by):
            tokens = await self._operator.revoke_tokens(tuple(request.token_ids))
            return wire.RevokeTokensResponse(tokens=map(convert_security.token_to_wire, tokens))

    async def ListAudit(
        self, request: wire.ListAuditRequest, context: Context
    ) -> wire.ListAuditResponse:
        async with answering(context, "ListAudit"):
            page = await self._operator.list_audit(convert_values.window_from_wire(request.window))
            return wire.ListAuditResponse(
                entries=map(convert_security.entry_to_wire, page.rows),
                size=convert_values.size_to_wire(page),
            )

    async def ListTasks(
        self, request: wire.ListTasksRequest, context: Context
    ) -> wire.ListTasksResponse:
        async with answering(context, "ListTasks"):
            page = await self._operator.list_tasks(
                convert_values.window_from_wire(request.window),
                convert_task.filter_from_wire(request),
            )
            return wire.ListTasksResponse(
                tasks=map(convert_task.task_to_wire, page.rows),
                size=convert_values.size_to_wire(page),
            )

    async def ListCommandHosts(
        self, request: wire.ListCommandHostsRequest, context: Context
    ) -> wire.ListCommandHostsResponse:
        async with answering(context, "ListCommandHosts"):
            page = await self._operator.list_command_hosts(
                request.task_id,
                convert_values.window_from_wire(request.window),
                request.command if request.HasField("command") else None,
            )
            return wire.ListCommandHostsResponse(
                command_hosts=map(convert_task.command_host_to_wire, page.rows),
                size=convert_values.size_to_wire(page),
            )

    async def GetTask(self, request: wire.GetTaskRequest, context: Context) -> wire.TaskDetail:
        async with answering(context, "GetTask"):
            return convert_task.detail_to_wire(await self._operator.get_task(request.task_id))

    async def GetTaskStatus(
        self, request: wire.GetTaskStatusRequest, context: Context
    ) -> wire.GetTaskStatusResponse:
        async with answering(context, "GetTaskStatus"):
            status = await self._operator.get_task_status(request.task_id)
            return wire.GetTaskStatusResponse(status=convert_task.TASK_STATUSES[status])

    async def GetTaskProgress(
        self, request: wire.GetTaskProgressRequest, context: Context
    ) -> wire.Progress:
        async with answering(context, "GetTaskProgress"):
            progress = await self._operator.get_task_progress(request.task_id)
            return convert_task.progress_to_wire(progress)

    async def PreviewTarget(
        self, request: wire.PreviewTargetRequest, context: Context
    ) -> wire.TargetPreview:
        async with answering(context, "PreviewTarget"):
            return convert_rollout.preview_to_wire(
                await self._operator.preview_target(
                    request.target, include_maintenance=request.include_maintenance
                )
            )

    async def PlanTask(self, request: wire.PlanTaskRequest, context: Context) -> wire.TaskPlan:
        async with answering(context, "PlanTask"):
            spec = convert_spec.spec_from_wire(request.spec)
            return convert_rollout.plan_to_wire(await self._operator.plan_task(spec))

    async def CreateTask(
        self, request: wire.CreateTaskRequest, context: Context
    ) -> wire.CreateTaskResponse:
        async with answering(context, "CreateTask"):
            task_id = await self._operator.create_task(
                convert_spec.spec_from_wire(request.spec), request.request_id
            )
            return wire.CreateTaskResponse(task_id=task_id)

    async def StartTask(
        self, request: wire.StartTaskRequest, context: Context
    ) -> wire.StartTaskResponse:
        async with answering(context, "StartTask"):
            left_out = await self._operator.start_task(request.task_id, request.request_id)
            return wire.StartTaskResponse(left_out=left_out)

    async def StartNewTask(
        self, request: wire.StartNewTaskRequest, context: Context
    ) -> wire.StartNewTaskResponse:
        async with answering(context, "StartNewTask"):
            spec = convert_spec.spec_from_wire(request.spec)
            task = await self._operator.start_new_task(spec, request.request_id)
            return wire.StartNewTaskResponse(task_id=task.task_id, left_out=task.left_out)

    async def RerunTask(
        self, request: wire.RerunTaskRequest, context: Context
    ) -> wire.RerunTaskResponse:
        async with answering(context, "RerunTask", request.created_by):
            rerun = await self._operator.rerun_task(
                request.task_id,
                tuple(
                    convert_values.word(convert_task.HOST_CLASSES, one) for one in request.classes
                ),
                convert_spec.secrets_from_wire(request.secrets),
                request.request_id,
            )
            return wire.RerunTaskResponse(task_id=rerun.task_id, gone=rerun.gone)

    async def RerunTaskOnHosts(
        self, request: wire.RerunTaskOnHostsRequest, context: Context
    ) -> wire.RerunTaskResponse:
        async with answering(context, "RerunTaskOnHosts", request.created_by):
            rerun = await self._operator.rerun_task(
                request.task_id,
                secrets=convert_spec.secrets_from_wire(request.secrets),
                request_id=request.request_id,
                host_ids=_some(request.host_ids),
            )
            return wire.RerunTaskResponse(task_id=rerun.task_id, gone=rerun.gone)

    async def CancelTask(
        self, request: wire.CancelTaskRequest, context: Context
    ) -> wire.CancelTaskResponse:
        async with answering(context, "CancelTask"):
            await self._operator.cancel_task(request.task_id)
            return wire.CancelTaskResponse()

    async def CancelTaskOnHosts(
        self, request: wire.CancelTaskOnHostsRequest, context: Context
    ) -> wire.CancelTaskOnHostsResponse:
        async with answering(context, "CancelTaskOnHosts"):
            await self._operator.cancel_task(request.task_id, _some(request.host_ids))
            return wire.CancelTaskOnHostsResponse()

    async def PauseTask(
        self, request: wire.PauseTaskRequest, context: Context
    ) -> wire.PauseTaskResponse:
        async with answering(context, "PauseTask"):
            await self._operator.pause_task(request.task_id)
            return wire.PauseTaskResponse()

    async def ResumeTask(
        self, request: wire.ResumeTaskRequest, context: Context
    ) -> wire.ResumeTaskResponse:
        async with answering(context, "ResumeTask"):
            await self._operator.resume_task(request.task_id)
            return wire.ResumeTaskResponse()

    async def WatchChanges(
        self, request: wire.WatchChangesRequest, context: Context
    ) -> AsyncIterator[wire.Changes]:
        async with (
            answering(context, "WatchChanges"),
            watching(self._operator) as changes,
            until(self.ending, changes) as coming,
        ):
            async for change in coming:
                yield convert_values.changes_to_wire(change)


def _some(host_ids: Sequence[str]) -> tuple[str, ...]:
    """Raises InvalidInputError("host_ids") if there is none: to the operator that means all."""
    if not host_ids:
        raise InvalidInputError("host_ids", "Name at least one host.")
    return tuple(host_ids)

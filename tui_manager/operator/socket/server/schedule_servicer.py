"""The calls of the server that are about schedules."""

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.schedules.schedule import DUES_SHOWN
from tui_manager.operator.api import Operator
from tui_manager.operator.conversion import convert_schedule, convert_values
from tui_manager.operator.socket.convert_errors import Context, answering


class ScheduleServicer:
    """Answers each call by one call of the operator."""

    _operator: Operator

    async def AddSchedule(
        self, request: wire.AddScheduleRequest, context: Context
    ) -> wire.AddScheduleResponse:
        async with answering(context, "AddSchedule", request.asked_by):
            spec = convert_schedule.spec_from_wire(request.spec)
            schedule = await self._operator.add_schedule(spec, request.request_id)
            return wire.AddScheduleResponse(schedule=convert_schedule.schedule_to_wire(schedule))

    async def EditSchedule(
        self, request: wire.EditScheduleRequest, context: Context
    ) -> wire.EditScheduleResponse:
        async with answering(context, "EditSchedule", request.asked_by):
            spec = convert_schedule.spec_from_wire(request.spec)
            schedule = await self._operator.edit_schedule(spec, request.revision)
            return wire.EditScheduleResponse(schedule=convert_schedule.schedule_to_wire(schedule))

    async def ListSchedules(
        self, request: wire.ListSchedulesRequest, context: Context
    ) -> wire.ListSchedulesResponse:
        async with answering(context, "ListSchedules"):
            page = await self._operator.list_schedules(
                convert_values.window_from_wire(request.window)
            )
            return wire.ListSchedulesResponse(
                schedules=map(convert_schedule.schedule_to_wire, page.rows),
                size=convert_values.size_to_wire(page),
            )

    async def GetSchedule(
        self, request: wire.GetScheduleRequest, context: Context
    ) -> wire.ScheduleDetail:
        async with answering(context, "GetSchedule"):
            detail = await self._operator.get_schedule(request.name)
            return convert_schedule.detail_to_wire(detail)

    async def ListScheduleRuns(
        self, request: wire.ListScheduleRunsRequest, context: Context
    ) -> wire.ListScheduleRunsResponse:
        async with answering(context, "ListScheduleRuns"):
            page = await self._operator.list_schedule_runs(
                request.name, convert_values.window_from_wire(request.window)
            )
            return wire.ListScheduleRunsResponse(
                runs=map(convert_schedule.run_to_wire, page.rows),
                size=convert_values.size_to_wire(page),
            )

    async def PreviewSchedule(
        self, request: wire.PreviewScheduleRequest, context: Context
    ) -> wire.PreviewScheduleResponse:
        async with answering(context, "PreviewSchedule"):
            due = await self._operator.preview_schedule(
                request.cron, request.zone, request.count or DUES_SHOWN
            )
            return wire.PreviewScheduleResponse(due=convert_schedule.due_to_wire(due))

    async def PauseSchedule(
        self, request: wire.ScheduleRequest, context: Context
    ) -> wire.ScheduleResponse:
        async with answering(context, "PauseSchedule", request.asked_by):
            await self._operator.pause_schedule(request.name)
            return wire.ScheduleResponse()

    async def ResumeSchedule(
        self, request: wire.ScheduleRequest, context: Context
    ) -> wire.ScheduleResponse:
        async with answering(context, "ResumeSchedule", request.asked_by):
            await self._operator.resume_schedule(request.name)
            return wire.ScheduleResponse()

    async def RunSchedule(
        self, request: wire.RunScheduleRequest, context: Context
    ) -> wire.RunScheduleResponse:
        async with answering(context, "RunSchedule", request.asked_by):
            task_id = await self._operator.run_schedule(request.name, request.request_id)
            return wire.RunScheduleResponse(task_id=task_id)

    async def DeleteSchedule(
        self, request: wire.ScheduleRequest, context: Context
    ) -> wire.ScheduleResponse:
        async with answering(context, "DeleteSchedule", request.asked_by):
            await self._operator.delete_schedule(request.name)
            return wire.ScheduleResponse()

"""The calls of the client that are about task files and templates, and the schedules that start
them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.ids import new_request_id
from tui_manager.operator import conversion
from tui_manager.operator.conversion import convert_values
from tui_manager.operator.socket.client.socket_calls import SocketCalls

if TYPE_CHECKING:
    from tui_manager.domain.lists.list_window import Page, Window
    from tui_manager.domain.schedules.schedule import (
        Schedule,
        ScheduleDetail,
        ScheduleRun,
        ScheduleSpec,
    )
    from tui_manager.domain.task_files.template import Template, TemplateDetail


class TemplateClient(SocketCalls):
    """See TemplateCalls for each call."""

    async def get_task_file(self, task_id: int) -> str:
        reply = await self._call(
            self._stub.GetTaskFile, lambda: wire.GetTaskFileRequest(task_id=task_id)
        )
        return reply.text

    async def save_template(
        self, name: str, text: str = "", task_id: int = 0, request_id: str = ""
    ) -> int:
        reply = await self._call(
            self._stub.SaveTemplate,
            lambda: wire.SaveTemplateRequest(
                name=name, text=text, task_id=task_id, request_id=request_id or new_request_id()
            ),
            unclear=f"The template {name} may have been saved.",
        )
        return reply.version

    async def list_templates(self, window: Window) -> Page[Template]:
        reply = await self._call(
            self._stub.ListTemplates,
            lambda: wire.ListTemplatesRequest(window=convert_values.window_to_wire(window)),
        )
        templates = map(conversion.convert_schedule.template_from_wire, reply.templates)
        return convert_values.page_from_wire(templates, reply.size)

    async def get_template(self, name: str, version: int = 0) -> TemplateDetail:
        reply = await self._call(
            self._stub.GetTemplate, lambda: wire.GetTemplateRequest(name=name, version=version)
        )
        return conversion.convert_schedule.template_detail_from_wire(reply)

    async def delete_template(self, name: str) -> None:
        await self._call(
            self._stub.DeleteTemplate,
            lambda: wire.DeleteTemplateRequest(name=name),
            unclear=f"The template {name} may have been deleted.",
        )


class ScheduleClient(SocketCalls):
    """See ScheduleCalls for each call."""

    async def add_schedule(self, spec: ScheduleSpec, request_id: str = "") -> Schedule:
        reply = await self._call(
            self._stub.AddSchedule,
            lambda: wire.AddScheduleRequest(
                spec=conversion.convert_schedule.spec_to_wire(spec),
                request_id=request_id or new_request_id(),
            ),
            unclear=f"The schedule {spec.name} may have been added.",
        )
        return conversion.convert_schedule.schedule_from_wire(reply.schedule)

    async def edit_schedule(self, spec: ScheduleSpec, revision: int) -> Schedule:
        reply = await self._call(
            self._stub.EditSchedule,
            lambda: wire.EditScheduleRequest(
                spec=conversion.convert_schedule.spec_to_wire(spec), revision=revision
            ),
            unclear=f"The schedule {spec.name} may have been edited.",
        )
        return conversion.convert_schedule.schedule_from_wire(reply.schedule)

    async def list_schedules(self, window: Window) -> Page[Schedule]:
        reply = await self._call(
            self._stub.ListSchedules,
            lambda: wire.ListSchedulesRequest(window=convert_values.window_to_wire(window)),
        )
        schedules = map(conversion.convert_schedule.schedule_from_wire, reply.schedules)
        return convert_values.page_from_wire(schedules, reply.size)

    async def get_schedule(self, name: str) -> ScheduleDetail:
        reply = await self._call(self._stub.GetSchedule, lambda: wire.GetScheduleRequest(name=name))
        return conversion.convert_schedule.detail_from_wire(reply)

    async def list_schedule_runs(self, name: str, window: Window) -> Page[ScheduleRun]:
        reply = await self._call(
            self._stub.ListScheduleRuns,
            lambda: wire.ListScheduleRunsRequest(
                name=name, window=convert_values.window_to_wire(window)
            ),
        )
        runs = map(conversion.convert_schedule.run_from_wire, reply.runs)
        return convert_values.page_from_wire(runs, reply.size)

    async def preview_schedule(self, cron: str, zone: str, count: int = 5) -> Sequence[datetime]:
        reply = await self._call(
            self._stub.PreviewSchedule,
            lambda: wire.PreviewScheduleRequest(cron=cron, zone=zone, count=count),
        )
        return conversion.convert_schedule.due_from_wire(reply.due)

    async def pause_schedule(self, name: str) -> None:
        await self._call(
            self._stub.PauseSchedule,
            lambda: wire.ScheduleRequest(name=name),
            unclear=f"The schedule {name} may have been paused.",
        )

    async def resume_schedule(self, name: str) -> None:
        await self._call(
            self._stub.ResumeSchedule,
            lambda: wire.ScheduleRequest(name=name),
            unclear=f"The schedule {name} may have been resumed.",
        )

    async def run_schedule(self, name: str, request_id: str = "") -> int:
        reply = await self._call(
            self._stub.RunSchedule,
            lambda: wire.RunScheduleRequest(name=name, request_id=request_id or new_request_id()),
            unclear=f"A task of the schedule {name} may have started.",
        )
        return reply.task_id

    async def delete_schedule(self, name: str) -> None:
        await self._call(
            self._stub.DeleteSchedule,
            lambda: wire.ScheduleRequest(name=name),
            unclear=f"The schedule {name} may have been deleted.",
        )

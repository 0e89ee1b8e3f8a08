"""The calls of the server that are about task files and templates."""

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.operator.api import Operator
from tui_manager.operator.conversion import convert_schedule, convert_values
from tui_manager.operator.socket.convert_errors import Context, answering


class TemplateServicer:
    """Answers each call by one call of the operator."""

    _operator: Operator

    async def GetTaskFile(
        self, request: wire.GetTaskFileRequest, context: Context
    ) -> wire.GetTaskFileResponse:
        async with answering(context, "GetTaskFile"):
            text = await self._operator.get_task_file(request.task_id)
            return wire.GetTaskFileResponse(text=text)

    async def SaveTemplate(
        self, request: wire.SaveTemplateRequest, context: Context
    ) -> wire.SaveTemplateResponse:
        async with answering(context, "SaveTemplate", request.asked_by):
            version = await self._operator.save_template(
                request.name, request.text, request.task_id, request.request_id
            )
            return wire.SaveTemplateResponse(version=version)

    async def ListTemplates(
        self, request: wire.ListTemplatesRequest, context: Context
    ) -> wire.ListTemplatesResponse:
        async with answering(context, "ListTemplates"):
            page = await self._operator.list_templates(
                convert_values.window_from_wire(request.window)
            )
            return wire.ListTemplatesResponse(
                templates=map(convert_schedule.template_to_wire, page.rows),
                size=convert_values.size_to_wire(page),
            )

    async def GetTemplate(
        self, request: wire.GetTemplateRequest, context: Context
    ) -> wire.TemplateDetail:
        async with answering(context, "GetTemplate"):
            detail = await self._operator.get_template(request.name, request.version)
            return convert_schedule.template_detail_to_wire(detail)

    async def DeleteTemplate(
        self, request: wire.DeleteTemplateRequest, context: Context
    ) -> wire.DeleteTemplateResponse:
        async with answering(context, "DeleteTemplate", request.asked_by):
            await self._operator.delete_template(request.name)
            return wire.DeleteTemplateResponse()

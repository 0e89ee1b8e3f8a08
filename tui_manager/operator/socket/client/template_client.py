"""The calls of the client that are about task files and templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.ids import new_request_id
from tui_manager.operator import conversion
from tui_manager.operator.conversion import convert_values
from tui_manager.operator.socket.client.socket_calls import SocketCalls

if TYPE_CHECKING:
    from tui_manager.domain.lists.list_window import Page, Window
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
        templates = map(conversion.convert_template.template_from_wire, reply.templates)
        return convert_values.page_from_wire(templates, reply.size)

    async def get_template(self, name: str, version: int = 0) -> TemplateDetail:
        reply = await self._call(
            self._stub.GetTemplate, lambda: wire.GetTemplateRequest(name=name, version=version)
        )
        return conversion.convert_template.detail_from_wire(reply)

    async def delete_template(self, name: str) -> None:
        await self._call(
            self._stub.DeleteTemplate,
            lambda: wire.DeleteTemplateRequest(name=name),
            unclear=f"The template {name} may have been deleted.",
        )

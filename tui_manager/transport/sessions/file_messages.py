"""Handles what agents say about files, in the order in which it comes."""

from collections.abc import Iterable

from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.hosts.file_transfer import FileRequest
from tui_manager.service.hosts.host_service import HostService
from tui_manager.service.transfers.transfer_orders import BrokenRuleError, NotUnderWayError
from tui_manager.service.transfers.transfers import Transfers
from tui_manager.transport.messages import convert_files
from tui_manager.transport.messages.message_guard import ViolationError
from tui_manager.transport.sessions.file_parts import REQUESTS_MAX
from tui_manager.transport.sessions.session import Session


class FileMessages:
    """Answers requests of copies, and gives what is fetched to the service."""

    def __init__(self, hosts: HostService, transfers: Transfers) -> None:
        self._hosts = hosts
        self._orders = transfers.orders
        self._progress = transfers.progress
        self._fetches = transfers.fetches

    async def handle(self, session: Session, message: pb.AgentMessage) -> None:
        """Handles a FileRequest, a FilePart or FilesFound that the guard has checked.

        Raises:
            ViolationError: it is against the rules.
        """
        if message.HasField("file_part"):
            if piece := session.guard.take_part(message.file_part):
                self._fetches.take(session, piece)
            return
        with self._hosts.busy_with(session.host_id, session.generation):
            try:
                if message.HasField("file_request"):
                    await self._answer(session, convert_files.to_request(message.file_request))
                else:
                    found = message.files_found
                    files = convert_files.to_file_set(found.files)
                    await self._fetches.found(session, found.execution_id, files)
            except BrokenRuleError as error:
                raise ViolationError(str(error)) from error

    async def record_progress(self, session: Session, report: pb.Report) -> None:
        """Keeps how far the transfers of a report are. Raises ViolationError."""
        said = map(convert_files.to_progress, report.transfers)
        try:
            await self._progress.record(session.host_id, session.generation, said)
        except BrokenRuleError as error:
            raise ViolationError(str(error)) from error

    def end(self, session: Session, execution_ids: Iterable[str]) -> None:
        """These executions have ended."""
        for execution_id in execution_ids:
            session.forget_files(execution_id)
            self._fetches.end(session, execution_id)

    def close_session(self, session: Session) -> None:
        """A session has ended."""
        self._fetches.close_session(session)

    async def _answer(self, session: Session, request: FileRequest) -> None:
        parts = session.file_parts
        if parts.unanswered >= REQUESTS_MAX:
            raise ViolationError(
                f"More than {REQUESTS_MAX} requests for files were not answered yet."
            )
        files = parts.allowed(request.execution_id)
        if files is None:
            try:
                files = await self._orders.begin_copy(session.host_id, request)
            except NotUnderWayError as error:
                parts.refuse(request, str(error))
                return
            parts.allow(request.execution_id, files)
        if request.end > files.sizes[request.part]:
            raise ViolationError(
                f"Bytes up to {request.end:,} of the {request.part} of files were asked for, which "
                f"has {files.sizes[request.part]:,}."
            )
        parts.ask(request)

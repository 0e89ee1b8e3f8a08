"""The servicer of the command port, on which agents hold their streams."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1 import agent_pb2_grpc as pb_grpc

from tui_manager.domain.errors import Refusal, RefusedError, StorageError
from tui_manager.service.core.clock import Clock
from tui_manager.service.enrollment.enrollment_service import EnrollmentService
from tui_manager.service.hosts.host_service import HostService
from tui_manager.service.reports.report_service import ReportService
from tui_manager.transport.messages import convert
from tui_manager.transport.messages.guard import ViolationError
from tui_manager.transport.ports.certificates import Certificates
from tui_manager.transport.sessions.batches import in_batches
from tui_manager.transport.sessions.reception import (
    RETRY_SOON,
    Context,
    Reception,
    TurnedBackError,
    read,
)
from tui_manager.transport.sessions.session import Session

log = logging.getLogger(__name__)

STOP_WITHIN = 2.0  # seconds for a stream to end by itself


@dataclass(frozen=True, slots=True)
class Security:
    """What a command port with TLS needs beyond the rest."""

    enrollment: EnrollmentService
    certificates: Certificates


@dataclass(frozen=True, slots=True)
class _End:
    """Why an agent is not listened to any more, and what it is told of that."""

    why: str
    last: pb.ManagerMessage | None = None


class CommandService(pb_grpc.CommandServiceServicer):
    """Moves the reports of agents to the services, and what waits for an agent back."""

    def __init__(
        self,
        reception: Reception,
        hosts: HostService,
        reports: ReportService,
        clock: Clock,
        security: Security | None,
    ) -> None:
        """`security`: None: there is no TLS."""
        self._reception = reception
        self._hosts = hosts
        self._reports = reports
        self._clock = clock
        self._security = security

    async def ConnectForCommands(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.AgentMessage], context: Context
    ) -> None:
        """One stream, from Hello to its end."""
        try:
            session = await self._reception.welcome(context)
        except TurnedBackError as error:
            with contextlib.suppress(TimeoutError):  # whoever does not listen need not be told
                async with asyncio.timeout(STOP_WITHIN):
                    await context.write(error.last)
            return
        if session is None:
            return
        why = "cancelled"
        try:
            why = await self._converse(session, context)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._reception.leave(session, why)))

    async def _converse(self, session: Session, context: Context) -> str:
        """Reads and writes until one of both ends; returns why it did. Once the manager ends the
        session nothing more is read, and an agent that does not listen is not waited for long."""
        reading = asyncio.create_task(self._listen(session, context))
        writing = asyncio.create_task(self._write(session, context))
        session.on_end = reading.cancel
        try:
            done, _ = await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
            if reading not in done:
                return _failure(writing) or "ended by the manager"
            failure = _failure(reading)
            end = _End(failure) if failure or reading.cancelled() else reading.result()
            session.end(end.last)
            await asyncio.wait({writing}, timeout=STOP_WITHIN)  # the Disconnect goes out
            return end.why or "ended by the manager"
        finally:
            for task in (reading, writing):
                task.cancel()
            await asyncio.wait({reading, writing})

    async def _write(self, session: Session, context: Context) -> None:
        while messages := await session.next_messages():
            for message in in_batches(messages):
                await context.write(message)

    async def _listen(self, session: Session, context: Context) -> _End:
        try:
            while message := await read(context):
                self._hosts.heard(session.host_id, session.generation)
                await self._take(session, message)
        except RefusedError as error:
            if isinstance(error, ViolationError):
                self._hosts.record_violation(session.host_id, str(error))
            broken = error.refusal is Refusal.PROTOCOL_ERROR
            if broken:
                self._reception.punish(session.host_id)
            retry_after = RETRY_SOON if broken else convert.RETRY_LATE
            return _End(f"{error.refusal}: {error}", convert.from_refusal(error, retry_after))
        return _End("ended by the agent")

    async def _take(self, session: Session, message: pb.AgentMessage) -> None:
        if session.guard.check(message) == "certificate_request":
            await self._renew(session, message.certificate_request.csr_der)
            return
        report = message.report
        if report.HasField("vitals"):
            vitals = convert.to_vitals(report.vitals, self._clock.now())
            if heartbeat := self._hosts.record_vitals(session.host_id, session.generation, vitals):
                session.beat_every(heartbeat)
        if not (report.started or report.output or report.results):
            return
        with self._hosts.busy_with(session.host_id, session.generation):
            said = convert.to_report(report)
            outcome = await self._reports.handle_report(session.host_id, said)
        session.acknowledge(outcome.acknowledged)
        self._hosts.add_unknown(session.host_id, session.generation, outcome.unknown)
        session.does_not_know(outcome.unknown)
        for what in outcome.violations():  # written down when they were found
            raise RefusedError(Refusal.PROTOCOL_ERROR, what)
        session.guard.check_unknown(len(outcome.unknown) + len(outcome.conflicts))

    async def _renew(self, session: Session, csr_der: bytes) -> None:
        assert self._security is not None  # the guard lets nobody ask who was not asked to
        assert session.renewal is not None
        session.renewal.answered()
        try:
            issued = await self._security.enrollment.renew_certificate(session.host_id, csr_der)
        except StorageError as error:  # the agent is asked again later
            told = {"host_id": session.host_id, "error": str(error)}
            log.error("certificate not renewed", extra=told)
            session.tell_settings()  # so that its next wish is a new one
            return
        session.renewal.served(issued)
        issue = self._security.certificates.issued(issued)
        session.control(pb.ManagerMessage(certificate_issued=issue))


def _failure(task: "asyncio.Task[_End] | asyncio.Task[None]") -> str:
    """Why a task has failed; empty when it has not."""
    error = None if task.cancelled() else task.exception()
    return f"{type(error).__name__}: {error}" if error else ""

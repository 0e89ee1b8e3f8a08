"""The command port: listens for agents, and looks after the sessions that live there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc.aio
from tui_manager_protos.v1.agent_pb2_grpc import add_CommandServiceServicer_to_server

from tui_manager.service.core.clock import Clock
from tui_manager.service.hosts.host_service import HostService
from tui_manager.service.limits import Limits
from tui_manager.transport.ports import listening
from tui_manager.transport.sessions.command_service import STOP_WITHIN, CommandService
from tui_manager.transport.sessions.reception import certificate_ended
from tui_manager.transport.sessions.sessions import Sessions

_RENEWALS_A_LOOK = 50  # certificates: a fleet that enrolled at once does not renew at once


@contextlib.asynccontextmanager
async def serve_agents(
    service: CommandService,
    hosts: HostService,
    sessions: Sessions,
    address: str,
    clock: Clock,
    limits: Limits,
    options: listening.Options,
    credentials: grpc.ServerCredentials | None,
) -> AsyncIterator[str]:
    """Listens for agents, and yields the address with the real port.

    Args:
        address: HOST:PORT; port 0 takes a free one.
        credentials: None: without TLS.

    Raises:
        InvalidInputError: the address cannot be listened on.
    """
    server = grpc.aio.server(options=options)
    add_CommandServiceServicer_to_server(service, server)
    real = listening.listen(server, address, credentials)
    await server.start()
    watching = asyncio.create_task(_watch(hosts, sessions, clock, limits))
    try:
        yield real
    finally:
        watching.cancel()
        await sessions.end_all(STOP_WITHIN)
        await server.stop(STOP_WITHIN)
        await asyncio.wait([watching])


async def _watch(hosts: HostService, sessions: Sessions, clock: Clock, limits: Limits) -> None:
    heartbeat = limits.heartbeat.total_seconds()
    while True:
        began = clock.monotonic()
        await asyncio.sleep(heartbeat / 2)
        _look_at_certificates(sessions, clock)
        if clock.monotonic() - began > heartbeat:
            continue  # this manager stood still, and hears only now what has come meanwhile
        for host_id, generation in hosts.silent_sessions():
            sessions.end(host_id, generation)


def _look_at_certificates(sessions: Sessions, clock: Clock) -> None:
    """Ends sessions whose certificates have ended, and asks for requests where it is time."""
    now, monotonic, asked = clock.now(), clock.monotonic(), 0
    for session in list(sessions):
        renewal = session.renewal
        if renewal is None or renewal.rests(now):
            continue
        if renewal.ended(now):
            session.end(certificate_ended(renewal.certificate))
        elif asked < _RENEWALS_A_LOOK and renewal.ask_if_due(now, monotonic):
            session.tell_settings()
            asked += 1

"""The enrolment port: one call, in which a host with a join token gets its certificate. How often
hosts may enrol is in `messages/enrollment_rates.py`."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import NoReturn

import grpc
import grpc.aio
from tui_manager_protos.v1 import enrollment_pb2 as pb
from tui_manager_protos.v1 import enrollment_pb2_grpc as pb_grpc

from tui_manager.domain.errors import InvalidInputError, Refusal, RefusedError, StorageError
from tui_manager.security.certificates.certificate_requests import read_request
from tui_manager.service.enrollment.enrollment_service import EnrollmentRequest, EnrollmentService
from tui_manager.transport.messages import convert_messages, field_limits, message_guard
from tui_manager.transport.messages.enrollment_rates import EnrollmentRates
from tui_manager.transport.ports import port_limits
from tui_manager.transport.ports.certificates import Certificates

log = logging.getLogger(__name__)
Context = grpc.aio.ServicerContext[pb.EnrollRequest, pb.EnrollResponse]

MESSAGE_MAX = 64 * 1024  # bytes; a request with all its labels has 15 KiB
_STOP_TIMEOUT = 1.0  # seconds for calls to end by themselves

_CODE = {
    Refusal.BAD_TOKEN: grpc.StatusCode.UNAUTHENTICATED,
    Refusal.REJECTED: grpc.StatusCode.PERMISSION_DENIED,
    Refusal.REVOKED: grpc.StatusCode.PERMISSION_DENIED,
    Refusal.DUPLICATE_IDENTITY: grpc.StatusCode.ABORTED,
    Refusal.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Refusal.PROTOCOL_VERSION: grpc.StatusCode.FAILED_PRECONDITION,
}


class EnrollmentServicer(pb_grpc.EnrollmentServiceServicer):
    """Converts the request, calls the service, converts the answer. Refuses too many calls."""

    def __init__(
        self,
        manager_id: str,
        enrollment: EnrollmentService,
        certificates: Certificates,
        monotonic: Callable[[], float],
    ) -> None:
        """`monotonic` returns seconds."""
        self._manager_id = manager_id
        self._enrollment = enrollment
        self._certificates = certificates
        self._rates = EnrollmentRates(monotonic)

    async def Enroll(self, request: pb.EnrollRequest, context: Context) -> pb.EnrollResponse:
        """See enrollment.proto."""
        address = port_limits.address_of(context)
        if not self._rates.count_call(address):
            await _abort(
                context,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "Too many hosts enrol at once; try again in a minute.",
            )
        try:
            message_guard.check_enrollment(request)
            asked = _to_request(request, address)
            self._rates.check_key(asked.key.key_hash)
            enrolled = await self._enrollment.enroll(asked)
            self._rates.count_certificate(asked.key.key_hash)
        except RefusedError as error:
            if error.refusal is Refusal.BAD_TOKEN:
                self._rates.count_wrong_secret(address)
            code = _CODE.get(error.refusal, grpc.StatusCode.INVALID_ARGUMENT)
            await _abort(context, code, str(error))
        except InvalidInputError as error:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except StorageError as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, str(error))
        return pb.EnrollResponse(
            manager_id=self._manager_id,
            host_id=enrolled.host_id,
            name=enrolled.name,
            admission=convert_messages.ADMISSION[enrolled.admission],
            certificate=self._certificates.issued(enrolled.certificate),
        )


def _to_request(request: pb.EnrollRequest, address: str) -> EnrollmentRequest:
    return EnrollmentRequest(
        secret=request.secret,
        name=request.name or request.hostname,
        machine_id=request.machine_id,
        hostname=field_limits.cut(request.hostname),
        os=field_limits.cut(request.os),
        arch=field_limits.cut(request.arch),
        labels=dict(request.labels),
        agent_version=field_limits.cut(request.agent_version),
        address=address,
        key=read_request(request.csr_der),
    )


async def _abort(context: Context, code: grpc.StatusCode, why: str) -> NoReturn:
    await context.abort(code, why)
    raise AssertionError("abort does not return")


@contextlib.asynccontextmanager
async def serve_enrollment(
    servicer: pb_grpc.EnrollmentServiceServicer,
    address: str,
    options: port_limits.Options,
    credentials: grpc.ServerCredentials,
    timeouts: port_limits.Timeouts,
) -> AsyncIterator[str]:
    """Listens for hosts that enrol, and yields the address with the real port.

    Raises:
        InvalidInputError: the address cannot be listened on.
    """
    # Not even an open call holds a connection for longer.
    age = ("grpc.max_connection_age_ms", round(timeouts.enrollment * 1000))
    grace = ("grpc.max_connection_age_grace_ms", round(timeouts.enrollment * 100))
    server = grpc.aio.server(options=[*options, age, grace])
    pb_grpc.add_EnrollmentServiceServicer_to_server(servicer, server)
    real = port_limits.listen(server, address, credentials, "enroll-listen")
    await server.start()
    try:
        yield real
    finally:
        await server.stop(_STOP_TIMEOUT)

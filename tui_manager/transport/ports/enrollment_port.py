"""The enrolment port: one call, in which a host with a join token gets its certificate."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address, ip_network
from typing import NoReturn

import grpc
import grpc.aio
from tui_manager_protos.v1 import enrollment_pb2 as pb
from tui_manager_protos.v1 import enrollment_pb2_grpc as pb_grpc

from tui_manager.domain.errors import InvalidInputError, Refusal, RefusedError, StorageError
from tui_manager.security.certificate_requests import read_request
from tui_manager.service.enrollment.enrollment_service import EnrollmentRequest, EnrollmentService
from tui_manager.transport.messages import convert, field_limits, message_guard
from tui_manager.transport.messages.token_bucket import Rate, TokenBucket, TokenBuckets
from tui_manager.transport.ports import port_limits
from tui_manager.transport.ports.certificates import Certificates

log = logging.getLogger(__name__)
Context = grpc.aio.ServicerContext[pb.EnrollRequest, pb.EnrollResponse]

MESSAGE_MAX = 64 * 1024  # bytes; a request with all its labels has 15 KiB
# A fleet may enrol from one address with one token. A wrong secret costs as much as ten right ones.
# Nobody can guess 192 bits; these rates protect the manager from load.
_RATE_OF_AN_ADDRESS = Rate(per_second=10, burst=200)
_RATE_OF_ALL = Rate(per_second=50, burst=500)
_WRONG_SECRET_COST = 10
# Certificates of one host. Each is written into the audit.
_RATE_OF_A_KEY = Rate(per_second=1 / 60, burst=10)
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
    """Converts the request, calls the service, converts the answer. Limits the rate of calls."""

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
        self._all = TokenBucket(_RATE_OF_ALL, monotonic)
        self._addresses = TokenBuckets(_RATE_OF_AN_ADDRESS, monotonic)
        self._keys = TokenBuckets(_RATE_OF_A_KEY, monotonic)

    async def Enroll(self, request: pb.EnrollRequest, context: Context) -> pb.EnrollResponse:
        """See enrollment.proto."""
        address = port_limits.address_of(context)
        bucket = self._addresses.of(_network(address))
        if not (bucket.take() and self._all.take()):
            await _abort(
                context,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "Too many hosts enrol at once; try again in a minute.",
            )
        try:
            message_guard.check_enrollment(request)
            asked = _to_request(request, address)
            key = self._keys.of(asked.key.key_hash.hex())
            _check_rate(key)
            enrolled = await self._enrollment.enroll(asked)
            key.drain(1)
        except RefusedError as error:
            if error.refusal is Refusal.BAD_TOKEN:
                bucket.drain(_WRONG_SECRET_COST)
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
            admission=convert.ADMISSION[enrolled.admission],
            certificate=self._certificates.issued(enrolled.certificate),
        )


def _check_rate(key: TokenBucket) -> None:
    if wait := key.wait():
        raise RefusedError(
            Refusal.OVERLOADED, f"This host enrols too often; try again in {wait:.0f} s."
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


def _network(address: str) -> str:
    """The network for which an `ip:port` is counted: the address, or for IPv6 its /64."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        ip = ip_address(host)
    except ValueError:
        return host
    return str(ip_network((ip, 64), strict=False)) if ip.version == 6 else host


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

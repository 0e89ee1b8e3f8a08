"""An enrolment port that keeps the wire's rules and remembers everything, as a real grpc server."""

import asyncio
import socket
import uuid
from collections.abc import Callable
from datetime import timedelta

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from grpc import aio
from tui_manager_protos.v1 import agent_pb2, enrollment_pb2
from tui_manager_protos.v1.enrollment_pb2_grpc import (
    EnrollmentServiceServicer,
    add_EnrollmentServiceServicer_to_server,
)

from tests.agent.authority import MONTH, Authority, EnrollmentKey, der, key_hash
from tests.agent.fake_manager import FakeManager
from tests.support.waiting import GIVE_UP

SECRET = "s" * 32
SERVER_NAME = "m.tui-manager.internal"


class FakeEnrollment(EnrollmentServiceServicer):
    """Enrols every host that has one of the secrets, at one manager.

    Attributes:
        secrets: of the tokens that are good.
        requests: all that came, in order.
        hosts: host ids by the hash of their key.
        refuses: status and sentence that each call gets instead, until it is None again.
        loses_answer: the next host is registered, and then never hears of it.
        lasts: how long the certificates are good.
        ahead: how far its clock is.
        gate: set, or calls wait here once the request is noted.
    """

    def __init__(self, manager: FakeManager, authority: Authority) -> None:
        self._manager = manager
        self._authority = authority
        self.key = EnrollmentKey()
        self.port = 0
        self.secrets = {SECRET}
        self.requests: list[enrollment_pb2.EnrollRequest] = []
        self.hosts: dict[bytes, str] = {}
        self.refuses: tuple[grpc.StatusCode, str] | None = None
        self.loses_answer = False
        self.lasts = MONTH
        self.ahead = timedelta(0)
        self.admission = agent_pb2.ADMISSION_PENDING
        self.server_name = SERVER_NAME
        self.gate = asyncio.Event()
        self.gate.set()
        self._changed = asyncio.Condition()

    async def start(self) -> None:
        self._server = aio.server()
        add_EnrollmentServiceServicer_to_server(self, self._server)
        address = f"127.0.0.1:{self.port}"
        self.port = self._server.add_secure_port(address, self.key.server_credentials)
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    @property
    def token(self) -> str:
        return self.token_of(SECRET)

    def token_of(self, secret: str) -> str:
        return f"tm1.{self.key.pin}.{secret}.{self.port}"

    def another_token(self) -> str:
        """A new one, which is good as well."""
        secret = f"{len(self.secrets):0>32}"
        self.secrets.add(secret)
        return self.token_of(secret)

    async def wait_for(self, condition: Callable[[], object]) -> None:
        """Until what comes in makes the condition true."""
        async with asyncio.timeout(GIVE_UP), self._changed:
            await self._changed.wait_for(condition)

    async def Enroll(  # noqa: N802
        self,
        request: enrollment_pb2.EnrollRequest,
        context: aio.ServicerContext,  # type: ignore[type-arg]
    ) -> enrollment_pb2.EnrollResponse:
        async with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        await self.gate.wait()
        if self.refuses is not None:
            await context.abort(*self.refuses)
        if request.secret not in self.secrets:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "this token is not known")
        key = x509.load_der_x509_csr(request.csr_der).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        host_id = self.hosts.setdefault(key_hash(key), str(uuid.uuid4()))
        self._manager.host_id = host_id
        if self.loses_answer:
            self.loses_answer = False
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the answer is lost")
        return enrollment_pb2.EnrollResponse(
            manager_id=self._manager.manager_id,
            host_id=host_id,
            name=request.name,
            admission=self.admission,
            certificate=agent_pb2.CertificateIssued(
                certificates_der=[der(self._authority.host(key, host_id, self.lasts, self.ahead))],
                authorities_der=[der(self._authority.certificate)],
                server_name=self.server_name,
            ),
        )


def unused_port() -> socket.socket:
    """A port where nobody listens, kept from others but for a gRPC server."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    kept.bind(("127.0.0.1", 0))
    return kept

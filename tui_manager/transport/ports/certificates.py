"""What the ports show of the manager, kept fresh while they listen, and how it is told to hosts."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import StorageError
from tui_manager.security.authority import IssuedCertificate
from tui_manager.security.enrollment_identity import EnrollmentIdentity
from tui_manager.security.server_identity import ServerIdentity

log = logging.getLogger(__name__)
LOOK_EVERY = 60.0  # seconds between two looks at what is due, or was changed by hand


@dataclass(frozen=True, slots=True)
class Certificates:
    """The identities of both ports."""

    server: ServerIdentity
    enrollment: EnrollmentIdentity

    def issued(self, certificate: IssuedCertificate) -> pb.CertificateIssued:
        """What a host is sent: its own certificate, and how it knows the manager again."""
        return pb.CertificateIssued(
            certificates_der=certificate.chain_der,
            authorities_der=self.server.authorities_der,
            server_name=self.server.server_name,
        )


class Shown:
    """The credentials of both ports, kept fresh while they listen.

    Attributes:
        commands: of the command port, which demands a certificate of who dials.
        enrollment: of the enrolment port, which demands none.
    """

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self.commands = PortCredentials(
            lambda: _of_commands(certificates.server), demand_certificate=True
        )
        self.enrollment = enrollment_credentials(certificates.enrollment)

    async def keep_fresh(self, every: float = LOOK_EVERY) -> None:
        """Renews certificates when they are due, for ever; `every` is in seconds."""
        while True:
            await asyncio.sleep(every)
            self.look()

    def look(self) -> None:
        """Renews what is due now; the next handshake shows it."""
        try:
            if self._certificates.enrollment.renew_if_due():
                self.enrollment.replace()
            if self._certificates.server.renew_if_due():
                self.commands.replace()
        except StorageError as error:  # what is in use lasts for a while yet
            log.error("certificates could not be renewed", extra={"error": str(error)})


class PortCredentials:
    """What one port shows. gRPC asks for news with every handshake, on threads of its own;
    certificates are only ever replaced on the manager's loop."""

    def __init__(
        self,
        configure: Callable[[], grpc.ServerCertificateConfiguration],
        *,
        demand_certificate: bool,
    ) -> None:
        self._configure = configure
        self._news: deque[grpc.ServerCertificateConfiguration] = deque(maxlen=1)
        self.credentials = grpc.dynamic_ssl_server_credentials(
            configure(),
            self._take_news,  # type: ignore[arg-type]  # None: nothing new
            require_client_authentication=demand_certificate,
        )

    def replace(self) -> None:
        """The next handshake shows what there is now."""
        self._news.append(self._configure())

    def _take_news(self) -> grpc.ServerCertificateConfiguration | None:
        try:
            return self._news.pop()
        except IndexError:
            return None


def enrollment_credentials(identity: EnrollmentIdentity) -> PortCredentials:
    """Of the enrolment port: whoever has a token knows its key, and needs no certificate."""

    def configure() -> grpc.ServerCertificateConfiguration:
        pair = (identity.key_pem, identity.certificate_pem)
        return grpc.ssl_server_certificate_configuration([pair])

    return PortCredentials(configure, demand_certificate=False)


def _of_commands(server: ServerIdentity) -> grpc.ServerCertificateConfiguration:
    pair = (server.key_pem, server.chain_pem)
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=server.roots_pem)

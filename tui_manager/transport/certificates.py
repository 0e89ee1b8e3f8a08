"""What the ports show of the manager, kept fresh while they listen, and how it is told to hosts."""

import asyncio
import logging
from collections import deque
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
    """The credentials of the command port. gRPC asks for news with every handshake, on threads of
    its own; certificates are only ever replaced on the manager's loop."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._news: deque[grpc.ServerCertificateConfiguration] = deque(maxlen=1)
        self.credentials = grpc.dynamic_ssl_server_credentials(
            self._configuration(),
            self._take_news,  # type: ignore[arg-type]  # None: nothing new
            require_client_authentication=True,
        )

    async def keep_fresh(self, every: float = LOOK_EVERY) -> None:
        """Renews certificates when they are due, for ever; `every` is in seconds."""
        while True:
            await asyncio.sleep(every)
            self.look()

    def look(self) -> None:
        """Renews what is due now; the next handshake shows it."""
        try:
            self._certificates.enrollment.renew_if_due()
            if self._certificates.server.renew_if_due():
                self._news.append(self._configuration())
        except StorageError as error:  # what is in use lasts for a while yet
            log.error("certificates could not be renewed", extra={"error": str(error)})

    def _take_news(self) -> grpc.ServerCertificateConfiguration | None:
        try:
            return self._news.pop()
        except IndexError:
            return None

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        server = self._certificates.server
        return grpc.ssl_server_certificate_configuration(
            [(server.key_pem, server.chain_pem)], root_certificates=server.roots_pem
        )


def enrollment_credentials(identity: EnrollmentIdentity) -> grpc.ServerCredentials:
    """Of the enrolment port: whoever has a token knows its key, and needs no certificate."""
    return grpc.ssl_server_credentials([(identity.key_pem, identity.certificate_pem)])

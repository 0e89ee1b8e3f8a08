"""The certificates of both ports: renewed while the ports listen, and described to hosts."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

import grpc
from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import StorageError
from tui_manager.security.certificates.authority import IssuedCertificate
from tui_manager.security.certificates.enrollment_identity import EnrollmentIdentity
from tui_manager.security.certificates.server_identity import ServerIdentity

log = logging.getLogger(__name__)
CHECK_INTERVAL = 60.0  # seconds between two checks for certificates that are due or were replaced


@dataclass(frozen=True, slots=True)
class Certificates:
    """The identities of both ports."""

    server: ServerIdentity
    enrollment: EnrollmentIdentity

    def issued(self, certificate: IssuedCertificate) -> pb.CertificateIssued:
        """A host's certificate, and what the host needs to verify the manager."""
        return pb.CertificateIssued(
            certificates_der=certificate.chain_der,
            authorities_der=self.server.authorities_der,
            server_name=self.server.server_name,
        )


class AllPortCredentials:
    """The credentials of both ports, renewed while the ports listen.

    Attributes:
        commands: of the command port, which requires a client certificate.
        enrollment: of the enrolment port, which does not.
    """

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self.commands = PortCredentials(
            lambda: _command_port_configuration(certificates.server), demand_certificate=True
        )
        self.enrollment = enrollment_credentials(certificates.enrollment)

    async def renew_forever(self, every: float = CHECK_INTERVAL) -> None:
        """Checks every `every` seconds whether a certificate is due, without end."""
        while True:
            await asyncio.sleep(every)
            self.renew_if_due()

    def renew_if_due(self) -> None:
        """Renews the certificates that are due. The next TLS handshake uses them."""
        try:
            if self._certificates.enrollment.renew_if_due():
                self.enrollment.replace()
            if self._certificates.server.renew_if_due():
                self.commands.replace()
        except StorageError as error:  # the certificate in use is still valid for a while
            log.error("certificates could not be renewed", extra={"error": str(error)})


class PortCredentials:
    """The credentials of one port. gRPC asks for a replacement at every handshake, in its own
    threads. Certificates are replaced on the manager's loop only."""

    def __init__(
        self,
        configure: Callable[[], grpc.ServerCertificateConfiguration],
        *,
        demand_certificate: bool,
    ) -> None:
        self._configure = configure
        self._replacement: deque[grpc.ServerCertificateConfiguration] = deque(maxlen=1)
        self.credentials = grpc.dynamic_ssl_server_credentials(
            configure(),
            self._take_replacement,  # type: ignore[arg-type]  # None: no replacement
            require_client_authentication=demand_certificate,
        )

    def replace(self) -> None:
        """Makes the next handshake use the current certificate."""
        self._replacement.append(self._configure())

    def _take_replacement(self) -> grpc.ServerCertificateConfiguration | None:
        try:
            return self._replacement.pop()
        except IndexError:
            return None


def enrollment_credentials(identity: EnrollmentIdentity) -> PortCredentials:
    """Of the enrolment port. A client with a token knows the key of the port and needs no
    certificate."""

    def configure() -> grpc.ServerCertificateConfiguration:
        pair = (identity.key_pem, identity.certificate_pem)
        return grpc.ssl_server_certificate_configuration([pair])

    return PortCredentials(configure, demand_certificate=False)


def _command_port_configuration(server: ServerIdentity) -> grpc.ServerCertificateConfiguration:
    pair = (server.key_pem, server.chain_pem)
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=server.roots_pem)

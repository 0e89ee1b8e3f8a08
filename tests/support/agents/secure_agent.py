"""A host of a manager with TLS, by hand: its key, its enrolment, its streams."""

import contextlib
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tui_manager_protos.v1 import agent_pb2 as wire
from tui_manager_protos.v1 import enrollment_pb2 as pb
from tui_manager_protos.v1.agent_pb2_grpc import CommandServiceStub
from tui_manager_protos.v1.enrollment_pb2_grpc import EnrollmentServiceStub

from tests.support.agents.agent_stream import AgentStream
from tui_manager.run_manager import RunningManager
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.certificate_requests import read_request
from tui_manager.security.certificates.enrollment_identity import ENROLLMENT_NAME
from tui_manager.security.keys import key_pem


@dataclass(frozen=True)
class SecureHost:
    """What a host holds once it has enrolled.

    Attributes:
        chain: its certificates, PEM; empty: it shows none.
    """

    host_id: str
    name: str
    admission: "wire.Admission.ValueType"
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    chain: bytes
    roots: bytes
    server_name: str

    def request(self) -> bytes:
        """A certificate request of its key."""
        return certificate_request(self.key)

    def showing(self, chain: bytes) -> "SecureHost":
        """The same host with another certificate."""
        return replace(self, chain=chain)

    def with_key(self, key: ec.EllipticCurvePrivateKey) -> "SecureHost":
        """The same host with a key that it has not enrolled with."""
        return replace(self, key=key)

    def looking_for(self, server_name: str) -> "SecureHost":
        """The same host, which wants the manager's certificate to carry this name."""
        return replace(self, server_name=server_name)

    def took(self, issued: wire.CertificateIssued) -> "SecureHost":
        """The same host with the certificate that it was sent."""
        return replace(
            self,
            chain=_pem(issued.certificates_der),
            roots=_pem(issued.authorities_der),
            server_name=issued.server_name,
        )

    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel to the command port."""
        if not self.chain:
            return grpc.ssl_channel_credentials(self.roots)
        return grpc.ssl_channel_credentials(self.roots, key_pem(self.key), self.chain)

    @contextlib.asynccontextmanager
    async def dial(self, address: str) -> AsyncIterator[AgentStream]:
        """One stream to the command port at `address`."""
        async with self.channel(address) as channel:
            call = self.stream_on(channel)
            try:
                yield AgentStream(call)
            finally:
                call.cancel()

    def stream_on(self, channel: grpc.aio.Channel, **given: Any) -> Any:
        """Opens a stream on a connection."""
        return CommandServiceStub(channel).ConnectForCommands(**given)

    def context(self) -> ssl.SSLContext:
        """For a connection that is not gRPC's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        with tempfile.NamedTemporaryFile() as file:
            file.write(key_pem(self.key) + self.chain)
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def channel(self, address: str) -> grpc.aio.Channel:
        """A connection of its own."""
        options: list[tuple[str, Any]] = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.ssl_target_name_override", self.server_name),
        ]
        return grpc.aio.secure_channel(address, self.credentials(), options=options)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key as hosts have it."""
    return ec.generate_private_key(ec.SECP256R1())


def certificate_request(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #10, DER."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def signed_by(authority: Authority, host: SecureHost) -> SecureHost:
    """The same host with a certificate that somebody else has issued for it."""
    issued = authority.issue_host(read_request(host.request()), host.host_id)
    return host.showing(_pem(issued.chain_der))


async def enroll(
    manager: RunningManager,
    token: str,
    name: str,
    key: ec.EllipticCurvePrivateKey | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    **given: Any,
) -> SecureHost:
    """Enrols a host with a join token. Raises AioRpcError when it is refused."""
    key = key or new_key()
    values: dict[str, Any] = {
        "protocol_version": 1,
        "secret": token.split(".")[2],
        "csr_der": certificate_request(key),
        "name": name,
        "machine_id": f"machine-{name}",
        "hostname": name,
        "os": "Linux",
        "arch": "x86_64",
        "labels": labels or {},
    }
    async with enrollment_channel(manager) as channel:
        answer = await EnrollmentServiceStub(channel).Enroll(
            pb.EnrollRequest(**{**values, **given})
        )
    host = SecureHost(answer.host_id, answer.name, answer.admission, key, b"", b"", "")
    return host.took(answer.certificate)


def enrollment_channel(manager: RunningManager) -> grpc.aio.Channel:
    """To whoever answers on the enrolment port: these tests are about what it says."""
    place, _, port = manager.enroll_address.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((place, int(port))) as plain,
        context.wrap_socket(plain) as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
    assert shown
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.ssl_target_name_override", ENROLLMENT_NAME),
    ]
    credentials = grpc.ssl_channel_credentials(ssl.DER_cert_to_PEM_cert(shown).encode())
    return grpc.aio.secure_channel(manager.enroll_address, credentials, options=options)


def _pem(certificates: Any) -> bytes:
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode()

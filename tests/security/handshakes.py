"""A real gRPC server with what `tui_manager.security` issues, and clients that try to connect."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio
from cryptography import x509

from tui_manager.security.certificates.authority import IssuedCertificate
from tui_manager.security.certificates.certificates import to_pem
from tui_manager.security.certificates.client_certificate import PeerCertificate, read_peer
from tui_manager.security.certificates.server_identity import ServerIdentity
from tui_manager.security.keys import PrivateKey, key_pem

Context = grpc.aio.ServicerContext[bytes, bytes]
_METHOD = "/test.Echo/Echo"


@dataclass(slots=True)
class EchoServer:
    """A server that records the certificates of its clients."""

    address: str = ""
    port: int = 0
    seen: list[PeerCertificate] = field(default_factory=list)

    async def echo(self, request: bytes, context: Context) -> bytes:
        for found in context.auth_context().get("x509_pem_cert", ()):
            self.seen.append(read_peer(found))
        return request


@asynccontextmanager
async def listening_port(credentials: grpc.ServerCredentials) -> AsyncIterator[EchoServer]:
    """Listens with these credentials."""
    echo_server, server = EchoServer(), grpc.aio.server()
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
        echo_server.echo
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Echo", {"Echo": handler}),)
    )
    echo_server.port = server.add_secure_port("127.0.0.1:0", credentials)
    echo_server.address = f"127.0.0.1:{echo_server.port}"
    await server.start()
    try:
        yield echo_server
    finally:
        await server.stop(None)


def command_port(identity: ServerIdentity) -> grpc.ServerCredentials:
    """As the command port will have them: read anew at each handshake."""

    def configuration() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(identity.key_pem, identity.chain_pem)], identity.roots_pem
        )

    return grpc.dynamic_ssl_server_credentials(
        configuration(), configuration, require_client_authentication=True
    )


def pem(issued: IssuedCertificate) -> bytes:
    return to_pem(*map(x509.load_der_x509_certificate, issued.chain_der))


def client(
    roots: bytes, key: PrivateKey | None = None, certificate: bytes | None = None
) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(roots, key_pem(key) if key else None, certificate)


async def connects(address: str, credentials: grpc.ChannelCredentials, name: str = "") -> bool:
    """Whether a client gets in; `name` is what it looks for in the server's certificate."""
    options = [("grpc.ssl_target_name_override", name)] if name else []
    async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_METHOD)
        try:
            return bool(await call(b"who is there", timeout=20) == b"who is there")
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return False
            raise

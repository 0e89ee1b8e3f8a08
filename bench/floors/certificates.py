"""Certificates for a bare echo: an authority of its own, one server, one client for all streams."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric import ec

from bench.swarm.enrolled_hosts import pem
from tui_manager.security.certificates.authority import Authority, IssuedCertificate
from tui_manager.security.certificates.certificate_requests import HostKey
from tui_manager.security.key_store import FolderKeys
from tui_manager.security.keys import PrivateKey, key_hash, key_pem

_ADDRESS = "127.0.0.1"
_ROOT, _SERVER, _CLIENT = "root.pem", "server", "client"


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its certificate, PEM."""

    key: bytes
    chain: bytes


def issue(folder: Path) -> None:
    """Writes what server and clients need into a folder."""
    authority = Authority(FolderKeys(folder / "authority"), "floor", lambda: datetime.now(UTC))
    (folder / _ROOT).write_bytes(authority.roots_pem)
    server, client = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    _write(folder, _SERVER, server, authority.issue_server(server.public_key(), [_ADDRESS]))
    host = HostKey(client.public_key(), key_hash(client.public_key()), "")
    _write(folder, _CLIENT, client, authority.issue_host(host, str(uuid.uuid4())))


def _write(folder: Path, name: str, key: PrivateKey, issued: IssuedCertificate) -> None:
    (folder / f"{name}.key").write_bytes(key_pem(key))
    (folder / f"{name}.pem").write_bytes(pem(issued))


def _read(folder: Path, name: str) -> Pair:
    return Pair((folder / f"{name}.key").read_bytes(), (folder / f"{name}.pem").read_bytes())


def server_credentials(folder: Path) -> grpc.ServerCredentials:
    """The server's, which demands a certificate of its clients."""
    mine, root = _read(folder, _SERVER), (folder / _ROOT).read_bytes()
    return grpc.ssl_server_credentials(
        [(mine.key, mine.chain)], root_certificates=root, require_client_auth=True
    )


def client_credentials(folder: Path) -> grpc.ChannelCredentials:
    """A client's."""
    mine, root = _read(folder, _CLIENT), (folder / _ROOT).read_bytes()
    return grpc.ssl_channel_credentials(root, mine.key, mine.chain)

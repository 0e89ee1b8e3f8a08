"""What holds for every port of the manager: how patient it is, how many it lets in, how it listens.

What an attacker without a certificate can reach is gRPC's own code alone, so that these options are
the defence there; tests/transport/test_ports.py shows each of them at work.
"""

import resource
from dataclasses import dataclass, replace
from typing import Any

import grpc
import grpc.aio

from tui_manager.domain.address import split_address
from tui_manager.domain.errors import InvalidInputError

Options = list[tuple[str, Any]]

_FILES_WANTED = 65_536  # open files, where the system lets a program raise its limit
_FILES_KEPT = 512  # for the database, logs, the operator's socket, whatever else
_ENROLLING_MAX = 256  # connections
_ENROLLING_WITHIN = 10.0  # seconds for a handshake, and for a connection without a call
_AHEAD = 256 * 1024  # bytes of one stream that have come and are not read yet
_METADATA_SOFT, _METADATA_HARD = 4096, 8192  # bytes of a call's headers; an agent's have about 200


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a port waits for the other side.

    Attributes:
        handshake: for TLS and the first words of HTTP/2, together. When ten thousand agents come
            back at once this takes most of them more than ten seconds, and who is cut off begins
            again; agents wait as long as this (agent/tui_manager_agent/link/link.py).
        hello: for Hello, once there is a stream; it may lie there while the manager hears others.
        idle: for a connection without a stream.
        enrollment: for the whole of an enrolment.
        ping: from one ping to the next, to which nothing else was said; three that come too soon
            end a connection. Agents ping after 30 s (agent/tui_manager_agent/link/link.py).
    """

    handshake: float = 30.0
    hello: float = 30.0
    idle: float = 30.0
    enrollment: float = 20.0
    ping: float = 10.0

    def where_hosts_enrol(self) -> "Patience":
        """There no crowd comes back, and whoever holds one of its few places keeps others out."""
        return replace(
            self,
            handshake=min(self.handshake, _ENROLLING_WITHIN),
            idle=min(self.idle, _ENROLLING_WITHIN),
        )


@dataclass(frozen=True, slots=True)
class Room:
    """Connections that the ports take at once; the files of the process are shared among them."""

    commands: int
    enrollment: int


def make_room() -> Room:
    """Raises the limit of open files as far as is useful and allowed, and shares it out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = _FILES_WANTED if soft == resource.RLIM_INFINITY else soft
    enrolling = min(_ENROLLING_MAX, files // 8)
    return Room(files - enrolling - min(_FILES_KEPT, files // 8), enrolling)


def options(patience: Patience, connections: int, message: int) -> Options:
    """What both ports want of gRPC.

    Args:
        connections: that are let in; more are closed as they come.
        message: bytes of the largest.
    """
    return [
        ("grpc.so_reuseport", 0),  # a port in use is an error, not shared
        ("grpc.server_handshake_timeout_ms", _milliseconds(patience.handshake)),
        ("grpc.max_connection_idle_ms", _milliseconds(patience.idle)),
        ("grpc.max_allowed_incoming_connections", connections),
        ("grpc.max_concurrent_streams", 2),  # of a connection; an agent has one
        # A fleet that comes back waits here for its turn. Of more than 1,000 that wait gRPC would
        # drop streams at random, and agents dial again; connections are bounded above.
        ("grpc.server.max_pending_requests", connections),
        ("grpc.server.max_pending_requests_hard_limit", connections),
        ("grpc.max_metadata_size", _METADATA_SOFT),
        ("grpc.absolute_max_metadata_size", _METADATA_HARD),
        ("grpc.max_receive_message_length", message),
        ("grpc.max_send_message_length", message),
        # gRPC would measure how much is under way with pings of its own, in both directions; what
        # an agent may send ahead of the manager is this instead.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _AHEAD),
        # Nobody here compresses, and what is not unpacked cannot swell.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(patience.ping)),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]


def listen(
    server: grpc.aio.Server,
    address: str,
    credentials: grpc.ServerCredentials | None,
    option: str = "listen",
) -> str:
    """Binds a server that has not been started, and returns the address with the real port.

    Args:
        address: HOST:PORT; port 0 takes a free one.
        credentials: None: no TLS.
        option: of the command line, which names the address.

    Raises:
        InvalidInputError: the address cannot be listened on.
    """
    split_address(address)
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise InvalidInputError(
            option.replace("-", "_"),
            f"Cannot listen on {address}: the port is in use, or the address is not this "
            f"machine's. Name another with --{option}.",
        ) from error
    return f"{address.rpartition(':')[0]}:{port}"


def address_of(context: "grpc.aio.ServicerContext[Any, Any]") -> str:
    """`ip:port` of gRPC's peer, which it spells `ipv4:1.2.3.4:5` or `ipv6:%5B::1%5D:5`."""
    return context.peer().partition(":")[2].replace("%5B", "[").replace("%5D", "]")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)

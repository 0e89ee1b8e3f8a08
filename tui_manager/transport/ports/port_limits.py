"""What both ports have in common: timeouts, limits of connections, gRPC's options, listening.

An attacker without a certificate reaches gRPC's own code only, so these options are the defence.
tests/transport/test_ports.py tests each of them.
"""

import resource
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.manager.address import split_address

Options = list[tuple[str, Any]]

_FILES_WANTED = 65_536  # open files, if the system lets a program raise its limit
_FILES_RESERVED = 512  # for the database, logs, the operator's socket and so on
_ENROLLMENT_CONNECTIONS = 256  # connections
_ENROLLMENT_TIMEOUT = 10.0  # seconds for a handshake, and for a connection without a call
_UNREAD_LIMIT = 1024 * 1024  # received bytes of one stream that are not yet read: 7 MB/s at 150 ms
_METADATA_SOFT, _METADATA_HARD = 4096, 8192  # bytes of a call's headers; an agent's have about 200


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a port waits for the client, in seconds.

    Attributes:
        handshake: for TLS and the first frames of HTTP/2 together. If ten thousand agents come back
            at once, most need more than ten seconds, and an agent that is disconnected must begin
            again. Agents wait as long (agent/tui_manager_agent/link/link.py).
        hello: for the first message of a stream; the manager may be busy with other streams.
        idle: for a connection without a stream.
        enrollment: for a whole enrolment.
        silence: of the client, after which it is pinged.
        answer: for the answer to that. Then its machine is gone, or its process stands still.
        ping: least time between two pings without other messages; the third ping that comes sooner
            ends the connection. Agents ping after 30 s (agent/tui_manager_agent/link/link.py).
    """

    handshake: float = 30.0
    hello: float = 30.0
    idle: float = 30.0
    enrollment: float = 20.0
    silence: float = 30.0
    answer: float = 10.0
    ping: float = 10.0

    def for_enrollment(self) -> "Timeouts":
        """The timeouts of the enrolment port. It has few connections, so an unused one must end
        soon; no fleet comes back there."""
        return replace(
            self,
            handshake=min(self.handshake, _ENROLLMENT_TIMEOUT),
            idle=min(self.idle, _ENROLLMENT_TIMEOUT),
        )


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections each port accepts. Each connection needs an open file."""

    commands: int
    enrollment: int


def share_open_files() -> ConnectionLimits:
    """Raises the limit of open files as far as is useful and allowed, and divides them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = _FILES_WANTED if soft == resource.RLIM_INFINITY else soft
    enrolling = min(_ENROLLMENT_CONNECTIONS, files // 8)
    return ConnectionLimits(files - enrolling - min(_FILES_RESERVED, files // 8), enrolling)


def options(timeouts: Timeouts, connections: int, message: int) -> Options:
    """gRPC's options of a port.

    Args:
        connections: limit; a connection beyond it is closed at once.
        message: bytes of the largest message.
    """
    return [
        ("grpc.so_reuseport", 0),  # a port in use is an error, not shared
        ("grpc.server_handshake_timeout_ms", _milliseconds(timeouts.handshake)),
        ("grpc.max_connection_idle_ms", _milliseconds(timeouts.idle)),
        ("grpc.max_allowed_incoming_connections", connections),
        ("grpc.max_concurrent_streams", 2),  # of a connection; an agent has one
        # The streams of a fleet that comes back wait here. With its default limit of 1,000, gRPC
        # would drop streams at random, and agents would connect again.
        ("grpc.server.max_pending_requests", connections),
        ("grpc.server.max_pending_requests_hard_limit", connections),
        ("grpc.max_metadata_size", _METADATA_SOFT),
        ("grpc.absolute_max_metadata_size", _METADATA_HARD),
        ("grpc.max_receive_message_length", message),
        ("grpc.max_send_message_length", message),
        # Without the probe gRPC does not measure the bandwidth with pings; an agent may send this
        # many bytes before the manager reads them.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _UNREAD_LIMIT),
        # No compression: agents do not use it, and a small message cannot expand to a large one.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(timeouts.ping)),
        ("grpc.keepalive_time_ms", _milliseconds(timeouts.silence)),
        ("grpc.keepalive_timeout_ms", _milliseconds(timeouts.answer)),
        ("grpc.http2.ping_timeout_ms", _milliseconds(timeouts.answer)),
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

"""Servers that are not what they say, and remember every byte that they were told."""

import asyncio
import contextlib
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.agent.authority import key_pem, pem


class FalseServer:
    """Speaks TLS with any certificate, or none at all, and listens.

    Attributes:
        heard: what clients said inside TLS, or without it.
        handshakes: how many clients came as far as to believe it.
    """

    def __init__(
        self,
        folder: Path,
        key: ec.EllipticCurvePrivateKey | None = None,
        certificate: x509.Certificate | None = None,
        port: int = 0,
    ) -> None:
        self.heard = bytearray()
        self.connections = 0
        self.port = port
        self._tls: ssl.SSLContext | None = None
        if key is not None and certificate is not None:
            both = folder / "false.pem"
            both.write_bytes(key_pem(key) + pem(certificate))
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(both)
            self._tls.set_alpn_protocols(["h2"])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._listen, "127.0.0.1", self.port, ssl=self._tls, reuse_port=True
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self._tls is None:
                writer.write(b"SSH-2.0-none of this\r\n")
            while data := await reader.read(4096):
                self.heard += data
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


class Switch:
    """Passes the first connection on to one port and all others to another."""

    def __init__(self, first: int, others: int) -> None:
        self._ports = [first]
        self._others = others
        self.connections = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        port = self._ports.pop() if self._ports else self._others
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


class Passage:
    """Passes all connections on to one port, until it stands still: connections stay open, and no
    byte goes through.

    Attributes:
        connected: set once somebody has connected.
    """

    def __init__(self, port: int) -> None:
        """`port`: 0: it stands still from the beginning."""
        self.connected = asyncio.Event()
        self._port = port
        self._copying: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []  # which keep connections open
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        self.stand_still()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(w.wait_closed() for w in self._writers), return_exceptions=True)

    def stand_still(self) -> None:
        """Also for connections that come later."""
        self._port = 0
        for task in self._copying:
            task.cancel()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connected.set()
        if not self._port:
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.append(far_writer)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            self._copying.append(asyncio.create_task(_copy_all(source, target)))


async def _copy_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Leaves both open at the end."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()

"""Messages between managers over core NATS: nothing is stored there.

nats-py connects to one server here, once. That it connects again by itself is switched off, because
`service/managers/messages/link_notifier.py` does that for all links, and knows when a link is dead.
"""

import asyncio
import contextlib
import os
import random
import ssl
from collections.abc import Callable
from typing import Any

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from tui_manager.domain.errors import UnreachableError
from tui_manager.transport.change_feed.nats_address import NatsAddress

_CONNECT = 5  # seconds for each step of connecting to one server
_CLOSE = 0.5  # seconds for nats-py to end its tasks
_PENDING_MAX = 1000  # messages that have arrived and are not yet read; more are thrown away
_FAILURES = (OSError, errors.Error, TimeoutError, ValueError)


class _NoTlsError(errors.Error):
    def __init__(self) -> None:
        super().__init__("it does not speak TLS, which tls:// asks for")


class _NotedContext(ssl.SSLContext):
    """Knows whether it was used: nats-py goes on without TLS if a server does not ask for it."""

    used = False

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        self.used = True
        return super().wrap_bio(*args, **kwargs)


class NatsLink:
    """A connection to one of the servers; implements MessageLink."""

    def __init__(self, address: NatsAddress, subject: str) -> None:
        """
        Args:
            subject: of the messages; all managers of one database have the same, and no others.
        """
        self._address = address
        self._subject = subject
        self._name = ", ".join(f"{host}:{port}" for host, port in address.servers)
        self._client: Client | None = None
        self._last_error: BaseException | None = None
        self._on_lost: Callable[[str], None] = lambda _reason: None

    async def open(
        self, on_message: Callable[[bytes], None], on_lost: Callable[[str], None]
    ) -> None:
        """See MessageLink."""

        async def take(message: Msg) -> None:
            on_message(message.data)

        servers, failure = list(self._address.servers), None
        random.shuffle(servers)
        for host, port in servers:
            try:
                client = await self._connect(host, port)
                await client.subscribe(self._subject, cb=take, pending_msgs_limit=_PENDING_MAX)
                break
            except _FAILURES as error:
                failure = self._last_error or error
                await self._end()
                _raise_if_cancelled()
        else:
            raise UnreachableError(self._text(failure)) from failure
        _raise_if_cancelled()
        self._on_lost = on_lost

    async def send(self, message: bytes) -> None:
        """See MessageLink."""
        assert self._client is not None
        try:
            await self._client.publish(self._subject, message)
        except _FAILURES as error:
            raise UnreachableError(self._text(self._last_error or error)) from error
        finally:
            _raise_if_cancelled()

    async def close(self, patience: float | None) -> None:
        """See MessageLink. Waits for no server, so `patience` is not needed."""
        self._on_lost = lambda _reason: None
        await self._end()

    async def _connect(self, host: str, port: int) -> Client:
        self._last_error = None
        password, context = await asyncio.to_thread(self._read_files)

        def checked_password() -> str:
            """nats-py asks when TLS has begun, if the server speaks it."""
            if self._address.tls and not context.used:
                raise _NoTlsError
            return password

        shown = f"[{host}]" if ":" in host else host
        self._client = client = Client()
        await client.connect(
            f"nats://{shown}:{port}",
            error_cb=self._note_error,
            closed_cb=self._note_closed,
            name="tui-manager",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=_CONNECT,
            tls=context,
            user=self._address.user or None,
            password=checked_password if self._address.user else None,
        )
        if self._address.tls and not context.used:
            raise _NoTlsError
        return client

    def _read_files(self) -> tuple[str, _NotedContext]:
        """The password, and what TLS needs; read each time, because files may be replaced. Raises
        OSError."""
        address = self._address
        password = address.password
        if address.passfile is not None:
            password = address.passfile.read_text(encoding="utf-8").strip("\r\n")
        context = _NotedContext(ssl.PROTOCOL_TLS_CLIENT)
        if address.sslrootcert is not None:
            context.load_verify_locations(address.sslrootcert)
        else:
            context.load_default_certs()
        if address.sslcert is not None:
            context.load_cert_chain(address.sslcert, address.sslkey)
        return password, context

    async def _note_error(self, error: Exception) -> None:
        """nats-py calls this with what it cannot return, for example a refused subscription."""
        if isinstance(error, errors.SlowConsumerError):
            return  # messages were thrown away, as they may be
        self._last_error = error
        self._on_lost(self._text(error))

    async def _note_closed(self) -> None:
        self._on_lost(self._text(self._last_error))

    def _text(self, error: BaseException | None) -> str:
        reason = " ".join(str(error).split()).removeprefix("nats: ") or type(error).__name__
        if isinstance(error, ConnectionError) and error.errno:
            reason = os.strerror(error.errno)  # asyncio does not say it in words
        return f"NATS at {self._name} cannot be used now. ({reason})"

    async def _end(self) -> None:
        """Ends the connection at once. `Client.close` alone waits until the server has taken all,
        and has said goodbye to TLS; and it waits for ever if TLS did not begin. The end is that of
        TCP, as early releases of Python 3.11 refuse to abort a transport of TLS that was closed."""
        client, self._client = self._client, None
        if client is None:
            return
        writer = getattr(client._transport, "_bare_io_writer", None)
        if writer is not None:
            writer.transport.abort()
        with contextlib.suppress(*_FAILURES):
            async with asyncio.timeout(_CLOSE):
                await client.close()


def _raise_if_cancelled() -> None:
    """Raises CancelledError if somebody has cancelled this task. nats-py may have lost it: it uses
    `asyncio.wait_for`, which in Python 3.11 returns or raises what has come at the same moment."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError

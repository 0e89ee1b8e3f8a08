"""The way to a webhook: one request for each try, in a thread that is given up at the time limit.

urllib3 limits each read, but not all of them together. Therefore the socket is closed from outside
at the time limit, which ends the thread. A lookup of a name cannot be ended: its thread goes on,
and the next try does not begin before it has ended.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException, RemoteDisconnected
from urllib.parse import unquote

from tui_manager_protos.rules.duration import format_duration
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)
from urllib3.exceptions import (
    TimeoutError as HttpTimeoutError,
)
from urllib3.util import Url, make_headers, parse_url

from tui_manager import __version__
from tui_manager.domain.manager.notification import ERROR_MAX, Answer, Outcome, Webhook
from tui_manager.domain.text.safe_text import safe_text
from tui_manager.receivers.signature import read_key, sign

log = logging.getLogger(__name__)
_TRY_AGAIN = (408, 425, 429)  # of 400 to 499; the others refuse for good


class WebhookPost:
    """Implements Delivery."""

    def __init__(
        self, webhook: Webhook, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.receiver = webhook
        self._now = now
        self._threads: list[threading.Thread] = []  # of tries that were given up

    async def send(self, event: str, event_id: str, body: bytes) -> Answer:
        """See Delivery."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if self._threads:
            return Answer(Outcome.FAILED, "the lookup of its name has not ended since the last try")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()
        post = _Post(self.receiver, event_id, body, self._now)

        def work() -> None:
            answer = post.answer()
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(_set, answered, answer)

        # Python does not wait for it when it ends.
        thread = threading.Thread(target=work, name="webhook", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            return Answer(Outcome.FAILED, f"it cannot be started: {error}")
        limit = self.receiver.time_limit
        try:
            async with asyncio.timeout(limit.total_seconds()):
                return await answered
        except TimeoutError:
            text = f"it has not answered within {format_duration(limit)}"
            return Answer(Outcome.FAILED, text)
        finally:
            if not answered.done() or answered.cancelled():
                post.abort()
                self._threads.append(thread)


def _set(answered: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not answered.done():
        answered.set_result(answer)


class _Post:
    """One request, in a thread of its own."""

    def __init__(
        self, webhook: Webhook, event_id: str, body: bytes, now: Callable[[], datetime]
    ) -> None:
        self._webhook = webhook
        self._event_id = event_id
        self._body = body
        self._now = now
        self._sockets: list[socket.socket] = []
        self._aborted = False

    def abort(self) -> None:
        """Ends it, from another thread."""
        self._aborted = True
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def note(self, sock: socket.socket) -> socket.socket:
        """A connection was opened. TLS takes its socket away, so a second one is kept."""
        self._sockets.append(sock.dup())
        if self._aborted:
            self.abort()
        return sock

    def answer(self) -> Answer:
        """What comes back."""
        try:
            return self._answer()
        finally:
            for sock in self._sockets:
                sock.close()

    def _answer(self) -> Answer:
        try:
            headers = self._headers()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            return Answer(Outcome.FAILED, f"its key file cannot be used: {why}")
        try:
            return self._request(headers)
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            return Answer(Outcome.FAILED, safe_text(_reason(error))[:ERROR_MAX])
        except Exception as error:  # somebody waits for an answer
            log.exception("webhook failed", extra={"receiver": self._webhook.name})
            return Answer(Outcome.FAILED, _reason(error))

    def _headers(self) -> dict[str, str]:
        stamp = int(self._now().timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": f"tui-manager/{__version__}",
            "connection": "close",
            "webhook-id": self._event_id,
            "webhook-timestamp": str(stamp),
        }
        if self._webhook.key_file is not None:
            key = read_key(self._webhook.key_file)
            headers["webhook-signature"] = sign(key, self._event_id, stamp, self._body)
        return headers

    def _request(self, headers: dict[str, str]) -> Answer:
        url = parse_url(self._webhook.url)
        if url.auth:
            headers |= make_headers(basic_auth=unquote(url.auth))
        with contextlib.closing(self._connection(url)) as connection:
            connection.request("POST", url.request_uri, self._body, headers, preload_content=False)
            response = connection.getresponse()
            with contextlib.closing(response):  # its body is not needed, and may be endless
                return _answer_of(response.status, response.headers.get("retry-after"), self._now())

    def _connection(self, url: Url) -> HTTPConnection:
        assert url.host
        seconds = self._webhook.time_limit.total_seconds()
        host = url.host.removeprefix("[").removesuffix("]")
        if url.scheme == "http":
            return _Plain(self, host, url.port, timeout=seconds)
        context = ssl.create_default_context(cafile=self._webhook.ca_file)
        return _Secure(self, host, url.port, timeout=seconds, ssl_context=context)


class _Plain(HTTPConnection):
    """Tells of its socket before anything is read from it."""

    def __init__(self, post: _Post, host: str, port: int | None, *, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._post = post

    def _new_conn(self) -> socket.socket:
        return self._post.note(super()._new_conn())


class _Secure(HTTPSConnection):
    """The same with TLS, whose handshake reads too."""

    def __init__(
        self,
        post: _Post,
        host: str,
        port: int | None,
        *,
        timeout: float,
        ssl_context: ssl.SSLContext,
    ) -> None:
        super().__init__(host, port, timeout=timeout, ssl_context=ssl_context)
        self._post = post

    def _new_conn(self) -> socket.socket:
        return self._post.note(super()._new_conn())


def _answer_of(status: int, retry_after: str | None, now: datetime) -> Answer:
    text = f"HTTP status {status}"
    if 200 <= status < 300:
        return Answer(Outcome.DELIVERED, text)
    if 300 <= status < 400:
        text += ", a redirect, which is not followed"
    if 400 <= status < 500 and status not in _TRY_AGAIN:
        return Answer(Outcome.REFUSED, text)
    return Answer(Outcome.FAILED, text, _pause(retry_after, now))


def _pause(retry_after: str | None, now: datetime) -> timedelta | None:
    """Seconds, or a date."""
    if not retry_after:
        return None
    try:
        if retry_after.isascii() and retry_after.isdigit():
            return timedelta(seconds=min(int(retry_after[:10]), 10**6))
        at = parsedate_to_datetime(retry_after)
        return max(timedelta(0), at.replace(tzinfo=at.tzinfo or UTC) - now)
    except (ValueError, OverflowError):
        return None


def _reason(error: Exception) -> str:
    """Why a request failed, without its URL."""
    cause = error.__cause__ or error.__context__
    match error:
        case NameResolutionError():
            return "its name cannot be looked up"
        case NewConnectionError() if isinstance(cause, OSError):
            return f"it cannot be reached: {cause.strerror or cause}"
        case HttpTimeoutError() | TimeoutError():
            return "it cannot be reached in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS has failed: {error.reason or error}"
        case ProtocolError() | RemoteDisconnected():
            return "the connection has ended before the answer"
        case HTTPException():
            return "what it answers is not HTTP"
        case OSError():
            return f"the connection has failed: {error.strerror or error}"
        case HTTPError() if isinstance(error.args[0] if error.args else None, ssl.SSLError):
            return _reason(error.args[0])
        case _:
            return f"the request has failed: {type(error).__name__}"

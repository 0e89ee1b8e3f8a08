"""Keeps this host's certificate current, over the stream, when the manager says so."""

import asyncio
import base64
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent import child, credentials
from tui_manager_agent.credentials import Credentials

_LOG = logging.getLogger(__name__)


class Renewal:
    """Asks once in a session, and keeps what is issued; the next dial uses it.

    What fails is logged and left: the certificate is still good, and the manager asks again.

    Attributes:
        credentials: the current ones.
    """

    def __init__(self, state_dir: Path, held: Credentials) -> None:
        self.credentials = held
        self._state_dir = state_dir
        self._say: Callable[[bytes], None] | None = None
        self._asked = False

    def begin_session(self, say: Callable[[bytes], None]) -> None:
        """`say` sends a certificate request, DER, over the new stream."""
        self._say = say
        self._asked = False

    async def ask(self) -> None:
        """The manager wants a certificate request."""
        if self._asked or self._say is None:
            return
        try:
            answer = await child.ask("keys", "request", order=self._folder())
        except (child.ChildError, OSError) as error:
            _LOG.warning("no certificate request could be made: error=%s", error)
            return
        self._asked = True
        self._say(bytes.fromhex(answer["csr"]))

    async def issued(self, message: wire.CertificateIssued) -> None:
        """The manager's answer, kept whole or not at all."""
        if not self._asked:
            _LOG.warning("a certificate was issued that this agent has not asked for")
            return
        held = self.credentials
        order = {
            **self._folder(),
            "host_id": held.host_id,
            "certificates": _encode(message.certificates_der),
            "authorities": _encode(message.authorities_der),
        }
        try:
            answer = await child.ask("keys", "accept", order=order)
            fields = {
                **answer,
                "manager_id": held.manager_id,
                "host_id": held.host_id,
                "server_name": message.server_name,
                "token_hash": held.token_hash.hex(),
            }
            self.credentials = await asyncio.to_thread(credentials.save, self._state_dir, fields)
        except (child.ChildError, credentials.DamagedError, OSError) as error:
            _LOG.warning("the new certificate is not used: error=%s", error)
            return
        _LOG.info("certificate renewed: ends=%r", self.credentials.end)

    def _folder(self) -> dict[str, str]:
        return {"folder": str(self._state_dir / credentials.FOLDER)}


def _encode(certificates: Iterable[bytes]) -> str:
    return " ".join(base64.b64encode(der).decode() for der in certificates)

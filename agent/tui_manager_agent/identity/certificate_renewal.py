"""The certificates of this host: the one in use, and a new one. The manager asks for the renewal
and issues the new one over the stream.

If the clock of the manager is wrong, the new certificate may not be valid when that clock is right
again. So the agent keeps the old certificate until the manager has accepted the new one, and the
new one is valid by the clock of this host. It refuses a new certificate that ends before the old
one.
"""

import asyncio
import base64
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.identity import child_process, credentials
from tui_manager_agent.identity.credentials import Credentials, format_time

_PROGRAM = "tui_manager_agent.identity.keys"
_LOG = logging.getLogger(__name__)


class CertificateRenewal:
    """The certificate that works, and a newer one until the manager has accepted it and it has
    begun. If a dial is not welcomed, the next dial uses the other one.

    A failure is only logged: the certificate is still valid, and the manager asks again.

    Args:
        held: the one that works.
        newer: has not taken the place of `held` yet; None: nothing newer was issued.
    """

    def __init__(self, state_dir: Path, held: Credentials, newer: Credentials | None) -> None:
        self._state_dir = state_dir
        self._held = held
        self._newer = newer
        self._shows_newer = False
        self._send_request: Callable[[bytes], None] | None = None
        self._is_requested = False  # the request that the manager has asked for was sent
        self._awaits_certificate = False
        self._begin_with_newer()

    @property
    def credentials(self) -> Credentials:
        """The credentials that a dial uses now."""
        return self._newer if self._newer and self._shows_newer else self._held

    def welcomed(self) -> None:
        """Call it when the manager has accepted the credentials that were used."""
        if self._newer is None:
            return
        if not self._shows_newer:
            _LOG.warning(
                "the older certificate was accepted, the newer one is tried again with the next "
                "dial once it has begun: older_ends=%r newer_begins=%r newer_ends=%r",
                *(self._held.end, self._newer.beginning, self._newer.end),
            )
            return
        if not self._newer.begun:
            _LOG.warning(
                "the accepted certificate has not begun by this host's clock, the older one stays "
                "beside it; one of the two clocks is wrong: begins=%r older_ends=%r",
                *(self._newer.beginning, self._held.end),
            )
            return
        try:
            credentials.accept_newer(self._state_dir)
        except OSError as error:  # both stay, and are found as they are at the next start
            _LOG.warning("the accepted certificate stays beside the older one: error=%s", error)
            return
        self._held, self._newer, self._shows_newer = self._newer, None, False

    def stream_ended(self, *, welcomed: bool) -> None:
        """Chooses the credentials of the next dial."""
        if welcomed:
            self._begin_with_newer()
        elif self._newer is not None:
            self._shows_newer = not self._shows_newer

    def _begin_with_newer(self) -> None:
        self._shows_newer = self._newer is not None and (self._newer.begun or self._held.ended)

    def begin_session(self, send_request: Callable[[bytes], None]) -> None:
        """`send_request` sends a certificate request, DER, over the new stream."""
        self._send_request = send_request
        self._is_requested = self._awaits_certificate = False

    async def on_settings(self, *, wanted: bool) -> None:
        """Requests a certificate if the manager wants that now, once for each time that it does."""
        if not wanted:
            self._is_requested = False
        elif not self._is_requested:
            await self._request()

    async def _request(self) -> None:
        if self._send_request is None:
            return
        try:
            answer = await child_process.ask(_PROGRAM, "request", order=self._folder())
        except (child_process.ChildError, OSError) as error:
            _LOG.warning("no certificate request could be made: error=%s", error)
            return
        self._is_requested = self._awaits_certificate = True
        self._send_request(bytes.fromhex(answer["csr"]))

    async def on_certificate(self, message: wire.CertificateIssued) -> None:
        """Keeps the manager's answer, all of it or nothing."""
        if not self._awaits_certificate:
            _LOG.warning("a certificate was issued that this agent has not asked for")
            return
        self._is_requested = self._awaits_certificate = False
        held = self._held
        order = {
            **self._folder(),
            "host_id": held.host_id,
            "certificates": _encode(message.certificates_der),
            "authorities": _encode(message.authorities_der),
        }
        try:
            answer = await child_process.ask(_PROGRAM, "accept", order=order)
            fields = {
                **answer,
                "manager_id": held.manager_id,
                "host_id": held.host_id,
                "server_name": message.server_name,
                "token_hash": (self._newer or held).token_hash.hex(),
            }
            if held.begun and int(fields["ends"]) < held.ends:
                _LOG.warning(
                    "the new certificate is not used, because it ends before the one in use; the "
                    "manager's clock may be wrong: new_begins=%r new_ends=%r ends=%r",
                    *(
                        format_time(int(fields["begins"])),
                        format_time(int(fields["ends"])),
                        held.end,
                    ),
                )
                return
            save = credentials.save_newer
            self._newer = await asyncio.to_thread(save, self._state_dir, fields)
        except (child_process.ChildError, credentials.DamagedError, OSError) as error:
            _LOG.warning("the new certificate is not used: error=%s", error)
            return
        _LOG.info("certificate renewed: ends=%r", self._newer.end)

    def _folder(self) -> dict[str, str]:
        return {"folder": str(self._state_dir / credentials.FOLDER)}


def _encode(certificates: Iterable[bytes]) -> str:
    return " ".join(base64.b64encode(der).decode() for der in certificates)

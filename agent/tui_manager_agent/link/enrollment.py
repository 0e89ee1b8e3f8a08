"""Enrols this host at its manager: tries until it is accepted or refused. Each try runs the child
program `enrollment_program.py`."""

import asyncio
import logging
import random

from tui_manager_protos.rules.fingerprint import fingerprint
from tui_manager_protos.rules.join_token import JoinToken
from tui_manager_protos.v1 import enrollment_pb2 as wire

from tui_manager_agent.facts.vitals import describe_host
from tui_manager_agent.identity import child_process, credentials
from tui_manager_agent.identity.credentials import Credentials
from tui_manager_agent.identity.identity import Identity, StateError
from tui_manager_agent.link.reconnect import Reconnect
from tui_manager_agent.link.stream_endings import Ending, RefusedByManagerError, StreamEnd, describe
from tui_manager_agent.settings import Settings

_PROGRAM = "tui_manager_agent.link.enrollment_program"
# Temporary failures, and how often a host tries that already has a certificate. The manager may
# still hold a session of an agent that has ended.
_TEMPORARY = (Ending.OVERLOADED, Ending.DUPLICATE_IDENTITY)
_TRIES = 5
_LOG = logging.getLogger(__name__)


class Enrollment:
    """Uses a join token on a state folder that this agent has locked."""

    def __init__(self, settings: Settings, identity: Identity, token: JoinToken) -> None:
        self._settings = settings
        self._identity = identity
        self._token = token
        self._reconnect = Reconnect(random.Random(), settings.managers)

    async def enroll(self) -> None:
        """Returns when this host has a certificate that has not ended: a new one, or the one from
        before if the enrolment with this token fails.

        Raises RefusedByManagerError when trying again would not help, StateError and DamagedError
        when the state folder cannot be used, OSError when it fails.
        """
        held = self._current()
        if held is not None and not self._must_enroll(held):
            return
        try:
            await self._try_until_enrolled(held)
        except StateError as error:
            if not _can_continue(held, str(error)):
                raise

    async def _try_until_enrolled(self, held: Credentials | None) -> None:
        """Tries until it succeeds, at one manager after the other. A host that has a certificate
        gives up when all have failed in a way that is not temporary."""
        tries, temporary = 0, False
        while (end := await self._try_once()) is not None:
            address = self._reconnect.address
            try:
                pause = self._reconnect.pause_after(end)
            except RefusedByManagerError as error:
                if end.ending is Ending.WRONG_MANAGER or not _can_continue(held, str(error)):
                    raise
                return
            temporary |= end.ending in _TEMPORARY
            if self._reconnect.begins_round:
                tries += 1
                if not (temporary and tries < _TRIES) and _can_continue(held, describe(end)):
                    return
                temporary = False
            _LOG.warning(
                "not enrolled: reason=%r address=%s again_in=%.1fs next=%s",
                *(describe(end), address, pause, self._reconnect.address),
            )
            await asyncio.sleep(pause)

    def _current(self) -> Credentials | None:
        """The newer credentials, unless those that were accepted are the only ones in date."""
        state_dir = self._settings.state_dir
        held = credentials.load(state_dir)
        newer = credentials.load_newer(state_dir, held) if held else None
        if held is None or newer is None:
            return held
        return newer if newer.in_date or not held.in_date else held

    def _must_enroll(self, held: Credentials) -> bool:
        """Whether this host has to enrol, although it has before. Another token means that
        the operator wants it: the manager's database may be older than this host."""
        if held.ended:
            _LOG.info("the certificate ended on %s: enrolling with the same key", held.end)
        elif not held.begun:
            _LOG.info("the certificate begins on %s: enrolling with the same key", held.beginning)
        elif held.token_hash != self._token.secret_hash:
            _LOG.info("the join token is another one than before: enrolling with the same key")
        else:
            _LOG.info(
                "enrolled already, the join token is not used: host_id=%s manager_id=%s "
                "certificate_ends=%r",
                *(held.host_id, held.manager_id, held.end),
            )
            return False
        return True

    async def _try_once(self) -> StreamEnd | None:
        """Enrols. Returns why there is no certificate, None if there is one."""
        self._reserve_space()
        try:
            answer = await child_process.ask(_PROGRAM, order=self._order())
        except child_process.ProblemError as error:
            raise StateError(str(error)) from error
        except child_process.ChildError as error:
            return StreamEnd(Ending.ENROLMENT_FAILED, str(error))
        if "ending" in answer:
            return StreamEnd(Ending[answer["ending"]], answer["detail"])
        bound, manager_id = self._identity.manager_id, answer["manager_id"]
        if bound and bound != manager_id:
            detail = f"it is {manager_id}, this agent belongs to {bound}"
            return StreamEnd(Ending.WRONG_MANAGER, detail)
        name, admission = answer.pop("name"), answer.pop("admission")
        held = self._keep(answer)
        _LOG.info("enrolled: name=%s admission=%s host_id=%s", name, admission, held.host_id)
        _LOG.info("this host is known by %s", fingerprint(held.key_hash))
        return None

    def _reserve_space(self) -> None:
        """Uses no token for a certificate that the disk has no room for."""
        state_dir = self._settings.state_dir
        try:
            credentials.reserve_space(state_dir)
        except OSError as error:
            problem = f"The state folder {state_dir} cannot be used: {error.strerror}."
            raise StateError(problem) from error

    def _order(self) -> dict[str, str]:
        address = self._reconnect.address
        port = self._token.port or int(address.rpartition(":")[2]) + 1
        request = wire.EnrollRequest(secret=self._token.secret, **describe_host(self._settings))
        return {
            "address": address,
            "port": str(port),
            "pin": self._token.pin,
            "folder": str(credentials.folder_in(self._settings.state_dir)),
            "request": request.SerializeToString().hex(),
        }

    def _keep(self, answer: dict[str, str]) -> Credentials:
        fields = {**answer, "token_hash": self._token.secret_hash.hex()}
        state_dir = self._settings.state_dir
        before = credentials.load(state_dir)
        # The manager does not know a certificate with another host_id: nothing is lost with it.
        works = before is not None and before.in_date and before.host_id == answer["host_id"]
        save = credentials.save_newer if works else credentials.save
        held = save(state_dir, fields)
        self._identity.bind_to_issuer(held)
        if not held.in_date:
            _LOG.warning(
                "the new certificate is not valid by this host's clock; one of the two clocks is "
                "wrong: begins=%r ends=%r",
                *(held.beginning, held.end),
            )
        return held


def _can_continue(held: Credentials | None, reason: str) -> bool:
    """Whether the certificate from before can stay in use, which is then logged."""
    if held is None or held.ended:
        return False
    _LOG.warning(
        "not enrolled again, what this host has stays in use: reason=%r certificate_ends=%r",
        *(reason, held.end),
    )
    return True

"""The door of the fake operator: join tokens, and the audit of who did what."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from tests.support.fake_operator.fake_core import ACTOR, page
from tests.support.fake_operator.fake_filters import passes_audit
from tests.support.fake_operator.fake_fleet import FakeFleet
from tui_manager.domain.errors import IllegalMoveError, NotFoundError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.join_token import NewToken, Token, TokenSpec, TokenState
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.audit import AuditEntry

PIN = "pinpinpin-PINPINPIN_pinpinpinPINPINPIN01234"


class FakeSecurity(FakeFleet):
    """Tokens are numbered, and the audit is a list."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(now)
        self.security = "insecure"
        self.tokens: list[tuple[TokenSpec, NewToken]] = []
        self.listed: dict[int, Token] = {}
        self.audit: list[AuditEntry] = []

    def record(
        self,
        action: str,
        *,
        actor: str = ACTOR,
        task_id: int = 0,
        host: Host | None = None,
        **detail: str,
    ) -> None:
        """Writes into the audit."""
        host_id, name = (host.host_id, host.name) if host else ("", "")
        number = len(self.audit) + 1
        self.audit.append(
            AuditEntry(
                number,
                self.now(),
                actor,
                action,
                task_id,
                host_id,
                name,
                detail,
                self.name_of_task(task_id),
            )
        )

    # The Protocol.

    async def create_token(self, spec: TokenSpec) -> NewToken:
        self._check("create_token")
        spec.check()
        if self.security == "insecure":
            raise IllegalMoveError("This manager runs with --insecure: agents need no token.")
        number = len(self.tokens) + 1
        token = NewToken(f"tm1.{PIN}.{number:0>32}", self.now() + spec.ttl, number)
        self.tokens.append((spec, token))
        self.listed[number] = Token(
            number, TokenState.VALID, ACTOR, self.now(), token.expires_at, spec.uses, 0,
            spec.auto_approve, spec.labels,
        )  # fmt: skip
        self.record("create_token", seconds=str(int(spec.ttl.total_seconds())), uses=str(spec.uses))
        return token

    async def list_tokens(self, window: Window, everything: bool = False) -> Page[Token]:
        self._check("list_tokens")
        shown = [
            token
            for token in reversed(self.listed.values())
            if everything or token.state is TokenState.VALID
        ]
        return page(shown, window, len(self.listed))

    async def revoke_tokens(self, token_ids: Sequence[int]) -> Sequence[Token]:
        self._check("revoke_tokens")
        for number in token_ids:
            if number not in self.listed:
                raise NotFoundError(f"There is no join token {number}.")
        for number in token_ids:
            self.listed[number] = replace(self.listed[number], state=TokenState.REVOKED)
            self.record("revoke_token", token=str(number))
        return [self.listed[number] for number in token_ids]

    async def list_audit(self, window: Window) -> Page[AuditEntry]:
        self._check("list_audit")
        entries = [*filter(passes_audit(window.text), reversed(self.audit))]
        if window.faults_only:
            entries = [entry for entry in entries if entry.action in ("refuse_host", "violation")]
        return page(entries, window, len(self.audit))

"""What operators do with join tokens, inside a transaction."""

from collections.abc import Sequence

from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tui_manager.domain.hosts.join_token import Token, TokenSpec, TokenState
from tui_manager.storage.engine.statements import from_timedelta, to_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import tokens
from tui_manager.storage.tables.hosts.tokens import TokenRow
from tui_manager.storage.tables.manager import audit


def create(tx: Transaction, secret_hash: bytes, spec: TokenSpec, actor: str, now: int) -> TokenRow:
    """Adds a token with which hosts may enrol from now on."""
    token = tokens.insert(tx, secret_hash, spec, actor, now)
    audit.record(
        tx,
        now,
        actor,
        "create_token",
        token=token.token_id,
        uses=spec.uses,
        seconds=from_timedelta(spec.ttl) // 1_000_000,
        auto_approve=str(spec.auto_approve).lower(),
        labels=",".join(f"{key}={value}" for key, value in sorted(token.labels.items())),
        more={"key": token.key_sha256.hex()} if token.key_sha256 else None,
    )
    return token


def revoke(tx: Transaction, token_ids: Sequence[int], actor: str, now: int) -> list[TokenRow]:
    """Revokes tokens: no host enrols with them any more.

    Raises:
        NotFoundError: there is no such token.
        IllegalMoveError: one has expired, or was revoked before.
        InvalidInputError: none is named.
    """
    if not token_ids:
        raise InvalidInputError("token_ids", "Name the join tokens that are to be revoked.")
    return [_revoke(tx, token_id, actor, now) for token_id in dict.fromkeys(token_ids)]


def _revoke(tx: Transaction, token_id: int, actor: str, now: int) -> TokenRow:
    token = tokens.by_id(tx, token_id)
    if token is None:
        raise NotFoundError(f"There is no join token {token_id}.")
    revoked = tokens.revoke(tx, token_id, now)
    if revoked is None:
        what = "was revoked before" if token.revoked_at is not None else "has expired"
        raise IllegalMoveError(f"Join token {token_id} cannot be revoked: it {what}.")
    audit.record(tx, now, actor, "revoke_token", token=token_id, used=token.used)
    return revoked


def to_token(token: TokenRow, now: int) -> Token:
    """The token as operators see it.

    Args:
        now: microseconds since 1970 UTC.
    """
    created_at, expires_at = to_datetime(token.created_at), to_datetime(token.expires_at)
    assert created_at is not None
    assert expires_at is not None
    return Token(
        token_id=token.token_id,
        state=_state(token, now),
        created_by=token.created_by,
        created_at=created_at,
        expires_at=expires_at,
        uses=token.uses,
        used=token.used,
        auto_approve=token.auto_approve,
        labels=token.labels,
        key_sha256=token.key_sha256 or b"",
    )


def _state(token: TokenRow, now: int) -> TokenState:
    if token.revoked_at is not None:
        return TokenState.REVOKED
    if token.expires_at <= now:
        return TokenState.EXPIRED
    return TokenState.USED_UP if token.used >= token.uses else TokenState.VALID

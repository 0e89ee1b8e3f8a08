"""Join tokens, admission and the audit between the wire and the domain."""

from collections.abc import Mapping, Sequence

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.join_token import TTL_DEFAULT, NewToken, Token, TokenSpec, TokenState
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.operator.conversion.convert_values import (
    duration,
    instant,
    length,
    timestamp,
    word,
)

TOKEN_STATES = {
    TokenState.VALID: wire.TOKEN_STATE_VALID,
    TokenState.USED_UP: wire.TOKEN_STATE_USED_UP,
    TokenState.EXPIRED: wire.TOKEN_STATE_EXPIRED,
    TokenState.REVOKED: wire.TOKEN_STATE_REVOKED,
}


def named(request: wire.HostsRequest) -> tuple[str, ...]:
    """The hosts that a request names; InvalidInputError if it says "all pending"."""
    if request.all_pending:
        raise InvalidInputError(
            "all_pending", "Name the hosts; all pending ones can only be approved or rejected."
        )
    return tuple(request.names)


def token_spec_to_wire(spec: TokenSpec) -> wire.CreateTokenRequest:
    return wire.CreateTokenRequest(
        ttl=duration(spec.ttl),
        uses=spec.uses,
        auto_approve=spec.auto_approve,
        labels=spec.labels,
        key_sha256=spec.key_sha256,
    )


def token_spec_from_wire(message: wire.CreateTokenRequest) -> TokenSpec:
    return TokenSpec(
        ttl=length(message.ttl, "ttl") if message.HasField("ttl") else TTL_DEFAULT,
        uses=message.uses or 1,
        auto_approve=message.auto_approve,
        labels=dict(message.labels),
        key_sha256=message.key_sha256,
    )


def new_token_to_wire(token: NewToken) -> wire.CreateTokenResponse:
    return wire.CreateTokenResponse(
        token=token.text, expires_at=timestamp(token.expires_at), token_id=token.token_id
    )


def new_token_from_wire(message: wire.CreateTokenResponse) -> NewToken:
    return NewToken(message.token, instant(message.expires_at), message.token_id)


def token_to_wire(token: Token) -> wire.Token:
    return wire.Token(
        token_id=token.token_id,
        state=TOKEN_STATES[token.state],
        created_by=token.created_by,
        created_at=timestamp(token.created_at),
        expires_at=timestamp(token.expires_at),
        uses=token.uses,
        used=token.used,
        auto_approve=token.auto_approve,
        labels=token.labels,
        key_sha256=token.key_sha256,
    )


def token_from_wire(message: wire.Token) -> Token:
    return Token(
        token_id=message.token_id,
        state=word(TOKEN_STATES, message.state),
        created_by=message.created_by,
        created_at=instant(message.created_at),
        expires_at=instant(message.expires_at),
        uses=message.uses,
        used=message.used,
        auto_approve=message.auto_approve,
        labels=dict(message.labels),
        key_sha256=message.key_sha256,
    )


def entry_to_wire(entry: AuditEntry) -> wire.AuditEntry:
    return wire.AuditEntry(
        audit_id=entry.audit_id,
        at=timestamp(entry.at),
        actor=entry.actor,
        action=entry.action,
        task_id=entry.task_id,
        host_id=entry.host_id,
        host=entry.host,
        detail=entry.detail,
        detail_names=entry.detail,
        task_name=entry.task_name,
    )


def entry_from_wire(message: wire.AuditEntry) -> AuditEntry:
    return AuditEntry(
        audit_id=message.audit_id,
        at=instant(message.at),
        actor=message.actor,
        action=message.action,
        task_id=message.task_id,
        host_id=message.host_id,
        host=message.host,
        detail=_in_order(message.detail, message.detail_names),
        task_name=message.task_name,
    )


def _in_order(detail: Mapping[str, str], names: Sequence[str]) -> Mapping[str, str]:
    """A map of a message has another order in each process. Its names say the one that was
    written; a manager of an older version sends none."""
    return {name: detail[name] for name in [*names, *sorted(detail)] if name in detail}

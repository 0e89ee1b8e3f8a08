"""The transaction that enrols a host with a join token."""

import uuid
from collections.abc import Mapping
from dataclasses import replace

from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.status import Admission
from tui_manager.service.enrollment.check_token import check_token, used_up
from tui_manager.service.hosts import approval_notes
from tui_manager.service.hosts.authenticate_host import refuse_name, refuse_turned_away
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import admissions, hosts, tokens
from tui_manager.storage.tables.hosts.admissions import EnrollingHost
from tui_manager.storage.tables.hosts.hosts import HostRow
from tui_manager.storage.tables.hosts.tokens import TokenRow
from tui_manager.storage.tables.manager import audit

PENDING_MAX = 1000  # hosts that enrolled with one token and wait for approval


def enroll_host(
    tx: Transaction, host: EnrollingHost, secret: bytes, now: int
) -> tuple[HostRow, bool]:
    """Registers a host with a new key; a known key is the same host again. Both use the token once,
    unless the host has enrolled with the same token before. A token for one key admits its host.

    Returns:
        The host, and whether it was known and has to be approved again.

    Raises:
        RefusedError: the token or the name is not valid, or the host of this key was turned away.
    """
    token = check_token(tx, secret, now, host.key_hash)
    known = hosts.by_key(tx, host.key_hash)
    if known is not None:
        known = hosts.lock(tx, [known.host_id])[known.host_id]
    if known is None:
        refuse_name(tx, host.name, None)
        return _enroll_new(tx, host, token, now), False
    refuse_turned_away(known)
    host = replace(host, name=known.name_with(host.name))
    refuse_name(tx, host.name, known)
    if known.token_id != token.token_id and not tokens.use(tx, token.token_id, now):
        raise used_up(token)
    pending_again = approval_notes.record_changes(tx, known, host.name, host.machine_id, now)
    row = admissions.enroll_again(tx, known, host, token.token_id)
    _record(tx, row, token, now, {"again": "true"})
    if token.key_sha256 and row.admission is Admission.PENDING:
        return _admit(tx, row, token, now), False
    return row, pending_again


def _enroll_new(tx: Transaction, host: EnrollingHost, token: TokenRow, now: int) -> HostRow:
    """Admits the host at once if the token is for its key, or says so and there is no note about
    the host."""
    if not tokens.use(tx, token.token_id, now):
        raise used_up(token)
    host_id = str(uuid.uuid4())
    note = approval_notes.describe_duplicates(tx, host_id, host.name, host.machine_id)
    is_admitted = token.key_sha256 is not None or (token.auto_approve and not note)
    if not is_admitted:
        _check_pending_limit(tx, token)
    row = admissions.enroll(tx, host_id, host, token.token_id, token.labels, note, now)
    _record(tx, row, token, now, {"note": note} if note else {})
    return _admit(tx, row, token, now) if is_admitted else row


def _admit(tx: Transaction, row: HostRow, token: TokenRow, now: int) -> HostRow:
    by = f"join token {token.token_id} of {token.created_by}"
    audit.record(tx, now, "manager", "admit_host", host_id=row.host_id, host=row.name, by=by)
    admitted = admissions.admit(tx, row.host_id)
    assert admitted is not None
    return admitted


def _check_pending_limit(tx: Transaction, token: TokenRow) -> None:
    """Raises RefusedError if more hosts of this token wait for approval than an operator can look
    through. Whoever has the token could enrol as many as it has uses."""
    if token.used >= PENDING_MAX and admissions.count_pending(tx, token.token_id) >= PENDING_MAX:
        raise RefusedError(
            Refusal.OVERLOADED,
            f"{PENDING_MAX:,} hosts wait that came with this join token; an operator must approve "
            "or reject some before others may come.",
        )


def _record(
    tx: Transaction, row: HostRow, token: TokenRow, now: int, more: Mapping[str, str]
) -> None:
    audit.record(
        tx,
        now,
        f"host {row.name}",
        "enroll_host",
        host_id=row.host_id,
        host=row.name,
        token=token.token_id,
        key=row.fingerprint,
        address=row.address,
        more=more,
    )

"""Rows of `tokens`: what a join token allows, and how often it has."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from tui_manager.domain.token import TokenSpec
from tui_manager.storage.connection import Transaction
from tui_manager.storage.instants import from_timedelta
from tui_manager.storage.queries import load

_SQL = load("tokens.sql")


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What is stored of a join token.

    Attributes:
        expires_at: microseconds since 1970 UTC.
        uses, used: hosts that may enrol with it, and that have.
        labels: bound to these hosts.
    """

    token_id: int
    created_by: str
    expires_at: int
    uses: int
    used: int
    auto_approve: bool
    labels: Mapping[str, str]


def insert(
    tx: Transaction, secret_hash: bytes, spec: TokenSpec, created_by: str, now: int
) -> TokenRow:
    """Adds a token that hosts may enrol with from now on.

    Args:
        secret_hash: SHA-256 of its secret.
        created_by: `user@terminal`.
        now: microseconds since 1970 UTC.
    """
    values = {
        "secret_hash": secret_hash,
        "created_by": created_by,
        "expires_at": now + from_timedelta(spec.ttl),
        "uses": spec.uses,
        "auto_approve": spec.auto_approve,
        "labels": json.dumps(dict(sorted(spec.labels.items()))),
        "now": now,
    }
    return _token(tx.execute(_SQL["insert"], values).fetchall()[0])


def by_secret(tx: Transaction, secret_hash: bytes) -> TokenRow | None:
    """The token with this secret, used up and expired ones too."""
    row = tx.execute(_SQL["by_secret"], {"secret_hash": secret_hash}).fetchone()
    return row and _token(row)


def use(tx: Transaction, token_id: int, now: int) -> bool:
    """Counts one host more; False when no more may enrol with it."""
    return bool(tx.execute(_SQL["use"], {"id": token_id, "now": now}).rowcount)


def _token(row: sqlite3.Row) -> TokenRow:
    return TokenRow(
        token_id=row["id"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        uses=row["uses"],
        used=row["used"],
        auto_approve=bool(row["auto_approve"]),
        labels=json.loads(row["labels"]),
    )

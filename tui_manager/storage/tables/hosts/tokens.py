"""The table `tokens`: what each join token allows, and how often it was used."""

import json
from collections.abc import Mapping

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window
from tui_manager.storage.engine.statements import from_timedelta, like_pattern, load_queries
from tui_manager.storage.engine.transaction import Row, Transaction

_SQL = load_queries("tokens.sql")


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What is stored of a join token.

    Attributes:
        created_at, expires_at, revoked_at: microseconds since 1970 UTC; None: not revoked.
        uses, used: how many hosts may enrol with it, and how many have.
        labels: bound to these hosts.
        key_sha256: of the only host that may enrol with it; None: any may.
    """

    token_id: int
    created_by: str
    created_at: int
    expires_at: int
    revoked_at: int | None
    uses: int
    used: int
    auto_approve: bool
    labels: Mapping[str, str]
    key_sha256: bytes | None


def insert(
    tx: Transaction, secret_hash: bytes, spec: TokenSpec, created_by: str, now: int
) -> TokenRow:
    """Adds a token with which hosts may enrol from now on.

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
        "key_sha256": spec.key_sha256 or None,
        "now": now,
    }
    return _token(tx.execute(_SQL["insert"], values).fetchall()[0])


def by_secret(tx: Transaction, secret_hash: bytes) -> TokenRow | None:
    """The token with this hashed secret, also if it is used up, revoked or expired."""
    row = tx.execute(_SQL["by_secret"], {"secret_hash": secret_hash}).fetchone()
    return row and _token(row)


def by_id(tx: Transaction, token_id: int) -> TokenRow | None:
    """The token with this number, also if it is used up, revoked or expired."""
    row = tx.execute(_SQL["by_id"], {"id": token_id}).fetchone()
    return row and _token(row)


def window(tx: Transaction, window: Window, now: int, *, everything: bool) -> Page[TokenRow]:
    """Tokens, the newest first; `text` is looked for in the name of who created them.

    Args:
        now: microseconds since 1970 UTC.
        everything: also tokens with which no host can enrol any more.
    """
    values = {
        "limit": min(window.limit, LIMIT_MAX),
        "offset": window.offset,
        "pattern": like_pattern(window.text),
        "everything": everything,
        "now": now,
    }
    rows = tx.execute(_SQL["window"], values).fetchall()
    total: int = tx.execute(_SQL["count"]).fetchone()["total"]
    found = _matching(tx, values, rows)
    return Page([_token(row) for row in rows], found, total)


def revoke(tx: Transaction, token_id: int, now: int) -> TokenRow | None:
    """Revokes it; None: it has expired, was revoked, or there is none."""
    row = tx.execute(_SQL["revoke"], {"id": token_id, "now": now}).fetchone()
    return row and _token(row)


def use(tx: Transaction, token_id: int, now: int) -> bool:
    """Counts one more host; False: no more hosts may enrol with it."""
    return bool(tx.execute(_SQL["use"], {"id": token_id, "now": now}).rowcount)


def _token(row: Row) -> TokenRow:
    return TokenRow(
        token_id=row["id"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        uses=row["uses"],
        used=row["used"],
        auto_approve=bool(row["auto_approve"]),
        labels=json.loads(row["labels"]),
        key_sha256=row["key_sha256"] and bytes(row["key_sha256"]),
    )


def _matching(tx: Transaction, values: Mapping[str, object], rows: list[Row]) -> int:
    """How many rows pass the filter of a window, also if the window begins after the last row."""
    if not rows and values["offset"]:
        rows = tx.execute(_SQL["window"], {**values, "offset": 0, "limit": 1}).fetchall()
    count: int = rows[0]["matching"] if rows else 0
    return count

"""Whether a join token lets a host in, and what the owner of the host reads if it does not."""

from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.storage.engine.statements import to_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import tokens
from tui_manager.storage.tables.hosts.tokens import TokenRow

_CREATE_ANOTHER = "Make another on the manager: tui-manager token create."


def check_token(tx: Transaction, secret: bytes, now: int, key_hash: bytes) -> TokenRow:
    """The token with this hashed secret, used up or not.

    Args:
        now: microseconds since 1970 UTC.
        key_hash: of the host that shows it.

    Raises:
        RefusedError: it is unknown, was revoked, has expired, or is for another host.
    """
    token = tokens.by_secret(tx, secret)
    if token is None:
        raise _bad_token("This manager does not know the join token.")
    if token.revoked_at is not None:
        raise _bad_token(f"The join token was revoked, on {_day(token.revoked_at)}.")
    if token.expires_at <= now:
        raise _bad_token(f"The join token has expired, on {_day(token.expires_at)}.")
    if token.key_sha256 not in (None, key_hash):
        raise _bad_token("The join token is for a host with another key.")
    return token


def _day(stamp: int) -> str:
    return f"{to_datetime(stamp):%Y-%m-%d at %H:%M} UTC"


def _bad_token(why: str) -> RefusedError:
    return RefusedError(Refusal.BAD_TOKEN, f"{why} {_CREATE_ANOTHER}")


def used_up(token: TokenRow) -> RefusedError:
    """The error for a host whose join token has no use left."""
    times = "once" if token.uses == 1 else f"{token.uses} times"
    return _bad_token(f"The join token was used {times}, and may not be used again.")

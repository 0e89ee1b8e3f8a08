"""Uses of a join token are counted by one guarded statement."""

from datetime import timedelta

import pytest

from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.storage.engine.database import Database
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import tokens

SECRET, OTHER = b"s" * 32, b"o" * 32
SPEC = TokenSpec(ttl=timedelta(seconds=60), uses=2, auto_approve=True, labels={"b": "1", "a": ""})
MADE = 5_000_000
ENDS = MADE + 60_000_000


async def test_a_token_has_the_requested_fields(database: Database) -> None:
    made = await database.write(lambda tx: tokens.insert(tx, SECRET, SPEC, "ana", MADE))
    assert (made.uses, made.used, made.expires_at) == (2, 0, ENDS)
    assert (made.auto_approve, made.created_by) == (True, "ana")
    assert made.labels == {"a": "", "b": "1"}
    assert await database.read(lambda tx: tokens.by_secret(tx, SECRET)) == made
    assert await database.read(lambda tx: tokens.by_secret(tx, OTHER)) is None


@pytest.mark.parametrize(
    ("moments", "counted"),
    [
        ([MADE, MADE, MADE], [True, True, False]),
        ([ENDS - 1, ENDS, ENDS - 1], [True, False, True]),
    ],
)
async def test_a_token_is_valid_until_it_expires_or_is_used_up(
    database: Database, moments: list[int], counted: list[bool]
) -> None:
    def work(tx: Transaction) -> tuple[list[bool], int]:
        token = tokens.insert(tx, SECRET, SPEC, "ana", MADE)
        other = tokens.insert(tx, OTHER, SPEC, "ana", MADE)
        done = [tokens.use(tx, token.token_id, now) for now in moments]
        after = tokens.by_secret(tx, SECRET)
        assert tokens.by_secret(tx, OTHER) == other
        assert after
        return done, after.used

    assert await database.write(work) == (counted, counted.count(True))

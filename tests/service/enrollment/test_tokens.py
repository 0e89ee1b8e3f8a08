"""Join tokens after they were created: listed, and revoked."""

from datetime import timedelta

import pytest

from tests.support.managers.enrolled_hosts import used
from tests.support.managers.manager_parts import Parts
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    ManagerError,
    NotFoundError,
    Refusal,
    RefusedError,
)
from tui_manager.domain.hosts.join_token import Token, TokenState
from tui_manager.domain.lists.list_window import Window


async def _listed(parts: Parts, *, everything: bool = False) -> list[Token]:
    page = await parts.enrollment.list_tokens(Window(), everything=everything)
    return list(page.rows)


async def _refusal(parts: Parts, token: str, name: str) -> str:
    """Why a host is not taken in with it."""
    with pytest.raises(RefusedError) as caught:
        await parts.enroll(name, token=token)
    assert caught.value.refusal is Refusal.BAD_TOKEN
    return str(caught.value)


async def test_a_token_is_listed_with_all_but_its_secret(parts: Parts) -> None:
    made_at = parts.clock.instant
    text = await parts.token(uses=3, auto_approve=True, labels={"env": "prod"})
    parts.clock.turn(5)
    await parts.enroll("web01", token=text)
    (token,) = await _listed(parts)
    assert token == Token(
        token_id=1,
        state=TokenState.VALID,
        created_by="ana@pts/3",
        created_at=made_at,
        expires_at=made_at + timedelta(minutes=15),
        uses=3,
        used=1,
        auto_approve=True,
        labels={"env": "prod"},
    )


async def test_tokens_that_are_not_valid_are_listed_only_with_everything(parts: Parts) -> None:
    expired = await parts.token(ttl=timedelta(seconds=10))
    used_up, revoked, valid = [await parts.token() for _ in range(3)]
    await parts.enroll("web01", token=used_up)
    await parts.enrollment.revoke_tokens([3], "ana")
    parts.clock.turn(10)
    assert [token.token_id for token in await _listed(parts)] == [4]
    states = {token.token_id: token.state for token in await _listed(parts, everything=True)}
    assert list(states.items()) == [
        (4, TokenState.VALID),
        (3, TokenState.REVOKED),
        (2, TokenState.USED_UP),
        (1, TokenState.EXPIRED),
    ]
    for token in (expired, used_up, revoked):
        await _refusal(parts, token, "web02")
    await parts.enroll("web02", token=valid)


async def test_the_list_is_read_by_window(parts: Parts) -> None:
    for _ in range(5):
        await parts.token()
    page = await parts.enrollment.list_tokens(Window(offset=1, limit=2), everything=False)
    assert [token.token_id for token in page.rows] == [4, 3]
    assert (page.matching, page.total) == (5, 5)
    nobody = await parts.enrollment.list_tokens(Window(text="nobody"), everything=True)
    assert (list(nobody.rows), nobody.matching, nobody.total) == ([], 0, 5)
    behind = await parts.enrollment.list_tokens(Window(text="ana@", offset=9), everything=True)
    assert (list(behind.rows), behind.matching) == ([], 5)


async def test_a_revoked_token_is_refused_with_the_reason(parts: Parts) -> None:
    text = await parts.token(uses=2)
    enrolled = await parts.enroll("web01", token=text)
    (revoked,) = await parts.enrollment.revoke_tokens([1], "ana@pts/3")
    assert (revoked.state, revoked.used) == (TokenState.REVOKED, 1)
    why = await _refusal(parts, text, "web02")
    assert why == (
        "The join token was revoked, on 2026-01-02 at 03:04 UTC. Make another on the manager: "
        "tui-manager token create."
    )
    await _refusal(parts, text, "web01")  # not even the host that came with it
    assert await used(parts.database, text) == 1
    assert parts.directory.get(enrolled.host_id) is not None, "which stays"
    (entry,) = await parts.audited("revoke_token")
    assert (entry.actor, entry.detail) == ("ana@pts/3", {"token": "1", "used": "1"})


async def test_a_revoked_token_stays_revoked_when_the_clock_is_set_back(parts: Parts) -> None:
    text = await parts.token(ttl=timedelta(days=1))
    parts.clock.turn(3600)
    await parts.enrollment.revoke_tokens([1], "ana")
    parts.clock.turn(-3600)
    assert "was revoked" in await _refusal(parts, text, "web01")


@pytest.mark.parametrize(
    ("token_ids", "kind", "words"),
    [
        ([], InvalidInputError, "Name the join tokens"),
        ([3, 9], NotFoundError, "There is no join token 9."),
        ([3, 1], IllegalMoveError, "Join token 1 cannot be revoked: it has expired."),
        ([3, 2], IllegalMoveError, "Join token 2 cannot be revoked: it was revoked before."),
    ],
)
async def test_all_named_hosts_are_revoked_or_none(
    parts: Parts, token_ids: list[int], kind: type[ManagerError], words: str
) -> None:
    await parts.token(ttl=timedelta(seconds=10))
    await parts.token()
    parts.clock.turn(10)
    await parts.enrollment.revoke_tokens([2], "ana")
    third = await parts.token()
    before = await _listed(parts, everything=True)
    with pytest.raises(kind) as caught:
        await parts.enrollment.revoke_tokens(token_ids, "ana")
    assert str(caught.value).startswith(words)
    assert await _listed(parts, everything=True) == before
    assert len(await parts.audited("revoke_token")) == 1
    await parts.enroll("web01", token=third)


async def test_a_host_that_is_named_twice_is_revoked_once(parts: Parts) -> None:
    await parts.token()
    assert len(await parts.enrollment.revoke_tokens([1, 1], "ana")) == 1
    assert len(await parts.audited("revoke_token")) == 1

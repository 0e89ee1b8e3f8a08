"""Join tokens, and the hosts that enrol with them."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases.engines import holding
from tests.support.managers.enrolled_hosts import enrollment, host_key, secret_of, used
from tests.support.managers.manager_parts import Parts
from tui_manager.domain.errors import (
    InvalidInputError,
    Refusal,
    RefusedError,
    StorageError,
)
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Admission
from tui_manager.service.core.hosts import fleet_counts


def _hosts(parts: Parts) -> list[Host]:
    return list(parts.list_hosts(Window()).rows)


async def _refused(parts: Parts, token: str, name: str, **given: Any) -> RefusedError:
    """The refusal of a host that enrols, after which everything is as before."""
    before = _hosts(parts)
    with pytest.raises(RefusedError) as caught:
        await parts.enroll(name, token=token, **given)
    assert _hosts(parts) == before
    return caught.value


async def test_a_token_says_the_pin_and_is_stored_as_a_hash_only(
    parts: Parts, tmp_path: Path
) -> None:
    spec = TokenSpec(ttl=timedelta(hours=1), uses=3, labels={"role": "web"})
    made = await parts.enrollment.create_token(spec, "ana@pts/3")
    version, pin, secret = made.text.split(".")
    assert (version, pin, len(secret)) == ("tm1", "pin", 32)
    assert made.expires_at == parts.clock.instant + timedelta(hours=1)
    assert secret not in repr(made)
    (entry,) = await parts.audited()
    assert (entry.actor, entry.action) == ("ana@pts/3", "create_token")
    assert entry.detail["uses"] == "3"
    assert entry.detail["labels"] == "role=web"
    assert holding(tmp_path, secret.encode()) == []
    assert holding(tmp_path, b"ana@pts/3") != []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"uses": 0}, "uses"),
        ({"ttl": timedelta(0)}, "ttl"),
        ({"labels": {"a b": ""}}, "label"),
        ({"key_sha256": b"short"}, "key_sha256"),
        ({"key_sha256": bytes(32), "uses": 2}, "key_sha256"),
    ],
)
async def test_a_token_out_of_bounds_is_refused(
    parts: Parts, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await parts.enrollment.create_token(TokenSpec(**given), "ana")
    assert caught.value.field == field
    assert await parts.audited() == []


async def test_an_enrolled_host_is_pending_until_it_is_approved(parts: Parts) -> None:
    enrolled = await parts.enroll("web01")
    assert (enrolled.name, enrolled.admission) == ("web01", Admission.PENDING)
    (host,) = _hosts(parts)
    assert (host.host_id, host.admission, host.online) == (
        enrolled.host_id,
        Admission.PENDING,
        False,
    )
    assert host.fingerprint == host_key("web01").fingerprint
    assert host.note == ""
    assert parts.authority.issued == [(host.fingerprint, host.host_id)]
    assert fleet_counts.counts(parts.directory) == (0, 0, 1)
    (entry,) = await parts.audited("enroll_host")
    assert (entry.actor, entry.host, entry.host_id) == ("host web01", "web01", host.host_id)
    assert await parts.audited("admit_host") == []


async def test_auto_approve_admits_at_once(parts: Parts) -> None:
    enrolled = await parts.enroll("web01", auto_approve=True)
    assert enrolled.admission is Admission.ADMITTED
    assert _hosts(parts)[0].admission is Admission.ADMITTED
    (entry,) = await parts.audited("admit_host")
    assert entry.detail["by"].endswith("of ana@pts/3")


async def test_a_token_for_a_key_admits_its_host_alone(parts: Parts) -> None:
    await parts.enroll("web01", auto_approve=True)
    token = await parts.token(key_sha256=host_key("web02").key_hash)
    refused = await _refused(parts, token, "web03")
    assert (refused.refusal, "another key" in str(refused)) == (Refusal.BAD_TOKEN, True)
    # Another host's token would leave it pending: its machine is known.
    enrolled = await parts.enroll("web02", token=token, machine_id="machine-web01")
    assert enrolled.admission is Admission.ADMITTED
    assert await parts.enroll("web02", token=token) == enrolled
    listed = await parts.enrollment.list_tokens(Window(), everything=True)
    assert [one.key_sha256 for one in listed.rows] == [host_key("web02").key_hash, b""]


async def test_a_token_for_a_key_admits_a_host_that_waits(parts: Parts) -> None:
    waiting = await parts.enroll("web01")
    token = await parts.token(key_sha256=host_key("web01").key_hash)
    enrolled = await parts.enroll("web01", token=token)
    assert (enrolled.host_id, enrolled.admission) == (waiting.host_id, Admission.ADMITTED)


async def test_a_token_for_a_key_does_not_bring_back_a_revoked_host(parts: Parts) -> None:
    enrolled = await parts.enroll("web01", auto_approve=True)
    await parts.admission.revoke(["web01"], "ana")
    token = await parts.token(key_sha256=host_key("web01").key_hash)
    assert (await _refused(parts, token, "web01")).refusal is Refusal.REVOKED
    assert _hosts(parts)[0].host_id == enrolled.host_id


async def test_labels_of_the_token_replace_the_agents_for_ever(parts: Parts) -> None:
    token = await parts.token(labels={"role": "web"}, auto_approve=True)
    given = {"role": "db", "rack": "7"}
    enrolled = await parts.enroll("web01", token=token, labels=given)
    assert _hosts(parts)[0].labels == {"role": "web", "rack": "7"}
    await parts.dial(enrolled.host_id, "web01", labels={"role": "db", "zone": "a"})
    assert _hosts(parts)[0].labels == {"role": "web", "zone": "a"}


@pytest.mark.parametrize("secret", ["", "x" * 32, "'; DROP TABLE tokens; --", "\x00"])
async def test_a_guessed_token_writes_nothing(
    parts: Parts, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.token()
    written: list[object] = []
    monkeypatch.setattr(parts.database, "write", written.append)
    error = await _refused(parts, f"tm1.pin.{secret}", "web01")
    assert error.refusal is Refusal.BAD_TOKEN
    assert written == []
    assert parts.statistics.counters.bad_tokens == 1
    assert parts.authority.issued == []


async def test_guesses_share_one_row_of_the_audit(parts: Parts) -> None:
    for number in range(50):
        await _refused(parts, "tm1.pin.guess", f"web{number}", address=f"10.0.0.{number}:1")
    (entry,) = await parts.audited("refuse_host")
    assert (entry.host, entry.detail["reason"], entry.detail["count"]) == ("", "bad_token", "49")
    assert parts.violations.count_bad_tokens() == 50


async def test_a_used_up_token_is_refused(parts: Parts) -> None:
    token = await parts.token()
    await parts.enroll("web01", token=token)
    error = await _refused(parts, token, "web02")
    assert error.refusal is Refusal.BAD_TOKEN
    assert "was used once" in str(error)
    assert await used(parts.database, token) == 1


async def test_an_expired_token_is_refused_even_to_the_host_that_used_it(parts: Parts) -> None:
    spent, unused = await parts.token(), await parts.token()
    await parts.enroll("web01", token=spent)
    parts.clock.turn(899)
    await parts.enroll("web01", token=spent)
    parts.clock.turn(1)
    for token, name in ((spent, "web01"), (unused, "web02")):
        error = await _refused(parts, token, name)
        assert error.refusal is Refusal.BAD_TOKEN
        assert "has expired" in str(error)
    assert await used(parts.database, unused) == 0


async def test_the_last_use_of_a_token_goes_to_one_host(parts: Parts) -> None:
    token = await parts.token(uses=3)
    names = [f"web{number}" for number in range(10)]
    outcomes = await asyncio.gather(
        *(parts.enroll(name, token=token) for name in names), return_exceptions=True
    )
    refusals = [error for error in outcomes if isinstance(error, RefusedError)]
    assert {error.refusal for error in refusals} == {Refusal.BAD_TOKEN}
    assert len(refusals) == 7
    assert len(_hosts(parts)) == await used(parts.database, token) == 3
    assert len(parts.authority.issued) == 3


async def test_a_host_with_a_taken_name_is_pending_even_with_auto_approve(
    parts: Parts,
) -> None:
    owner = await parts.member("web01")
    thief = await parts.enroll("web01", key="thief", machine_id="other", auto_approve=True)
    assert (thief.host_id != owner.host_id, thief.admission) == (True, Admission.PENDING)
    shown = {host.host_id: host for host in _hosts(parts)}
    note = shown[thief.host_id].note
    assert "The name web01 is also that of web01, which is admitted" in note
    assert host_key("web01").fingerprint in note
    assert "machine-web01" in note
    assert "127.0.0.1:1" in note
    assert shown[owner.host_id].admission is Admission.ADMITTED
    assert shown[owner.host_id].online
    assert shown[owner.host_id].note == ""


async def test_a_host_on_a_known_machine_is_pending(parts: Parts) -> None:
    await parts.member("web01")
    clone = await parts.enroll("web02", machine_id="machine-web01", auto_approve=True)
    assert clone.admission is Admission.PENDING
    note = next(host.note for host in _hosts(parts) if host.name == "web02")
    assert note.startswith("Same machine ID as web01, which is admitted (")
    assert note.endswith("): a cloned image?")


async def test_a_note_about_many_clones_names_one_and_counts_the_others(parts: Parts) -> None:
    await parts.member("web01")
    for number in range(2, 5):
        name = f"web{number:02}"
        await parts.enroll(name, key=name, machine_id="machine-web01", auto_approve=True)
    note = next(host.note for host in _hosts(parts) if host.name == "web04")
    assert note == "Same machine ID as web01 and 2 more: a cloned image?"


async def test_several_pending_hosts_may_have_one_name(parts: Parts) -> None:
    for number in range(6):
        waiting = await parts.enroll("web01", key=f"key{number}", machine_id="", auto_approve=True)
        # The first comes alone, and is admitted.
        assert waiting.admission is (Admission.PENDING if number else Admission.ADMITTED)
    newest = next(host.note for host in _hosts(parts) if host.host_id == waiting.host_id)
    assert newest.count("web01, which") == 3
    assert newest.endswith("2 more.")


async def test_two_hosts_without_a_machine_id_are_no_duplicates(parts: Parts) -> None:
    for name in ("web01", "web02"):
        enrolled = await parts.enroll(name, machine_id="", auto_approve=True)
        assert enrolled.admission is Admission.ADMITTED


async def test_a_turned_away_host_is_no_duplicate(parts: Parts) -> None:
    await parts.enroll("web01", auto_approve=True)
    await parts.admission.revoke(["web01"], "ana")
    other = await parts.enroll(
        "web01", key="new key", machine_id="machine-web01", auto_approve=True
    )
    assert other.admission is Admission.ADMITTED


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "../../etc"},
        {"name": "web 01"},
        {"name": "--all-pending"},
        {"name": "-x"},
        {"name": "_web"},
        {"name": "\x1b]0;title\x07"},
        {"name": "web01'; DROP TABLE hosts; --"},
        {"name": "web01", "labels": {"../k": "v"}},
        {"name": "web01", "labels": {"k": "\x1b[2J"}},
        {"name": "web01", "labels": {f"k{number}": "" for number in range(10_000)}},
    ],
)
async def test_invalid_names_and_labels_are_refused_and_use_no_token(
    parts: Parts, given: dict[str, Any]
) -> None:
    token = await parts.token()
    values = {"key": "web01", **given}
    error = await _refused(parts, token, values.pop("name"), **values)
    assert error.refusal is Refusal.INVALID_HELLO
    assert await used(parts.database, token) == 0
    (entry,) = await parts.audited("refuse_host")
    assert entry.host.isprintable()


async def test_an_authority_that_cannot_issue_is_reported_and_the_host_retries(
    parts: Parts,
) -> None:
    token = await parts.token()
    parts.authority.problem = "The authority's certificate has ended."
    with pytest.raises(StorageError, match="has ended"):
        await parts.enroll("web01", token=token)
    assert parts.statistics.authority_error == parts.authority.problem
    parts.authority.problem = ""
    enrolled = await parts.enroll("web01", token=token)
    assert _hosts(parts)[0].host_id == enrolled.host_id
    assert parts.statistics.authority_error == ""


async def test_a_secret_is_not_in_any_repr(parts: Parts) -> None:
    token = await parts.token()
    assert secret_of(token) not in repr(enrollment(token, "web01"))

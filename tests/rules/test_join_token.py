"""The text of a join token, and the words for a key."""

import re

import pytest
from tui_manager_protos.rules.fingerprint import fingerprint
from tui_manager_protos.rules.join_token import JoinToken, hash_secret

PIN = "p" * 42 + "_"
SECRET = "-" + "s" * 31


def test_a_token_names_pin_secret_and_maybe_a_port() -> None:
    token = JoinToken.parse(f"tm1.{PIN}.{SECRET}\n")
    assert (token.pin, token.secret, token.port) == (PIN, SECRET, None)
    assert JoinToken.parse(f"tm1.{PIN}.{SECRET}.7444").port == 7444
    assert SECRET not in repr(token)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tm1",
        f"tm2.{PIN}.{SECRET}",
        f"tm1.{PIN}.{SECRET[1:]}",
        f"tm1.{PIN}x.{SECRET}",
        f"tm1.{PIN}.{SECRET}.0",
        f"tm1.{PIN}.{SECRET}.65536",
        f"tm1.{PIN}.{SECRET}.",
        f"tm1.{PIN}.{SECRET}.1.2",
        f"tm1.{PIN}.{SECRET[:-1]}é",
        f"tm1.{PIN}.{SECRET}.٣",
    ],
)
def test_what_is_no_token_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="this is not a join token") as refused:
        JoinToken.parse(text)
    assert SECRET[1:] not in str(refused.value)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((127, 0, 0, 1, 63, 84), "lusab-babad-gutih"),
        ((0, 0, 0, 0, 0, 0), "babab-babab-babab"),
        ((255, 255, 255, 255, 255, 255), "zuzuz-zuzuz-zuzuz"),
    ],
)
def test_words_are_proquints(numbers: tuple[int, ...], words: str) -> None:
    assert fingerprint(bytes(numbers) + bytes(26)) == words


def test_secrets_are_32_characters_and_never_twice_the_same() -> None:
    made = {JoinToken.new(PIN, None).secret for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", secret) for secret in made)


def test_the_hash_is_what_it_is_forever() -> None:
    # printf abc | sha256sum
    assert hash_secret("abc").hex() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert JoinToken(PIN, "abc").secret_hash == hash_secret("abc")


def test_a_token_names_the_port_when_it_is_not_the_next_one() -> None:
    assert JoinToken(PIN, SECRET).text == f"tm1.{PIN}.{SECRET}"
    assert JoinToken(PIN, SECRET, 9000).text == f"tm1.{PIN}.{SECRET}.9000"


@pytest.mark.parametrize("port", [None, 7500])
def test_the_agent_reads_the_tokens_that_the_manager_makes(port: int | None) -> None:
    token = JoinToken.new(PIN, port)
    assert JoinToken.parse(token.text) == token

"""The text of a join token, and the words for a key."""

import hashlib

import pytest
from tui_manager_agent.identity.fingerprint import fingerprint
from tui_manager_agent.identity.join_token import JoinToken, parse

from tui_manager.security.keys import fingerprint as managers_fingerprint
from tui_manager.security.keys import pin
from tui_manager.security.tokens import new_secret, token_text

PIN = "p" * 42 + "_"
SECRET = "-" + "s" * 31


def test_a_token_names_pin_secret_and_maybe_a_port() -> None:
    token = parse(f"tm1.{PIN}.{SECRET}\n")
    assert (token.pin, token.secret, token.port) == (PIN, SECRET, None)
    assert parse(f"tm1.{PIN}.{SECRET}.7444").port == 7444
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
    with pytest.raises(ValueError, match="that is no join token") as refused:
        parse(text)
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


def test_agent_and_manager_say_the_same_words_for_a_key() -> None:
    for number in range(100):
        key_hash = hashlib.sha256(str(number).encode()).digest()
        assert fingerprint(key_hash) == managers_fingerprint(key_hash)


@pytest.mark.parametrize("port", [None, 7500])
def test_the_agent_reads_the_tokens_that_the_manager_makes(port: int | None) -> None:
    secret = new_secret()
    key_hash = hashlib.sha256(b"a key").digest()
    assert parse(token_text(pin(key_hash), secret, port)) == JoinToken(pin(key_hash), secret, port)

"""The text of join tokens."""

import re

from tui_manager.security.tokens import new_secret, secret_hash, token_text


def test_secrets_are_32_characters_and_never_twice_the_same() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", secret) for secret in made)


def test_the_hash_is_what_it_is_forever() -> None:
    # printf abc | sha256sum
    assert secret_hash("abc").hex() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_token_names_the_port_when_it_is_not_the_next_one() -> None:
    assert token_text("PIN", "SECRET", None) == "tm1.PIN.SECRET"
    assert token_text("PIN", "SECRET", 9000) == "tm1.PIN.SECRET.9000"

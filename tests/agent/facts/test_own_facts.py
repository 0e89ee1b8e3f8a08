"""The facts that a host's owner writes into facts.toml."""

import logging
import os
from pathlib import Path

import pytest
from tui_manager_agent.facts.owner_facts import ERROR, OWN_LIMIT, OwnerFacts, parse
from tui_manager_agent.policy import trusted_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "facts.toml"
    path.write_text('site = "berlin"\n')
    path.chmod(0o600)
    return path


def test_every_plain_value_is_a_fact() -> None:
    text = """
        site = "berlin"
        rack.row = 3
        backup = true
        load = 1.5
        bought = 2024-05-06
        "example.com/owner" = "Ana Müller <ana@example.com>"
        [app]
        version = "3.1"
        empty = ""
    """
    assert parse(text) == (
        {
            "site": "berlin",
            "rack.row": "3",
            "backup": "true",
            "load": "1.5",
            "bought": "2024-05-06",
            "example.com/owner": "Ana Müller <ana@example.com>",
            "app.version": "3.1",
            "app.empty": "",
        },
        [],
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('"a b" = 1', "'a b' is not a fact's name"),
        ('"" = 1', "'' is not a fact's name"),
        (f"{'x' * 64} = 1", "is not a fact's name"),
        ("a = [1]", "a must be a text"),
        ('a = "x\\ny"', "a has characters that cannot be printed"),
        ('a = "\\u001b[31m"', "a has characters that cannot be printed"),
        (f"a = '{'ü' * 128}'", "a is longer than 255 bytes"),
        ('os = "mine"', "os is a fact that the agent itself finds out"),
        ("address.eth9 = 1", "address.eth9 is a fact that the agent itself finds out"),
        ("facts_error = 1", "facts_error is a fact that the agent itself finds out"),
    ],
)
def test_one_that_cannot_be_used_is_left_out_and_named(text: str, problem: str) -> None:
    facts, problems = parse(f'{text}\n[good]\none = "1"\n')
    assert facts == {"good.one": "1"}
    (said,) = problems
    assert problem in said


def test_a_file_has_a_limited_number_of_facts() -> None:
    facts, problems = parse("".join(f"f{n} = {n}\n" for n in range(OWN_LIMIT)))
    assert (len(facts), problems) == (OWN_LIMIT, [])
    facts, problems = parse("".join(f"f{n} = {n}\n" for n in range(10_000)))
    assert len(facts) == OWN_LIMIT
    assert problems == [
        f"f{OWN_LIMIT} and what follows are left out: a file has at most {OWN_LIMIT} facts."
    ]


def test_a_change_of_the_file_is_seen(file: Path) -> None:
    own = OwnerFacts(file)
    assert own.current() == {"site": "berlin"}
    file.write_text('site = "paris"')
    assert own.current() == {"site": "paris"}
    file.write_text("site = ")
    error = own.current()[ERROR]
    assert error.startswith("facts.toml: Invalid value")
    file.unlink()
    assert own.current() == {ERROR: "facts.toml: It cannot be read: No such file or directory."}
    file.write_text('site = "rome"')
    file.chmod(0o600)
    assert own.current() == {"site": "rome"}


def test_a_problem_is_logged_once(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("a = [1]\nb = 2")
    own = OwnerFacts(file)
    with caplog.at_level(logging.INFO):
        assert own.current() == {"b": "2", ERROR: own.current()[ERROR]}
        file.write_text("a = [1]\nb = 2")
        own.current()
        file.write_text("b = 2")
        assert own.current() == {"b": "2"}
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.WARNING, logging.INFO]


def test_the_default_file_may_be_absent(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setattr(
        "tui_manager_agent.facts.owner_facts.configuration_folder", lambda: file.parent
    )
    own = OwnerFacts(None)
    assert own.path == file
    assert own.current() == {"site": "berlin"}
    file.unlink()
    assert own.current() == {}


def test_nobody_else_may_write_it(file: Path) -> None:
    own = OwnerFacts(file)
    file.chmod(0o666)
    assert "can be written by anybody" in own.current()[ERROR]
    file.chmod(0o600)
    assert own.current() == {"site": "berlin"}


def test_the_folders_above_it_count(file: Path) -> None:
    """Their change does not change the file."""
    file.parent.chmod(0o777)
    own = OwnerFacts(file)
    assert "can be written by anybody" in own.current()[ERROR]
    file.parent.chmod(0o700)
    assert own.current() == {"site": "berlin"}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (b"a = 1 # " + b"x" * trusted_file.LARGEST, "longer than 256 KiB"),
        (b"a = '\xff'", "not UTF-8 at byte 5"),
        (b"a = " + b"[" * 100_000, "facts.toml: "),
        (None, "not a regular file"),
    ],
)
def test_what_is_no_file_of_facts(file: Path, what: bytes | None, said: str) -> None:
    if what is None:
        file.unlink()
        os.mkfifo(file)
    else:
        file.write_bytes(what)
    assert said in OwnerFacts(file).current()[ERROR]

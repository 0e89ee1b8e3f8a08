"""What the last term of a target can become."""

import pytest

from tui_manager.domain.targets.target_completion import COMPLETIONS_LIMIT, completions, last_term
from tui_manager.domain.targets.target_matching import TargetHost

HOSTS = [
    TargetHost("1", "db1", {"role": "db", "env": "prod"}, {"os": "debian", "cores": "8"}),
    TargetHost("2", "web02", {"role": "web", "env": "prod"}, {"os": "alpine"}),
    TargetHost("3", "web10", {"role": "web"}),
]
GROUPS = ("west", "old")


def found(target: str, limit: int = 50) -> list[str]:
    return list(completions(target, HOSTS, GROUPS, limit))


@pytest.mark.parametrize(
    ("target", "before", "term"),
    [
        ("", "", ""),
        ("we", "", "we"),
        ("role=web,db", "role=web,", "db"),
        ("role=web & en", "role=web & ", "en"),
        ("@all,!we", "@all,!", "we"),
        ("web[01,02],d", "web[01,02],", "d"),
        ("web[01,0", "web[01,0", ""),
    ],
)
def test_the_last_term(target: str, before: str, term: str) -> None:
    assert last_term(target) == (before, term)


@pytest.mark.parametrize(
    ("target", "terms"),
    [
        ("@", ["@all", "@maintenance", "@offline", "@old", "@online", "@west"]),
        ("db1,@o", ["@offline", "@old", "@online"]),
        ("we", ["web02", "web10"]),
        ("e", ["env="]),
        ("role=", ["role=db", "role=web"]),
        ("env=prod&role!=w", ["role!=web"]),
        ("f", ["fact."]),
        ("fact.", ["fact.cores=", "fact.os="]),
        ("fact.os=d", ["fact.os=debian"]),
        ("nothing=", []),
        ("web02", []),  # whole already
        ("web[01,0", []),
        ("task:6", []),
    ],
)
def test_what_begins_as_the_term(target: str, terms: list[str]) -> None:
    assert found(target) == terms


def test_an_empty_term_offers_groups_and_keys_and_no_names() -> None:
    assert found("role=db,")[:2] == ["@all", "@maintenance"]
    assert found("")[-3:] == ["env=", "fact.", "role="]
    assert found("", 2) == ["@all", "@maintenance"]


def test_no_more_than_asked_for() -> None:
    many = [TargetHost(str(n), f"h{n:03}") for n in range(COMPLETIONS_LIMIT + 1)]
    assert len(completions("h", many, (), 2000)) == COMPLETIONS_LIMIT
    assert completions("h", many, (), -1) == ()


def test_what_is_known_of_agents_is_offered_like_a_fact() -> None:
    hosts = [
        TargetHost("1", "a", agent={"agent_version": "0.2.0"}),
        TargetHost("2", "b", {}, {"os": "debian"}, agent={"agent_version": "0.1.0"}),
    ]
    assert list(completions("fact.", hosts, (), 9)) == ["fact.agent_version=", "fact.os="]
    assert list(completions("fact.agent_version=", hosts, (), 9)) == [
        "fact.agent_version=0.1.0",
        "fact.agent_version=0.2.0",
    ]
    assert list(completions("f", hosts[:1], (), 9)) == ["fact."]

"""The TARGET notation, against examples and hostile input."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from ClusterShell.RangeSet import RangeSet
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.status import Admission
from tui_manager.domain.targets.target import (
    TargetContext,
    TargetHost,
    TargetHosts,
    check_target,
    fold_names,
    natural_key,
    read_notation,
    resolve_target,
)
from tui_manager.domain.text.host_name_ranges import unfold_names

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAIN = TargetContext(NOW)


def host(name: str, **labels: str) -> TargetHost:
    return TargetHost(f"id-{name}", name, labels)


HOSTS = [
    *(host(f"web{i:02}", env="prod", role="web") for i in range(20, 0, -1)),
    host("web100", env="test", role="web"),
    host("db1", env="prod", role="db"),
    host("db2", env="test", role="db"),
    host("Mail", role="mail"),
    host("bare"),
]
GROUPS = {
    "web": "web[01-03]",
    "prod": "env=prod",
    "both": "@web, db1",
    "less": "@both,!web02",
    "stale": "web01,gone[1-3]",
    "wrong": "web01,,",
    "minus": "!web01",
}


def hosts_of(
    target: str,
    hosts: Sequence[TargetHost] = HOSTS,
    groups: Mapping[str, str] = GROUPS,
    context: TargetContext = PLAIN,
) -> tuple[TargetHost, ...]:
    return resolve_target(read_notation(target, groups), TargetHosts(hosts), context).hosts


def resolve(target: str) -> str:
    return fold_names(found.name for found in hosts_of(target))


def refusal(target: str, groups: Mapping[str, str] = GROUPS) -> str:
    with pytest.raises(InvalidInputError) as caught:
        hosts_of(target, groups=groups)
    assert caught.value.field == "target"
    return str(caught.value)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("db1", "db1"),
        ("web[01-03,05],db1", "db1,web[01-03,05]"),
        ("web[ 01 - 03 , 05 ]", "web[01-03,05]"),
        ("web0[8-9]", "web[08-09]"),
        ("web[01-09/4]", "web[01,05,09]"),
        ("web1*", "web[10-19,100]"),
        ("web?00", "web100"),
        ("web[01-02]*,db?", "db[1-2],web[01-02]"),
        ("mail*,db1", "db1"),
        ("env=prod&role=db", "db1"),
        ("env = t*", "db2,web100"),
        ("role!=web", "Mail,bare,db[1-2]"),
        ("env!=*", "Mail,bare"),
        ("@web", "web[01-03]"),
        ("@both", "db1,web[01-03]"),
        ("@less", "db1,web[01,03]"),
        ("@prod & @web , db2", "db2,web[01-03]"),
        ("@all,!role=web", "Mail,bare,db[1-2]"),
        ("@all , ! env=* & role=web", "Mail,bare,db[1-2]"),
        ("db1,!@all,db2", "db2"),
        ("env=prod&role=web,db1,!web07", "db1,web[01-06,08-20]"),
        ("web01,web01,web0[1-1]", "web01"),
    ],
)
def test_what_a_target_means(target: str, expected: str) -> None:
    assert resolve(target) == expected


def test_hosts_come_in_natural_order_each_once() -> None:
    found = hosts_of("web100,web*,Mail,db2,db1")
    names = [one.name for one in found]
    assert names[:4] == ["Mail", "db1", "db2", "web01"]
    assert names[-2:] == ["web20", "web100"]
    assert len(names) == len(set(names)) == 24


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("web21", "Not known: web21."),
        ("web01,!db[1-3]", "Not known: db3."),
        ("web[19-38]", "Not known: web[21-25] and 13 more."),
        ("nope&env=prod", "Not known: nope."),
        ("@stale", "Not known: gone[1-3]."),
        ("x*", "No host matches x*."),
        ("x*,y=1&env=prod,db1,!db1", "No host matches x*, y=1."),
        ("env=test&role=mail", "No host matches env=test&role=mail."),
        ("web*,!role=web", "Nothing is left of web*: all hosts that match are excluded."),
        ("!web01", "!web01 excludes from nothing; begin with what it is excluded from, as in "),
        ("@minus", "In group @minus: !web01 excludes from nothing"),
        ("@wrong", "In group @wrong: Something is missing beside a ','"),
        ("env=prod&!web01", "write ',!web01' instead of '&!web01'"),
        ("@nope", "There is no group @nope. Groups: @both, @less,"),
        ("@", "@ is not a group"),
        ("@a b", "@a b is not a group"),
        (" \n", "The target is empty"),
        ("web01,", "Something is missing"),
        ("&web01", "Something is missing"),
        ("web01,!", "Something is missing"),
        ("web 01", "web 01 is not a host's name"),
        ("wéb", "wéb is not a host's name"),
        ("a/b", "a/b cannot be a host's name."),
        ("w" * 65, "cannot be a host's name."),
        ("env=[ab]", "is not a label: KEY=VALUE"),
        ("=prod", "is not a label: KEY=VALUE"),
        ("web[01-", "its brackets do not pair"),
        ("web01]", "its brackets do not pair"),
        ("web[[1-2]]", "its brackets do not pair"),
        ("web[]", "'' is not a number"),
        ("web[1-3-5]", "'1-3-5' is not a number"),
        ("web[-1]", "'-1' is not a number"),
        ("web[1 2]", "web[1 2] is not a host's name"),
        ("web[9-1]", "runs backwards"),
        ("web[1-9/0]", "step 0"),
        ("web[01-100]", "mixes widths; write 001-100"),
    ],
)
def test_errors_say_what_is_wrong(target: str, message: str) -> None:
    assert message in refusal(target)


@pytest.mark.parametrize(
    "target",
    [
        "web[1-999999999]",
        "web[1-999999999/1]",
        "a" + "9" * 18 + "[1-9999999]",
        "a[1-1000]b[1-1000]",
        "-".join(["a[0-9]"] * 6),
        "-".join(["a[0-9]"] * 900),
        "web[1-60000],db[1-60000]",
        "web[" + "0" * 9000 + "1-2]",
        "web" + "0" * 9000,
        "web" + "0" * 9000 + "[1-2]",
        "web[1-101]*",
        "[" * 5000,
        "web[1" + " " * 9000 + "x]",
        "," * 9999,
        "@" * 9999,
        "!" * 9999,
        "a," * 5001,
        "web[" + "1-99," * 1900 + "1]",
    ],
    ids=lambda target: target[:24],
)
def test_hostile_targets_are_refused_before_they_are_expanded(target: str) -> None:
    assert len(refusal(target)) < 600


def test_many_stars_take_linear_time() -> None:
    slow = [host("a" * 64), host("a" * 63 + "b")]
    assert len(hosts_of("*a" * 30 + "*b", slow)) == 1


def test_no_group_of_the_machine_is_consulted(monkeypatch: pytest.MonkeyPatch) -> None:
    def consulted(*_: object, **__: object) -> None:
        raise AssertionError("ClusterShell's group configuration was consulted")

    monkeypatch.setattr("ClusterShell.NodeUtils.GroupResolver.group_nodes", consulted)
    assert resolve("web[01-02]") == "web[01-02]"
    assert "There is no group @db" in refusal("@db", {})


def test_groups_that_hold_themselves_are_found() -> None:
    groups = {"a": "db1,@b", "b": "@c", "c": "@all,!@a"}
    assert refusal("db1,@b", groups) == "The group @b holds itself: @b → @c → @a → @b."


def test_groups_named_many_times_are_read_once() -> None:
    groups = {f"g{i}": f"@g{i + 1},@g{i + 1},@all&@g{i + 1}" for i in range(15)} | {"g15": "db1"}
    assert [one.name for one in hosts_of("@g0", groups=groups)] == ["db1"]
    deep = {f"g{i}": f"@g{i + 1}" for i in range(5000)} | {"g5000": "db1"}
    assert "20 deep" in refusal("@g0", deep)


def test_check_looks_at_the_notation_only() -> None:
    check_target("unknown[1-5],x=y,!@web", GROUPS)
    with pytest.raises(InvalidInputError, match="no group @nope"):
        check_target("@nope", GROUPS)


@pytest.mark.parametrize(
    "target", ["db1", "web[01-03],db1,!web02", "@both", "@less,bare", "web01&@web", "db1,!@web"]
)
def test_where_names_alone_are_asked_for_their_hosts_suffice(target: str) -> None:
    named = read_notation(target, GROUPS).names
    assert named is not None
    few = [one for one in HOSTS if one.name in named]
    assert len(few) < len(HOSTS)
    assert hosts_of(target, few) == hosts_of(target)


@pytest.mark.parametrize(
    "target",
    [
        *("@all", "web*", "db1,env=prod", "db1&@prod", "db1,!role!=web"),
        *("db1,@online", "db1,!@maintenance", "fact.os=*", "db1,task:7:failed"),
    ],
)
def test_where_more_than_names_is_asked_for_all_hosts_are_needed(target: str) -> None:
    assert read_notation(target, GROUPS).names is None


@pytest.mark.parametrize(
    ("target", "asks"),
    [
        *(
            (target, True)
            for target in ("fact.os=*", "@all,!fact.os!=x", "web*&fact.os=x", "@by_fact")
        ),
        *((target, False) for target in ("@all", "web01", "@prod", "task:7:failed", "env=prod")),
    ],
)
def test_facts_are_asked_for_only_by_their_terms(target: str, *, asks: bool) -> None:
    groups = {**GROUPS, "by_fact": "@prod,fact.os=debian"}
    assert read_notation(target, groups).asks_for_facts is asks


def test_without_hosts_nothing_can_be_meant() -> None:
    with pytest.raises(InvalidInputError, match="There are no admitted hosts"):
        hosts_of("@all", [])


@given(st.text(alphabet="ab01289[]-/,!&@=*?. \u0663", max_size=40))
def test_any_text_is_resolved_or_refused(target: str) -> None:
    with contextlib.suppress(InvalidInputError):
        assert hosts_of(target)


@given(st.sets(st.from_regex(r"[ab0-2.-]{1,12}", fullmatch=True), max_size=40))
def test_folded_names_unfold_to_the_same(names: set[str]) -> None:
    folded = fold_names(names)
    parts = check_and_split(folded) if folded else []
    unfolded = [name for part in parts for name in unfold_names(part)]
    assert sorted(unfolded) == sorted(names)


def check_and_split(folded: str) -> list[str]:
    """The parts between the commas that stand outside of brackets."""
    check_target(folded, {})
    parts, depth = [""], 0
    for letter in folded:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([], ""),
        (["web1"], "web1"),
        (["web02", "db1", "web01", "web04"], "db1,web[01-02,04]"),
        (["r1n1", "r1n2", "r2n1", "r2n2", "r2n3"], "r1n[1-2],r2n[1-3]"),
        (["web1.dc2.example", "web2.dc2.example"], "web[1-2].dc2.example"),
        (["1", "2", "a", "-"], "-,[1-2],a"),
    ],
)
def test_names_fold(names: list[str], folded: str) -> None:
    assert fold_names(names) == folded


@given(st.sets(st.integers(0, 999), min_size=2))
def test_numbers_of_one_width_are_folded_as_clustershell_does(numbers: set[int]) -> None:
    spelled = [f"{number:03}" for number in numbers]
    assert fold_names(f"web{number}" for number in spelled) == f"web[{RangeSet.fromlist(spelled)}]"


def test_a_host_that_cannot_be_used_is_named_with_the_reason() -> None:
    admissions = {
        "db7": Admission.REVOKED,
        "db8": Admission.REVOKED,
        "new1": Admission.PENDING,
        "bad": Admission.REJECTED,
    }
    context = TargetContext(NOW, admission_of=admissions.get)
    with pytest.raises(InvalidInputError) as caught:
        hosts_of("web01,db7,!db8,new1,bad,nope", context=context)
    assert str(caught.value) == (
        "Rejected: bad. Revoked: db[7-8]. Not approved yet: new1. Not known: nope."
    )


def test_hosts_that_are_kept_say_what_is_the_same_for_each_target() -> None:
    names = ("web10", "db1", "web2", "web1")
    hosts = [TargetHost(f"id-{name}", name, {"role": name.rstrip("012")}) for name in names]
    kept = TargetHosts(hosts)
    assert kept.folded == fold_names(names) == "db1,web[1-2,10]"
    assert (
        TargetHosts(sorted(hosts, key=lambda host: natural_key(host.name)), in_order=True).folded
        == kept.folded
    )
    assert kept.ids == {host.host_id for host in hosts}
    assert kept.ids_of_label("role") == {
        "db": {"id-db1"},
        "web": {"id-web1", "id-web2", "id-web10"},
    }
    assert kept.ids_of_label("zone") == {}

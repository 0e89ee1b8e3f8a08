"""`hosts remove|label|rename|maintenance`, and what the list says of it."""

import json
from datetime import timedelta

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tui_manager.cli.main import main
from tui_manager.domain.status import Admission

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    """web01 and web02 belong; web03, which is offline, was revoked."""
    made = FakeOperator("web01", "web02")
    made.add_host("web03", admission=Admission.REVOKED, online=False)
    connect_to(lambda: made)
    return made


def test_labels_are_set_and_unset(operator: FakeOperator, capsys: Capture) -> None:
    arguments = ["--set", "rack=r7", "--set", "env=lab", "web[01-02]"]
    assert main(["hosts", "label", *arguments]) == 0
    assert capsys.readouterr() == ("web01\nweb02\n", "")
    before = {"env": "prod", "role": "web"}
    assert operator.hosts["web02"].labels == {**before, "env": "lab", "rack": "r7"}
    assert main(["hosts", "label", "web01", "--unset", "env", "--unset", "rack"]) == 0
    assert operator.hosts["web01"].labels == before


def test_a_host_is_renamed(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts", "rename", "web01", "shop-db"]) == 0
    assert capsys.readouterr() == ("shop-db\n", "")
    assert main(["hosts", "rename", "--", "web02", "web01"]) == 0
    assert {host.name for host in operator.admitted} == {"shop-db", "web01"}


def test_hosts_are_removed(operator: FakeOperator, capsys: Capture) -> None:
    operator.change_host("web02", online=False)
    assert main(["hosts", "remove", "web02", "web03"]) == 0
    assert capsys.readouterr() == ("web02\nweb03\n", "")
    assert list(operator.hosts) == ["web01"]


def test_a_maintenance_begins_and_ends(operator: FakeOperator, capsys: Capture) -> None:
    reason = ["--reason", "new disks"]
    until = ["--until", "2026-03-02T14:00:00+01:00"]
    assert main(["hosts", "maintenance", "web01", *reason, *until]) == 0
    assert capsys.readouterr() == ("web01\n", "")
    assert main(["hosts", "--json"]) == 0
    listed = {host["name"]: host["maintenance"] for host in json.loads(capsys.readouterr().out)}
    ends = "2026-03-02T13:00:00.000Z"
    assert listed == {
        "web01": {"reason": "new disks", "until": ends},
        "web02": None,
        "web03": None,
    }
    assert main(["hosts", "maintenance", "web02", *reason]) == 0
    capsys.readouterr()
    assert main(["hosts"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].split()[:3] == ["web01", "maintenance", "online"]
    assert "web02 is in maintenance until an operator ends it (ana@pts/3): new disks\n" in out
    assert main(["hosts", "maintenance", "--end", "web01", "web02"]) == 0
    assert not any(host.maintenance for host in operator.hosts.values())


def test_an_age_is_from_now_on(operator: FakeOperator) -> None:
    assert main(["hosts", "maintenance", "web01", "--reason", "x", "--until", "100d"]) == 0
    maintenance = operator.hosts["web01"].maintenance
    assert maintenance is not None
    assert maintenance.until is not None
    assert maintenance.until > operator.now() + timedelta(days=90)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["label", "web01"], "or unset, with --set K=V or --unset K."),
        (["label", "--set", "a=1"], "required: NAME"),
        (["label", "web01", "--set", "a"], "--set a: expected NAME=VALUE."),
        (["label", "web01", "--set", "a b=c"], "'a b' is not a label's key"),
        (["label", "web01", "--unset", "env"], "No operator has given the label env"),
        (["label", "web03", "--set", "a=1"], "turned away"),
        (["rename", "web01"], "required: NEW"),
        (["rename", "web01", "web02"], "Another host has the name web02"),
        (["rename", "web01", "web 9"], "'web 9' is not a host's name"),
        (["remove"], "required: NAME"),
        (["remove", "web03", "web01"], "it is online"),
        (["maintenance", "web01"], "one of the arguments --reason --end is required"),
        (["maintenance", "web01", "--reason", "x", "--end"], "not allowed with argument"),
        (["maintenance", "web01", "--reason", " "], "Give the reason"),
        (["maintenance", "web01", "--end"], "is not in maintenance"),
        (["maintenance", "web01", "--end", "--until", "2h"], "--until is for a maintenance"),
        (["maintenance", "web01", "--reason", "x", "--until", "soon"], "--until soon: expected"),
        (["maintenance", "web01", "--reason", "x", "--until", "2020-01-01"], "which has passed"),
        (["--json", "remove", "web03"], "only for the list and for `show`"),
    ],
)
def test_what_may_not_be_is_2_and_changes_nothing(
    operator: FakeOperator, capsys: Capture, arguments: list[str], words: str
) -> None:
    before = dict(operator.hosts)
    assert main(["hosts", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert operator.hosts == before

"""`token list` and `token revoke`."""

import json
from dataclasses import replace

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tui_manager.cli.main import main
from tui_manager.domain.hosts.join_token import TokenState
from tui_manager.domain.manager.manager_status import ManagerStatus

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def operator(connect_to: Connect, capsys: Capture) -> FakeOperator:
    """Three tokens were made, and the second has expired."""
    made = FakeOperator()
    made.security = "mTLS"
    connect_to(lambda: made)
    bound = ["--uses", "40", "--auto-approve", "--label", "env=prod", "--label", "a=1"]
    for options in ([], [], bound):
        assert main(["token", "create", *options]) == 0
    made.listed[2] = replace(made.listed[2], state=TokenState.EXPIRED)
    made.listed[3] = replace(made.listed[3], used=2)
    capsys.readouterr()
    return made


def test_the_line_to_paste_names_all_managers(
    operator: FakeOperator, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = operator.manager_status
    addresses = ("m2.example.org:7443", "m1.example.org:7443")

    async def of_several() -> ManagerStatus:
        return replace(await asked(), agent_addresses=addresses)

    monkeypatch.setattr(operator, "manager_status", of_several)
    assert main(["token", "create"]) == 0
    assert f"run --manager {','.join(addresses)} --join-token TOKEN" in capsys.readouterr().err


def test_the_list_has_what_hosts_may_enrol_with(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["token", "list"]) == 0
    out, err = capsys.readouterr()
    header, third, first = out.splitlines()
    assert header.split() == ["ID", "STATE", "BY", "MADE", "EXPIRES", "LEFT", "APPROVES", "LABELS"]
    assert third.split()[:3] == ["3", "valid", "ana@pts/3"]
    assert third.endswith("  38 of 40  at once   a=1 env=prod")
    assert first.endswith("  1 of 1    -         -")
    assert err == ""


def test_all_of_them_are_listed_when_asked_for(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["token", "list", "--all"]) == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [["3", "valid"], ["2", "expired"], ["1", "valid"]]


def test_the_list_as_json_keeps_its_keys(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["token", "list", "--json"]) == 0
    out = capsys.readouterr().out
    third, first = json.loads(out)
    assert third == {
        "token_id": 3,
        "state": "valid",
        "created_by": "ana@pts/3",
        "created_at": "2026-03-01T12:00:00.250Z",
        "expires_at": "2026-03-01T12:15:00.250Z",
        "uses": 40,
        "uses_left": 38,
        "auto_approve": True,
        "labels": {"a": "1", "env": "prod"},
    }
    assert first["token_id"] == 1
    assert not any(token.text.split(".")[2] in out for _, token in operator.tokens)


def test_what_a_client_says_of_itself_stays_on_its_line(
    operator: FakeOperator, capsys: Capture
) -> None:
    operator.listed[1] = replace(operator.listed[1], created_by="\x1b]0;title\x07eve\nID 9")
    assert main(["token", "list"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 3
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("options", "words"),
    [([], "Nobody can enrol with a join token now"), (["--all"], "No join token was made yet")],
)
def test_an_empty_list_says_what_to_do(
    connect_to: Connect, capsys: Capture, options: list[str], words: str
) -> None:
    made = FakeOperator()
    made.security = "mTLS"
    connect_to(lambda: made)
    assert main(["token", "list", *options]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "tui-manager token create" in err
    assert main(["token", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_revoking_prints_the_numbers(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["token", "revoke", "1"]) == 0
    assert capsys.readouterr() == ("1\n", "")
    assert operator.listed[1].state is TokenState.REVOKED
    assert main(["token", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ID", "3"]


def test_revoking_tells_of_the_hosts_that_came_before(
    operator: FakeOperator, capsys: Capture
) -> None:
    assert main(["token", "revoke", "3", "1"]) == 0
    out, err = capsys.readouterr()
    assert out == "3\n1\n"
    assert err == (
        "tui-manager: 2 hosts have enrolled with them and stay; see `tui-manager audit --text "
        "enroll_host`.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: ID"),
        (["9"], "There is no join token 9."),
        (["1", "9"], "There is no join token 9."),
        (["0"], "'0' is not a join token's number"),
        (["tm1.x.y"], "is not a join token's number"),
        (["9" * 20], "is not a join token's number"),
    ],
)
def test_what_cannot_be_revoked_is_2(
    operator: FakeOperator, capsys: Capture, arguments: list[str], words: str
) -> None:
    before = dict(operator.listed)
    assert main(["token", "revoke", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert operator.listed == before

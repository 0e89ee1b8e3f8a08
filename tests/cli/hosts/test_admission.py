"""Who belongs, from a shell: `token create`, `hosts approve|reject|revoke`, the list."""

import json

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tui_manager.cli.main import main
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.status import Admission

WORDS = "lusab-babad-gutih"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    """web01 belongs; web02, and another that says it is web01, wait."""
    made = FakeOperator("web01")
    made.security = "mTLS"
    made.add_host("web02", admission=Admission.PENDING, fingerprint=WORDS)
    made.add_host(
        "web01",
        host_id="other",
        admission=Admission.PENDING,
        fingerprint="gutih-babad-lusab",
        note="The name web01 is that of another host.",
    )
    connect_to(lambda: made)
    return made


def admissions(operator: FakeOperator) -> dict[str, str]:
    return {host.host_id: host.admission for host in operator.hosts.values()}


# ---------------------------------------------------------------------------------------- tokens


def test_a_token_is_the_only_line_on_stdout(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["token", "create"]) == 0
    out, err = capsys.readouterr()
    (made,) = operator.tokens
    assert made[0] == TokenSpec()
    assert out == f"{made[1].text}\n"
    assert err.splitlines() == [
        "tui-manager: join token 1 lasts 15m, for one host; paste there:",
        "tui-manager-agent run --manager 127.0.0.1:7443 --join-token TOKEN",
        "This manager listens on 127.0.0.1:7443, which other machines cannot reach; "
        "--listen 0.0.0.0:7443 opens it to them.",
    ]


def test_a_machine_with_several_addresses_names_all(
    operator: FakeOperator, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "address", "0.0.0.0:7443")
    own = ("10.0.0.5", "192.0.2.7", "fd00::5")
    monkeypatch.setattr("tui_manager.cli.commands.hosts.token.reachable_addresses", lambda: own)
    assert main(["token", "create"]) == 0
    assert capsys.readouterr().err.splitlines()[1:] == [
        "tui-manager-agent run --manager 10.0.0.5:7443 --join-token TOKEN",
        "This machine has other addresses, which agents may have to use: 192.0.2.7:7443, "
        "[fd00::5]:7443.",
    ]


def test_the_secret_is_in_the_note_only_where_a_person_sees_both(
    operator: FakeOperator, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["token", "create"]) == 0
    assert operator.tokens[-1][1].text not in capsys.readouterr().err
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["token", "create"]) == 0
    assert f"--join-token {operator.tokens[-1][1].text}\n" in capsys.readouterr().err


def test_what_a_token_allows(operator: FakeOperator, capsys: Capture) -> None:
    options = ["--ttl", "1h30m", "--uses", "40", "--auto-approve"]
    labels = ["--label", "env=prod", "--label", "role="]
    assert main(["token", "create", *options, *labels, "--json"]) == 0
    (made,) = operator.tokens
    assert made[0].ttl.total_seconds() == 5400
    assert (made[0].uses, made[0].auto_approve) == (40, True)
    assert made[0].labels == {"env": "prod", "role": ""}
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "token": made[1].text, "expires_at": "2026-03-01T13:30:00.250Z", "token_id": 1,
    }  # fmt: skip
    assert err == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ttl", "soon"], "--ttl soon: expected"),
        (["--ttl", "1s"], "A token lasts from 10s to 30d; 1s is not."),
        (["--ttl", "31d"], "A token lasts from 10s to 30d; 31d is not."),
        (["--ttl=-5m"], "A token lasts from 10s to 30d; -5m is not."),
        (["--uses", "0"], "'0' is not a number from 1 to 100,000"),
        (["--uses", "100001"], "'100001' is not a number from 1 to 100,000"),
        (["--label", "role"], "--label role: expected NAME=VALUE."),
        (["--label", "a b=c"], "'a b' is not a label's key"),
        (["--label", "a=\x1b[2J"], "up to 128 letters"),
        (["extra"], "unrecognized arguments: extra"),
    ],
)
def test_a_token_out_of_bounds_is_2(
    operator: FakeOperator, capsys: Capture, options: list[str], words: str
) -> None:
    assert main(["token", "create", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tui-manager: ")
    assert words in err
    assert operator.tokens == []


def test_without_tls_there_is_no_token(operator: FakeOperator, capsys: Capture) -> None:
    operator.security = "insecure"
    assert main(["token", "create"]) == 2
    assert "runs with --insecure" in capsys.readouterr().err


# ------------------------------------------------------------------------------------- admission


def test_approving_prints_the_names(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts", "approve", "web02"]) == 0
    assert capsys.readouterr() == ("web02\n", "")
    assert admissions(operator)["host-web02"] == "admitted"
    assert admissions(operator)["other"] == "pending"


def test_names_may_be_ranges_and_ids(operator: FakeOperator, capsys: Capture) -> None:
    operator.add_host("web03", admission=Admission.PENDING)
    assert main(["hosts", "reject", "web[02-03]", "other"]) == 0
    assert capsys.readouterr().out == "web01\nweb02\nweb03\n"
    assert list(admissions(operator).values()) == ["admitted", *["rejected"] * 3]


def test_all_that_wait_at_once(operator: FakeOperator, capsys: Capture) -> None:
    operator.hosts.pop("other")
    assert main(["hosts", "approve", "--all-pending"]) == 0
    assert capsys.readouterr() == ("web02\n", "")
    assert main(["hosts", "reject", "--all-pending"]) == 0
    assert capsys.readouterr() == ("", "tui-manager: No host waits to be approved.\n")


def test_all_at_once_leaves_out_who_is_odd_and_says_so(
    operator: FakeOperator, capsys: Capture
) -> None:
    for printed in ("web02\n", ""):
        assert main(["hosts", "approve", "--all-pending"]) == 0
        assert capsys.readouterr() == (
            printed,
            "tui-manager: 1 host waits still, because of a note; see `tui-manager hosts`, "
            "and approve by name.\n",
        )
    assert admissions(operator)["other"] == "pending"
    assert main(["hosts", "reject", "--all-pending"]) == 0
    assert capsys.readouterr() == ("web01\n", "")


def test_revoking(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts", "revoke", "web01"]) == 0
    assert capsys.readouterr().out == "web01\n"
    assert admissions(operator) == {
        "host-web01": "revoked", "host-web02": "pending", "other": "pending",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["approve"], "use --all-pending"),
        (["reject"], "use --all-pending"),
        (["approve", "web02", "--all-pending"], "use --all-pending"),
        (["revoke"], "required: NAME"),
        (["revoke", "--all-pending"], "required: NAME"),
        (["approve", "nobody"], "There is no host nobody."),
        (["approve", "web[2"], "web[2"),
        (["approve", "web02", "nobody"], "There is no host nobody."),
        (["approve", "host-web01"], "is admitted, not pending"),
        (["approve", "web01"], "revoke it first"),
        (["revoke", "web02"], "is pending, not admitted"),
        (["--json", "approve", "web02"], "only for the list and for `show`"),
    ],
)
def test_what_may_not_be_is_2_and_changes_nothing(
    operator: FakeOperator, capsys: Capture, arguments: list[str], words: str
) -> None:
    before = admissions(operator)
    assert main(["hosts", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert admissions(operator) == before


# ---------------------------------------------------------------------------------------- the list


def test_the_list_says_who_waits_and_what_is_odd(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts"]) == 0
    header, odd, waits, admitted, remark = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["NAME", "STATE", "FINGERPRINT"]
    assert admitted.split()[:3] == ["web01", "online", "-"]
    assert odd.split()[:4] == ["web01", "pending", "online", "gutih-babad-lusab"]
    assert waits.split()[:4] == ["web02", "pending", "online", WORDS]
    assert remark == ("web01 gutih-babad-lusab (id other): The name web01 is that of another host.")


def test_the_list_tells_hosts_of_one_name_apart(operator: FakeOperator, capsys: Capture) -> None:
    operator.add_host("web02", host_id="twin", admission=Admission.PENDING, fingerprint="x")
    assert main(["hosts"]) == 0
    remarks = capsys.readouterr().out.splitlines()[-2:]
    assert [line.split(":")[0] for line in remarks] == [
        f"web02 {WORDS} (id host-web02)", "web02 x (id twin)",
    ]  # fmt: skip


def test_those_who_were_turned_away_are_said_to_be(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts", "revoke", "web01"]) == 0
    assert main(["hosts", "reject", "web02"]) == 0
    capsys.readouterr()
    assert main(["hosts"]) == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["web01", "revoked"] in lines
    assert ["web02", "rejected"] in lines


def test_json_keeps_its_keys(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {key for host in found for key in host} == {
        "host_id", "name", "labels", "admission", "online", "since", "address", "os", "arch",
        "agent_version", "build", "installed_by", "running", "fingerprint", "maintenance", "cpu",
        "memory",
    }  # fmt: skip
    assert [host["admission"] for host in found] == ["pending", "pending", "admitted"]


def test_what_a_host_says_of_itself_stays_on_its_line(
    operator: FakeOperator, capsys: Capture
) -> None:
    operator.change_host("other", note="\x1b]0;title\x07odd\nweb99", fingerprint="\x1b[2J")
    assert main(["hosts"]) == 0
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\x07")
    assert out.splitlines()[-1].endswith("odd␊web99")


def test_without_hosts_the_next_step_is_an_install_or_a_token(
    connect_to: Connect, capsys: Capture
) -> None:
    made = FakeOperator()
    made.security = "mTLS"
    connect_to(lambda: made)
    assert main(["hosts"]) == 0
    assert capsys.readouterr() == (
        "",
        "tui-manager: No hosts yet; bring agents to them with `tui-manager agent install --ssh "
        "HOSTS`, or make a token with `tui-manager token create`, and start an agent with it: "
        "tui-manager-agent run --manager 127.0.0.1:7443 --join-token TOKEN\n",
    )


def test_the_list_has_a_name_of_its_own(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts", "--json"]) == 0
    wanted = capsys.readouterr().out
    for arguments in (["list", "--json"], ["--json", "list"]):
        assert main(["hosts", *arguments]) == 0
        assert capsys.readouterr().out == wanted
    assert main(["hosts", "list"]) == 0
    assert capsys.readouterr().out.startswith("NAME ")

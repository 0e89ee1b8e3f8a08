"""`audit`: a table that is read like a log, and JSON for scripts."""

import json
from datetime import timedelta

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import NOW, FakeOperator
from tui_manager.cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    """Five acts, a second apart; windows of the fake hold two."""
    made = FakeOperator("web01")
    connect_to(lambda: made)
    for number in range(1, 4):
        made.clock = NOW + timedelta(seconds=number)
        made.record("start_task", task_id=number)
    made.clock = NOW + timedelta(seconds=4)
    made.record("revoke_host", host=made.hosts["web01"], why="sold")
    made.clock = NOW + timedelta(seconds=5)
    made.record("violation", actor="host web01", host=made.hosts["web01"], count="7")
    return made


def test_the_newest_stands_last(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["audit"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["WHEN", "WHO", "DID", "HOST", "TASK", "DETAIL"]
    assert [row.split()[2:] for row in rows[:4]] == [
        ["ana@pts/3", "start_task", "-", "#1", "-"],
        ["ana@pts/3", "start_task", "-", "#2", "-"],
        ["ana@pts/3", "start_task", "-", "#3", "-"],
        ["ana@pts/3", "revoke_host", "web01", "-", "why=sold"],
    ]
    assert rows[4].split()[2:] == ["host", "web01", "violation", "web01", "-", "count=7"]


def test_details_are_in_order_and_empty_ones_left_out(
    operator: FakeOperator, capsys: Capture
) -> None:
    operator.record("create_token", uses="1", labels="", ends="in 15 m")
    assert main(["audit", "--limit", "1"]) == 0
    assert capsys.readouterr().out.rstrip().endswith('-     -     ends="in 15 m" uses=1')


def test_json_has_the_same_order(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["audit", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["audit_id"] for entry in found] == [1, 2, 3, 4, 5]
    assert found[0] == {
        "audit_id": 1,
        "at": "2026-03-01T12:00:01.250Z",
        "actor": "ana@pts/3",
        "action": "start_task",
        "task_id": 1,
        "task_name": None,
        "host_id": None,
        "host": None,
        "detail": {},
    }
    assert (found[3]["task_id"], found[3]["host"]) == (None, "web01")
    assert found[3]["detail"] == {"why": "sold"}


def test_a_task_has_its_name_beside_its_number(connect_to: Connect, capsys: Capture) -> None:
    made = FakeOperator("web01")
    connect_to(lambda: made)
    assert main(["run", "@all", "--name", "restart nginx", "--no-start", "--", "true"]) == 0
    assert main(["task", "cancel", "1"]) == 0
    capsys.readouterr()
    assert main(["audit"]) == 0
    assert "cancel_task  -     #1 restart nginx" in capsys.readouterr().out.splitlines()[-1]
    assert main(["audit", "--json"]) == 0
    assert {entry["task_name"] for entry in json.loads(capsys.readouterr().out)} == {
        "restart nginx"
    }


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--limit", "1"], [5]),
        (["--limit", "3"], [3, 4, 5]),
        (["--limit", "5"], [1, 2, 3, 4, 5]),
        (["--limit", "1000"], [1, 2, 3, 4, 5]),
        (["--text", "#2"], [2]),
        (["--text", "WEB01"], [4, 5]),
        (["--text", "start", "--limit", "2"], [2, 3]),
        (["--text", "sold"], [4]),
        (["--text", "nothing of the kind"], []),
    ],
)
def test_a_part_of_it(
    operator: FakeOperator, capsys: Capture, options: list[str], ids: list[int]
) -> None:
    assert main(["audit", "--json", *options]) == 0
    assert [entry["audit_id"] for entry in json.loads(capsys.readouterr().out)] == ids


async def test_entries_that_come_meanwhile_move_no_others_out(operator: FakeOperator) -> None:
    from tui_manager.client.read_lists import newest_audit
    from tui_manager.domain.lists.list_window import Page, Window
    from tui_manager.domain.manager.audit import AuditEntry

    class Busy(FakeOperator):
        async def list_audit(self, window: Window) -> Page[AuditEntry]:
            page = await super().list_audit(window)
            self.record("start_task")
            return page

    busy = Busy()
    for _ in range(6):
        busy.record("start_task")
    found = [entry.audit_id for entry in await newest_audit(busy, "", 4)]
    assert found == [3, 4, 5, 6]


def test_nothing_yet(connect_to: Connect, capsys: Capture) -> None:
    connect_to(FakeOperator)
    assert main(["audit"]) == main(["audit", "--text", "\x1b[2Jx"]) == 0
    assert capsys.readouterr() == (
        "",
        "tui-manager: Nothing in the audit yet.\n"
        "tui-manager: Nothing in the audit has '\\x1b[2Jx'.\n",
    )
    assert main(["audit", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1000001"])
def test_a_limit_out_of_bounds_is_2(operator: FakeOperator, capsys: Capture, limit: str) -> None:
    assert main(["audit", f"--limit={limit}"]) == 2
    assert "is not a number from 1 to 1,000,000" in capsys.readouterr().err


def test_what_others_wrote_obeys_nobody_and_fits(
    operator: FakeOperator, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.record("refuse_host", actor="\x1b[2Jevil\u202e", name="\x1b]52;c;x\x07" + "n" * 500)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["audit"]) == 0
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\x07\u202e")
    assert all(len(line) <= 100 for line in out.splitlines())
    assert "evil" in out

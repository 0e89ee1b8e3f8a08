"""The order of the hosts in lists."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Admission
from tui_manager.service.core.heartbeat import SessionHeartbeat
from tui_manager.service.core.hosts.host_directory import Directory
from tui_manager.service.core.hosts.host_entry import LiveSession
from tui_manager.service.core.hosts.host_search import search
from tui_manager.storage.tables.hosts.hosts import HostRow

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SESSION = LiveSession(2, "", 0.0, SessionHeartbeat(timedelta(seconds=5)))


def row(number: int, name: str, admission: Admission = Admission.ADMITTED) -> HostRow:
    return HostRow(
        number, f"id{number}", name, {}, admission, 1, "", "", "", "", "", 1, NOW, "", None, "", {},
        "", None,
    )  # fmt: skip


def names(directory: Directory, window: Window | None = None) -> list[str]:
    return [host.name for host in search(directory, window or Window(), NOW, {}).rows]


def test_pending_hosts_are_listed_first_and_turned_away_ones_last() -> None:
    directory = Directory()
    rows = [
        row(1, "a", Admission.REVOKED),
        row(2, "web10"),
        row(3, "web9"),
        row(4, "z", Admission.PENDING),
        row(5, "b", Admission.REJECTED),
    ]
    directory.load(rows, 0.0)
    assert names(directory) == ["z", "web9", "web10", "a", "b"]
    assert names(directory, Window(descending=True)) == ["b", "a", "web10", "web9", "z"]
    assert names(directory, Window(sort="name")) == ["a", "b", "web9", "web10", "z"]

    directory.put(replace(rows[3], admission=Admission.ADMITTED), NOW, 0.0)
    assert names(directory) == ["web9", "web10", "z", "a", "b"]
    back_to_pending = replace(rows[1], admission=Admission.PENDING)
    directory.open_session(back_to_pending, SESSION, NOW)
    assert names(directory)[0] == "web10"


def test_targets_and_searches_follow_every_change_of_a_host() -> None:
    directory = Directory()
    rows = [row(1, "web1"), row(2, "web2", Admission.PENDING)]
    directory.load(rows, 0.0)

    def meant() -> list[tuple[str, str]]:
        return [(host.name, host.labels.get("env", "")) for host in directory.sorted.targets()]

    assert meant() == [("web1", "")]
    assert names(directory, Window(text="env=prod")) == []
    directory.put(replace(rows[0], labels={"env": "prod"}), NOW, 0.0)
    assert meant() == [("web1", "prod")]
    assert names(directory, Window(sort="name")) == ["web1", "web2"]
    for text in ('"ENV=Prod"', "env=prod", "env=p*"):
        assert names(directory, Window(text=text)) == ["web1"]
    directory.open_session(replace(rows[1], admission=Admission.ADMITTED), SESSION, NOW)
    directory.put(replace(rows[0], name="db1"), NOW, 0.0)
    assert meant() == [("db1", ""), ("web2", "")]
    assert names(directory, Window(sort="name", descending=True)) == ["web2", "db1"]
    directory.put(replace(rows[0], admission=Admission.REVOKED), NOW, 0.0)
    directory.put(row(3, "web3"), NOW, 0.0)
    assert meant() == [("web2", ""), ("web3", "")]


def test_hosts_that_were_turned_away_are_hidden_and_counted_unless_asked_for() -> None:
    directory = Directory()
    directory.load(
        [
            row(1, "old", Admission.REVOKED),
            row(2, "web1"),
            row(3, "web2", Admission.REJECTED),
            row(4, "new", Admission.PENDING),
        ],
        0.0,
    )

    def shown(text: str = "", *, faults_only: bool = False) -> tuple[list[str], int, int]:
        window = Window(text=text, faults_only=faults_only, hide_turned_away=True)
        page = search(directory, window, NOW, {})
        assert page.matching == len(page.rows)
        return [host.name for host in page.rows], page.total, page.hidden

    assert shown() == (["new", "web1"], 2, 2)
    assert shown("web") == (["web1"], 2, 1)
    assert shown(faults_only=True) == (["new", "web1"], 2, 2)
    assert shown("state=revoked") == (["old"], 4, 0)
    assert shown("Rejected") == (["web2"], 4, 0)
    assert shown("name=revoked") == ([], 2, 0)
    assert names(directory) == ["new", "web1", "old", "web2"]  # as the command line shows them

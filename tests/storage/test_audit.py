"""Reading the audit: windows, filters, and the names that hosts had at the time."""

import pytest

from tui_manager.domain.lists.filter_language import quote
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.status import Admission
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.storage.engine.database import Database
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.manager import audit
from tui_manager.storage.tables.tasks import tasks
from tui_manager.storage.views import audit_list


def _acts(tx: Transaction) -> None:
    hosts.insert(tx, "id-1", "web01", Admission.ADMITTED, 0)
    audit.record(tx, 1_000_000, "ana@pts/3", "create_task", task_id=12, target="web*")
    audit.record(tx, 2_000_000, "ana@pts/3", "start_task", task_id=12, hosts=1, names="web01")
    audit.record(tx, 3_000_000, "bob", "start_task", task_id=1, names='größe "quoted" 100%')
    audit.record(tx, 4_000_000, "manager", "admit_host", host_id="id-1", host="old-name")
    audit.record(tx, 5_000_000, "manager", "violation", host_id="id-1", text="it lied")
    audit.record(tx, 6_000_000, "manager", "refuse_host", host="stranger", reason="bad_token")


async def _window(database: Database, **given: object) -> Page[AuditEntry]:
    window = Window(**given)  # type: ignore[arg-type]

    def read(tx: Transaction) -> Page[AuditEntry]:
        if audit_list.needs_scan(window):
            return audit_list.scanned(tx, audit_list.scan(window), window)
        return audit_list.window(tx, window)

    return await database.read(read)


async def _ids(database: Database, **given: object) -> list[int]:
    page = await _window(database, **given)
    assert page.total == 6
    return [entry.audit_id for entry in page.rows]


async def test_an_empty_audit_is_an_empty_page(database: Database) -> None:
    for text in ("", "x", "#1"):
        assert await _window(database, text=text) == Page([], 0, 0)


async def test_the_newest_come_first_in_windows(database: Database) -> None:
    await database.write(_acts)
    assert await _ids(database) == [6, 5, 4, 3, 2, 1]
    assert await _ids(database, offset=2, limit=3) == [4, 3, 2]
    assert await _ids(database, offset=6) == []
    page = await _window(database, limit=1)
    assert (page.matching, page.total) == (6, 6)


async def test_an_entry_has_the_fields_of_its_act(database: Database) -> None:
    await database.write(_acts)
    page = await _window(database)
    refused, violation, admitted, _, started, _ = page.rows
    assert (started.actor, started.action, started.task_id) == ("ana@pts/3", "start_task", 12)
    assert started.at.timestamp() == 2.0
    assert started.detail == {"hosts": "1", "names": "web01"}
    assert (started.host_id, started.host) == ("", "")
    assert (admitted.host_id, admitted.host, admitted.detail) == ("id-1", "old-name", {})
    assert (violation.host, violation.detail) == ("web01", {"text": "it lied"})
    assert (refused.host_id, refused.host) == ("", "stranger")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("ana@", [2, 1]),
        ("ANA@", [2, 1]),
        ("start_task", [3, 2]),
        ("startXtask", []),  # `_` is no wildcard
        ("100%", [3]),
        ("%", [3]),
        ("größe", [3]),
        ('"quoted"', [3]),
        ("web01", [5, 4, 2]),  # by the name now, and in the detail
        ("old-name", [4]),  # by the name then
        ("stranger", [6]),
        ("id-1", [5, 4]),
        ("#12", [2, 1]),
        ("#1", [3]),
        ("#13", []),
        ("#x", []),
        ("#99999999999999999999", []),
        ("'; DROP TABLE audit; --", []),
        ("\\", []),
    ],
)
async def test_text_is_found(database: Database, text: str, ids: list[int]) -> None:
    await database.write(_acts)
    assert await _ids(database, text=text) == ids
    page = await _window(database, text=text, limit=1, offset=9)
    assert (page.matching, page.total) == (len(ids), 6)


async def test_faults_are_refusals_and_violations(database: Database) -> None:
    await database.write(_acts)
    assert await _ids(database, faults_only=True) == [6, 5]
    assert await _ids(database, faults_only=True, text="lied") == [5]


async def test_a_row_keeps_the_name_of_its_task(database: Database) -> None:
    spec = TaskSpec("@all", (CommandSpec("true"),), name='größe "x"')

    def acts(tx: Transaction) -> None:
        for actor in ("ana", "bob"):
            audit.record(tx, 0, actor, "create_task", task_id=tasks.insert(tx, spec, 0), target="x")
        audit.record(tx, 0, "ana", "cancel_task", task_id=99)
        tx.execute("DELETE FROM tasks WHERE id = 2").close()
        tx.execute("INSERT INTO audit (at, actor, action, task_id) VALUES (0, '', 'old', 1)")

    await database.write(acts)
    rows = (await _window(database)).rows
    names = {(row.action, row.task_id): row.task_name for row in rows}
    assert names == {
        ("create_task", 1): 'größe "x"',
        ("create_task", 2): 'größe "x"',  # the task is gone
        ("cancel_task", 99): "",
        ("old", 1): 'größe "x"',  # a row of an older manager
    }
    assert all("task_name" not in row.detail for row in rows)
    found = await _window(database, text=quote('größe "X'))
    assert [row.task_id for row in found.rows] == [2, 1]


async def test_half_a_surrogate_pair_can_be_stored(database: Database) -> None:
    await database.write(lambda tx: audit.record(tx, 0, "ana", "x", name="a\udcffb"))
    (entry,) = (await _window(database)).rows
    assert entry.detail == {"name": "a\udcffb"}


@pytest.mark.sqlite("its plans")
async def test_windows_are_found_by_id_and_read_no_more_rows_than_they_show(
    database: Database,
) -> None:
    def plan(tx: Transaction, name: str) -> str:
        values = {"offset": 0, "limit": 100, "task_id": 1}
        steps = tx.execute(f"EXPLAIN QUERY PLAN {audit_list._SQL[name]}", values)
        return "\n".join(row["detail"] for row in steps)

    for name in ("count", "window"):
        steps = await database.read(lambda tx, name=name: plan(tx, name))  # type: ignore[misc]
        assert "SCAN a" not in steps
        assert "TEMP B-TREE" not in steps
    assert "USING INDEX audit_of_task" in await database.read(lambda tx: plan(tx, "of_task"))


async def test_audit_rows_cannot_be_changed(database: Database) -> None:
    await database.write(_acts)
    for statement in ("UPDATE audit SET actor = 'bob'", "DELETE FROM audit"):
        with pytest.raises(Exception, match=r"append-only|permission denied"):
            await database.write(lambda tx, said=statement: tx.execute(said))  # type: ignore[misc]
    assert (await _ids(database, text="ana@")) == [2, 1]

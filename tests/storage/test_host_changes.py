"""What operators change of a host is stored, and read again."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.status import Admission
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables.hosts import host_changes, hosts

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize("until", [None, NOW + timedelta(hours=2)])
async def test_a_maintenance_is_replaced_and_ended(
    database: Database, until: datetime | None
) -> None:
    await database.write(lambda tx: hosts.insert(tx, "id1", "web01", Admission.ADMITTED, 0))
    for made in (Maintenance("new disks", NOW, "ana"), Maintenance("memory", until, "bob"), None):
        work = partial(host_changes.set_maintenance, host_id="id1", maintenance=made)
        assert (await database.write(work)).maintenance == made
        row = await database.read(lambda tx: hosts.by_host_id(tx, "id1"))
        assert row is not None
        assert row.maintenance == made


def test_a_maintenance_ends_at_its_end() -> None:
    for_good = Maintenance("new disks", None, "ana")
    assert for_good.active(NOW)
    bounded = Maintenance("new disks", NOW, "ana")
    assert bounded.active(NOW - timedelta(microseconds=1))
    assert not bounded.active(NOW)

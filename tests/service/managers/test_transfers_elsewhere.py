"""Copies and fetches on hosts that are connected to other managers: how far they are."""

import base64
import json
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support import file_sets
from tests.support.file_sets import make_set
from tests.support.managers.following_managers import Manager, Managers, following_managers
from tests.support.managers.manager_parts import result, spec
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.hosts.file_transfer import TransferProgress
from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.service.core.hosts.host_entry import RunningTransfer, SessionElsewhere
from tui_manager.service.managers.vitals_elsewhere import pack, unpack
from tui_manager.storage.tables.manager import gateways

pytestmark = pytest.mark.postgresql
MADE = make_set({b"app.conf": b"listen 80\n"})
COPY = CommandSpec("", copy=CopySpec(MADE.files, "/etc/app/"))
VITALS = Vitals(1.0, 0.5, 1 << 20, 1 << 30, (), 0, 0, 4, timedelta(hours=1))


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with following_managers(tmp_path) as made:
        yield made


async def tell(teller: Manager, reader: Manager) -> None:
    """What a beat writes, and what another manager reads later."""
    await teller.exchange.pack_own()
    packed, number = teller.exchange.packed, teller.number
    await teller.database.write(lambda tx: gateways.store_heartbeat(tx, number, "", "{}", packed))
    await reader.exchange.run_once()


async def shown(manager: Manager, task_id: int) -> Transfer | None:
    (row,) = (await manager.tasks.list_command_hosts(task_id, Window())).rows
    found: Transfer | None = row.transfer
    return found


async def test_other_managers_show_how_far_a_copy_is(managers: Managers) -> None:
    a, b, _ = managers
    await file_sets.store(a.files, MADE)
    host = await b.connect("web1", features=("files",))
    b.hosts.record_vitals(host.host_id, host.generation, VITALS)
    await managers.settle()
    await tell(b, a)
    task_id = await a.tasks.create_task(spec("web1", COPY))
    await a.tasks.start_task(task_id)
    await managers.settle()
    ((_, run),) = await b.send()
    await b.report(host.host_id, Started(run.execution_id, timedelta()))
    said = [TransferProgress(run.execution_id, 7, 0)]
    await b.transfers.progress.record(host.host_id, host.generation, said)
    await managers.settle()
    assert (await shown(a, task_id), await shown(b, task_id)) == (None, Transfer(7, 0))
    watcher = a.feed.subscribe()
    watcher.take()
    await tell(b, a)
    assert await shown(a, task_id) == Transfer(7, 0)
    assert a.directory.running_transfers() == {task_id: {run.execution_id: Transfer(7, 0)}}
    await watcher.changed.wait()
    while not watcher.take().touches(task_id):  # others may have come before it
        await watcher.changed.wait()
    did = Transfer(10, 1, 0, 10, "c" * 64)
    await b.report(host.host_id, result(run.execution_id, transfer=did))
    await managers.settle()
    assert await shown(a, task_id) == did
    await tell(b, a)
    assert a.directory.running_transfers() == {}


async def test_a_manager_sends_files_that_were_given_to_another_one(managers: Managers) -> None:
    a, b, _ = managers
    await file_sets.store(a.files, MADE)
    assert await file_sets.read(b.files, MADE)


def test_transfers_are_packed_with_the_vitals() -> None:
    transfers = {
        "e1": RunningTransfer(3, Transfer(5, 1)),
        "e2": RunningTransfer(4, Transfer(6, 2, stored=MADE.files)),
    }
    told = {7: (VITALS, SessionElsewhere(transfers=transfers))}
    assert unpack(pack(told)) == told


def test_an_older_manager_packs_no_transfers() -> None:
    told = {7: (VITALS, SessionElsewhere())}
    rows = json.loads(zlib.decompress(base64.b64decode(pack(told))))
    old = base64.b64encode(zlib.compress(json.dumps([row[:13] for row in rows]).encode())).decode()
    assert unpack(old) == told

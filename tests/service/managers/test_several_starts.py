"""A task starts at one manager, which has not heard yet that a host has connected elsewhere."""

from pathlib import Path

import pytest

from tests.support.managers.manager_parts import spec
from tests.support.managers.several_managers import several_managers
from tui_manager.domain.status import CommandHostStatus, Reason

pytestmark = pytest.mark.postgresql


async def test_a_host_that_has_just_connected_elsewhere_is_not_undeliverable(
    tmp_path: Path,
) -> None:
    async with several_managers(tmp_path) as managers:
        first, second = await managers.start("a"), await managers.start("b")
        await managers.beat(times=2)
        others = first.leadership.managers.others
        first.directory.follow_gateways(others, {}, first.core.clock.now(), managers.clock.seconds)
        await second.connect("web01")
        task_id = await first.tasks.create_task(spec("@all"))
        await first.tasks.start_task(task_id)
        (row,) = await first.rows(task_id)
        assert (row.status, row.reason) == (CommandHostStatus.PENDING, Reason.NONE)

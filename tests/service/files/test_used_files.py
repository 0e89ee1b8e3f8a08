"""Tasks, re-runs, templates and schedules use only files that are stored."""

from dataclasses import replace

import pytest

from tests.support.file_sets import MadeSet, make_set, store
from tests.support.managers.manager_parts import Parts, failed, spec
from tests.support.managers.schedules import hourly, runs, turn_to
from tui_manager.domain.errors import InvalidInputError, NotFoundError
from tui_manager.domain.schedules.schedule import SkipReason
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.host_class import HostClass

MADE, OTHER = make_set({b"app.conf": b"1" * 900}), make_set({b"app.conf": b"2" * 900})


def copy(made: MadeSet = MADE) -> CommandSpec:
    return CommandSpec("", copy=CopySpec(made.files, "/srv/app/", sources=("app.conf",)))


async def forget(parts: Parts) -> None:
    """The manager has no set any more."""
    await parts.database.write(lambda tx: tx.execute("DELETE FROM file_sets"))


async def test_a_task_of_files_that_are_not_stored_is_refused(parts: Parts) -> None:
    await store(parts.files, OTHER)
    with pytest.raises(NotFoundError) as raised:
        await parts.tasks.create_task(spec("@all", copy(OTHER), copy()))
    assert str(raised.value) == (
        "The manager does not have the files of the step `copy app.conf to /srv/app/` (file set "
        f"{MADE.files.sha256[:12]}): it has removed them, or another manager has them. Copy them "
        "from where they are; a task file takes them from its own folder if you remove `stored` "
        "from the step."
    )
    assert not await parts.audited("create_task")
    await store(parts.files, MADE)
    assert await parts.tasks.create_task(spec("@all", copy(OTHER), copy())) == 1


async def test_the_audit_names_the_files_of_a_task(parts: Parts) -> None:
    for made in (MADE, OTHER):
        await store(parts.files, made)
    await parts.tasks.create_task(spec("@all", copy(OTHER), copy(), copy(), "true"))
    (entry,) = await parts.audited("create_task")
    assert entry.detail["files"].split() == sorted([MADE.files.sha256, OTHER.files.sha256])


async def test_a_task_that_gives_other_sizes_is_refused(parts: Parts) -> None:
    await store(parts.files, MADE)
    for wrong in ({"size": 899}, {"manifest_size": 1}, {"files": 2}, {"bytes": 901}):
        files = replace(MADE.files, **wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError, match="has 1 files with 900 bytes"):
            await parts.tasks.create_task(spec("@all", copy(replace(MADE, files=files))))


async def test_a_rerun_whose_files_are_gone_is_refused(parts: Parts) -> None:
    host = await parts.connect("web01", features=("files",))
    await store(parts.files, MADE)
    task_id = await parts.started("web01", copy())
    (row,) = await parts.rows(task_id)
    await parts.report(host.host_id, failed(row.execution_id))
    await forget(parts)
    with pytest.raises(NotFoundError, match=r"the step `copy app.conf to /srv/app/` "):
        await parts.tasks.rerun_task(task_id, [HostClass.FAILED])
    await store(parts.files, MADE)
    assert (await parts.tasks.rerun_task(task_id, [HostClass.FAILED])).task_id == task_id + 1


async def test_a_start_whose_files_are_gone_is_refused(parts: Parts) -> None:
    await parts.connect("web01", features=("files",))
    await store(parts.files, MADE)
    task_id = await parts.tasks.create_task(spec("web01", copy()))
    await forget(parts)
    with pytest.raises(NotFoundError, match="does not have the files"):
        await parts.tasks.start_task(task_id)
    assert (await parts.tasks.get_task_status(task_id)) == "pending"
    await store(parts.files, MADE)
    await parts.tasks.start_task(task_id)


async def test_a_template_of_files_that_are_not_stored_is_refused(parts: Parts) -> None:
    await store(parts.files, MADE)
    await parts.tasks.create_task(spec("@all", copy()))
    text = await parts.templates.text_of_task(1)
    await forget(parts)
    with pytest.raises(NotFoundError, match="does not have the files"):
        await parts.templates.save("app", text, 0, "ana")
    await store(parts.files, MADE)
    assert await parts.templates.save("app", text, 0, "ana") == 1
    assert await parts.templates.save("app", text, 0, "ana") == 1


async def test_a_schedule_whose_files_are_gone_says_so(parts: Parts) -> None:
    await parts.connect("web01", features=("files",))
    await store(parts.files, MADE)
    await parts.tasks.create_task(spec("web01", copy()))
    text = await parts.templates.text_of_task(1)
    await parts.schedules.add_schedule(hourly(task_file=text), "ana")
    await forget(parts)
    turn_to(parts, 4)
    await parts.schedule_loop.run_once()
    (run,) = await runs(parts)
    assert run.skipped is SkipReason.REFUSED
    assert "does not have the files" in run.detail
    await store(parts.files, MADE)
    turn_to(parts, 5)
    await parts.schedule_loop.run_once()
    assert (await runs(parts))[-1].task_id

"""Tasks that update agents: which hosts get the order, what is stored, how long the
bundle stays."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support import file_sets
from tests.support.file_sets import make_set
from tests.support.managers.manager_parts import Parts, result, spec
from tui_manager.domain.errors import InvalidInputError, NotFoundError
from tui_manager.domain.hosts.agent_messages import Held, HeldState, Started
from tui_manager.domain.hosts.file_transfer import FileRequest, TransferProgress
from tui_manager.domain.presentation.plan_words import plan_details
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FileSetPart, Transfer, UpdateSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.service.transfers.transfer_orders import BrokenRuleError
from tui_manager.storage.views import work_totals
from tui_manager.transport.messages.convert_messages import from_run

MADE = make_set({b"agent.bundle": b"what a bundle holds\n" * 1000})
BUILD = "0123456789ab"
UPDATE = UpdateSpec(MADE.files, "0.3.0", BUILD, "linux", "x86_64")
STEP = CommandSpec("", update=UPDATE)
BUNDLE: dict[str, Any] = {"features": ("files", "update"), "installed_by": "bundle"}
DID = Transfer(20_000, 1, 0, 20_000, "c" * 64)


@pytest.fixture
async def stored(parts: Parts) -> Parts:
    """The manager has the bundle."""
    await file_sets.store(parts.files, MADE)
    return parts


async def ask(parts: Parts, task_id: int) -> CommandHost:
    (row,) = await parts.rows(task_id)
    return row


async def test_an_update_is_stored_sent_and_ends_like_a_copy(stored: Parts) -> None:
    host = await stored.connect("web01", **BUNDLE)
    task_id = await stored.started("web01", STEP)
    ((_, run),) = stored.dispatcher.sent
    assert run.command.update == UPDATE
    order = from_run(run).run_command.update
    assert (order.version, order.build, order.system, order.arch) == (
        "0.3.0", BUILD, "linux", "x86_64",
    )  # fmt: skip
    assert order.files.sha256.hex() == MADE.files.sha256
    asked = FileRequest(run.execution_id, FileSetPart.DATA, 0, 1)
    assert await stored.transfers.orders.begin_copy(host.host_id, asked) == MADE.files
    await stored.report(host.host_id, Started(run.execution_id, timedelta(0)))
    said = [TransferProgress(run.execution_id, 500, 0)]
    await stored.transfers.progress.record(host.host_id, host.generation, said)
    assert (await ask(stored, task_id)).transfer == Transfer(500, 0)
    (summary,) = (await stored.tasks.overview.summaries((task_id,))).values()
    assert summary.percent == 2
    await stored.report(
        host.host_id, result(run.execution_id, detail="0.2.0 to 0.3.0", transfer=DID)
    )
    row = await ask(stored, task_id)
    assert (row.status, row.detail, row.transfer) == (
        CommandHostStatus.COMPLETED, "0.2.0 to 0.3.0", DID,
    )  # fmt: skip
    (entry,) = await stored.audited("create_task")
    assert entry.detail["update"] == f"0.3.0 (build {BUILD})"
    detail = await stored.tasks.get_task(task_id)
    assert detail.commands[0].spec == STEP
    assert (detail.task.name, detail.task.status) == (
        f"update the agent to 0.3.0 (build {BUILD})", TaskStatus.COMPLETED,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "does not run from a bundle, or is too old"),
        ({"features": ("files",)}, "does not run from a bundle, or is too old"),
        ({"installed_by": "deb"}, "comes from a deb package: update it with the package manager"),
        ({"installed_by": "rpm"}, "comes from a rpm package"),
        ({"installed_by": "bundle"}, "may not write the folder in which it is installed"),
        ({**BUNDLE, "arch": "aarch64"}, "is for linux x86_64, and this host is linux aarch64."),
        ({**BUNDLE, "os": "Darwin"}, "is for linux x86_64, and this host is darwin x86_64."),
    ],
)
async def test_a_host_that_cannot_take_it_is_told_why_and_gets_nothing(
    stored: Parts, given: dict[str, Any], why: str
) -> None:
    await stored.connect("web01", **given)
    task_id = await stored.started("web01", STEP)
    assert stored.dispatcher.sent == []
    row = await ask(stored, task_id)
    assert (row.status, row.reason) == (CommandHostStatus.FAILED, Reason.REJECTED)
    assert why in row.detail


async def test_a_plan_says_which_hosts_cannot_take_it(stored: Parts) -> None:
    await stored.connect("web01", **BUNDLE)
    await stored.connect("web02", installed_by="deb")
    away = await stored.connect("web03", **BUNDLE, arch="aarch64")
    off = await stored.connect("web04", **BUNDLE)
    for host in (away, off):
        await stored.hosts.close_session(host.host_id, host.generation, "it left")
    task = spec("@all", STEP)
    plan = await stored.tasks.plan_task(task)
    first, second, third, fourth = [host.refusal for host in plan.hosts]
    assert (first, fourth) == ("", "")
    assert "comes from a deb package" in second
    assert "this host is linux aarch64" in third
    details = dict(plan_details(task, plan))
    assert details["Rejected by"] in (f"web02: {second}", f"web03: {third}")


async def test_a_host_that_is_away_in_the_middle_has_not_failed(stored: Parts) -> None:
    """The new version takes the place of the old one, with a session of its own."""
    host = await stored.connect("web01", agent_version="0.2.0", **BUNDLE)
    task_id = await stored.started("web01", STEP)
    ((_, run),) = stored.dispatcher.sent
    await stored.report(host.host_id, Started(run.execution_id, timedelta(0)))
    await stored.hosts.close_session(host.host_id, host.generation, "its agent is replaced")
    stored.clock.turn(100)
    await stored.silence.run_once()
    assert (await ask(stored, task_id)).status is CommandHostStatus.RUNNING
    held = [Held(run.execution_id, HeldState.RUNNING)]
    await stored.connect("web01", agent_version="0.3.0", held=held, **BUNDLE)
    assert (await ask(stored, task_id)).status is CommandHostStatus.RUNNING
    await stored.report(host.host_id, result(run.execution_id, detail="0.2.0 to 0.3.0"))
    row = await ask(stored, task_id)
    assert (row.status, row.late) == (CommandHostStatus.COMPLETED, False)


async def test_a_task_that_starts_meanwhile_waits_for_the_new_agent(stored: Parts) -> None:
    host = await stored.connect("web01", **BUNDLE)
    update = await stored.started("web01", STEP)
    ((_, run),) = stored.dispatcher.sent
    await stored.report(host.host_id, Started(run.execution_id, timedelta(0)))
    asked = FileRequest(run.execution_id, FileSetPart.MANIFEST, 0, 1)
    await stored.transfers.orders.begin_copy(host.host_id, asked)
    await stored.hosts.close_session(host.host_id, host.generation, "its agent is replaced")
    task_id = await stored.started("web01", "true")
    assert (await ask(stored, task_id)).status is CommandHostStatus.PENDING
    held = [Held(run.execution_id, HeldState.RUNNING)]
    back = await stored.connect("web01", held=held, **BUNDLE)
    stored.hosts.session_ready(back.host_id)
    ((_, sent),) = await stored.send()
    assert sent.command.text == "true"
    await stored.report(host.host_id, result(run.execution_id))
    await stored.hosts.close_session(back.host_id, back.generation, "another reason")
    late = await stored.started("web01", "true")
    assert (await ask(stored, late)).reason is Reason.UNDELIVERABLE
    assert (await ask(stored, update)).status is CommandHostStatus.COMPLETED


async def test_a_new_agent_that_does_not_come_is_not_waited_for_without_end(
    stored: Parts,
) -> None:
    host = await stored.connect("web01", **BUNDLE)
    await stored.started("web01", STEP)
    ((_, run),) = stored.dispatcher.sent
    await stored.report(host.host_id, Started(run.execution_id, timedelta(0)))
    asked = FileRequest(run.execution_id, FileSetPart.MANIFEST, 0, 1)
    await stored.transfers.orders.begin_copy(host.host_id, asked)
    await stored.hosts.close_session(host.host_id, host.generation, "its agent is replaced")
    task_id = await stored.started("web01", "true")
    stored.clock.turn(61)
    await stored.silence.run_once()
    assert (await ask(stored, task_id)).reason is Reason.UNDELIVERABLE


async def test_a_host_that_stays_away_is_lost_as_with_any_command(stored: Parts) -> None:
    host = await stored.connect("web01", **BUNDLE)
    task_id = await stored.started("web01", STEP)
    ((_, run),) = stored.dispatcher.sent
    await stored.report(host.host_id, Started(run.execution_id, timedelta(0)))
    await stored.hosts.close_session(host.host_id, host.generation, "its agent is replaced")
    stored.clock.turn(stored.limits.lost_after.total_seconds() + 1)
    await stored.silence.run_once()
    assert (await ask(stored, task_id)).reason is Reason.AGENT_LOST
    await stored.connect("web01", **BUNDLE)
    failed = result(
        run.execution_id, CommandHostStatus.FAILED, Reason.UPDATE_FAILED, detail="0.2.0 goes on"
    )
    await stored.report(host.host_id, failed)
    row = await ask(stored, task_id)
    assert (row.reason, row.late, row.detail) == (Reason.UPDATE_FAILED, True, "0.2.0 goes on")


async def test_an_update_that_failed_is_run_again_with_the_same_bundle(stored: Parts) -> None:
    host = await stored.connect("web01", **BUNDLE)
    task_id = await stored.started("web01", STEP)
    ((_, run),) = stored.dispatcher.sent
    failed = result(run.execution_id, CommandHostStatus.FAILED, Reason.UPDATE_FAILED)
    await stored.report(host.host_id, failed)
    again, _ = await stored.tasks.rerun_task(task_id, (HostClass.FAILED,))
    await stored.tasks.start_task(again)
    ((_, repeated),) = (await stored.send())[-1:]
    assert repeated.command.update == UPDATE
    assert repeated.execution_id != run.execution_id


async def test_the_manager_must_have_the_bundle(parts: Parts) -> None:
    with pytest.raises(NotFoundError, match=r"Run `tui-manager agent update` again\."):
        await parts.tasks.create_task(spec("web01", STEP))


async def test_the_bundle_stays_as_long_as_a_task_needs_it(stored: Parts) -> None:
    await stored.connect("web01", **BUNDLE)
    await stored.started("web01", STEP)
    stored.clock.turn(timedelta(days=3).total_seconds())
    assert await stored.files.space.remove_least_used(unused=True) is None
    assert await stored.files.find(MADE.files.sha256) == MADE.files


async def test_another_host_may_not_ask_for_the_bundle(stored: Parts) -> None:
    await stored.connect("web01", **BUNDLE)
    other = await stored.connect("web02", **BUNDLE)
    await stored.started("web01", STEP)
    ((_, run),) = stored.dispatcher.sent
    asked = FileRequest(run.execution_id, FileSetPart.DATA, 0, 1)
    with pytest.raises(BrokenRuleError, match="another host's"):
        await stored.transfers.orders.begin_copy(other.host_id, asked)


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        ((STEP, CommandSpec("true")), "is the only step of its task"),
        ((CommandSpec("true"), STEP), "is the only step of its task"),
        ((replace(STEP, text="true"),), "An update runs no command: leave out command"),
        ((replace(STEP, run_as_user="app"),), "leave out user"),
        ((replace(STEP, copy=CopySpec(MADE.files, "/x")),), "not two"),
        ((CommandSpec("", update=replace(UPDATE, build="x")),), "'x' is not a build"),
        ((CommandSpec("", update=replace(UPDATE, version="")),), "'' is no version"),
        ((CommandSpec("", update=replace(UPDATE, arch="a b")),), "'a b' is no arch"),
    ],
)
async def test_what_no_update_can_be_is_refused(
    stored: Parts, commands: tuple[CommandSpec, ...], why: str
) -> None:
    with pytest.raises(InvalidInputError, match=why):
        await stored.tasks.create_task(replace(spec("web01"), commands=commands))


async def test_an_update_is_no_template_and_no_task_file(stored: Parts) -> None:
    await stored.connect("web01", **BUNDLE)
    task_id = await stored.started("web01", STEP)
    with pytest.raises(InvalidInputError, match="An update of agents is no part of a task file"):
        await stored.templates.save("new-agents", "", task_id, "ana")
    with pytest.raises(InvalidInputError, match="can be run again"):
        await stored.templates.text_of_task(task_id)


async def test_the_newest_update_that_completed_is_known_for_each_platform(stored: Parts) -> None:
    assert (await stored.tasks.work_summary()).updates == {}
    hosts = {
        "web01": await stored.connect("web01", **BUNDLE),
        "arm01": await stored.connect("arm01", **BUNDLE, arch="aarch64"),
    }

    async def update(name: str, version: str, *, fails: bool = False) -> None:
        arch = "aarch64" if name == "arm01" else "x86_64"
        step = CommandSpec("", update=replace(UPDATE, version=version, arch=arch))
        task_id = await stored.started(name, step)
        ended = result((await ask(stored, task_id)).execution_id, detail="done")
        if fails:
            ended = replace(
                ended, status=CommandHostStatus.FAILED, reason=Reason.UPDATE_FAILED, exit_code=None
            )
        await stored.report(hosts[name].host_id, ended)

    for name, version in (("web01", "0.3.0"), ("arm01", "0.3.1"), ("web01", "0.3.2")):
        await update(name, version)
    await update("web01", "0.4.0", fails=True)
    found = (await stored.tasks.work_summary()).updates
    assert {platform: one.version for platform, one in found.items()} == {
        ("linux", "x86_64"): "0.3.2",
        ("linux", "aarch64"): "0.3.1",
    }
    assert await stored.database.read(lambda tx: len(work_totals.newest_updates(tx, 2))) == 2

"""Templates: what is saved, listed, read and deleted, and what a task keeps of its template."""

import asyncio
import threading
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, manager_parts, spec
from tests.support.managers.schedules import hourly
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.schedules.schedule import TemplateUse
from tui_manager.domain.task_files.task_file import TaskFile, fill, read_task_file
from tui_manager.domain.task_files.template import SavedVersion, Template, TemplateVersion
from tui_manager.domain.task_spec.rollout_spec import Order, RolloutSpec
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, OnFailure, TaskSpec
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.storage.tables.schedules import templates

REQUEST = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
ANA = "ana@pts/3"
SCRIPT = content_of("#!/bin/sh\nüx\n".encode())


def text(command: str = "uptime", description: str = "") -> str:
    """A task file of one step."""
    return f'target = "web*"\ndescription = "{description}"\n[[steps]]\nrun = "{command}"\n'


async def save(parts: Parts, name: str = "restart", *commands: str) -> list[int]:
    """Saves a text after the other; returns the versions."""
    return [await parts.templates.save(name, text(one), 0, ANA) for one in commands or ("uptime",)]


async def names(parts: Parts, window: Window) -> list[str]:
    return [row.name for row in (await parts.templates.list_templates(window)).rows]


async def test_each_save_is_a_version(parts: Parts) -> None:
    assert await save(parts, "restart", "one", "two") == [1, 2]
    made = parts.clock.instant
    newest = await parts.templates.get("restart")
    assert newest.template == Template("restart", 2, "", ANA, made)
    assert (newest.version, newest.text) == (2, text("two"))
    assert newest.versions == (SavedVersion(2, ANA, made), SavedVersion(1, ANA, made))
    older = await parts.templates.get("restart", 1)
    assert (older.version, older.text) == (1, text("one"))
    assert older.template == newest.template


async def test_the_same_text_again_makes_no_version(parts: Parts) -> None:
    assert await save(parts, "restart", "one", "one", "two", "one") == [1, 1, 2, 3]
    entries = [entry.detail["template"] for entry in await parts.audited("save_template")]
    assert entries == ["restart@1", "restart@2", "restart@3"]


async def test_the_same_request_saves_once(parts: Parts) -> None:
    first = await parts.templates.save("restart", text("one"), 0, ANA, REQUEST)
    await save(parts, "restart", "two")
    assert await parts.templates.save("restart", text("one"), 0, ANA, REQUEST.upper()) == first
    assert (await parts.templates.get("restart")).version == 2
    with pytest.raises(IllegalMoveError, match="has saved restart@1"):
        await parts.templates.save("other", text("one"), 0, ANA, REQUEST)
    with pytest.raises(InvalidInputError, match="UUID"):
        await parts.templates.save("other", text("one"), 0, ANA, "x")


async def test_a_request_that_found_the_same_text_gets_that_version_again(parts: Parts) -> None:
    await save(parts, "restart", "one")
    again = REQUEST.replace("6", "7")
    for request_id in (REQUEST, again):
        assert await parts.templates.save("restart", text("one"), 0, ANA, request_id) == 1
    await save(parts, "restart", "two")
    for request_id in (REQUEST, again):
        assert await parts.templates.save("restart", text("one"), 0, ANA, request_id) == 1
    assert (await parts.templates.get("restart")).version == 2


async def test_a_version_keeps_the_newest_of_its_requests(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "_REQUESTS_KEPT", 2)
    requests = [str(uuid.UUID(int=number)) for number in range(4)]
    for request_id in requests:
        await parts.templates.save("restart", text("one"), 0, ANA, request_id)
    await save(parts, "restart", "two")
    got = [await parts.templates.save("restart", text("one"), 0, ANA, one) for one in requests[2:]]
    assert got == [1, 1]
    assert await parts.templates.save("restart", text("one"), 0, ANA, requests[1]) == 3


async def test_the_requests_of_a_deleted_template_are_forgotten(parts: Parts) -> None:
    await parts.templates.save("restart", text("one"), 0, ANA, REQUEST)
    await parts.templates.delete("restart", ANA)
    assert await parts.templates.save("restart", text("one"), 0, ANA, REQUEST) == 2


@pytest.mark.each_engine
async def test_two_who_save_at_once_get_versions_of_their_own(parts: Parts) -> None:
    saved = await asyncio.gather(*(save(parts, "restart", f"echo {n}") for n in range(10)))
    assert sorted(version for (version,) in saved) == list(range(1, 11))


async def test_versions_go_on_counting_after_a_delete(parts: Parts) -> None:
    await save(parts, "restart", "one", "two")
    await parts.templates.delete("restart", ANA)
    with pytest.raises(NotFoundError, match="There is no template restart"):
        await parts.templates.get("restart", 2)
    assert await names(parts, Window()) == []
    assert await save(parts, "restart", "two") == [3]
    with pytest.raises(NotFoundError, match="no version 2 of the template restart: it has 3"):
        await parts.templates.get("restart", 2)
    deleted = await parts.audited("delete_template")
    assert [(one.actor, one.detail) for one in deleted] == [(ANA, {"template": "restart@2"})]


async def test_what_is_not_there_cannot_be_deleted(parts: Parts) -> None:
    with pytest.raises(NotFoundError, match="There is no template restart"):
        await parts.templates.delete("restart", ANA)


@pytest.mark.parametrize("name", ["", "a@b", "a/b", "-x", "a b", "a\n", "x" * 65, "é"])
async def test_a_name_is_that_of_a_host(parts: Parts, name: str) -> None:
    for act in (
        parts.templates.save(name, text(), 0, ANA),
        parts.templates.get(name),
        parts.templates.delete(name, ANA),
    ):
        with pytest.raises(InvalidInputError, match="not a template's name") as caught:
            await act
        assert caught.value.field == "name"
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("wrong", ["x", "[[steps]]", "\x00", 'target = "a"\n[[steps]]\nrun = 3'])
async def test_a_text_that_is_no_task_file_is_not_saved(parts: Parts, wrong: str) -> None:
    with pytest.raises(InvalidInputError):
        await parts.templates.save("restart", wrong, 0, ANA)
    assert await names(parts, Window()) == []


async def test_either_a_text_or_a_task(parts: Parts) -> None:
    for given in (("", 0), (text(), 1)):
        with pytest.raises(InvalidInputError, match="either"):
            await parts.templates.save("restart", *given, ANA)


async def test_a_task_becomes_a_template(parts: Parts) -> None:
    await save(parts)
    step = CommandSpec(
        "", timedelta(seconds=7), {"SITE": "berlin"}, {"LANG": "C"}, "/tmp", "deploy",
        secrets={"PASSWORD": "hunter2"}, name="first", script=SCRIPT,
        arguments=("a b",), stdin=content_of(b"typed\n"), always=True,
        on_failure=OnFailure.CONTINUE,
    )  # fmt: skip
    made = TaskSpec(
        "web*", (step, replace(step, script=None, text="date", arguments=(), barrier=True)),
        "restart all", "why", "ana", Offline.WAIT, timedelta(minutes=3),
        RolloutSpec("1,rest", Order.RANDOM, max_failures="1"), True, TemplateVersion("restart", 1),
    )  # fmt: skip
    task_id = await parts.tasks.create_task(made)
    assert await parts.templates.save("again", "", task_id, ANA) == 1
    saved = await parts.templates.get("again")
    assert "hunter2" not in saved.text
    assert saved.template.description == "why"
    filled = fill(read_task_file(saved.text, "again"), {}, {"PASSWORD": "other"})
    expected = replace(
        made,
        created_by="",
        template=None,
        commands=tuple(replace(one, secrets={"PASSWORD": "other"}) for one in made.commands),
        parameters=(Parameter("SITE"), Parameter("PASSWORD", ParameterType.SECRET)),
    )
    assert filled == expected
    assert [one.contents["stdin"].data for one in filled.commands] == [b"typed\n"] * 2
    assert await parts.templates.save("again", "", task_id, ANA) == 1


TYPED = """
target = "web*"

[params.WAIT]
type = "integer"
help = "seconds"

[params.TOKEN]
type = "secret"

[params.SITE]
type = "choice"
choices = ["berlin", "rome"]

[params.NOTE]
pattern = "[a-z]+"
required = false

[[steps]]
run = "restart"

[[steps]]
script_text = "#!/bin/sh\\nwait\\n"
"""


async def save_run_of_template(
    parts: Parts, command: str = "restart", *, described: bool = True, **values: str
) -> tuple[Parameter, ...]:
    """Saves a typed template, a task that was made from it with other options and these values, and
    returns the parameters of what was saved from the task.

    Args:
        described: the task describes its parameters; those of older programs do not.
    """
    await parts.templates.save("typed", TYPED, 0, ANA)
    given = {"WAIT": "1", "SITE": "rome"}
    filled = fill(read_task_file(TYPED, "typed"), given, {"TOKEN": "hunter2"})
    commands = [
        replace(one, parameters=values, timeout=timedelta(minutes=2), environment={"LANG": "C"})
        for one in filled.commands
    ]
    commands[0] = replace(commands[0], text=command)
    made = replace(filled, commands=tuple(commands), template=TemplateVersion("typed", 1))
    made = made if described else replace(made, parameters=())
    task_id = await parts.tasks.create_task(made)
    version = await parts.templates.save("again", "", task_id, ANA)
    saved = read_task_file((await parts.templates.get("again", version)).text, "again")
    assert [one.timeout for one in saved.spec.commands] == [timedelta(minutes=2)] * 2
    return saved.parameters


@pytest.mark.parametrize("described", [True, False])
async def test_a_task_of_a_template_keeps_its_parameters(parts: Parts, described: bool) -> None:
    wait, token, site, remark = read_task_file(TYPED, "typed").parameters
    kept = await save_run_of_template(parts, described=described, WAIT="7", SITE="rome")
    assert kept == (replace(wait, default="7"), token, replace(site, default="rome"), remark)
    values = {"WAIT": "7", "SITE": "rome", "NOTE": "late", "OTHER": "x"}
    kept = await save_run_of_template(parts, described=described, **values)
    assert kept[3:] == (replace(remark, default="late"), Parameter("OTHER", default="x"))
    kept = await save_run_of_template(parts, described=described, **{**values, "NOTE": "2"})
    assert kept[3] == Parameter("NOTE", default="2"), "the value is not allowed"


async def test_a_task_keeps_its_parameters_when_its_template_is_deleted(parts: Parts) -> None:
    await save_run_of_template(parts, WAIT="7", SITE="rome")
    await parts.templates.delete("typed", ANA)
    text = await parts.templates.text_of_task(1)
    assert 'choices = [\n    "berlin",\n    "rome",\n]' in text


async def test_an_old_task_of_other_steps_than_its_template_has_texts(parts: Parts) -> None:
    kept = await save_run_of_template(parts, "stop", described=False, WAIT="7", SITE="rome")
    assert {one.type for one in kept if not one.secret} == {ParameterType.TEXT}


async def test_a_task_whose_script_is_no_text_is_not_saved(parts: Parts) -> None:
    step = CommandSpec("", script=content_of(b"#!/bin/sh\n\xff\n"))
    task_id = await parts.tasks.create_task(TaskSpec("web*", (step,)))
    with pytest.raises(InvalidInputError, match="UTF-8"):
        await parts.templates.save("again", "", task_id, ANA)
    with pytest.raises(NotFoundError, match="There is no task 77"):
        await parts.templates.save("again", "", 77, ANA)
    assert await names(parts, Window()) == []


async def test_old_versions_are_deleted(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_manager.storage.tables.schedules.templates.VERSIONS_KEPT", 3)
    await save(parts, "other")
    await save(parts, "restart", *(f"echo {n}" for n in range(5)))
    kept = [one.version for one in (await parts.templates.get("restart")).versions]
    assert kept == [5, 4, 3]
    with pytest.raises(NotFoundError, match="the newest is 5, the oldest 3"):
        await parts.templates.get("restart", 2)
    assert (await parts.templates.get("other", 1)).version == 1


async def test_texts_together_have_a_bound(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tui_manager.storage.tables.schedules.templates.BYTES_KEPT", 2 * len(text("é1")) + 3
    )
    await save(parts, "restart", "é1", "é2", "é3")
    assert [one.version for one in (await parts.templates.get("restart")).versions] == [3, 2]
    await save(parts, "restart", "x" * 1000)
    assert [one.version for one in (await parts.templates.get("restart")).versions] == [4]


async def test_a_template_that_a_schedule_uses_is_not_deleted(parts: Parts) -> None:
    await save(parts, "restart", "one", "two")
    await save(parts, "other")
    for name, version in (("nightly", 0), ("weekly", 1)):
        use = TemplateUse("restart", version)
        await parts.schedules.add_schedule(hourly(name, template=use, task_file=""), ANA)
    with pytest.raises(IllegalMoveError, match="schedules nightly, weekly use it"):
        await parts.templates.delete("restart", ANA)
    rows = (await parts.templates.list_templates(Window())).rows
    assert [(row.name, row.schedules) for row in rows] == [("other", 0), ("restart", 2)]
    detail = await parts.templates.get("restart", 1)
    assert (detail.schedules, detail.template.schedules) == (("nightly", "weekly"), 2)
    await parts.schedules.delete_schedule("weekly", ANA)
    with pytest.raises(IllegalMoveError, match="the schedule nightly uses it"):
        await parts.templates.delete("restart", ANA)
    await parts.schedules.delete_schedule("nightly", ANA)
    await parts.templates.delete("restart", ANA)
    assert len(await parts.audited("delete_template")) == 1


async def test_a_version_that_a_schedule_names_is_kept(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_manager.storage.tables.schedules.templates.VERSIONS_KEPT", 2)
    await save(parts, "restart", "one")
    use = TemplateUse("restart", 1)
    await parts.schedules.add_schedule(hourly(template=use, task_file=""), ANA)
    await save(parts, "restart", "two", "three", "four", "five")
    assert [one.version for one in (await parts.templates.get("restart")).versions] == [5, 4, 1]


async def test_templates_are_listed(parts: Parts) -> None:
    for name, description in (("b", "100% sure"), ("a", "restarts web"), ("web", "")):
        parts.clock.turn(1)
        await parts.templates.save(name, text(description=description), 0, ANA)
    assert await names(parts, Window()) == ["a", "b", "web"]
    assert await names(parts, Window(descending=True)) == ["web", "b", "a"]
    assert await names(parts, Window(sort="saved")) == ["b", "a", "web"]
    assert await names(parts, Window(sort="saved", descending=True)) == ["web", "a", "b"]
    assert await names(parts, Window(text="WEB")) == ["a", "web"]
    assert await names(parts, Window(text='"0% s"')) == ["b"]
    assert await names(parts, Window(text="by=ana !web")) == ["b"]
    with pytest.raises(InvalidInputError, match="A list of templates has no key 'x'; it has name"):
        await names(parts, Window(text="x=1"))
    assert await names(parts, Window(text="_")) == []
    page = await parts.templates.list_templates(Window(text="web", offset=1, limit=1))
    assert ([row.name for row in page.rows], page.matching, page.total) == (["web"], 2, 3)
    behind = await parts.templates.list_templates(Window(text="web", offset=5))
    assert (behind.rows, behind.matching, behind.total) == ([], 2, 3)


async def test_watchers_learn_of_each_change(parts: Parts) -> None:
    changes = parts.feed.subscribe()
    changes.take()
    await save(parts)
    assert changes.take() == Changes(templates=True)
    await save(parts)
    assert changes.take() == Changes()
    await parts.templates.delete("restart", ANA)
    assert changes.take() == Changes(templates=True)


async def test_a_task_names_its_template(parts: Parts) -> None:
    await save(parts, "restart", "one", "two")
    made = replace(spec("@all", "one"), template=TemplateVersion("restart", 1))
    task_id = await parts.tasks.create_task(made)
    plain = await parts.tasks.create_task(spec("@all", "one"))
    assert (await parts.tasks.get_task(task_id)).task.template == TemplateVersion("restart", 1)
    listed = (await parts.tasks.list_tasks(Window())).rows
    created = [entry.detail.get("template") for entry in await parts.audited("create_task")]
    assert created == ["restart@1", None]
    assert [(row.task_id, row.template) for row in listed] == [
        (plain, None), (task_id, TemplateVersion("restart", 1)),
    ]  # fmt: skip


@pytest.mark.parametrize("version", [0, 3, -1, 2**63 - 1])
async def test_a_task_of_a_version_that_is_not_there(parts: Parts, version: int) -> None:
    await save(parts, "restart", "one", "two")
    made = replace(spec("@all", "one"), template=TemplateVersion("restart", version))
    with pytest.raises(NotFoundError, match="the newest is 2, the oldest 1"):
        await parts.tasks.create_task(made)
    assert (await parts.tasks.list_tasks(Window())).total == 0


async def test_a_task_of_a_template_that_is_not_there(parts: Parts) -> None:
    made = replace(spec("@all", "one"), template=TemplateVersion("restart", 1))
    with pytest.raises(NotFoundError, match="There is no template restart"):
        await parts.tasks.create_task(made)


async def test_a_template_that_is_deleted_while_a_task_of_it_is_created(parts: Parts) -> None:
    """Either the task came first and keeps the name, or it is not created."""
    for turn in range(10):
        (version,) = await save(parts, "restart", f"echo {turn}")
        made = replace(spec("@all", "one"), template=TemplateVersion("restart", version))
        acts = [parts.tasks.create_task(made), parts.templates.delete("restart", ANA)]
        if turn % 2:
            acts.reverse()
        results = await asyncio.gather(*acts, return_exceptions=True)
        (created,) = (one for one in results if one is not None)
        if isinstance(created, int):
            assert (await parts.tasks.get_task(created)).task.template == made.template
        else:
            assert isinstance(created, NotFoundError)


async def test_a_repeated_request_finds_its_task_without_the_template(parts: Parts) -> None:
    await save(parts)
    made = replace(spec("@all", "one"), template=TemplateVersion("restart", 1))
    task_id = await parts.tasks.create_task(made, REQUEST)
    await parts.templates.delete("restart", ANA)
    assert await parts.tasks.create_task(made, REQUEST) == task_id


async def test_a_rerun_keeps_a_template_that_was_deleted(parts: Parts) -> None:
    await save(parts)
    await parts.connect("web01")
    made = replace(spec("@all", "one"), template=TemplateVersion("restart", 1))
    task_id = await parts.tasks.create_task(made)
    await parts.tasks.start_task(task_id)
    await parts.tasks.cancel_task(task_id)
    await parts.templates.delete("restart", ANA)
    rerun = await parts.tasks.rerun_task(task_id, tuple(HostClass))
    repeated = await parts.tasks.get_task(rerun.task_id)
    assert repeated.task.template == TemplateVersion("restart", 1)


async def test_pruning_leaves_templates_alone(parts: Parts) -> None:
    await save(parts, "restart", "one", "two")
    parts.clock.turn(timedelta(days=400).total_seconds())
    await parts.pruning.run_once()
    assert len((await parts.templates.get("restart")).versions) == 2


async def test_templates_survive_a_restart(tmp_path: Path) -> None:
    async with manager_parts(tmp_path) as parts:
        await save(parts, "restart", "one")
        await save(parts, "gone")
        await parts.templates.delete("gone", ANA)
    async with manager_parts(tmp_path) as parts:
        assert await names(parts, Window()) == ["restart"]
        assert await save(parts, "restart", "two") == [2]
        assert await save(parts, "gone") == [2]


async def test_one_text_is_read_at_a_time(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long text takes a multiple of its size in memory while it is read."""
    begun, allowed = threading.Semaphore(0), threading.Semaphore(0)

    def read(given: str, name: str) -> TaskFile:
        begun.release()
        assert allowed.acquire(timeout=60)
        return read_task_file(given, name)

    monkeypatch.setattr("tui_manager.service.templates.template_service.read_task_file", read)
    saving = asyncio.gather(save(parts, "one"), save(parts, "two"))
    for _ in range(2):
        assert await asyncio.to_thread(begun.acquire, timeout=60)
        assert not await asyncio.to_thread(begun.acquire, timeout=0.1)
        allowed.release()
    assert list(await saving) == [[1], [1]]

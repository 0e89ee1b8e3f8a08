"""Fetches: what agents have found is asked for and stored, and the agents are told."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import AgentStream, dial
from tests.support.agents.file_agent import FEATURES, Answers, say_found
from tests.support.file_sets import MadeSet, make_set
from tests.support.waiting import wait_until
from tui_manager import manager_parts
from tui_manager.domain.errors import StorageError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.copy_and_fetch import FetchSpec, FileSet, FileSetPart, Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.operator.api import Operator
from tui_manager.run_manager import RunningManager, run_manager
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.transfers import fetches
from tui_manager.service.transfers.fetch_limit import FetchLimit
from tui_manager.service.transfers.transfers import Transfers
from tui_manager.settings import Settings
from tui_manager.state_files import DATABASE
from tui_manager.storage.maintenance.check import check_database

DATA, MANIFEST = FileSetPart.DATA, FileSetPart.MANIFEST
MADE = make_set({b"var/log/app.log": os.urandom(1_500_000), b"var/log/zeros": bytes(200_000)})
OTHER = make_set({b"var/log/app.log": os.urandom(1000)})
FETCH = CommandSpec("", fetch=FetchSpec(("/var/log",), recursive=True))
SIZE = MADE.files.size


def settings_of(folder: Path) -> Settings:
    return Settings(state_dir=folder, listen="127.0.0.1:0", insecure=True, free_disk=0)


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[RunningManager]:
    async with run_manager(settings_of(tmp_path)) as running:
        yield running
    assert check_database(tmp_path / DATABASE).findings == ()


@pytest.fixture
def operator(manager: RunningManager) -> Operator:
    return manager.operator


async def row(operator: Operator, task_id: int, host: str = "web01") -> CommandHost:
    rows = (await operator.list_command_hosts(task_id, Window(sort="host"))).rows
    return next(one for one in rows if one.host == host)


async def begin(operator: Operator, *agents: AgentStream) -> tuple[int, list[str]]:
    """The task and the execution of each agent; these have begun."""
    for number, agent in enumerate(agents, start=1):
        await agent.hello(f"web{number:02}", features=FEATURES)
    task_id = await operator.create_task(TaskSpec("@all", (FETCH,)))
    await operator.start_task(task_id)
    executions = []
    for agent in agents:
        run = (await agent.read_until("run_command")).run_command
        assert (list(run.fetch.paths), run.fetch.recursive) == (["/var/log"], True)
        await agent.report(started=[pb.Started(execution_id=run.execution_id)])
        await agent.read_until("acknowledge")
        executions.append(run.execution_id)
    return task_id, executions


async def end(agent: AgentStream, execution_id: str, made: MadeSet = MADE) -> None:
    """The result of a fetch that has completed."""
    manifest = bytes.fromhex(made.files.sha256)
    did = pb.Transfer(
        bytes=made.files.bytes,
        files=made.files.files,
        received_bytes=made.files.bytes,
        sha256=manifest,
        manifest_sha256=manifest,
    )
    completed = pb.RESULT_STATUS_COMPLETED
    ended = pb.Result(execution_id=execution_id, status=completed, exit_code=0, transfer=did)
    await agent.report(results=[ended])
    await agent.read_until("acknowledge")


async def stored(operator: Operator, made: MadeSet) -> bytes:
    """The bytes that the manager has of a set."""
    came = b""
    for part in FileSetPart:
        async for piece in operator.read_files(made.files, part):
            came += bytes(piece) if isinstance(piece, int) else piece
    return came


async def violations(operator: Operator) -> list[str]:
    page = await operator.list_audit(Window(limit=100))
    return [str(entry.detail) for entry in page.rows if entry.action == "violation"]


async def test_a_fetch_brings_all_bytes(manager: RunningManager, operator: Operator) -> None:
    async with dial(manager.address) as agent:
        task_id, (execution_id,) = await begin(operator, agent)
        answers = Answers(agent, MADE)
        await say_found(agent, execution_id, MADE)
        told = await answers.until_stored()
        assert (told.execution_id, told.problem, told.retry) == (execution_id, "", False)
        assert answers.asked_bytes == len(MADE.manifest) + SIZE  # each byte once
        assert max(length for _, _, length in answers.asked) <= 256 * 1024
        assert (await row(operator, task_id)).transfer == Transfer(0, 0, stored=MADE.files)
        await end(agent, execution_id)
        assert await operator.get_task_status(task_id) is TaskStatus.COMPLETED
        transfer = (await row(operator, task_id)).transfer
        assert transfer is not None
        assert (transfer.stored, transfer.files) == (MADE.files, 2)
        assert await stored(operator, MADE) == MADE.manifest + MADE.data


async def test_what_the_manager_has_is_not_asked_for(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as first, dial(manager.address) as second:
        _, executions = await begin(operator, first, second)
        await say_found(first, executions[0], MADE)
        assert not (await Answers(first, MADE).until_stored()).problem
        answers = Answers(second, MADE)
        await say_found(second, executions[1], MADE)
        assert not (await answers.until_stored()).problem
        assert answers.asked == []
        await say_found(second, executions[1], MADE)  # it was not sure
        assert not (await answers.until_stored()).problem


async def cut_off(operator: Operator, address: str) -> tuple[int, str, int]:
    """(task_id, execution_id, bytes) of a fetch whose connection broke in the middle."""
    async with dial(address) as agent:
        task_id, (execution_id,) = await begin(operator, agent)
        answers = Answers(agent, MADE, limit=len(MADE.manifest) + 700_000)
        await say_found(agent, execution_id, MADE)
        await answers.until_asked(len(MADE.manifest) + 1_000_000)
        await agent.leave()
    return task_id, execution_id, answers.asked_bytes


async def go_on(address: str, execution_id: str) -> Answers:
    held = pb.HeldExecution(execution_id=execution_id, state=pb.EXECUTION_STATE_RUNNING)
    async with dial(address) as agent:
        await agent.hello("web01", features=FEATURES, executions=[held])
        answers = Answers(agent, MADE)
        await say_found(agent, execution_id, MADE)
        told = await answers.until_stored()
        assert not told.problem
        await end(agent, execution_id)
    return answers


async def test_a_new_session_goes_on_at_the_byte(
    manager: RunningManager, operator: Operator
) -> None:
    _, execution_id, _ = await cut_off(operator, manager.address)
    answers = await go_on(manager.address, execution_id)
    part, offset, _ = answers.asked[0]
    assert part is DATA
    assert offset > 300_000
    assert answers.asked_bytes == SIZE - offset
    assert await stored(operator, MADE) == MADE.manifest + MADE.data


async def test_a_restarted_manager_goes_on_at_the_byte(tmp_path: Path) -> None:
    async with run_manager(settings_of(tmp_path)) as manager:
        _, execution_id, _ = await cut_off(manager.operator, manager.address)
    async with run_manager(settings_of(tmp_path)) as manager:
        answers = await go_on(manager.address, execution_id)
        assert answers.asked[0][1] > 300_000
        assert await stored(manager.operator, MADE) == MADE.manifest + MADE.data


@pytest.mark.parametrize("wrong", list(FileSetPart))
async def test_a_file_that_changes_while_it_is_read_is_found_anew(
    manager: RunningManager, operator: Operator, wrong: FileSetPart
) -> None:
    async with dial(manager.address) as agent:
        task_id, (execution_id,) = await begin(operator, agent)
        answers = Answers(agent, MADE)
        answers.change = lambda data: (
            data[:-1] + bytes([data[-1] ^ 1])
            if answers.asked[-1][0] is wrong and answers.asked[-1][1] == 0
            else data
        )
        await say_found(agent, execution_id, MADE)
        told = await answers.until_stored()
        assert told.retry
        is_data = wrong is FileSetPart.DATA
        change = "/var/log/app.log changed while it was read."
        assert (change if is_data else "another hash") in told.problem
        await say_found(agent, execution_id, OTHER)
        told = await Answers(agent, OTHER).until_stored()
        assert (told.problem, told.retry) == ("", False)
        await end(agent, execution_id, OTHER)
        assert await stored(operator, OTHER) == OTHER.manifest + OTHER.data
        transfer = (await row(operator, task_id)).transfer
        assert transfer is not None
        assert transfer.stored == OTHER.files
        assert await violations(operator) == []


async def test_a_problem_of_the_agent_ends_the_fetch(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        _, (execution_id,) = await begin(operator, agent)
        await say_found(agent, execution_id, MADE)
        asked = (await agent.read_until("file_request")).file_request
        problem = pb.FilePart(
            execution_id=execution_id, part=asked.part, problem="/var/log/x is gone."
        )
        await agent.write(pb.AgentMessage(file_part=problem))
        told = (await agent.read_until("files_stored")).files_stored
        assert (told.problem, told.retry) == ("/var/log/x is gone.", True)
        await say_found(agent, execution_id, OTHER)
        assert not (await Answers(agent, OTHER).until_stored()).problem


async def test_files_for_which_there_is_no_room_are_refused(tmp_path: Path) -> None:
    settings = replace(settings_of(tmp_path), files_limit=SIZE)
    async with run_manager(settings) as manager, dial(manager.address) as agent:
        _, (execution_id,) = await begin(manager.operator, agent)
        await say_found(agent, execution_id, MADE)
        told = (await agent.read_until("files_stored")).files_stored
        assert "files_limit" in told.problem
        assert not told.retry
        await say_found(agent, execution_id, OTHER)  # which is small
        assert not (await Answers(agent, OTHER).until_stored()).problem


async def test_a_fetch_outlasts_a_database_that_is_away(
    manager: RunningManager, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, failures = FileStore._store, iter((1, 2))

    async def store_later(self: FileStore, files: FileSet) -> None:
        if next(failures, None):
            raise StorageError("The server is away.")
        await store(self, files)

    monkeypatch.setattr(FileStore, "_store", store_later)
    monkeypatch.setattr(fetches, "_RETRY", 0.0)
    async with dial(manager.address) as agent:
        _, (execution_id,) = await begin(operator, agent)
        answers = Answers(agent, MADE)
        await say_found(agent, execution_id, MADE)
        told = await answers.until_stored()
        assert (told.problem, told.retry) == ("", False)
        assert answers.asked_bytes == len(MADE.manifest) + SIZE  # each byte once
        assert await stored(operator, MADE) == MADE.manifest + MADE.data


async def test_lies_about_the_sizes_are_found(manager: RunningManager, operator: Operator) -> None:
    async with dial(manager.address) as agent:
        _, (execution_id,) = await begin(operator, agent)
        lying = MadeSet(
            MADE.files.__class__(
                MADE.files.sha256, MADE.files.manifest_size, SIZE - 1, 2, MADE.files.bytes
            ),
            MADE.manifest,
            MADE.data,
        )
        await say_found(agent, execution_id, lying)
        told = await Answers(agent, lying).until_stored()
        assert not told.retry
        assert "its manifest names" in told.problem


async def test_a_canceled_fetch_asks_for_nothing_more(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        task_id, (execution_id,) = await begin(operator, agent)
        answers = Answers(agent, MADE, limit=len(MADE.manifest) + 300_000)
        await say_found(agent, execution_id, MADE)
        await answers.until_asked(len(MADE.manifest) + 500_000)
        await operator.cancel_task(task_id)
        await agent.read_until("cancel_command")
        at = answers.unanswered[0].offset  # the next bytes that it was asked for
        late = pb.FilePart(
            execution_id=execution_id,
            part=pb.FILE_SET_PART_DATA,
            offset=at,
            data=MADE.data[at : at + 4],
        )
        await agent.write(pb.AgentMessage(file_part=late))
        canceled = pb.Result(execution_id=execution_id, status=pb.RESULT_STATUS_CANCELED)
        await agent.report(results=[canceled])
        await agent.read_until("acknowledge")
        await say_found(agent, execution_id, MADE)
        told = (await agent.read_until("files_stored")).files_stored
        assert "is not under way" in told.problem
        assert await operator.get_task_status(task_id) is TaskStatus.CANCELED
        assert await violations(operator) == []


async def refused(agent: AgentStream) -> str:
    return (await agent.read_until("disconnect")).disconnect.detail


async def test_found_files_of_another_host_are_a_violation(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent, dial(manager.address) as other:
        _, (execution_id, _) = await begin(operator, agent, other)
        await say_found(other, execution_id, MADE)
        assert "another host's" in await refused(other)


async def test_parts_that_were_not_asked_for_are_a_violation(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        _, (execution_id,) = await begin(operator, agent)
        part = pb.FilePart(execution_id=execution_id, part=pb.FILE_SET_PART_DATA, data=b"x")
        await agent.write(pb.AgentMessage(file_part=part))
        assert "did not ask for" in await refused(agent)


async def test_other_files_while_the_first_ones_are_asked_for_are_a_violation(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        _, (execution_id,) = await begin(operator, agent)
        await say_found(agent, execution_id, MADE)
        await agent.read_until("file_request")
        await say_found(agent, execution_id, MADE)  # the same again is none
        await say_found(agent, execution_id, OTHER)
        assert "other files" in await refused(agent)


async def test_files_of_a_command_are_a_violation(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        await agent.hello("web01", features=FEATURES)
        task_id = await operator.create_task(TaskSpec("@all", (CommandSpec("true"),)))
        await operator.start_task(task_id)
        run = (await agent.read_until("run_command")).run_command
        await say_found(agent, run.execution_id, MADE)
        told = (await agent.read_until("files_stored")).files_stored
        assert "has no files" in told.problem


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fetch receives at a time; others wait for a moment only if it stands still."""

    def make(core: object, store: object) -> Transfers:
        return Transfers(core, store, FetchLimit(1), stalled_after=0.05)  # type: ignore[arg-type]

    monkeypatch.setattr(manager_parts, "Transfers", make)


@pytest.mark.usefixtures("one_at_a_time")
async def test_a_fetch_that_stands_still_lets_others_go_first(
    tmp_path: Path,
) -> None:
    sets = [make_set({b"var/log/app.log": os.urandom(700_000)}) for _ in range(4)]
    async with AsyncExitStack() as stack:
        manager = await stack.enter_async_context(run_manager(settings_of(tmp_path)))
        operator = manager.operator
        agents = [await stack.enter_async_context(dial(manager.address)) for _ in sets]
        _, executions = await begin(operator, *agents)
        slow = Answers(agents[0], sets[0], limit=len(sets[0].manifest) + 200_000)
        await say_found(agents[0], executions[0], sets[0])
        await slow.until_asked(len(sets[0].manifest) + 300_000)
        for agent, execution_id, made in zip(agents[1:], executions[1:], sets[1:], strict=True):
            await say_found(agent, execution_id, made)
        for agent, made in zip(agents[1:], sets[1:], strict=True):
            assert not (await Answers(agent, made).until_stored()).problem
        await slow.answer_the_rest()
        assert not (await slow.until_stored()).problem
        assert await stored(operator, sets[0]) == sets[0].manifest + sets[0].data
        assert await violations(operator) == []


async def test_received_bytes_are_counted(manager: RunningManager, operator: Operator) -> None:
    async def rate() -> float:
        return (await operator.manager_status()).health.files_received_per_second

    async with dial(manager.address) as agent:
        _, (execution_id,) = await begin(operator, agent)
        await say_found(agent, execution_id, MADE)
        await Answers(agent, MADE).until_stored()
        await wait_until(rate, lambda found: found > SIZE / 10)

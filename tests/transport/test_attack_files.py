"""What a host may try with the files of copies and fetches. See test_attacks.py."""

import os

from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import AgentStream
from tests.support.agents.file_agent import FEATURES, Answers, ask, pull, say_found, upload
from tests.support.file_sets import make_set
from tests.support.managers.secure_manager import SecureManager
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSetPart
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

DATA = FileSetPart.DATA
SECRET = make_set({b"keys": os.urandom(1000)})
FOUND = make_set({b"var/log/app.log": b"what this host says\n"})
COPY = CommandSpec("", copy=CopySpec(SECRET.files, "/etc/app/"))
FETCH = CommandSpec("", fetch=FetchSpec(("/var/log/app.log",)))


async def begun(secure: SecureManager, agent: AgentStream, command: CommandSpec) -> tuple[int, str]:
    """The task and the execution of a step that runs on web01."""
    operator = secure.running.operator
    await upload(operator, SECRET)
    await agent.hello("web01", features=FEATURES)
    task_id = await operator.create_task(TaskSpec("web01", (command,)))
    await operator.start_task(task_id)
    run = (await agent.read_until("run_command")).run_command
    await agent.report(started=[pb.Started(execution_id=run.execution_id)])
    await agent.read_until("acknowledge")
    return task_id, run.execution_id


async def cut_off(secure: SecureManager, enemy: AgentStream) -> str:
    """Why the session of the hostile host has ended; nobody else is blamed."""
    last = (await enemy.read_until("disconnect")).disconnect
    assert last.reason == pb.DISCONNECT_REASON_PROTOCOL_ERROR
    assert {entry.host for entry in await secure.audit("violation")} == {"hostile"}
    return last.detail


async def test_the_files_of_another_hosts_copy_are_not_sent(secure: SecureManager) -> None:
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    async with hostile.dial(secure.address) as enemy, other.dial(secure.address) as agent:
        _, execution_id = await begun(secure, agent, COPY)
        await enemy.hello("hostile", features=FEATURES)
        await ask(enemy, execution_id, DATA, 0, 1000)
        while not (message := await enemy.read()).HasField("disconnect"):
            assert not message.HasField("file_part")
        assert "another host's" in message.disconnect.detail
        assert [entry.host for entry in await secure.audit("violation")] == ["hostile"]
        assert await pull(agent, execution_id, DATA, 0, 1000) == SECRET.data


async def test_what_another_host_was_asked_for_cannot_be_answered(secure: SecureManager) -> None:
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    async with hostile.dial(secure.address) as enemy, other.dial(secure.address) as agent:
        task_id, execution_id = await begun(secure, agent, FETCH)
        await say_found(agent, execution_id, FOUND)
        asked = await agent.read_until("file_request")
        await enemy.hello("hostile", features=FEATURES)
        part = pb.FilePart(
            execution_id=execution_id, part=pb.FILE_SET_PART_MANIFEST, data=b"of the enemy"
        )
        await enemy.write(pb.AgentMessage(file_part=part))
        assert "did not ask for" in await cut_off(secure, enemy)
        answers = Answers(agent, FOUND)
        await answers.answer(asked.file_request)
        assert not (await answers.until_stored()).problem
        assert (await secure.row(task_id)).status == "running"


async def test_a_host_cannot_say_what_another_has_found(secure: SecureManager) -> None:
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    async with hostile.dial(secure.address) as enemy, other.dial(secure.address) as agent:
        _, execution_id = await begun(secure, agent, FETCH)
        await enemy.hello("hostile", features=FEATURES)
        await say_found(enemy, execution_id, SECRET)
        assert "another host's" in await cut_off(secure, enemy)
        await say_found(agent, execution_id, FOUND)
        assert not (await Answers(agent, FOUND).until_stored()).problem

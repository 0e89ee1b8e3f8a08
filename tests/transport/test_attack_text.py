"""Attacks in what a host says of itself: paths, escape sequences, SQL, crowds of labels."""

from pathlib import Path

import grpc.aio
import pytest
from tui_manager_protos.rules.facts import VALUE_LIMIT
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.secure_agent import enroll
from tests.support.managers.secure_manager import SecureManager, completed, secure_manager
from tui_manager.state_files import DATABASE
from tui_manager.storage.maintenance.check import check_database

SQL = "'; DROP TABLE hosts; --\" OR 1=1"
CLIPBOARD, TITLE = "\x1b]52;c;cm0gLXJmIC8=\x07", "\x1b]0;you are root\x07"
CURSOR, LINK = "\x1b[2J\x1b[1;1H", "\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\"
DCS, C1, TURNED = '\x1bP$q"p\x1b\\', "\x9b2J", "\u202egpj.exe"
ESCAPES = (CLIPBOARD, TITLE, CURSOR, LINK, DCS, C1, TURNED)
PATHS = ("../../etc/passwd", "/etc/passwd", "..\\boot.ini", "web01/../../x", "web01\0", "~root")
BAD_NAMES = (*PATHS, *ESCAPES, SQL, "[red]web01[/red]", "web 01", "", "w" * 65, "wéb01", "web01\n")
MANY_LABELS = {f"k{number}": "v" for number in range(10_000)}
BAD_LABELS = [
    MANY_LABELS,
    *({"k": text} for text in (*ESCAPES, SQL, "[red]x[/red]", "../" * 60)),
    *({text: "v"} for text in (*ESCAPES, SQL, "../../etc", "/etc/passwd", "", "-rf")),
]


async def test_a_name_that_is_none_is_refused_on_both_ports(secure: SecureManager) -> None:
    host = await secure.host("web01")
    token = await secure.token()
    for name in BAD_NAMES:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await enroll(secure.running, token, name, hostname="")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, name
        async with host.dial(secure.address) as agent:
            last = (await agent.hello(name)).disconnect
            assert last.reason == pb.DISCONNECT_REASON_INVALID_HELLO, name
    assert [seen.name for seen in await secure.hosts()] == ["web01"]
    await _nothing_hostile_is_shown(secure)


async def test_labels_that_are_none_are_refused_on_both_ports(secure: SecureManager) -> None:
    host = await secure.host("web01")
    token = await secure.token()
    for labels in BAD_LABELS:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await enroll(secure.running, token, "web02", labels=labels)
        refused = grpc.StatusCode.INVALID_ARGUMENT
        if labels is MANY_LABELS:  # more bytes than a message may have
            refused = grpc.StatusCode.RESOURCE_EXHAUSTED
        assert caught.value.code() is refused, labels
        async with host.dial(secure.address) as agent:
            last = (await agent.hello("web01", labels=labels)).disconnect
            assert last.reason == pb.DISCONNECT_REASON_INVALID_HELLO, labels
    assert [seen.labels for seen in await secure.hosts()] == [{}]
    await _nothing_hostile_is_shown(secure)


async def _nothing_hostile_is_shown(secure: SecureManager) -> None:
    """Refusals quote what was refused: in answers, attention and audit it can do nothing."""
    status = await secure.running.operator.manager_status()
    said = [alert.text for alert in status.attention]
    for entry in await secure.audit("refuse_host"):
        said += [entry.actor, entry.host, *entry.detail.values()]
    assert said
    assert all(text.isprintable() and "\u202e" not in text for text in said), said


async def test_a_name_that_is_a_path_elsewhere_leads_nowhere(tmp_path: Path) -> None:
    """A name begins with a letter or a digit, and no file is ever called as a host."""
    async with secure_manager(tmp_path) as secure:
        for name in ("..", ".", "-rf"):
            with pytest.raises(grpc.aio.AioRpcError, match="is not a host's name"):
                await secure.host(name)
        for name in ("w..", "nul"):
            host = await secure.host(name)
            async with host.dial(secure.address) as agent:
                await agent.hello(name)
                await secure.works(name, agent)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert not [path for path in secure.state_dir.rglob("*") if path.name in ("-rf", "w..", "nul")]


async def test_sql_in_every_text_field_stays_text(secure: SecureManager) -> None:
    said = {"os": SQL, "arch": SQL, "agent_version": SQL, "build": SQL, "installed_by": SQL}
    ids = {"machine_id": SQL, "journal_id": SQL, "boot_id": SQL, "instance_id": SQL}
    token = await secure.token(auto_approve=True)
    with pytest.raises(grpc.aio.AioRpcError):
        await enroll(secure.running, token, "web01", secret=SQL)
    host = await enroll(
        secure.running, token, "web01", os=SQL, arch=SQL, agent_version=SQL, machine_id=SQL
    )
    async with host.dial(secure.address) as agent:
        held = pb.HeldExecution(execution_id=SQL, state=pb.EXECUTION_STATE_ENDED)
        await agent.hello("web01", **said, **ids, executions=[held])
        await agent.report(results=[completed(SQL + "2")])
        resume = await agent.read_until("resume")
        assert resume.resume.action == pb.RESUME_ACTION_UNKNOWN
        task_id = await secure.start(text=SQL)
        run = (await agent.read_until("run_command")).run_command
        assert run.command == SQL
        await agent.report(results=[completed(run.execution_id, detail=SQL)])
        await agent.read_until("acknowledge")
    assert (await secure.row(task_id)).detail == SQL
    (seen,) = await secure.hosts()
    assert (seen.os, seen.arch, seen.agent_version) == (SQL, SQL, SQL)
    assert (seen.agent_build, seen.installed_by) == (SQL, SQL)
    assert check_database(secure.state_dir / DATABASE).findings == ()


async def test_what_a_host_says_of_its_system_is_kept_short(secure: SecureManager) -> None:
    host = await secure.host("web01")
    long = CURSOR * 10_000
    async with host.dial(secure.address) as agent:
        await agent.hello("web01", os=long, arch=long, agent_version=long)
        (seen,) = await secure.hosts()
    assert max(map(len, (seen.os, seen.arch, seen.agent_version))) <= 128


async def test_facts_are_text_or_end_the_session(secure: SecureManager) -> None:
    host = await secure.host("web01")
    hostile = {
        **{f"f{number}": text for number, text in enumerate((*ESCAPES, SQL, "[red]x[/red]"))},
        "nul": "a\0b",
        "os": '", "cores": "999',
        "huge": "x" * 1_000_000,
    }
    async with host.dial(secure.address) as agent:
        assert (await agent.hello("web01", facts=pb.Facts(values=hostile))).HasField("welcome")
        facts = dict((await secure.running.operator.get_host("web01")).facts)
        assert facts.keys() == hostile.keys()
        assert max(len(value.encode()) for value in facts.values()) <= VALUE_LIMIT
        assert facts["huge"].endswith("x…")
        assert (facts["os"], facts["nul"], facts["f7"]) == (hostile["os"], "a\ufffdb", SQL)
        await agent.report(facts=pb.Facts(values={f"f{n}": "" for n in range(10_000)}))
        last = (await agent.read_until("disconnect")).disconnect
        assert last.reason == pb.DISCONNECT_REASON_PROTOCOL_ERROR
        assert "at most 200 facts, not 10,000" in last.detail
    for name in (CLIPBOARD, "../../etc/passwd", "[red]"):
        async with host.dial(secure.address) as agent:
            last = (await agent.hello("web01", facts=pb.Facts(values={name: "v"}))).disconnect
            assert last.reason == pb.DISCONNECT_REASON_PROTOCOL_ERROR, name
    assert dict((await secure.running.operator.get_host("web01")).facts) == facts
    said = [entry.detail["text"] for entry in await secure.audit("violation")]
    assert any("facts" in text for text in said), said
    assert all(text.isprintable() for text in said), said
    assert check_database(secure.state_dir / DATABASE).findings == ()

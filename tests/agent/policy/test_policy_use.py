"""The agent with a policy, and the command that asks it."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tui_manager_agent.cli.main import main
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.conftest import Gate
from tests.agent.fake_manager import FakeManager
from tests.agent.policies import ONLY_ECHO


async def test_a_refused_command_never_starts(
    manager: FakeManager, policy_file: Path, tmp_path: Path
) -> None:
    policy_file.write_text(ONLY_ECHO)
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, f"--policy={policy_file}")
    await manager.wait_for(lambda: manager.reports)
    trace = tmp_path / "trace"
    refused = await manager.result(manager.run(f"touch {trace}"))
    allowed = await manager.result(manager.run("echo one two"))
    await agent.close()
    assert refused.status == wire.RESULT_STATUS_FAILED
    assert refused.reason == wire.RESULT_REASON_REJECTED
    assert refused.detail == ("refused by this host's policy (allow): no rule allows this command")
    assert not refused.HasField("duration")
    assert not trace.exists()
    assert allowed.status == wire.RESULT_STATUS_COMPLETED


async def test_every_part_of_the_wire_is_looked_at(manager: FakeManager, tmp_path: Path) -> None:
    policy_file = tmp_path / "policy.toml"
    policy_file.write_text('max_timeout = "5m"\n' + ONLY_ECHO)
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, f"--policy={policy_file}")
    await manager.wait_for(lambda: manager.reports)
    within = Duration(seconds=300)
    for limit, fields in (
        ("max_timeout", {}),  # absent: an hour
        ("max_timeout", {"timeout": Duration(seconds=301)}),
        ("max_timeout", {"timeout": within, "kill_grace": Duration(seconds=1 << 30)}),
        ("environment", {"timeout": within, "environment": {"PATH": "/tmp"}}),
        ("folders", {"timeout": within, "cwd": "/tmp"}),
        ("environment", {"timeout": within, "environment": {"TUI_MANAGER_HOST": "$(id)"}}),
        ("", {"timeout": within, "environment": {"TUI_MANAGER_HOST": "web01"}}),
        ("", {"timeout": within}),
    ):
        result = await manager.result(manager.run("echo a", **fields))
        assert (f"({limit})" in result.detail) == bool(limit)
        assert (result.reason == wire.RESULT_REASON_REJECTED) == bool(limit)
    await agent.close()


async def test_a_refusal_does_not_wait_its_turn(
    manager: FakeManager, policy_file: Path, gate: Gate, tmp_path: Path
) -> None:
    policy_file.write_text(f'[allow.wait]\ncommands = "cat {gate}"\n')
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, f"--policy={policy_file}", "--capacity=1")
    await manager.wait_for(lambda: manager.reports)
    running = manager.run(f"cat {gate}")
    await manager.wait_for(lambda: manager.stored(running).starts)
    assert (await manager.result(manager.run("id"))).reason == wire.RESULT_REASON_REJECTED
    gate.open()
    await manager.result(running)
    await agent.close()


@pytest.mark.parametrize("anew", [False, True])
async def test_an_owner_who_thinks_better_of_it_stops_what_waits(
    manager: FakeManager, policy_file: Path, gate: Gate, tmp_path: Path, anew: bool
) -> None:
    """Also when another life of the agent takes it up."""
    policy_file.write_text(ONLY_ECHO + f'[allow.wait]\ncommands = "cat {gate}"\n')
    agent = AgentProcess(tmp_path / "state")
    options = (f"--policy={policy_file}", "--capacity=1")
    await agent.start(manager, *options)
    await manager.wait_for(lambda: manager.reports)
    running = manager.run(f"cat {gate}")
    await manager.wait_for(lambda: manager.stored(running).starts)
    waiting = manager.run("echo a")
    barrier = str(uuid.uuid4())
    manager.cancel(barrier)
    await manager.result(barrier)
    policy_file.write_text('[allow.nothing]\ncommands = "true"\n')
    if anew:
        await agent.kill()
        await agent.start(manager, *options)
    gate.open()
    result = await manager.result(waiting)
    left = list(agent.state_dir.glob(f"managers/*/executions/{waiting}/*"))
    await agent.close()
    assert result.reason == wire.RESULT_REASON_REJECTED
    assert "(allow)" in result.detail
    assert {path.name for path in left} <= {"result"}


async def test_an_agent_does_not_start_with_a_policy_that_it_cannot_use(
    manager: FakeManager, policy_file: Path, tmp_path: Path
) -> None:
    for text, words in (("[allow", "Expected"), (None, "There is no policy")):
        if text is None:
            policy_file.unlink()
        else:
            policy_file.write_text(text)
        agent = AgentProcess(tmp_path / "state")
        await agent.start(manager, f"--policy={policy_file}")
        status, errors = await agent.ended()
        assert status == 2
        assert errors.startswith("tui-manager-agent: ")
        assert str(policy_file) in errors
        assert words in errors
        assert "Traceback" not in errors
    assert manager.hellos == []


# ------------------------------------------------------------------------------------ policy check


def check(*words: str) -> int:
    return main(["policy", "check", *words])


def test_the_owner_asks_without_running(
    policy_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUI_MANAGER_AGENT_POLICY", str(policy_file))
    assert check("--timeout", "5m", "--", "systemctl", "restart", "nginx") == 0
    assert capsys.readouterr().out == "allowed by restart\n"
    assert check("--timeout=5m", "--env", "APP_X=1", "--cwd=/srv/a", "--", "make all") == 0
    assert capsys.readouterr().out == "allowed by build\n"
    assert check("--", "systemctl", "restart", "--root=/x", "nginx") == 1
    said = capsys.readouterr().out
    assert said.startswith("refused by this host's policy (allow): ")
    assert said.endswith("Ask ana@example.com.\n")
    for limit, options in (
        ("max_timeout", []),
        ("users", ["--user=postgres"]),
        ("environment", ["--timeout=5m", "--env=PATH"]),
        ("folders", ["--timeout=5m", "--cwd=/tmp"]),
    ):
        assert check(*options, "--", "make all") == 1
        assert f"({limit})" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("regex", "warns"),
    [
        ("systemctl restart [^;|&]*", True),
        ("[^]a]", True),
        (r"[^;\n]*", False),
        (r"[^\s;]*", False),
        (r"echo\s+x", True),
        ("(?s)echo .*", False),
        ("echo .*", False),
        ("systemctl restart [a-z]+", False),
    ],
)
def test_a_check_warns_of_a_regex_that_matches_line_breaks(
    policy_file: Path, capsys: pytest.CaptureFixture[str], regex: str, warns: bool
) -> None:
    policy_file.write_text(f"[allow.x]\nregex = ['{regex}']\n")
    check(f"--policy={policy_file}", "--", "x")
    assert ("[allow.x]: " + regex + " matches line breaks too" in capsys.readouterr().err) == warns


def test_the_owner_asks_of_a_policy_that_cannot_be_used(
    policy_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy_file.chmod(0o666)
    assert check(f"--policy={policy_file}", "--", "make all") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "can be written by anybody" in said.err


def test_the_owner_asks_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = tmp_path / "policy.toml"
    monkeypatch.setattr("tui_manager_agent.policy.policy_file.default_path", lambda: absent)
    assert check("--", "rm -rf /") == 0
    assert capsys.readouterr().out == f"allowed: there is no policy {absent}\n"


@pytest.mark.parametrize("words", [[], ["--timeout=soon", "--", "true"], ["--policy"]])
def test_a_question_that_makes_no_sense(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        check(*words)
    assert stopped.value.code == 2
    assert "See `tui-manager-agent policy check --help`." in capsys.readouterr().err


def test_the_installed_program_answers(policy_file: Path) -> None:
    program = Path(sys.executable).with_name("tui-manager-agent")
    words = ["policy", "check", f"--policy={policy_file}", "--timeout=1m", "--", "make", "all"]
    done = subprocess.run([program, *words], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"allowed by build\n")

"""The command line: what it refuses, and how it says so."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from tui_manager_agent import __version__
from tui_manager_agent.cli import main as main_module
from tui_manager_agent.cli.main import main, run_until_signal
from tui_manager_agent.identity.identity import Identity
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_manager import FakeManager

TOKEN = f"tm1.{'p' * 43}.{'s' * 32}"
FIRST = "of which the first is a letter or a digit"
NAME = f"1 to 64 letters, digits, '.', '_' and '-', {FIRST}"
KEY = f"1 to 63 letters, digits, '.', '_', '/' and '-', {FIRST}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "say which manager to dial: --manager HOST:PORT"),
        (["--manager", "127.0.0.1:7443"], "get a join token with `tui-manager token create`"),
        (["--manager", "far.example:7443"], "this host has not enrolled yet"),
        (["--manager", "far.example:7443", "--join-token", "tm1.x"], "this is not a join token"),
        (["--manager", "localhost:1", "--insecure", "--join-token", TOKEN], "exclude each other"),
        (["--manager", "localhost:65535", "--join-token", TOKEN], "has no next one"),
        (["--manager", "manager.example:7443", "--insecure"], "on this machine"),
        (["--manager", "127.example.com:7443", "--insecure"], "on this machine"),
        (["--manager", "127.0.0.1", "--insecure"], "not HOST:PORT"),
        (["--manager", "localhost:1,", "--insecure"], "'' is not HOST:PORT"),
        (["--manager", "localhost:1,m2", "--insecure"], "'m2' is not HOST:PORT"),
        (["--manager", "localhost:1,m2:\u0667", "--insecure"], "is not HOST:PORT"),
        (["--manager", "localhost:1,m2:1,[::1]:1", "--insecure"], "and not for m2:1"),
        (["--manager", "m1:1,m2:65535", "--join-token", TOKEN], "m2:65535 has no next one"),
        (["--manager", ",".join(f"m{n}:1" for n in range(65))], "65 addresses are more than 64"),
        (["--manager", "127.0.0.1:99999", "--insecure"], "not HOST:PORT"),
        (["--manager", "localhost:1", "--insecure", "--label", "env"], "not K=V"),
        (["--manager", "localhost:1", "--insecure", "--capacity", "0"], "1 to 1000"),
        (["--manager", "localhost:1", "--insecure", "--spool-limit", "0"], "MiB from 1"),
        (["--manager", "localhost:1", "--insecure", "--log-level", "loud"], "'loud' is not one of"),
    ],
)
def test_wrong_usage(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--state-dir", str(tmp_path / "state"), *options])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert TOKEN not in said
    assert said.startswith("tui-manager-agent: ")
    assert said.endswith("\nSee `tui-manager-agent run --help`.\n")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--name", "web 01"], "--name: 'web 01' is not"),
        (["--name", "w" * 65], "1 to 64"),
        (["--name", "web01\n"], "1 to 64"),
        (["--name=-x"], f"'-x' is not a host's name: {NAME}"),
        (["--name=--all-pending"], "say with --name what this host is called"),
        (["--label=-env=prod"], "--label: '-env' is not a label's key"),
        (["--label", f"{'k' * 64}=v"], "1 to 63"),
        (["--label", "env=pro d"], "'pro d' is not a value for the label env"),
        (["--label", f"env={'v' * 129}"], "up to 128"),
        ([word for n in range(65) for word in ("--label", f"k{n}=v")], "at most 64 labels, not 65"),
    ],
)
def test_names_and_labels_that_no_manager_takes(
    options: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(main_module, "_run", lambda settings: 0)
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--insecure", "--manager=localhost:1", *options])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("tui-manager-agent: ")
    assert words in said


def test_names_and_labels_that_a_manager_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main_module, "_run", lambda settings: 0)
    labels = [f"{'k' * 60}{n:03d}={'v' * 128}" for n in range(62)] + ["a/b.c-d_e=", "0=x@y:z/+"]
    for name in ("", "w", "web-01.example_x", "w" * 64):
        options = [f"--name={name}", *(f"--label={label}" for label in labels), "--"]
        assert main(["run", "--insecure", "--manager=localhost:1", *options]) == 0


@pytest.mark.parametrize("source", ["option", "variable"])
def test_several_managers(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Sequence[str]] = []
    monkeypatch.setattr(main_module, "_run", lambda settings: taken.append(settings.managers))
    managers = "localhost:1,127.0.0.2:7443,[::1]:65535,localhost:1"
    options = ["run", "--insecure", "--name=web01"]
    if source == "option":
        options.append(f"--manager={managers}")
    else:
        monkeypatch.setenv("TUI_MANAGER_AGENT_MANAGER", managers)
    assert main(options) == 0
    assert taken == [("localhost:1", "127.0.0.2:7443", "[::1]:65535")]


def test_a_hostname_that_is_no_name_wants_another_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main_module, "_run", lambda settings: 0)
    monkeypatch.setattr("socket.gethostname", lambda: "web 01")
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--insecure", "--manager=localhost:1"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("tui-manager-agent: 'web 01' is not a host's name: ")
    assert "say with --name what this host is called" in said
    assert main(["run", "--insecure", "--manager=localhost:1", "--name=web01"]) == 0


@pytest.mark.parametrize("source", ["option", "variable", "hostname"])
def test_a_host_that_belongs_to_a_manager_keeps_its_name(
    source: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The manager decides about it."""
    taken: list[str] = []
    monkeypatch.setattr(main_module, "_run", lambda settings: taken.append(settings.name))
    arguments = ["run", "--insecure", "--manager=localhost:1", f"--state-dir={tmp_path}"]
    if source == "option":
        arguments.append("--name=-old")
    elif source == "variable":
        monkeypatch.setenv("TUI_MANAGER_AGENT_NAME", "-old")
    else:
        monkeypatch.setattr("socket.gethostname", lambda: "-old")
    with pytest.raises(SystemExit):
        main(arguments)
    assert "say with --name what this host is called" in capsys.readouterr().err
    identity = Identity(tmp_path)
    identity.bind("manager", "host")
    identity.close()
    assert main(arguments) == 0
    assert taken == ["" if source == "hostname" else "-old"]


def test_the_environment_sets_defaults(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUI_MANAGER_AGENT_MANAGER", "far.example:1")
    with pytest.raises(SystemExit):
        main(["run", "--insecure"])
    assert "on this machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("MANAGER", "manager", "'manager' is not HOST:PORT"),
        ("LABELS", "a=b,foo", "'foo' is not K=V"),
        ("LABELS", "a=b,-c=d", "'-c' is not a label's key: " + KEY),
        (
            "JOIN_TOKEN",
            "tm1.secret",
            "this is not a join token: a token is one line that begins with tm1., as "
            "`tui-manager token create` prints it",
        ),
        ("NAME", "web 01", f"'web 01' is not a host's name: {NAME}"),
        ("CAPACITY", "many", "'many' is not a number from 1 to 1000"),
        ("LOG_LEVEL", "foo", "'foo' is not one of debug, info, warning, error"),
    ],
)
def test_a_variable_with_a_wrong_value_is_named(
    variable: str,
    value: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"TUI_MANAGER_AGENT_{variable}", value)
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--insecure"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        f"tui-manager-agent: TUI_MANAGER_AGENT_{variable}: {words}\n"
        "See `tui-manager-agent run --help`.\n"
    )
    with pytest.raises(SystemExit) as helped:
        main(["run", "--help"])
    assert helped.value.code == 0
    said = capsys.readouterr().out
    assert f"TUI_MANAGER_AGENT_{variable}" in said
    assert "exit status: 0" in said


def test_the_version_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"tui-manager-agent {__version__}\n"


async def test_the_state_folder_is_one_agents(
    manager: FakeManager, agent: AgentProcess, tmp_path: Path
) -> None:
    second = AgentProcess(agent.state_dir)
    await second.start(manager)
    status, errors = await second.ended()
    assert status == 2
    assert "Another agent is running" in errors
    assert len(manager.hellos) == 1


async def test_a_state_folder_that_cannot_be_made(manager: FakeManager, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    agent = AgentProcess(tmp_path / "file" / "state")
    await agent.start(manager)
    status, errors = await agent.ended()
    assert status == 2
    assert "cannot be used" in errors


async def test_a_refusal_for_good_ends_the_agent(manager: FakeManager, tmp_path: Path) -> None:
    reason = wire.DISCONNECT_REASON_NAME_TAKEN
    manager.refusal = wire.Disconnect(reason=reason, detail="web01 is known since Monday.")
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, "--name=web01", "--label=env=prod", "--label=a=b/c")
    status, errors = await agent.ended()
    assert status == 3
    assert errors.splitlines()[-1] == (
        "tui-manager-agent: web01 is known since Monday. The agent stops, because trying again "
        "would not help."
    )
    assert "Traceback" not in errors
    assert manager.hellos[0].name == "web01"
    assert dict(manager.hellos[0].labels) == {"env": "prod", "a": "b/c"}


async def test_another_manager_is_told_nothing(
    manager: FakeManager, agent: AgentProcess, tmp_path: Path
) -> None:
    await agent.terminate()
    stranger = FakeManager()
    await stranger.start()
    await agent.start(stranger)
    status, errors = await agent.ended()
    await stranger.stop()
    assert status == 3
    assert manager.manager_id in errors
    assert stranger.reports == []


async def test_a_signal_in_the_last_step_of_the_work_is_not_lost() -> None:
    """As the last step of an enrolment writes files, it takes long enough for a signal."""

    async def work() -> None:
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)

    assert not await run_until_signal(work())


async def test_work_that_no_signal_ends_comes_to_its_end() -> None:
    assert await run_until_signal(asyncio.sleep(0))

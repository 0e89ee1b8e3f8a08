"""Limits of a command: the files of its cgroup, the errors, and how it ends."""

import os
import sys
import uuid
from pathlib import Path

import pytest
from tui_manager_agent.executions.orders.cgroup_support import check_limits, features
from tui_manager_agent.executions.orders.make_order import make_order
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.supervisor import launch
from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot
from tui_manager_agent.supervisor.spawn import shell_command, spawn
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_manager import FakeManager
from tests.agent.orders import order
from tests.agent.supervised import Supervised

ALL = ("memory", "pids", "cpu")
MEMORY = 64 << 20  # bytes
FAKE = str(Path(__file__).parent.with_name("fake_cgroup_launch.py"))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CgroupRoot:
    """A root whose cgroups are folders that no kernel enforces."""
    monkeypatch.setattr(launch, "__file__", FAKE)
    base = tmp_path / "cgroups"
    base.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    (home / "cgroup.procs").touch()
    return CgroupRoot(str(base), str(home), ALL)


def limiting(cgroup_root: CgroupRoot | None, controller: str) -> CgroupRoot:
    """The root, if its cgroups can limit that; else the test is skipped."""
    if cgroup_root is None or controller not in cgroup_root.controllers:
        pytest.skip(f"this system gives its tests no cgroups with the controller {controller}")
    return cgroup_root


def limits_of(cgroup_root: CgroupRoot, run: Supervised) -> dict[str, str]:
    """What stands in the files of the cgroup, but for empty ones."""
    folder = Path(cgroup_root.base, run.id)
    found = {path.name: path.read_text() for path in folder.iterdir() if "max" in path.name}
    found["memory.oom.group"] = (folder / "memory.oom.group").read_text()
    return {name: text for name, text in found.items() if text}


# ----------------------------------------------------------------------------------- what is asked


def test_an_agent_lists_what_it_can() -> None:
    assert features(None) == []
    assert features(CgroupRoot("/base", "/home")) == ["cgroup"]
    assert features(CgroupRoot("/base", "/home", ALL)) == [
        *("cgroup", "memory-max", "tasks-max", "cpu-max")
    ]
    assert features(CgroupRoot("/base", "/home", ["pids", "io"])) == ["cgroup", "tasks-max"]


def test_a_limit_becomes_part_of_the_order() -> None:
    run = wire.RunCommand(execution_id=str(uuid.uuid4()), command="true", memory_max=MEMORY)
    made = make_order(
        run, fifo=Path("/state/bell"), boot_id="this", copy_path="/run/copies/{}".format
    )
    assert made.limits == {"memory_max": MEMORY}


@pytest.mark.parametrize("cgroup_root", [None, CgroupRoot("/base", "/home", ["memory", "pids"])])
def test_what_the_agent_cannot_limit_is_refused(cgroup_root: CgroupRoot | None) -> None:
    check_limits(order(), cgroup_root)
    with pytest.raises(RefusedError, match=r"the limits .*cpu-max on a command") as refused:
        check_limits(order(memory_max=MEMORY, cpu_max=50), cgroup_root)
    assert refused.value.reason == "rejected"
    assert ("memory-max" in str(refused.value)) == (cgroup_root is None)


async def test_an_agent_tells_its_manager_and_rejects_what_it_cannot(
    manager: FakeManager, agent: AgentProcess
) -> None:
    """Also when a manager has not looked at its features."""
    listed = set(manager.hellos[-1].features)
    assert listed <= {
        "host-variables",
        "script",
        "stdin",
        "files",
        "cgroup",
        "memory-max",
        "tasks-max",
        "cpu-max",
    }
    if "memory-max" in listed:
        pytest.skip("this system gives its tests cgroups with the controller memory")
    result = await manager.result(manager.run("true", memory_max=MEMORY))
    assert result.reason == wire.RESULT_REASON_REJECTED
    assert "memory-max" in result.detail


# ------------------------------------------------------------------------------------ what is done


def test_limits_are_set_before_the_shell_starts(tmp_path: Path, fake: CgroupRoot) -> None:
    limits = {"memory_max": MEMORY, "tasks_max": 20, "cpu_max": 150}
    command = f"cd {fake.base}/*; head -v cpu.max pids.max memory.max cgroup.procs"
    with Supervised(tmp_path, command, fake, **limits) as run:
        result = run.result()
        assert result["status"] == "completed", result
        assert limits_of(fake, run) == {
            "memory.max": str(MEMORY),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": "20",
            "cpu.max": "150000 100000",
        }
        # What the command saw: all is set, and whoever became the shell has entered.
        assert run.stdout.decode().split("==>")[1:] == [
            " cpu.max <==\n150000 100000\n",
            " pids.max <==\n20\n",
            f" memory.max <==\n{MEMORY}\n",
            " cgroup.procs <==\n0",
        ]


def test_only_what_is_asked_for_is_limited(tmp_path: Path, fake: CgroupRoot) -> None:
    with Supervised(tmp_path, "true", fake, tasks_max=5) as run:
        run.result()
        assert limits_of(fake, run) == {"pids.max": "5"}


def test_a_limit_that_cannot_be_set_fails_the_command(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    """Where there is no cgroup, and where the cgroup lacks the file."""
    if cgroup_root is not None and "memory" in cgroup_root.controllers:
        pytest.skip("this system can limit memory")
    with Supervised(tmp_path, f"touch {tmp_path}/ran", cgroup_root, memory_max=MEMORY) as run:
        result = run.result()
        run.process.wait()
    assert (result["status"], result["reason"]) == ("failed", "spawn_failed")
    if cgroup_root is None:
        assert result["detail"] == "cannot set its limits: this agent has no cgroups for commands"
    else:
        assert "cannot limit it (memory.max = 67108864): " in result["detail"]
        assert not Path(cgroup_root.base).exists()
    assert not (tmp_path / "ran").exists()


def test_a_shell_can_enter_its_cgroup_by_itself(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    """The supervisor, which no limit may hold up, is never in it."""
    if cgroup_root is None:
        pytest.skip("without a cgroup there is none to enter")
    cgroup = cgroup_root.cgroup(str(uuid.uuid4()))
    cgroup.make()
    seen = tmp_path / "seen"
    with seen.open("wb") as file:
        order = {"command": "cat /proc/self/cgroup", "cwd": "/"}
        pid = spawn(order, shell_command(order["command"]), [file.fileno()] * 2, cgroup)
    assert os.waitpid(pid, 0)[1] == 0
    assert cgroup.path.rpartition("/")[2] in seen.read_text()
    assert cgroup.path.rpartition("/")[2] not in Path("/proc/self/cgroup").read_text()
    assert cgroup.remove()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"memory_max": 512 << 20}, "killed because its memory (512 MiB) was used up"),
        ({"memory_max": (1 << 30) + 1}, "killed because its memory (1073741825 bytes) was used up"),
        ({}, "killed because the memory of the host, or of the agent's service, was used up"),
    ],
)
def test_a_command_that_was_killed_for_memory_says_so(
    tmp_path: Path, fake: CgroupRoot, limits: dict[str, int], words: str
) -> None:
    Path(fake.base, "memory.events").write_text("low 0\nmax 3\noom 1\noom_kill 1\n")
    Path(fake.base, "memory.peak").write_text("123456789\n")
    Path(fake.base, "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    with Supervised(tmp_path, "kill -9 $$", fake, **limits) as run:
        result = run.result()
    assert (result["status"], result["reason"], result["signal"]) == ("failed", "signal", "9")
    assert result["detail"] == words
    assert (result["memory_peak"], result["cpu"]) == ("123456789", "1500000000")


@pytest.mark.parametrize("command", ["exit 3", "kill -15 $$", "true"])
def test_another_end_says_nothing_of_memory(tmp_path: Path, fake: CgroupRoot, command: str) -> None:
    """One process of it was killed, and the command went on."""
    Path(fake.base, "memory.events").write_text("oom_kill 1\n")
    with Supervised(tmp_path, command, fake, memory_max=MEMORY) as run:
        assert run.result()["detail"] == ""


# ---------------------------------------------------------------------------- what the kernel does


def test_a_command_that_needs_too_much_memory_is_killed(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    cgroup_root = limiting(cgroup_root, "memory")
    command = f"{sys.executable} -I -S -c 'x = bytearray(200 << 20)'; sleep 600"
    with Supervised(tmp_path, command, cgroup_root, memory_max=MEMORY) as run:
        result = run.result()
    assert (result["status"], result["reason"], result["signal"]) == ("failed", "signal", "9")
    assert result["detail"] == "killed because its memory (64 MiB) was used up"


def test_a_command_cannot_start_more_processes(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    cgroup_root = limiting(cgroup_root, "pids")
    with Supervised(tmp_path, "sleep 0 & sleep 0 & sleep 0; wait", cgroup_root, tasks_max=1) as run:
        result = run.result()
    assert result["status"] == "failed"


def test_a_command_that_is_limited_gets_less_cpu_time(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    cgroup_root = limiting(cgroup_root, "cpu")
    with Supervised(tmp_path, "while :; do :; done", cgroup_root, cpu_max=10, timeout=2) as run:
        result = run.result()
    assert result["status"] == "timeout"
    assert int(result["cpu"]) < 1_000_000_000

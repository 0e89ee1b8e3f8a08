"""No command escapes its kill, and no other user can misuse the kill or the state folder."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tracemalloc
import uuid
from pathlib import Path

import pytest
from tui_manager_agent.executions import recovery
from tui_manager_agent.identity import identity
from tui_manager_agent.identity.identity import Identity, StateError
from tui_manager_agent.journal.order_and_result import Owner
from tui_manager_agent.supervisor import record
from tui_manager_agent.supervisor.processes import processes
from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot
from tui_manager_agent.supervisor.processes.killing import CommandProcesses, Killing

from tests.agent import misbehave
from tests.agent.conftest import MISBEHAVE, Gate
from tests.agent.supervised import ForkServer, Supervised
from tests.agent.supervisor.test_supervisor import is_alive
from tests.support.programs.programs import wait_for

LARGE = 32 << 20  # bytes
SMALL = 1 << 20  # bytes
PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start another user's process")


def start_with_large_environment(user: int | None = None) -> subprocess.Popen[bytes]:
    program = Path(misbehave.__file__).read_text()
    command = [PYTHON or "python3", "-I", "-S", "-c", program, "large_environment", str(LARGE)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, user=user, cwd="/")
    assert process.stdout is not None
    said = process.stdout.readline()
    if said != b"ready\n":
        process.kill()
        process.wait()
        pytest.skip(f"this kernel lets nobody move an environment: {said.decode()}")
    assert len(Path(f"/proc/{process.pid}/environ").read_bytes()) == LARGE
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.skipif(not processes.ON_LINUX, reason="/proc is Linux's")
@pytest.mark.parametrize("whose", ["own", pytest.param("another", marks=as_root)])
def test_a_large_environment_is_not_read_into_memory(whose: str) -> None:
    user = pwd.getpwnam("nobody").pw_uid if whose == "another" else None
    stranger = start_with_large_environment(user)
    try:
        tracemalloc.start()
        assert stranger.pid not in processes.find(str(uuid.uuid4()), 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        end(stranger)
    assert peak < SMALL


@as_root
def test_the_environment_of_another_user_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = subprocess.Popen(["/bin/sleep", "600"], user="nobody", env={"MARK": "x"}, cwd="/")
    read: list[int] = []

    def carries(pid: int, needle: bytes) -> bool:
        read.append(pid)
        return False

    monkeypatch.setattr(processes, "_has_mark", carries)
    processes.find("an id", 0)
    assert stranger.pid not in read
    processes.find("an id", 0, user=pwd.getpwnam("nobody").pw_uid)
    assert stranger.pid in read
    end(stranger)


def test_a_mark_is_found_wherever_it_stands() -> None:
    execution_id = str(uuid.uuid4())
    for length in (0, 65_000, 65_536, 65_600, 120_000):  # a block is 64 KiB
        environment = {"A": "x" * length, record.MARK: execution_id, "Z": "y" * 1000}
        with subprocess.Popen(
            ["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()  # in its exec a process has no environment for a moment
            assert list(processes.find(execution_id, 0)) == [process.pid]
            assert list(processes.find(execution_id[:-1], 0)) == []
            process.kill()


@pytest.mark.skipif(not processes.ON_LINUX, reason="only /proc tells when a process started")
def test_a_pid_that_means_another_process_is_not_signalled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stranger = subprocess.Popen(["/bin/sleep", "600"])
    name, started = processes.inspect(stranger.pid)
    monkeypatch.setattr(processes, "find", lambda *_: {stranger.pid: (name, started - 1)})
    killing = Killing(CommandProcesses("an id", user=-1, cgroup=None), grace=0, has_ended=bool)
    killing.step()
    monkeypatch.setattr(recovery, "_KILL_WITHIN", 0.1)
    recovery.kill_remaining_processes("an id", Owner())
    assert stranger.poll() is None
    assert processes.send(stranger.pid, started, signal.SIGTERM)
    assert stranger.wait() == -signal.SIGTERM


def test_forking_again_and_again_does_not_outlive_the_kill(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    trace = tmp_path / "trace"
    command = f"{MISBEHAVE} fork_and_leave {trace}"
    with Supervised(tmp_path, command, cgroup_root, kill_grace=0.2) as run:
        run.until(lambda: b"ready" in run.stdout)
        wait_for("several forks", lambda: trace.stat().st_size, lambda size: size > 10)
        run.spool.request_cancel()
        result = run.result()
        assert result["status"] == "canceled"
        before = trace.stat().st_size
        run.process.wait()
    if result["kill_incomplete"] == "0":
        assert trace.stat().st_size == before
    else:
        assert cgroup_root is None
        assert "still alive" in result["detail"]


@as_root
def test_a_command_that_leaves_its_cgroup_is_pursued(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    trace = tmp_path / "trace"
    leave = f"echo 0 > {cgroup_root.agent_cgroup}/cgroup.procs; " if cgroup_root else ""
    command = f"{leave}exec {MISBEHAVE} fork_and_leave {trace}"
    with Supervised(tmp_path, command, cgroup_root, kill_grace=0.2) as run:
        run.until(lambda: b"ready" in run.stdout)
        run.spool.request_cancel()
        result = run.result()
        before = trace.stat().st_size
        run.process.wait()
    assert result["status"] == "canceled"
    assert (result["kill_incomplete"], trace.stat().st_size) == ("0", before)


def test_what_is_left_in_the_background_lives_on_in_its_cgroup(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    command = "sleep 600 >/dev/null 2>&1 & echo $!"
    with Supervised(tmp_path, command, cgroup_root) as run:
        assert run.result()["status"] == "completed"
        run.process.wait()
        pid = int(run.stdout)
        assert is_alive(pid)
        if cgroup_root is not None:
            cgroup = Path(f"/proc/{pid}/cgroup").read_text().split("::")[1].strip()
            assert cgroup.endswith(f"/{run.id}")
            assert (Path(cgroup_root.base) / run.id / "cgroup.events").exists()
        os.kill(pid, signal.SIGKILL)


def test_a_cgroup_ends_with_its_command(tmp_path: Path, cgroup_root: CgroupRoot | None) -> None:
    with Supervised(tmp_path, "cat /proc/self/cgroup", cgroup_root) as run:
        assert run.result()["status"] == "completed"
        run.process.wait()
        contained = run.stdout.decode().strip().endswith(f"/{run.id}")
    assert contained == (cgroup_root is not None)
    assert cgroup_root is None or not Path(cgroup_root.base).exists()


def test_the_folder_of_all_cgroups_is_kept_for_the_next_command(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    if cgroup_root is None:
        pytest.skip("there are no cgroups")
    server = ForkServer(cgroup_root)
    seen = set()
    for name in ("one", "another"):
        spool = Supervised(tmp_path / name, "true", cgroup_root).spool
        server.start(spool.folder)
        assert server.read_exits() == {spool.folder.name: ""}
        assert [path for path in Path(cgroup_root.base).iterdir() if path.is_dir()] == []
        seen.add(Path(cgroup_root.base).stat().st_ino)
    assert len(seen) == 1
    server.close()
    assert not Path(cgroup_root.base).exists()


@pytest.mark.skipif(not processes.ON_LINUX, reason="cgroups are Linux's")
def test_a_supervisor_whose_server_has_gone_removes_the_folder(
    tmp_path: Path, cgroup_root: CgroupRoot | None, gate: Gate
) -> None:
    if cgroup_root is None:
        pytest.skip("there are no cgroups")
    server = ForkServer(cgroup_root)
    run = Supervised(tmp_path, f"cat {gate}", cgroup_root)
    server.start(run.spool.folder)
    run.until(run.is_started)
    server.close()
    assert Path(cgroup_root.base).exists()
    gate.open()
    wait_for("the folder of all cgroups to go", lambda: not Path(cgroup_root.base).exists())


def test_the_supervisor_is_not_in_the_cgroup_of_its_command(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    with Supervised(tmp_path, "sleep 600", cgroup_root) as run:
        run.until(run.is_started)
        assert run.id not in Path(f"/proc/{run.process.pid}/cgroup").read_text()
        run.spool.request_cancel()
        assert run.result()["status"] == "canceled"


async def test_what_a_dead_supervisor_leaves_is_killed(
    tmp_path: Path, cgroup_root: CgroupRoot | None
) -> None:
    """In a cgroup also an orphan that has shed the mark."""
    with Supervised(tmp_path, f"{MISBEHAVE} shed_the_mark", cgroup_root) as run:
        run.until(lambda: b"ready" in run.stdout)
        orphan = int(run.stdout.split()[0])
        run.process.send(signal.SIGKILL)
        run.process.wait()
        killed, survivors = await asyncio.to_thread(
            recovery.kill_remaining_processes, run.id, run.spool.owner()
        )
        assert survivors == []
        assert killed >= 1
        assert is_alive(orphan) == (cgroup_root is None)
        if cgroup_root is None:
            os.kill(orphan, signal.SIGKILL)


# --------------------------------------------------------------------------------- state folders


@as_root
def test_a_state_folder_below_another_users_folder_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 4711, -1)
    with pytest.raises(StateError, match=rf"{home} belongs to .*--state-dir"):
        Identity(home / ".local" / "state")
    assert list(home.iterdir()) == []


@as_root
def test_a_folder_that_another_user_makes_just_then_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(folder: Path) -> None:
        folder.parent.mkdir()
        os.chown(folder.parent, 4711, -1)
        folder.mkdir(mode=0o700)

    monkeypatch.setattr(identity, "_make_private", make)
    with pytest.raises(StateError, match=rf"{tmp_path}/x belongs to"):
        Identity(tmp_path / "x" / "state")


@as_root
def test_a_link_that_another_user_has_put_there_is_not_followed(tmp_path: Path) -> None:
    victim, shared = tmp_path / "victim", tmp_path / "shared"
    victim.mkdir(mode=0o755)
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "state").symlink_to(victim)
    os.chown(shared / "state", 4711, -1, follow_symlinks=False)
    with pytest.raises(StateError, match=rf"{shared}/state belongs to"):
        Identity(shared / "state")
    assert victim.stat().st_mode & 0o777 == 0o755
    assert list(victim.iterdir()) == []


@as_root
def test_an_order_that_another_user_forged_is_not_carried_out(tmp_path: Path) -> None:
    run = Supervised(tmp_path, "touch ran")
    os.chown(run.spool.folder / record.STARTING, 4711, -1)
    with run:
        run.process.wait()
        assert not (tmp_path / "ran").exists()
        assert not run.spool.has(record.RESULT)

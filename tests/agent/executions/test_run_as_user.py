"""Commands as another user, which only an agent of root can start; real users, real processes."""

import os
import pwd
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tui_manager_agent.executions.orders.make_order import make_order
from tui_manager_agent.journal.order_and_result import Order, RunAs
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.supervisor import record
from tui_manager_agent.supervisor.processes import processes
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent import misbehave
from tests.agent.agent_process import AgentProcess
from tests.agent.fake_manager import FakeManager
from tests.agent.supervised import Supervised

ID = "0d2d4b62-93c8-4d2f-9f5e-0a2b6ad6a0b1"
NOBODY = pwd.getpwnam("nobody")
GROUPS = os.getgrouplist("nobody", NOBODY.pw_gid)
PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def order(user: str) -> Order:
    run = wire.RunCommand(execution_id=ID, command="true", run_as_user=user)
    return make_order(
        run, fifo=Path("/state/bell"), boot_id="this", copy_path="/run/copies/{}".format
    )


def supervised(root: Path, command: str, **more: object) -> Supervised:
    """As the order for nobody would have it."""
    as_nobody = {
        "user": "nobody",
        "uid": NOBODY.pw_uid,
        "gid": NOBODY.pw_gid,
        "groups": " ".join(map(str, GROUPS)),
        "cwd": "/",
    }
    return Supervised(root, command, **{**as_nobody, **more})


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def uid_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


# ----------------------------------------------------------------------------------- what is asked


def test_the_agents_own_user_needs_no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)
    for name in ("", "nobody"):
        made = order(name)
        assert made.user == "nobody"
        assert made.run_as is None


def test_an_agent_that_is_not_root_refuses_every_other_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)
    for name in ("root", "no-such-user"):
        with pytest.raises(RefusedError) as refused:
            order(name)
        assert refused.value.reason == "rejected"
        assert str(refused.value) == (
            f"this agent is not root: it runs commands as nobody only, not as {name}"
        )


@pytest.mark.parametrize("name", ["no-such-user", "no\0body", "../nobody", "nobody\n", "x" * 5000])
def test_a_user_that_the_host_does_not_have(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(RefusedError) as refused:
        order(name)
    assert refused.value.reason == "rejected"
    assert str(refused.value) == f"there is no user {name[:80]} on this host"


def test_another_user_gets_nothing_that_is_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("PATH", "TMPDIR", "SHELL"):
        monkeypatch.setenv(name, "/root/private")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    made = order("nobody")
    assert made.run_as == RunAs(uid=NOBODY.pw_uid, gid=NOBODY.pw_gid, groups=tuple(GROUPS))
    variables = made.environment.items()
    assert {name: value for name, value in variables if not name.startswith("LC_")} == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": NOBODY.pw_dir,
        "USER": "nobody",
        "LOGNAME": "nobody",
        "SHELL": NOBODY.pw_shell,
        "LANG": "de_DE.UTF-8",
        record.MARK: ID,
    }


def test_a_user_works_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    entry = pwd.struct_passwd((*NOBODY[:5], str(tmp_path), ""))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: entry)
    assert order("nobody").cwd == str(tmp_path)
    assert order("nobody").environment["SHELL"] == "/bin/sh"
    entry = pwd.struct_passwd((*NOBODY[:5], "/nonexistent", ""))
    assert order("nobody").cwd == "/"


# --------------------------------------------------------------------------------- what is started


@as_root
def test_the_shell_is_that_users_whole(tmp_path: Path) -> None:
    command = (
        "id -u; id -ru; id -g; id -rg; id -G; pwd; grep -E '^(Uid|Gid|CapEff)' /proc/self/status"
    )
    with supervised(tmp_path, command) as one:
        assert one.result()["status"] == "completed"
        said = one.stdout.decode().splitlines()
    uid, gid = str(NOBODY.pw_uid), str(NOBODY.pw_gid)
    assert said[:4] == [uid, uid, gid, gid]
    assert sorted(said[4].split()) == sorted(map(str, GROUPS))
    assert said[5] == "/"
    assert said[6].split() == ["Uid:", uid, uid, uid, uid], "no saved uid leads back"
    assert said[7].split() == ["Gid:", gid, gid, gid, gid]
    assert said[8].split() == ["CapEff:", "0" * 16]


@as_root
def test_supplementary_groups_are_set(tmp_path: Path) -> None:
    with supervised(tmp_path, "id -G", groups=f"{NOBODY.pw_gid} 4 24") as one:
        one.result()
        assert sorted(one.stdout.split()) == sorted([str(NOBODY.pw_gid).encode(), b"4", b"24"])


@as_root
def test_it_starts_as_every_other_command_does(tmp_path: Path) -> None:
    """stdin, descriptors, signals, process group; a command may open its own stderr again."""
    command = (
        "readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; grep ^Sig[BI] /proc/self/status;"
        "ps -o pid=,pgid= -p $$; echo again > /dev/stderr"
    )
    with supervised(tmp_path, command) as one:
        result = one.result()
        assert result["status"] == "completed", one.stderr
        stdin, descriptors, blocked, ignored, group = one.stdout.decode().splitlines()
        assert one.stderr == b"again\n"
    assert stdin == "/dev/null"
    assert int(descriptors) == 4, "and the one that ls itself opens"
    assert int(blocked.split()[1], 16) == 0
    # Signals 32 and 33 are the C library's own: who ignores them, nobody can set right.
    assert int(ignored.split()[1], 16) & ~0x1_8000_0000 == 0
    assert len(set(group.split())) == 1


@pytest.fixture
def limited_agent() -> Iterator[None]:
    """Whoever starts the supervisor is no ordinary process, as the agent of a unit may be."""
    score = Path("/proc/self/oom_score_adj")
    before, files = score.read_text(), resource.getrlimit(resource.RLIMIT_NOFILE)
    core = resource.getrlimit(resource.RLIMIT_CORE)
    score.write_text("300")  # to be less likely killed takes a right that a container may lack
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, files[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (core[1], core[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, core)
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    score.write_text(before)


@as_root
@pytest.mark.usefixtures("limited_agent")
def test_it_is_an_ordinary_process(tmp_path: Path) -> None:
    """The OOM killer and the limits treat it as one that PID 1 has started."""
    with supervised(tmp_path, "cat /proc/self/oom_score_adj; ulimit -Sn; ulimit -Sc") as one:
        assert one.result()["status"] == "completed", one.stderr
        said = one.stdout.decode().split()
    soft = resource.prlimit(1, resource.RLIMIT_NOFILE)[0]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # which not every root can raise
    assert said == ["0", str(min(soft, hard)), "0"]


@as_root
@pytest.mark.skipif(PYTHON is None, reason="this test's own Python may be root's alone")
def test_it_has_no_keyring_of_the_agents(tmp_path: Path) -> None:
    ask = "import ctypes; print(ctypes.CDLL(None).syscall(NUMBER, 0, -3, 0))"  # its session's
    ask = ask.replace("NUMBER", str(processes._KEYCTL))
    processes.leave_keyring()  # whoever starts the supervisor has one, as a service has
    own = subprocess.run([str(PYTHON), "-c", ask], capture_output=True, check=True).stdout
    if int(own) < 0:
        pytest.skip("this system lets its tests have no keyring")
    with supervised(tmp_path, f"{PYTHON} -c '{ask}'") as one:
        one.result()
        assert int(one.stdout) > 0, one.stderr
        assert one.stdout != own


@as_root
@pytest.mark.skipif(PYTHON is None, reason="this test's own Python may be root's alone")
@pytest.mark.parametrize("what", ["ignore_sigterm", "escape", "shed_the_mark"])
def test_everything_of_it_is_killed(tmp_path: Path, what: str) -> None:
    """The supervisor is root still: what left the session, forked away or dropped its mark too."""
    program = f'{PYTHON} -I -S -c "$PROGRAM" {what}'
    text = Path(misbehave.__file__).read_text()
    with supervised(tmp_path, program, **{"env:PROGRAM": text}) as one:
        one.until(lambda: b"ready" in one.stdout)
        left = processes.find(one.id, one.process.pid)
        assert {uid_of(pid) for pid in left} == {NOBODY.pw_uid}
        one.spool.request_cancel()
        result = one.result()
    assert result["status"] == "canceled"
    assert result["kill_incomplete"] == "0"
    assert not any(is_alive(pid) for pid in left)


@as_root
def test_a_timeout_kills_as_well(tmp_path: Path) -> None:
    with supervised(tmp_path, "setsid sleep 600 & sleep 600", timeout=0.2) as one:
        one.until(one.is_started)
        result = one.result()
        assert result["status"] == "timeout"
        assert processes.find(one.id, one.process.pid) == {}


@as_root
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cwd": "/root"}, "cannot use the folder /root as nobody: Permission denied"),
        ({"cwd": "/no/such"}, "cannot use the folder /no/such as nobody: No such file"),
        ({"groups": "1 99999999999"}, "cannot become nobody: "),
        ({"uid": (1 << 32) - 1}, "cannot become nobody: Invalid argument"),
        ({"command": "true " + "x" * 200_000}, "as nobody: Argument list too long"),
    ],
)
def test_why_it_did_not_start(tmp_path: Path, given: dict[str, object], words: str) -> None:
    tmp_path.chmod(0o700)
    command = str(given.pop("command", f"touch {tmp_path}/ran"))
    with supervised(tmp_path, command, **given) as one:
        result = one.result()
    assert (result["status"], result["reason"]) == ("failed", "spawn_failed")
    assert words in result["detail"]
    assert "started" not in {path.name for path in one.spool.folder.iterdir()}


# --------------------------------------------------------------------------------- the whole agent


@as_root
async def test_an_agent_of_root_starts_it(manager: FakeManager, agent: AgentProcess) -> None:
    execution_id = manager.run(
        "id -un; echo $HOME $USER $LOGNAME $GREETING; sleep 0.1 & wait",
        run_as_user="nobody",
        environment={"GREETING": "hello"},
    )
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_COMPLETED
    assert manager.stored(execution_id).stdout.decode().split() == [
        "nobody",
        NOBODY.pw_dir,
        "nobody",
        "nobody",
        "hello",
    ]


@as_root
async def test_it_cannot_reach_what_the_agent_keeps(
    manager: FakeManager, agent: AgentProcess
) -> None:
    agent.state_dir.parent.chmod(0o755)
    execution_id = manager.run(
        f"ls -R {agent.state_dir}; cat /proc/$PPID/environ; ls -l /proc/$PPID/fd; kill -9 $PPID",
        run_as_user="nobody",
    )
    result = await manager.result(execution_id)
    said = manager.stored(execution_id)
    assert result.exit_code != 0
    assert said.stdout == b""
    errors = bytes(said.streams[wire.STREAM_STDERR]).decode()
    assert errors.count("ermission denied") + errors.count("not permitted") >= 4, errors


async def test_a_user_that_does_not_exist_is_said(
    manager: FakeManager, agent: AgentProcess
) -> None:
    result = await manager.result(manager.run("true", run_as_user="no-such-user"))
    assert result.status == wire.RESULT_STATUS_FAILED
    assert "no-such-user" in result.detail


@as_root
async def test_a_policy_names_the_users(manager: FakeManager, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('users = ["nobody"]\n[allow.who]\ncommands = "id -un"\n')
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, f"--policy={policy}")
    await manager.wait_for(lambda: manager.reports)
    allowed = await manager.result(manager.run("id -un", run_as_user="nobody"))
    assert allowed.status == wire.RESULT_STATUS_COMPLETED
    for user in ("daemon", "root", ""):
        refused = await manager.result(manager.run("id -un", run_as_user=user))
        assert refused.reason == wire.RESULT_REASON_REJECTED
        assert "(users)" in refused.detail
    await agent.close()

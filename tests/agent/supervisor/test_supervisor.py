"""How a supervisor runs commands, also those that misbehave."""

import errno
import os
import select
import shutil
import signal
from pathlib import Path

import psutil
import pytest
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.supervisor import claim, clock, record, shell, supervise
from tui_manager_agent.supervisor.processes import processes
from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot
from tui_manager_agent.supervisor.processes.killing import KILL_WITHIN, CommandProcesses, Killing
from tui_manager_agent.supervisor.supervise import Supervisor

from tests.agent.conftest import MISBEHAVE
from tests.agent.supervised import Supervised
from tests.support.waiting import GIVE_UP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("true", {"status": "completed", "reason": "", "exit_code": "0"}),
        ("exit 42", {"status": "failed", "reason": "exit_code", "exit_code": "42"}),
        ("kill -SEGV $$", {"status": "failed", "reason": "signal", "signal": "11"}),
        ("no-such-program", {"status": "failed", "reason": "exit_code", "exit_code": "127"}),
        ("-no-such-program", {"status": "failed", "reason": "exit_code", "exit_code": "127"}),
        ("+no-such-program", {"status": "failed", "reason": "exit_code", "exit_code": "127"}),
    ],
)
def test_how_a_command_ends(folder: Path, command: str, expected: dict[str, str]) -> None:
    with Supervised(folder, command) as run:
        result = run.result()
        assert expected.items() <= result.items()
        assert ("exit_code" in result) != ("signal" in result)
        assert int(result["duration"]) > 0
        run.process.wait()


@pytest.mark.parametrize("name", ["-report", "+report", "--", "-c"])
def test_a_command_may_begin_with_a_character_of_options(folder: Path, name: str) -> None:
    program = folder / "programs" / name
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho ran $1")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    with Supervised(folder, f"{name} one", **{"env:PATH": path}) as run:
        assert run.result()["status"] == "completed"
        assert run.stdout.decode() == "ran one\n"


def test_the_order_with_its_secrets_is_gone_once_it_runs(folder: Path) -> None:
    with Supervised(folder, "echo $PASSWORD", **{"env:PASSWORD": "hunter2"}) as run:
        run.result()
        assert run.stdout == b"hunter2\n"
        files = [path for path in run.spool.folder.iterdir() if path.is_file()]
        assert [p.name for p in files if b"hunter2" in p.read_bytes()] == ["stdout"]


def test_the_shell_starts_clean(folder: Path) -> None:
    probe = "cat /proc/self/status; readlink /proc/self/fd/0; ls /proc/self/fd; ps -o sid= -p $$"
    with Supervised(folder, probe) as run:
        run.result()
        lines = run.stdout.decode().splitlines()
        masks = dict(line.split(":\t", 1) for line in lines if line.startswith("Sig"))
        assert int(masks["SigBlk"], 16) == 0
        internal_to_libc = 0b11 << 31
        assert int(masks["SigIgn"], 16) & ~internal_to_libc == 0
        at = lines.index("/dev/null")
        assert lines[at + 1 : at + 4] == ["0", "1", "2"]
        assert lines[at + 4] == "3"  # what ls itself opened
        assert int(lines[-1]) == run.process.pid


def test_nothing_is_run_twice(folder: Path) -> None:
    with Supervised(folder, "echo once >> traces; sleep 600", kill_grace=0) as run:
        run.until(run.is_started)
        run.start_another().wait()
        run.spool.request_cancel()
        run.result()
        run.start_another().wait()
        assert (folder / "traces").read_text() == "once\n"


def test_what_is_barred_never_starts(folder: Path) -> None:
    run = Supervised(folder, "echo ran > trace")
    assert run.spool.prevent_start()
    with run:
        run.process.wait()
        assert not (folder / "trace").exists()


def test_its_claim_is_held_as_long_as_it_lives(folder: Path) -> None:
    with Supervised(folder, "sleep 600") as run:
        run.until(run.is_started)
        assert run.spool.supervisor_pid() == run.process.pid
        run.spool.request_cancel()
        run.process.wait()
        assert run.spool.supervisor_pid() == 0


def test_the_claim_of_one_that_died_is_not_held(folder: Path) -> None:
    with Supervised(folder, "sleep 600") as run:
        run.until(run.is_started)
        run.process.send(signal.SIGKILL)
        run.process.wait()
        assert not claim.is_locked(str(run.spool.folder))
        assert run.spool.supervisor_pid() == 0


def test_an_orphan_without_the_mark_is_killed(folder: Path, cgroup_root: CgroupRoot | None) -> None:
    with Supervised(folder, f"{MISBEHAVE} shed_the_mark", cgroup_root) as run:
        run.until(lambda: b"ready" in run.stdout)
        orphan = int(run.stdout.split()[0])
        assert is_alive(orphan)
        run.spool.request_cancel()
        run.result()
        survived = is_alive(orphan)
        if survived:
            os.kill(orphan, signal.SIGKILL)
        assert not survived


@pytest.mark.parametrize("what", ["ignore_sigterm", "escape"])
def test_a_timeout_kills_everything(
    folder: Path, cgroup_root: CgroupRoot | None, what: str
) -> None:
    command = f"{MISBEHAVE} {what}"
    with Supervised(folder, command, cgroup_root, timeout=2, kill_grace=0.1) as run:
        run.until(lambda: b"ready" in run.stdout)
        targets = processes.find(run.id, run.process.pid)
        assert targets
        result = run.result()
        assert result["status"] == "timeout"
        assert result["kill_incomplete"] == "0"
        assert [pid for pid in targets if is_alive(pid)] == []


def test_a_timeout_stays_one_when_the_command_then_exits_0(
    folder: Path, cgroup_root: CgroupRoot | None
) -> None:
    command = "trap 'exit 0' TERM; sleep 600 & wait"
    with Supervised(folder, command, cgroup_root, timeout=2, kill_grace=30) as run:
        result = run.result()
        assert (result["status"], result["exit_code"]) == ("timeout", "0")


def test_cancel_kills_a_tree_that_resists(folder: Path, cgroup_root: CgroupRoot | None) -> None:
    command = f"{MISBEHAVE} escape & sleep 600 & {MISBEHAVE} ignore_sigterm & wait"
    with Supervised(folder, command, cgroup_root) as run:
        run.until(lambda: run.stdout.count(b"ready") == 2)
        targets = processes.find(run.id, run.process.pid)
        assert len(targets) == 5
        run.spool.request_cancel()
        assert run.result()["status"] == "canceled"
        assert [pid for pid in targets if is_alive(pid)] == []


def test_a_marked_process_that_is_no_descendant_is_killed(
    folder: Path, cgroup_root: CgroupRoot | None
) -> None:
    with Supervised(folder, "sleep 600", cgroup_root, kill_grace=0) as run:
        run.until(run.is_started)
        environment = {record.MARK: run.id}
        stranger = os.posix_spawn("/bin/sleep", ["sleep", "600"], environment)
        run.spool.request_cancel()
        _, status = os.waitpid(stranger, 0)
        assert os.WTERMSIG(status) in (signal.SIGTERM, signal.SIGKILL)


def test_a_stopped_process_hears_sigterm(folder: Path, cgroup_root: CgroupRoot | None) -> None:
    command = "trap 'echo heard; exit' TERM; echo ready; kill -STOP $$"
    with Supervised(folder, command, cgroup_root, kill_grace=30) as run:
        run.until(lambda: b"ready" in run.stdout)
        run.spool.request_cancel()
        assert run.result()["status"] == "canceled"
        assert b"heard" in run.stdout


def test_a_cancel_that_is_there_first_wins(folder: Path) -> None:
    run = Supervised(folder, "echo ran")
    run.spool.request_cancel()
    with run:
        result = run.result()
        assert result["status"] == "canceled"
        assert "duration" not in result
        assert not run.is_started()
        assert run.stdout == b""


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM, errno.EMFILE])
def test_a_cancel_needs_no_pidfd(folder: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(pid: int, flags: int = 0) -> int:
        raise OSError(code, os.strerror(code))

    with Supervised(folder, "sleep 600", kill_grace=0) as run:
        run.until(run.is_started)
        with monkeypatch.context() as system:
            system.setattr(os, "pidfd_open", refuse)
            run.spool.request_cancel()
        assert run.result()["status"] == "canceled"


def test_the_cap_keeps_the_head_and_counts_the_rest(folder: Path) -> None:
    limit, flood = 100_000, 3_000_000
    with Supervised(folder, f"{MISBEHAVE} flood {flood}", output_limit=limit) as run:
        result = run.result()
        stored = {s: int(result[f"{s}_stored"]) for s in ("stdout", "stderr")}
        assert sum(stored.values()) == limit
        for stream, size in stored.items():
            assert size + int(result[f"{stream}_dropped"]) == flood
            data = run.spool.read(stream, 0, flood)
            assert data == (b"0123456789abcdef" * (flood // 16))[:size]
        assert result["exit_code"] == "0"


def test_a_full_disk_costs_output_and_says_so(folder: Path) -> None:
    run = Supervised(folder, "echo lost; echo kept >&2; exit 3")
    (run.spool.folder / "stdout").symlink_to("/dev/full")
    with run:
        result = run.result()
        assert result["exit_code"] == "3"
        assert (result["stdout_stored"], result["stdout_dropped"]) == ("0", "5")
        assert "No space left on device" in result["detail"]


def test_bytes_are_kept_as_they_are(folder: Path) -> None:
    with Supervised(folder, f"{MISBEHAVE} every_byte; {MISBEHAVE} progress >&2") as run:
        run.result()
        assert run.stdout == bytes(range(256)) * 1024
        assert run.stderr.startswith(b"\r  0 %\r  1 %")
        assert run.stderr.endswith(b"\r100 %")


def test_a_background_process_keeps_the_pipe_and_lives_on(folder: Path) -> None:
    gate = folder / "gate"
    with Supervised(folder, f"{MISBEHAVE} leak_the_pipe {gate}; echo done") as run:
        result = run.result()
        assert (result["status"], result["exit_code"]) == ("completed", "0")
        assert b"done" in run.stdout
        daemon = next(int(word) for word in run.stdout.split() if word.isdigit())
        assert is_alive(daemon)
        assert not run.process.poll()
        gate.touch()
        run.process.wait()
        assert run.spool.size("stdout") == int(result["stdout_stored"])


def test_a_quiet_background_process_delays_nothing_and_lives_on(folder: Path) -> None:
    with Supervised(folder, "sleep 600 >/dev/null 2>&1 & echo $!") as run:
        assert run.result()["status"] == "completed"
        run.process.wait()
        pid = int(run.stdout)
        assert is_alive(pid)
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"cwd": "/no/such/folder"}, ["/no/such/folder", "No such file or directory"]),
        ({"cwd": "/etc/passwd"}, ["/etc/passwd", "Not a directory"]),
        ({"env:BIG": "x" * 3_000_000}, ["/bin/sh", "Argument list too long"]),
    ],
)
def test_what_cannot_be_started_says_why(
    folder: Path, order: dict[str, str], words: list[str]
) -> None:
    with Supervised(folder, "true", **order) as run:
        result = run.result()
        assert (result["status"], result["reason"]) == ("failed", "spawn_failed")
        assert all(word in result["detail"] for word in words)
        assert "duration" not in result
        assert not run.is_started()


def test_cpu_and_memory_are_those_of_the_command(folder: Path) -> None:
    hog = f"{MISBEHAVE} eat"
    with Supervised(folder, hog) as run:
        result = run.result()
        assert 50_000_000 < int(result["memory_peak"]) < 500_000_000
        assert int(result["cpu"]) > 10_000_000


def test_the_memory_of_a_small_command_is_not_made_up(folder: Path) -> None:
    with Supervised(folder, "true") as run:
        assert int(run.result()["memory_peak"]) == 0


def test_a_folder_with_any_name_will_do(folder: Path) -> None:
    odd = folder / "é\n$x'"
    odd.mkdir()
    with Supervised(folder, "pwd", cwd=odd) as run:
        run.result()
        assert run.stdout.decode() == f"{odd}\n"


def test_parents_are_found_before_their_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so get each signal first. Their ids say nothing of it, as these begin anew at the top."""
    parents = {30_000: 10, 500: 30_000, 3: 500, 2: 500, 4: 3, 10: 1}
    table = {pid: (parent, "sh", 1, False) for pid, parent in sorted(parents.items())}
    for how in ("_from_proc", "_from_ps"):
        monkeypatch.setattr(processes, how, lambda *_: table)
    assert list(processes.find("e", 10)) == [30_000, 500, 2, 3, 4]


def test_survivors_out_of_reach_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "find", lambda *_: {7: ("sudo", 1)})
    monkeypatch.setattr(processes, "send", lambda *_: False)
    killing = Killing(CommandProcesses("an id", user=-1, cgroup=None), grace=0, has_ended=bool)
    assert killing.step()
    assert killing.targets.survivors() == ["sudo (7)"]


def test_whoever_does_not_die_of_sigkill_is_given_up_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0
    monkeypatch.setattr(processes, "find", lambda *_: {8: ("dd", 1)})
    monkeypatch.setattr(processes, "send", lambda *_: True)
    monkeypatch.setattr(clock, "now", lambda: now)
    targets = CommandProcesses("an id", user=-1, cgroup=None)
    killing = Killing(targets, grace=5 * clock.SECOND, has_ended=bool)
    assert not killing.step()
    now = killing.next_check
    assert not killing.step()
    now = 5 * clock.SECOND + KILL_WITHIN
    assert killing.step()
    assert killing.targets.survivors() == ["dd (8)"]


def test_ps_finds_the_same_where_there_is_no_proc(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Supervised(folder, f"{MISBEHAVE} escape & sleep 600", kill_grace=0) as run:
        run.until(lambda: b"ready" in run.stdout)
        by_proc = processes.find(run.id, run.process.pid)
        monkeypatch.setattr(processes, "ON_LINUX", False)
        assert set(processes.find(run.id, run.process.pid)) == set(by_proc)
        monkeypatch.setattr(processes, "MARK", "NOT_THE_MARK")
        shell = min(by_proc)
        by_group = processes.find(run.id, 0, group=shell)
        assert shell in by_group
        assert set(by_group) < set(by_proc)
        assert processes.find(run.id, 0) == {}
        monkeypatch.undo()
        run.spool.request_cancel()
        run.result()


def test_a_command_that_has_just_ended_is_not_canceled(folder: Path) -> None:
    gate = folder / "gate"
    os.mkfifo(gate)
    with Supervised(folder, f"echo ready; read line < {gate}") as run:
        run.until(lambda: b"ready" in run.stdout)
        (shell,) = psutil.Process(run.process.pid).children()
        run.process.send(signal.SIGSTOP)
        ended = os.pidfd_open(shell.pid)
        gate.write_text("\n")
        assert select.select([ended], [], [], GIVE_UP)[0]
        os.close(ended)
        assert shell.status() == psutil.STATUS_ZOMBIE
        run.spool.request_cancel()
        run.process.send(signal.SIGCONT)
        result = run.result()
        assert (result["status"], result["exit_code"]) == ("completed", "0")


def test_a_copy_of_a_folder_is_told_from_the_folder(folder: Path) -> None:
    with Supervised(folder, "echo ready; sleep 60") as run:
        run.until(lambda: b"ready" in run.stdout)
        copy = ExecutionFolder(folder / "copy" / run.id)
        copy.folder.mkdir(parents=True)
        shutil.copy(run.spool.folder / record.CLAIM, copy.folder)
        assert (copy.is_copy(), run.spool.is_copy()) == (True, False)
        run.process.send(signal.SIGKILL)
        run.process.wait()
        assert not copy.is_copy()


class EndedShell:
    """A shell that is over."""

    started = 1

    def reap(self) -> None:
        """There is nothing left to reap."""

    def outcome(self, killed_for: str) -> dict[str, object]:
        return {"status": killed_for or "completed", "reason": ""}


def claimed_by(descriptor: int, folder: Path, order: dict[str, str]) -> claim.Claim:
    return claim.Claim(descriptor, os.open(folder, os.O_RDONLY), order, b"")


def test_a_start_that_cannot_be_noted_does_not_end_the_command(folder: Path) -> None:
    order = {"bell": str(folder / "bell"), "boot_id": "this"}
    claimed = claimed_by(os.open("/dev/full", os.O_WRONLY), folder, order)
    supervisor = Supervisor(str(folder), claimed)
    supervisor._shell = EndedShell()  # type: ignore[assignment]
    supervisor._note_start()
    assert supervisor._notifier.due


def test_a_cancel_whose_signal_was_lost_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals, _ = os.pipe()
    killed_for: list[str] = []
    monkeypatch.setattr(processes, "adopt_orphans", lambda: None)
    monkeypatch.setattr(shell, "watch_signals", lambda: signals)
    monkeypatch.setattr(supervise, "LONGEST_WAIT", 0)
    order = {"bell": str(folder / "bell"), "output_limit": "100"}
    claimed = claimed_by(os.open(os.devnull, os.O_WRONLY), folder, order)
    supervisor = Supervisor(str(folder), claimed)
    supervisor._prepare()
    supervisor._deadline = clock.now() + 600 * clock.SECOND
    monkeypatch.setattr(supervisor, "_kill", killed_for.append)
    supervisor._wait_and_handle()
    assert killed_for == []
    (folder / record.CANCEL).touch()
    supervisor._wait_and_handle()
    assert killed_for == ["canceled"]


def test_a_pipe_that_closes_at_the_very_end_is_not_polled_any_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals, _ = os.pipe()
    flags = os.O_RDWR | os.O_CREAT
    monkeypatch.setattr(processes, "adopt_orphans", lambda: None)
    monkeypatch.setattr(shell, "watch_signals", lambda: signals)
    order = {"bell": str(folder / "bell"), "output_limit": "100", "boot_id": "this"}
    claimed = claimed_by(os.open(folder / record.CLAIM, flags), folder, order)
    supervisor = Supervisor(str(folder), claimed)
    supervisor._prepare()
    stdout, stderr = supervisor._pipes
    os.write(stderr.writer, b"last words")
    stderr.close_writer()
    supervisor._finish(EndedShell())  # type: ignore[arg-type]
    assert supervisor._poll.poll(0) == []
    assert record.read(str(folder / record.RESULT))["stderr_stored"] == "10"
    stdout.close_writer()
    supervisor._drain_until_closed()

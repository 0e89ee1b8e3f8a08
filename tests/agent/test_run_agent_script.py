"""The script that keeps an agent running where there is no systemd. The agents are scripts."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import tui_manager_agent
from tui_manager_agent.update import trial_record

from tests.support.programs.programs import wait_for

SOURCE = Path(tui_manager_agent.__file__).parent / "share" / "run-agent.sh"
# An agent that says its pid, and ends at SIGTERM. What it leaves keeps its pipe open.
AGENT = 'trap "echo told >>$OUT/ended; exit 0" TERM; echo $$ >>"$OUT/started"; sleep 600 & wait'


class Folder:
    """The folder of an agent, and the script that runs it."""

    def __init__(self, path: Path, shell: str) -> None:
        self.path = path
        self.shell = path / "shells" / "sh"  # by this name all of them do as POSIX says
        self.shell.parent.mkdir()
        self.shell.symlink_to(shell)
        self.settings = path / "settings.env"
        self.settings.write_text(f"OUT={path}\n")
        self.script = path / "versions" / "1" / "share" / "run-agent.sh"
        self.script.parent.mkdir(parents=True)
        self.program = path / "versions" / "1" / "bin" / "tui-manager-agent"
        self.program.parent.mkdir()
        (path / "current").symlink_to("versions/1")
        self.write_script()
        self._started: list[subprocess.Popen[str]] = []

    def write_script(self, **changed: str) -> None:
        """Copies the script, with other constants, and without the pause."""
        text = SOURCE.read_text().replace("/bin/sh", str(self.shell))
        for name, value in {"pause": "0", **changed}.items():
            lines = text.splitlines()
            (number,) = (n for n, line in enumerate(lines) if line.startswith(f"{name}="))
            lines[number] = f"{name}={value}"
            text = "\n".join(lines) + "\n"
        self.script.write_text(text)
        self.script.chmod(0o755)

    def write_agent(self, text: str) -> None:
        self.program.write_text(f"#!/bin/sh\n{text}\n")
        self.program.chmod(0o755)

    def start(self) -> subprocess.Popen[str]:
        """Starts the script as a person does."""
        started = subprocess.Popen(
            [self.path / "current/share/run-agent.sh", self.path, self.settings],
            env={**os.environ, "LD_LIBRARY_PATH": "/nowhere", "LANG": "xx_XX"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(started)
        return started

    def lines(self, name: str) -> list[str]:
        """What is in a file of the folder; nothing if there is none."""
        path = self.path / name
        return path.read_text().splitlines() if path.exists() else []

    def agent(self, number: int) -> psutil.Process:
        """Waits for the nth agent, counted from 1."""
        wait_for(
            f"agent {number}",
            lambda: len(self.lines("started")) >= number,
            explain=lambda: repr(self.lines("agent.log")),
        )
        return psutil.Process(int(self.lines("started")[number - 1]))

    def end(self) -> None:
        """Kills whatever was started here."""
        for started in self._started:
            with suppress(ProcessLookupError):  # with what it has started in its session
                os.killpg(started.pid, signal.SIGKILL)
            started.communicate()
        for process in psutil.process_iter(["environ"]):
            environment = process.info["environ"] or {}
            if environment.get("OUT") == str(self.path):
                process.kill()


@pytest.fixture(params=["dash", "bash", "busybox"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Folder]:
    """Once for each program that is `sh` on some system."""
    shell = shutil.which(request.param)
    if shell is None:
        pytest.skip(f"{request.param} is not installed")
    made = Folder(tmp_path, shell)
    made.write_agent(AGENT)
    yield made
    made.end()


def wait_for_end(started: subprocess.Popen[str]) -> tuple[int, str]:
    """Its status and what it said on stderr."""
    _, said = started.communicate(timeout=300)
    return started.returncode, said


def test_an_agent_that_is_killed_starts_again(folder: Folder) -> None:
    started = folder.start()
    folder.agent(1).kill()
    folder.agent(2)
    assert started.poll() is None
    assert folder.lines("run.pid") == [str(started.pid)]
    wait_for("a line of the log", lambda: "status=137" in "".join(folder.lines("agent.log")))


def test_an_agent_that_stops_by_itself_starts_again_by_the_new_link(folder: Folder) -> None:
    folder.start()
    first = folder.agent(1)
    other = folder.path / "versions" / "2" / "bin"
    other.mkdir(parents=True)
    shutil.move(folder.program, other)
    (folder.path / "new").symlink_to("versions/2")
    (folder.path / "new").replace(folder.path / "current")
    first.terminate()
    assert "versions/2" in os.path.realpath(folder.path / "current")
    folder.agent(2)


def test_sigterm_is_passed_on_and_ends_the_script(folder: Folder) -> None:
    started = folder.start()
    folder.agent(1)
    started.terminate()
    assert wait_for_end(started) == (0, "")
    assert folder.lines("ended") == ["told"]
    assert not (folder.path / "run.pid").exists()
    assert folder.lines("agent.log")[-1].endswith("level=INFO stopped")


def test_sigterm_in_the_pause_ends_the_script(folder: Folder) -> None:
    folder.write_script(pause="600")
    folder.write_agent("echo $$ >>$OUT/started; exit 1")
    started = folder.start()
    wait_for("the pause", lambda: "starts again" in "".join(folder.lines("agent.log")))
    started.terminate()
    assert wait_for_end(started) == (0, "")


def test_a_signal_that_a_new_child_loses_ends_the_script(folder: Folder) -> None:
    """A shell that was just forked has not yet taken back the handler of the script."""
    folder.settings.unlink()
    os.mkfifo(folder.settings)  # holds the child up before it becomes the agent
    lost = 'kill() { [ "$1" = -TERM ] || command kill "$@"; }'
    text = folder.script.read_text()
    folder.script.write_text(text.replace("\nmain\n", f"\n{lost}\nmain\n"))
    (folder.path / "run.stop").write_text("1\n")  # left by a crash
    started = folder.start()
    with folder.settings.open("w") as settings:  # the child reads it
        started.terminate()
        stop = folder.path / "run.stop"
        wait_for("the signal", lambda: stop.exists() and stop.read_text() == f"{started.pid}\n")
        settings.write(f"OUT={folder.path}\n")
    assert wait_for_end(started) == (0, "")
    assert not folder.lines("started")
    assert not stop.exists()


@pytest.mark.parametrize("status", [2, 3])
def test_an_end_that_needs_a_person_ends_the_script(folder: Folder, status: int) -> None:
    folder.write_agent(f"echo why it ends >&2; exit {status}")
    assert wait_for_end(folder.start()) == (status, "")
    first, last = folder.lines("agent.log")
    assert first == "why it ends"
    assert last.endswith(f"the agent ended and is not started again: status={status}")


def test_after_a_trial_the_agent_starts_whatever_its_status_was(folder: Folder) -> None:
    state = folder.path / "state"
    state.mkdir()
    (state / trial_record.FILE).touch()
    with folder.settings.open("a") as settings:
        settings.write(f"TUI_MANAGER_AGENT_STATE_DIR={state}\n")
    folder.write_agent(
        f"echo $$ >>$OUT/started; [ -e $OUT/again ] && rm {state}/*; touch $OUT/again; exit 2"
    )
    assert wait_for_end(folder.start())[0] == 2
    assert len(folder.lines("started")) == 2


def test_a_program_that_is_missing_is_tried_again(folder: Folder) -> None:
    folder.program.rename(folder.path / "away")
    folder.start()
    wait_for("two attempts", lambda: "".join(folder.lines("agent.log")).count("status=127") >= 2)
    (folder.path / "away").rename(folder.program)
    folder.agent(1)


@pytest.mark.parametrize("without_flock", [False, True])
def test_a_second_one_says_that_one_runs(folder: Folder, without_flock: bool) -> None:
    if without_flock:
        programs = folder.path / "programs"
        programs.mkdir()
        for name in ("cat", "mv", "rm", "mkfifo", "date", "wc", "tr", "sleep", "id"):
            (programs / name).symlink_to(shutil.which(name) or name)
        (folder.path / "run.pid").write_text("1\n")  # left by a crash; it is another program now
        folder.write_script(path=str(programs))
    first = folder.start()
    folder.agent(1)
    status, said = wait_for_end(folder.start())
    assert (status, said) == (0, f"run-agent.sh: it runs already, with pid {first.pid}\n")
    assert len(folder.lines("started")) == 1


def test_after_the_script_was_killed_another_one_starts_at_once(folder: Folder) -> None:
    started = folder.start()
    agent = folder.agent(1)
    started.kill()
    started.wait()
    folder.start()
    folder.agent(2)
    assert agent.is_running()  # two real agents: the second sees the lock of the first, and ends


def test_the_log_is_bounded(folder: Folder) -> None:
    folder.write_script(log_limit="10000")
    folder.write_agent("for i in $(seq 2000); do echo this is line $i; done; printf end; exit 2")
    assert wait_for_end(folder.start())[0] == 2
    log, before = folder.path / "agent.log", folder.path / "agent.log.1"
    assert log.stat().st_size <= 10000
    assert before.stat().st_size <= 10000
    assert log.stat().st_mode & 0o777 == 0o600
    together = [*before.read_text().splitlines(), *log.read_text().splitlines()]
    *newest, last = together
    assert newest == [f"this is line {number}" for number in range(2001 - len(newest), 2001)]
    assert last.startswith("endtime=")


def test_the_log_goes_on_after_its_writer_was_killed(folder: Folder) -> None:
    started = folder.start()
    agent = folder.agent(1)
    (writer,) = (one for one in psutil.Process(started.pid).children() if one != agent)
    writer.kill()
    wait_for("the end of the writer", lambda: not writer.is_running())
    agent.kill()
    folder.agent(2)
    wait_for("a line of the log", lambda: "status=137" in "".join(folder.lines("agent.log")))


def test_settings_are_data_and_nothing_else_is_inherited(folder: Folder) -> None:
    hostile = folder.path / "hostile"
    folder.settings.write_text(
        "# a comment\n; another\n\n"
        f"OUT={folder.path}\r\n"
        "  TUI_MANAGER_AGENT_MANAGER = not a name\n"
        'TUI_MANAGER_AGENT_LABELS="env=prod role=web"  \n'
        f"TUI_MANAGER_AGENT_NAME='$(touch {hostile})'\n"
        f"WORD=`touch {hostile}`; touch {hostile} \\\n"
        "root=/nowhere\nsettings=/nowhere\nlog_limit=0\n"
        "no setting\n1BAD=1\nLAST=without a line end"
    )
    folder.write_agent('env >"$OUT/env"; umask >>"$OUT/env"; exit 2')
    assert wait_for_end(folder.start())[0] == 2
    seen = dict(line.partition("=")[::2] for line in folder.lines("env"))
    assert not hostile.exists()
    assert seen["TUI_MANAGER_AGENT_LABELS"] == "env=prod role=web"
    assert seen["TUI_MANAGER_AGENT_NAME"] == f"$(touch {hostile})"
    assert seen["WORD"] == f"`touch {hostile}`; touch {hostile} \\"
    assert seen["LAST"] == "without a line end"
    assert seen["TUI_MANAGER_AGENT_STATE_DIR"].endswith("/tui-manager-agent")
    assert seen["TUI_MANAGER_AGENT_JOIN_TOKEN_FILE"].endswith("tui-manager-agent.token")
    assert "0022" in seen
    assert not {"LD_LIBRARY_PATH", "LANG", "TUI_MANAGER_AGENT_MANAGER"} & seen.keys()


def test_an_agent_runs_also_if_nothing_can_be_written_beside_it(folder: Folder) -> None:
    (folder.path / "run.lock").mkdir()  # as on a disk that is read-only, it can only be read
    for name in ("run.pid.new", "run.fifo", "agent.log"):  # as on a full disk
        (folder.path / name / "in the way").mkdir(parents=True)
    (folder.path / "run.pid").write_text("1\n")
    started = folder.start()
    folder.agent(1).kill()
    folder.agent(2)
    assert "it runs already" in wait_for_end(folder.start())[1]
    assert not (folder.path / "run.pid").exists()  # no pid is better than that of another program
    (folder.path / "run.pid.new" / "in the way").rmdir()
    (folder.path / "run.pid.new").rmdir()
    folder.agent(2).kill()
    folder.agent(3)
    assert folder.lines("run.pid") == [str(started.pid)]
    started.terminate()
    assert wait_for_end(started) == (0, "")


def test_a_folder_that_is_none_is_named(folder: Folder, tmp_path: Path) -> None:
    (folder.path / "current").unlink()
    started = subprocess.run([folder.script, tmp_path], capture_output=True, text=True, check=False)
    assert started.returncode == 1
    assert started.stderr == f"run-agent.sh: {tmp_path} is not the folder of an agent\n"


def test_the_folder_is_found_from_the_script(folder: Folder) -> None:
    folder.write_agent("exit 3")
    started = subprocess.run(
        [folder.path / "current" / "share" / "run-agent.sh"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (started.returncode, started.stderr) == (3, "")
    assert len(folder.lines("agent.log")) == 1


def test_a_hangup_ends_nothing(folder: Folder) -> None:
    started = folder.start()
    folder.agent(1)
    os.killpg(started.pid, signal.SIGHUP)
    started.terminate()
    assert wait_for_end(started)[0] == 0

"""Completion in real shells, each on a terminal of its own. They ask the real program, which asks a
manager in memory over a real socket."""

import asyncio
import os
import re
import socket
import socketserver
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.completion.test_completion import WideWindows, filled
from tests.lab.prepare import find_program
from tests.support.programs import warm_programs
from tests.support.programs.program_forker import installed
from tests.support.programs.programs import wait_for
from tests.support.programs.terminals import Terminal, on_terminal
from tests.support.waiting import GIVE_UP
from tui_manager.cli.completion.time_limit import TIMEOUT_VARIABLE
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.operator.socket.server.server import serve_operator

# What each shell reads when it starts: ctrl-g prints the line that is being typed. zsh has the
# script in a file, which it reads at the first tab.
STARTS = {
    "bash": """PS1='> '; bind 'set enable-bracketed-paste off'
bind -x '"\\C-g": printf "<%s>" "$READLINE_LINE"'
eval "$(tui-manager completion bash)"
""",
    "zsh": """PS1='> '; tui-manager completion zsh > ~/_tui-manager; fpath=(~ $fpath)
autoload -Uz compinit; compinit -u -D; bindkey -e
show() { print -rn -- "<$BUFFER>" }; zle -N show; bindkey '^G' show
""",
    "fish": """function fish_prompt; echo '> '; end
function show; printf '<%s>' (commandline); end; bind \\cg show
tui-manager completion fish | source
""",
}
_LINE = re.compile("<([^>]*)>")
# Sends its id and its standard streams, and ends with the status that it hears.
_ASK = """#!{python} -IS
import _socket, os, struct, sys
asked = _socket.socket(_socket.AF_UNIX)
asked.connect({address!r})
streams = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("3i", 0, 1, 2))
asked.sendmsg([b"%d" % os.getpid()], [streams])
sys.exit(int(asked.recv(9)))
"""


class Shell:
    """A shell at its prompt."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    @property
    def drawn(self) -> str:
        """What was drawn since the last line was typed."""
        return self._terminal.drawn

    def press(self, keys: str) -> None:
        """Types without waiting."""
        self._terminal.press(keys)

    def completed(self, typed: str, tabs: int = 1) -> str:
        """The line after tab."""
        self._terminal.press("\x15")
        self._terminal.take()
        self._terminal.press(typed + tabs * "\t" + "\x07")
        return str(wait_for("the line", lambda: _LINE.findall(self._terminal.drawn))[-1])


class _Fork(socketserver.BaseRequestHandler):
    """Forks `tui-manager` with what a process of `_ASK` was started with, but in the test's locale:
    another one would need a new process."""

    def handle(self) -> None:
        pid, streams, _, _ = socket.recv_fds(self.request, 9, 3)
        process = Path("/proc", pid.decode())
        _, _, _, *words = (process / "cmdline").read_text().removesuffix("\0").split("\0")
        given = (process / "environ").read_text().removesuffix("\0").split("\0")
        own = dict(one.split("=", 1) for one in given if not one.startswith("LANG="))
        running = warm_programs.start(
            "tui-manager",
            words,
            {**os.environ, **own},
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            folder=(process / "cwd").readlink(),
        )
        for stream in streams:
            os.close(stream)
        self.request.sendall(b"%d" % running.wait(GIVE_UP))


@contextmanager
def forking(program: Path) -> Iterator[None]:
    """What the shell starts as `tui-manager` is forked: a start takes 0.2 s of the processor."""
    address = f"{program}.socket"
    with socketserver.ThreadingUnixStreamServer(address, _Fork) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        program.unlink()
        program.write_text(_ASK.format(python=sys.executable, address=address))
        program.chmod(0o755)
        try:
            yield
        finally:
            program.unlink()
            program.symlink_to(installed("tui-manager"))
            server.shutdown()
            thread.join()


@contextmanager
def shell(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell that has nothing but our completion."""
    program = find_program(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    start = folder / ".zshrc"
    start.write_text(STARTS[name])
    arguments = {
        "bash": ["--noprofile", "--rcfile", str(start), "-i"],
        "zsh": ["-d", "-i"],
        "fish": ["--no-config", "-i", "-C", f"source {start}"],
    }[name]
    (folder / "bin").mkdir()
    (folder / "bin/tui-manager").symlink_to(installed("tui-manager"))
    environment = {
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "HOME": str(folder),
        "ZDOTDIR": str(folder),
        "TUI_MANAGER_STATE_DIR": str(folder / "state"),
        "LANG": "C.UTF-8",
        TIMEOUT_VARIABLE: str(GIVE_UP),
    }
    (folder / "cwd").mkdir()
    monkeypatch.chdir(folder / "cwd")
    with on_terminal([program, *arguments], environment) as terminal:
        wait_for("the prompt", lambda: "> " in terminal.drawn)
        yield Shell(terminal)


@contextmanager
def serving(operator: WideWindows, state_dir: Path) -> Iterator[None]:
    """Serves an operator on a loop of its own."""
    loop, ready, end = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with serve_operator(operator, state_dir):
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="tm-") as path:
        yield Path(path)


def with_odd_command() -> WideWindows:
    """The manager of the other tests, and one more command."""
    made = filled()
    odd = TaskSpec("web01", (CommandSpec("odd a\\b:c;d'e"),), name="odd\\n")
    asyncio.run(made.create_task(odd))
    return made


SAME_IN_ALL = {
    "run web01,@of": "run web01,@offline ",
    "run 'env=prod&role=w": "run 'env=prod&role=web' ",
    "run --file=a": "run --file=a\\ file.toml ",
    "task files 1 ": "task files 1 folder/",
    "run old1 -- odd ": "run old1 -- odd a\\\\b:c\\;d\\'e ",
    "template run restart --param U": "template run restart --param UNIT=",
}


@pytest.mark.parametrize("name", STARTS)
def test_a_line_is_completed(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell starts before the manager: a fork beside the threads of gRPC may hang. So does what
    forks, for the lines in which shells differ; the others start the program."""
    warm_programs.import_programs(["tui-manager"])
    with shell(name, folder, monkeypatch) as at:
        assert at.completed("tui-manager run we") == "tui-manager run we"
        assert "No manager" not in at.drawn
        assert "Traceback" not in at.drawn
        assert not (folder / "state").exists()
        Path("a file.toml").touch()
        Path("folder").mkdir()
        with serving(with_odd_command(), folder / "state"):
            with forking(folder / "bin/tui-manager"):
                found = {typed: at.completed(f"tui-manager {typed}") for typed in SAME_IN_ALL}
            assert found == {typed: f"tui-manager {line}" for typed, line in SAME_IN_ALL.items()}
            at.completed("tui-manager task show ", tabs=2)
            assert "running: systemctl status nginx" in at.drawn
            assert "pending: odd\\n" in at.drawn


def test_zsh_takes_the_newest_of_tasks_with_the_same_name_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = filled()
    for _ in range(9):
        asyncio.run(made.create_task(TaskSpec("web01", (CommandSpec("uptime"),), name="uptime")))
    with shell("zsh", folder, monkeypatch) as at, serving(made, folder / "state"):
        line = at.completed("tui-manager task show ", tabs=2)
        assert line.rstrip() == "tui-manager task show 12"


class Waiting(WideWindows):
    """Says what completes a target only when it may."""

    def __init__(self) -> None:
        super().__init__("web01")
        self.is_asked, self.may_answer = threading.Event(), threading.Event()

    async def complete_target(self, target: str, limit: int) -> Sequence[str]:
        self.is_asked.set()
        await asyncio.to_thread(self.may_answer.wait)
        return await super().complete_target(target, limit)


def test_bash_completes_after_a_ctrl_c_while_it_waited(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Waiting()
    with shell("bash", folder, monkeypatch) as at, serving(made, folder / "state"):
        at.press("tui-manager run we\t")
        assert made.is_asked.wait(GIVE_UP)
        at.press("\x03")
        made.may_answer.set()
        assert at.completed("tui-manager run we") == "tui-manager run web01 "

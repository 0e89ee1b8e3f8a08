"""The machine of a lab's operator: manager, commands and ssh run in the namespaces of the lab."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.processes import Done, Machine
from tests.support.programs.programs import Program, wait_for
from tests.support.programs.warm_programs import Running, run, start
from tests.support.waiting import GIVE_UP

_LISTEN = "10.77.0.1:0"


@dataclass(slots=True)
class OperatorMachine(Machine):
    """As a Machine, but its programs see the network of the lab, and end with it."""

    enter: Sequence[str] = ()  # the words that start a program in the lab
    inside: int = 0  # a process of the lab; 0: programs of ours are started by these words too
    secure: bool = True

    @property
    def home(self) -> Path:
        """With the operator's `.ssh`."""
        return self.folder / "home"

    def environment(self) -> dict[str, str]:
        """Of every program; without an agent of ssh, and with no time zone but UTC."""
        dropped = ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_CONNECTION", "SSH_TTY", "DISPLAY")
        kept = {k: v for k, v in Machine.environment(self).items() if k not in dropped}
        return kept | {"USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh"}

    def serve(self, *options: str, **variables: str) -> Program:
        """Starts a manager on a free port of the bridge."""
        listen = () if "--listen" in options else ("--listen", _LISTEN)
        return Machine.serve(self, *listen, *options, **variables)

    def run(
        self,
        *arguments: str,
        program: str = "tui-manager",
        stdin: bytes = b"",
        variables: Mapping[str, str] | None = None,
    ) -> Done:
        """Runs a program of ours in the lab to its end, with these variables too."""
        code, out, err = run(
            program,
            arguments,
            {**self.environment(), **(variables or {})},
            stdin=stdin,
            prefix=[*self.enter, *self._at(self.home)],
            folder=self.home,
            inside=self.inside,
        )
        return Done(code, out, err.decode(errors="replace"))

    def shell(
        self, *words: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None
    ) -> Done:
        """Runs any program in the lab to its end, with these variables too."""
        done = subprocess.run(
            [*self.enter, *self._at(self.home), *words],
            input=stdin,
            env={**self.environment(), **(variables or {})},
            capture_output=True,
            timeout=2 * GIVE_UP,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    @staticmethod
    def _at(folder: Path) -> Sequence[str]:
        """The words that start a program in this folder: `nsenter` starts it in `/`."""
        return ("env", f"--chdir={folder}")

    def _start(
        self,
        name: str,
        arguments: Sequence[str],
        program: str,
        variables: Mapping[str, str],
        folder: Path | None = None,
    ) -> Program:
        out, err = self.folder / f"{name}.out", self.folder / f"{name}.err"
        with out.open("ab") as stdout, err.open("ab") as stderr:
            process = start(
                program,
                arguments,
                {**self.environment(), **variables},
                stdout=stdout,
                stderr=stderr,
                prefix=[*self.enter, *self._at(folder or self.home)],
                folder=folder or self.home,
                inside=self.inside,
            )
        self.programs.append(Program(name, InLab(process), out, err))
        return self.programs[-1]


class InLab:
    """A program whose starter, such as `nsenter`, waits for it and ends in the same way."""

    def __init__(self, starter: Running) -> None:
        self._starter = starter
        self.pid = wait_for("the program in the lab", self._find)
        self.returncode: int | None = None

    def _find(self) -> int:
        """Its id, as this machine numbers it. That of `nsenter` if it has ended already."""
        path = Path(f"/proc/{self._starter.pid}/task/{self._starter.pid}/children")
        with suppress(OSError, IndexError):
            return int(path.read_text().split()[0])
        return self._starter.pid if self.poll() is not None else 0

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        self.returncode = self._starter.poll()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end; the exit status."""
        self.returncode = self._starter.wait(timeout)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Sends a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)

"""Watches an agent while its new version is on trial. It is a program of its own.
`start_trial_watcher.py` starts it from the files of the old version, which stay until the end of
the trial.

It kills an agent that still hangs after the end of the trial. If the agent has died on trial, and
nobody else starts it again, the watcher becomes the agent of the version in use. It ends when the
record of the trial is removed. It needs the standard library only.
"""

from __future__ import annotations

import os
import select
import time

from tui_manager_agent.supervisor import clock, record
from tui_manager_agent.supervisor.processes import processes

STARTS = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from tui_manager_agent.update.trial_watcher import main; main(sys.argv[2:])"
)
_STOPPED = "stopped"  # an entry of the record, see `trial_record.py`
_KILL = 9
_STOP_SIGNALS = 1 << 14 | 1 << 1  # SIGTERM and SIGINT, as bits in /proc
_LOOKS = 20  # for which such a signal may wait
_LOOK_EVERY = 500  # ms between looks at the record


class Watcher:
    """Watches one agent.

    Attributes:
        record: the file.
        execution_id: of the record.
        pid, born: of the agent; its start time as /proc/PID/stat has it.
        end: boot-time ns; an agent that lives then, and is not accepted, is killed.
        patience: ns that others have to start it again after its death.
        unit: of systemd, if that has started the agent; empty: it has not.
        command: what starts the agent.
    """

    def __init__(self, words: list[str]) -> None:
        """The words are the attributes, in this order, and before the command a descriptor that is
        open as long as it watches."""
        self.record, self.execution_id = words[:2]
        self.pid, self.born, self.end, self.patience, lock = map(int, words[2:7])
        self.unit = words[7]
        self.command = words[8:]
        os.set_inheritable(lock, False)
        self._looks = 0
        self._program = self._command_line()
        self._pidfd = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else -1

    def watch(self) -> bool:
        """Returns whether the agent has died while it was on trial; it may have been killed."""
        was_there = False
        while True:
            died = self._has_died()
            # The record is written before the new version begins, and may be gone before a look.
            was_there = was_there or self._command_line() != self._program
            entries = self._entries()
            if died:
                return bool(entries) and _STOPPED not in entries
            if was_there and not entries:
                return False  # accepted, or over
            was_there = was_there or bool(entries)
            if self._is_asked_to_stop():  # the new version does not come to hear it
                processes.send(self.pid, self.born, _KILL)
                return False
            if clock.now() >= self.end:
                if not was_there:
                    return False  # the old version did not come to its end
                processes.send(self.pid, self.born, _KILL)

    def is_started_again(self) -> bool:
        """Whether somebody starts the agent in time: it removes the record."""
        give_up_at = clock.now() + self.patience
        while clock.now() < give_up_at:
            entries = self._entries()
            if not entries or _STOPPED in entries:
                return True
            time.sleep(_LOOK_EVERY / 1000)
        return False

    def _has_died(self) -> bool:
        """Waits a moment for the exit of the agent."""
        if self._pidfd >= 0:
            waiting = select.poll()
            waiting.register(self._pidfd, select.POLLIN)
            return bool(waiting.poll(_LOOK_EVERY))
        time.sleep(_LOOK_EVERY / 1000)
        name, born = processes.inspect(self.pid)
        return not name or born != self.born

    def _is_asked_to_stop(self) -> bool:
        """Whether a signal waits that the new version was to take from the old one. Its start may
        take it until the next look."""
        try:
            with open(f"/proc/{self.pid}/status", "rb", buffering=0) as file:
                _, _, pending = file.read().partition(b"\nShdPnd:")
            waits = bool(int(pending.split(None, 1)[0], 16) & _STOP_SIGNALS)
        except (OSError, IndexError, ValueError):
            return False
        self._looks = self._looks + 1 if waits else 0
        return self._looks > _LOOKS

    def _command_line(self) -> bytes:
        """The command line of the agent. It changes when the new version begins. Empty: there is no
        /proc."""
        try:
            with open(f"/proc/{self.pid}/cmdline", "rb", buffering=0) as file:
                return file.read()
        except OSError:
            return b""

    def _entries(self) -> dict[str, str]:
        """The record; empty if it has gone, or is another one. Raises OSError."""
        try:
            entries = record.read_sealed(self.record)
        except FileNotFoundError:
            return {}
        return entries if entries.get("execution_id") == self.execution_id else {}


def main(words: list[str]) -> None:
    """Says its pid on stdout when it watches."""
    watcher = Watcher(words)
    if os.fork():
        os._exit(0)  # the agent gets no child that it does not know
    os.setsid()
    os.write(1, b"%d\n" % os.getpid())
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    if not watcher.watch() or watcher.is_started_again():
        return
    if watcher.unit:
        start_failed(watcher.unit)
    else:
        os.execv(watcher.command[0], watcher.command)


def start_failed(unit: str) -> None:
    """Lets systemd start the agent again if the way in which it ended has prevented that, such as
    its exit status. If it was asked to stop, it has not failed."""
    import subprocess

    name = unit.rpartition("/")[2]

    def ask(*words: str) -> bool:
        command = ("systemctl", *(("--user",) if is_of_user(unit) else ()), *words, name)
        null = subprocess.DEVNULL
        return subprocess.call(command, stdin=null, stdout=null, stderr=null) == 0

    try:
        if ask("is-failed", "--quiet"):
            ask("--no-ask-password", "reset-failed")
            ask("--no-ask-password", "start")
    except FileNotFoundError:  # this system has no systemctl
        pass


def is_of_user(unit: str) -> bool:
    """Whether the manager of a user has started a unit, by the path of its cgroup."""
    return "/user@" in unit

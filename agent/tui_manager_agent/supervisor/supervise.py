"""The supervisor of one command: claims it, runs it, waits for its output, its timeout, a cancel or
its end, and writes its result. Output itself is written in `spool_writer.py`."""

from __future__ import annotations

import os
import select

from tui_manager_agent.supervisor import claim, clock, record, script_and_stdin, shell, spawn
from tui_manager_agent.supervisor.notifier import Notifier
from tui_manager_agent.supervisor.processes import cgroup_limits, processes
from tui_manager_agent.supervisor.processes.killing import (
    SURVIVORS_NAMED,
    CommandProcesses,
    Killing,
)
from tui_manager_agent.supervisor.spool_writer import OutputLimit, Pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from tui_manager_agent.supervisor.processes.cgroup import Cgroup, CgroupRoot
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms

DRAIN_WITHIN = clock.SECOND  # a background process that keeps a pipe open delays the result so long
# poll() stands still while the host sleeps, the clock does not; and a signal may be lost.
LONGEST_WAIT = 30 * clock.SECOND
READS_IN_TURN = 16  # reads of one pipe before the others are looked at


def supervise(folder: str, cgroup_root: CgroupRoot | None = None) -> int:
    """Runs the order in an execution's folder to its end. Returns the exit status of the process.

    If the execution is claimed already, it runs nothing and returns 1. With a
    `cgroup_root` the command gets a cgroup of its own.
    """
    server = os.getppid()
    cgroup = cgroup_root.cgroup(folder.rpartition("/")[2]) if cgroup_root else None
    claimed = claim.take(folder, cgroup.path if cgroup else "")
    if claimed is None:
        return 1
    Supervisor(folder, claimed, cgroup).run()
    if cgroup_root is not None and cgroup is not None:
        cgroup.remove()
        if os.getppid() != server:  # which removes the folder of all cgroups when it leaves
            cgroup_root.remove()
    return 0


class Supervisor:
    """One command from its order to its result."""

    def __init__(self, folder: str, claimed: claim.Claim, cgroup: Cgroup | None = None) -> None:
        self._folder = claimed.folder
        self._path = folder
        self._cgroup = cgroup
        self._claim = claimed
        self._order = order = claimed.order
        self._id = folder.rpartition("/")[2]
        self._notifier = Notifier(order[record.FIFO], self._id)
        self._shell: shell.Shell | None = None
        self._killing: Killing | None = None
        self._killed_for = ""  # the status after a kill
        self._drained_at = 0  # when open pipes no longer delay the result
        self._next_check = clock.now() + LONGEST_WAIT

    def run(self) -> None:
        try:
            self._prepare()
        except OSError as error:
            self._finish_unstarted("failed", "spawn_failed", f"the agent's disk: {error.strerror}")
            return
        if self._cancel_wanted():
            self._finish_unstarted("canceled", "", "")
            return
        try:
            self._shell = self._start()
        except spawn.SpawnError as error:
            self._finish_unstarted("failed", "spawn_failed", str(error))
            return
        self._forget_environment()
        self._deadline = self._shell.started + int(self._order["timeout"])
        self._note_start()
        while not self._ended():
            self._wait_and_handle()
        self._finish(self._shell)
        self._drain_until_closed()

    def _prepare(self) -> None:
        processes.adopt_orphans()
        self._signals = shell.watch_signals()
        output_limit = OutputLimit(int(self._order["output_limit"]))
        self._output_limit = output_limit
        self._pipes = [Pipe(self._folder, s, output_limit) for s in (record.STDOUT, record.STDERR)]
        self._poll = select.poll()
        for descriptor in (self._signals, *(pipe.reader for pipe in self._pipes)):
            self._poll.register(descriptor, select.POLLIN)

    def _start(self) -> shell.Shell:
        """Starts the command with what its order brings along. Raises SpawnError."""
        arguments = script_and_stdin.arguments(self._order, self._path, self._folder)
        stdin = script_and_stdin.open_stdin(self._order, self._folder)
        try:
            return self._start_in_cgroup(arguments, stdin)
        finally:
            if stdin >= 0:
                os.close(stdin)

    def _start_in_cgroup(self, arguments: list[bytes], stdin: int) -> shell.Shell:
        """Starts the command, in its cgroup if there can be one. Raises SpawnError."""
        if cgroup_limits.are_in(self._order):
            cgroup = cgroup_limits.make_limited(self._cgroup, self._order)
            return shell.Shell(self._order, arguments, self._pipes, cgroup, stdin)
        if self._cgroup is not None:
            try:
                self._cgroup.make()
                self._cgroup.enter()
            except OSError:
                self._cgroup = None
        try:
            return shell.Shell(self._order, arguments, self._pipes, stdin=stdin)
        finally:
            if self._cgroup is not None:
                try:
                    self._cgroup.leave()
                except OSError:
                    self._cgroup = None  # this process is still in it, and must not be killed

    def _note_start(self) -> None:
        assert self._shell is not None
        try:  # noqa: SIM105 - contextlib is not cheap
            self._claim.note(boot_id=self._order["boot_id"], at=self._shell.started)
        except OSError:
            pass  # a full disk: the result will say when it started
        self._notifier.schedule()

    def _forget_environment(self) -> None:
        """It holds secrets, which only the command needs from here on."""
        for name in [name for name in self._order if name.startswith(record.ENVIRONMENT)]:
            del self._order[name]

    def _cancel_wanted(self) -> bool:
        return record.exists(self._folder, record.CANCEL)

    # ------------------------------------------------------------------------------ while it runs

    def _wait_and_handle(self) -> None:
        """Waits for the next event or deadline, and handles it."""
        for descriptor, _ in self._poll.poll(self._poll_timeout()):
            if descriptor == self._signals:
                self._on_signal()
            else:
                self._move_output(descriptor)
        now = clock.now()
        if now >= self._next_check:
            self._next_check = now + LONGEST_WAIT
            self._check_cancel()
        if self._killing is None and not self._drained_at and now >= self._deadline:
            self._kill("timeout")
        if self._killing is not None and now >= self._killing.next_check:
            self._advance_kill(self._killing)
        if self._notifier.due and now >= self._notifier.due:
            self._notifier.notify()

    def _poll_timeout(self) -> float:
        """Milliseconds until something is due."""
        due = [self._next_check]
        if self._drained_at:
            due.append(self._drained_at)
        elif self._killing is not None:
            due.append(self._killing.next_check)
        else:
            due.append(self._deadline)
        if self._notifier.due:
            due.append(self._notifier.due)
        return max(0, min(due) - clock.now()) / clock.MILLISECOND

    def _on_signal(self) -> None:
        numbers = os.read(self._signals, 4096)
        if signal.SIGCHLD in numbers:
            self._reap()
        if signal.SIGUSR1 in numbers:
            self._check_cancel()

    def _reap(self) -> None:
        assert self._shell is not None
        childless = self._shell.reap()
        if self._killing is not None:
            if childless:
                self._advance_kill(self._killing)
        elif self._shell.ended and not self._drained_at:
            self._drained_at = clock.now() + DRAIN_WITHIN

    def _check_cancel(self) -> None:
        if self._killing is None and not self._drained_at and self._cancel_wanted():
            self._kill("canceled")

    def _move_output(self, descriptor: int) -> None:
        for pipe in self._pipes:
            if pipe.reader == descriptor >= 0:
                for _ in range(READS_IN_TURN):
                    if not pipe.move():
                        break
                if pipe.reader < 0:
                    self._poll.unregister(descriptor)
                self._notifier.schedule()

    def _kill(self, status: str) -> None:
        assert self._shell is not None
        self._killed_for = status
        targets = CommandProcesses(
            self._id,
            user=int(self._order.get("uid", -1)),
            cgroup=self._cgroup,
            group=self._shell.pid,
            reap=self._shell.reap,
        )
        self._killing = Killing(targets, int(self._order["kill_grace"]), self._shell.has_ended)

    def _advance_kill(self, killing: Killing) -> None:
        if not self._drained_at and killing.step():
            self._drained_at = clock.now() + DRAIN_WITHIN

    def _ended(self) -> bool:
        if not self._drained_at:
            return False
        closed = all(pipe.reader < 0 for pipe in self._pipes)
        return closed or clock.now() >= self._drained_at

    # ------------------------------------------------------------------------------ when it ended

    def _finish(self, done: shell.Shell) -> None:
        for pipe in self._pipes:
            self._move_output(pipe.reader)
        self._finish_output()
        done.reap()
        killed = self._killing is not None and not self._killing.too_late
        outcome = done.outcome(self._killed_for if killed else "")
        # A process that was missed before may be seen now.
        survivors = self._killing.targets.survivors() if self._killing and killed else []
        details = [self._output_limit.failure] if self._output_limit.failure else []
        if not killed and outcome.get("signal") == signal.SIGKILL and self._cgroup is not None:
            details += cgroup_limits.memory_detail(self._cgroup, self._order)
        if survivors:
            named = ", ".join(survivors[:SURVIVORS_NAMED])
            details.append(f"still alive, out of the agent's reach: {named}")
        if self._cgroup is not None:
            outcome["cpu"] = self._cgroup.cpu() or outcome["cpu"]
            outcome["memory_peak"] = self._cgroup.memory_peak() or outcome["memory_peak"]
        outcome["kill_incomplete"] = int(bool(survivors))
        outcome["detail"] = "; ".join(details)
        for name, pipe in zip((record.STDOUT, record.STDERR), self._pipes, strict=True):
            outcome[f"{name}_stored"] = pipe.stored
            outcome[f"{name}_dropped"] = pipe.dropped
        self._write(outcome)

    def _finish_output(self) -> None:
        for pipe in self._pipes:
            pipe.finish()
        if any(pipe.stored for pipe in self._pipes):
            try:
                os.fsync(self._folder)
            except OSError as error:
                self._output_limit.failure = f"the output may be incomplete: {error.strerror}"

    def _finish_unstarted(self, status: str, reason: str, detail: str) -> None:
        self._write({"status": status, "reason": reason, "detail": detail, "ended": clock.now()})

    def _write(self, outcome: dict[str, object]) -> None:
        outcome["boot_id"] = self._order["boot_id"]
        while os.fstat(self._folder).st_nlink:  # else the folder was removed
            try:
                self._claim.end(**outcome)
                break
            except OSError:
                select.select([], [], [], 1)  # the disk is full: waits until it has room
        if script_and_stdin.are_in(self._order):
            script_and_stdin.remove_files(self._order, self._folder)
        self._notifier.notify()

    def _drain_until_closed(self) -> None:
        """Discards what background processes still write, until they close the pipes."""
        while any(pipe.reader >= 0 for pipe in self._pipes):
            for descriptor, _ in self._poll.poll():
                if descriptor == self._signals:
                    self._on_signal()
                else:
                    self._move_output(descriptor)

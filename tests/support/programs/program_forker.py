"""A process that has imported a program and forks for each start of it. `warm_programs` asks it to.

A fork gets the arguments, the environment, the umask and the standard streams of the start, in a
session of its own, on a terminal if its stdin is to be the controlling one, or in the namespaces of
another process (`inside`), and runs the program's `main`, or a file of Python that starts it
differently: from there on it is what a start from the shell is, with three differences. A new
database of SQLite is a copy of one that was migrated before the fork (`new_databases.py`). An agent
forks its child programs, and does not start again when it has enrolled (`forked_children.py`),
unless it has the variable NEW_PROCESSES. After `main` and what is called at the end of the
interpreter, the process ends at once: to free its objects would copy each page that it shares with
this process.

This file imports little, as all that it imports is in each fork too.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

_ROOT = Path(__file__).parents[3]
NUMBER = struct.Struct("i")
NEW_PROCESSES = "TESTS_NEW_PROCESSES"
DASHBOARD = "dashboard"  # `tui-manager` with all that draws
BENCH = "bench"  # a module of the benchmarks, which is the first argument; forked by `DASHBOARD`
PYTEST = "pytest"  # for the tests of how tests run
CHILD = "child of an agent"  # as the name of a program; its first argument is its module
_FORKED_CHILDREN = "tests.support.programs.forked_children"
_OF_MANAGER = (
    "tui_manager.run_manager",
    "tui_manager.operator.socket.client.client",
    "tui_manager.operator.socket.server.server",
    "tui_manager.storage.engine.postgresql.postgresql_engine",
    "cryptography.hazmat.backends.openssl.backend",
)
_IMPORTED = {
    "tui-manager": (
        *_OF_MANAGER,
        *(
            ".".join(path.relative_to(_ROOT).with_suffix("").parts)
            for path in sorted((_ROOT / "tui_manager/cli/commands").rglob("[a-z]*.py"))
            if path.stem != "dashboard"
        ),
    ),
    DASHBOARD: (
        *_OF_MANAGER,
        "tui_manager.cli.commands.dashboard",
        "tui_manager.ui.app",
        "textual.drivers.linux_driver",
        "bench.swarm.__main__",
        "bench.floors.byte_reader",
        "bench.floors.byte_server",
        "bench.floors.echo_server",
        "bench.floors.echo_streams",
        "bench.screen.app",
    ),
    "tui-manager-agent": (
        "tui_manager_agent.agent",
        "tui_manager_agent.link.enrollment",
        "tui_manager_agent.identity.token_file",
    ),
    PYTEST: ("_pytest.junitxml", "_pytest.helpconfig", "_pytest.unittest", "pdb"),
    CHILD: (
        "tui_manager_agent.link.enrollment_program",
        "tui_manager_agent.update.bundle_program",
        "cryptography.hazmat.primitives.asymmetric.ed25519",
    ),
}
_MAIN = {
    "tui-manager": "tui_manager.cli.main",
    DASHBOARD: "tui_manager.cli.main",
    "tui-manager-agent": "tui_manager_agent.cli.main",
    PYTEST: "pytest",
}

PROGRAMS = ("tui-manager", "tui-manager-agent")


def installed(program: str) -> str:
    """The program that is installed beside this interpreter."""
    name = "tui-manager" if program == DASHBOARD else program
    return str(Path(sys.executable).with_name(name))


def take_terminal() -> None:
    """Makes stdin the controlling terminal, so that its end reaches the program as SIGHUP. Lets its
    keys interrupt, also if these tests run in the background, where a shell has such signals
    ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.close(os.open(os.ttyname(0), os.O_RDWR))


# Put before the words of a program, these do the same and then become that program. A function that
# Popen calls after a fork could wait for ever for a lock, if the process that forks uses gRPC.
TAKE_TERMINAL = (
    *(sys.executable, "-I", "-S", "-c"),
    """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execvp(sys.argv[1], sys.argv[1:])
""",
)


@dataclass(slots=True)
class _Forking:
    """Forks when it is asked to, and says how each fork ends."""

    program: str
    control: socket.socket
    children: socket.socket | None = None  # leads to the process that forks the children of agents
    selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    forks: dict[int, tuple[int, socket.socket]] = field(default_factory=dict)  # by their pidfd

    def run(self) -> Callable[[], int]:
        """Returns in each fork: what it is to run. Ends the process when the test has ended."""
        self.selector.register(self.control, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fd != self.control.fileno():
                    self._reap(key.fd)
                    continue
                asked, descriptors, _, _ = socket.recv_fds(self.control, 1, 4)
                if not asked:
                    sys.exit()
                status = socket.socket(fileno=descriptors[0])
                if (pid := os.fork()) == 0:
                    return self._become(status, descriptors[1:])
                for descriptor in descriptors[1:]:
                    os.close(descriptor)
                pidfd = os.pidfd_open(pid)
                self.forks[pidfd] = (pid, status)
                self.selector.register(pidfd, selectors.EVENT_READ)
                self._say(status, pid)

    def _reap(self, pidfd: int) -> None:
        self.selector.unregister(pidfd)
        pid, status = self.forks.pop(pidfd)
        with status:
            self._say(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os.close(pidfd)

    def _say(self, status: socket.socket, number: int) -> None:
        with suppress(OSError):  # the test does not want to know any more
            status.sendall(NUMBER.pack(number))

    def _become(self, status: socket.socket, descriptors: Sequence[int]) -> Callable[[], int]:
        """Makes this process what a start from the shell would have made."""
        os.setsid()
        with status, status.makefile("rb") as stream:
            asked = json.load(stream)
        self.selector.close()
        self.control.close()
        for _, other in self.forks.values():
            other.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        if asked["terminal"]:
            take_terminal()
        kept = 2 if self.children is None else self.children.fileno()
        os.closerange(3, kept)
        os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
        os.environ.clear()
        os.environ.update(asked["environment"])
        time.tzset()
        if after_fork := getattr(sys.modules.get("sitecustomize"), "after_fork", None):
            after_fork()  # that of tests/faults
        if asked["inside"]:
            _enter_namespaces(asked["inside"])
        os.chdir(asked["folder"])
        os.umask(asked["umask"])
        path = asked["file"] or installed(self.program)
        sys.argv[:] = [path, *asked["arguments"]]
        sys.orig_argv[:] = [sys.executable, *sys.argv]
        sys.path[0] = str(Path(path).parent)
        _open_streams()
        if self.children is not None and NEW_PROCESSES not in os.environ:
            importlib.import_module(_FORKED_CHILDREN).fork_from_now_on(self.children)
        if asked["program"] == BENCH:
            sys.path.append(str(_ROOT))
        if asked["program"] in (BENCH, CHILD):
            return partial(_run_module, asked["arguments"])
        if asked["file"]:
            return partial(_run_file, path)
        main: Callable[[], int] = importlib.import_module(_MAIN[self.program]).main
        return main


def _enter_namespaces(pid: int) -> None:
    """As `nsenter` does: returns in a child, which is in the namespaces of that process. This
    process waits for it, and ends with its exit status."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    for kind in ("ipc", "uts", "net", "pid", "mnt"):
        descriptor = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        if libc.setns(descriptor, 0):
            raise OSError(ctypes.get_errno(), f"the {kind} namespace of {pid} cannot be entered")
        os.close(descriptor)
    if child := os.fork():
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(code if code >= 0 else 128 - code)


def _run_module(words: Sequence[str]) -> int:
    """As `python -m` runs a module with arguments."""
    module = words[0]
    sys.argv[1:] = words[1:]
    sys.modules.pop(module, None)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def _run_file(path: str) -> int:
    """As Python runs a file. It ends by `sys.exit`, or with status 0."""
    code = compile(Path(path).read_bytes(), path, "exec")
    try:
        exec(code, {"__name__": "__main__", "__file__": path})
    except SystemExit as ended:
        if isinstance(ended.code, int):
            return ended.code
        raise
    return 0


def _open_streams() -> None:
    """As Python does when it starts, with the encodings that this process has found then."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        found = getattr(sys, name)
        stream = open(  # noqa: SIM115
            number,
            "r" if number == 0 else "w",
            encoding=found.encoding,
            errors=found.errors,
            closefd=False,
        )
        if number:
            stream.reconfigure(
                line_buffering=number == 2 or stream.isatty(), write_through=found.write_through
            )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


@dataclass(slots=True)
class _End:
    """Ends a fork without freeing its objects. It is registered before all others, so it is called
    after them, when all threads have ended."""

    status: int | None = None  # what `main` has returned; None: the process ends in another way

    def __call__(self) -> None:
        if self.status is None:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            return  # the interpreter says what is wrong
        os._exit(self.status)


def _import_of_tests(module: str) -> Any:
    """Imports what is not installed too: tests and benchmarks."""
    sys.path.append(str(_ROOT))
    try:
        return importlib.import_module(module)
    finally:
        sys.path.pop()


def _start_forker_of_children(control: int, end: _End) -> socket.socket:
    """Starts a process that forks the children of agents; what leads to it."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        os.close(control)
        os.environ["GRPC_VERBOSITY"] = "NONE"  # as the agent starts them
        for module in _IMPORTED[CHILD]:
            importlib.import_module(module)
        _fork_when_asked(_Forking(CHILD, theirs), end)
    theirs.close()
    return ours


def _serve(program: str, control: int, *, is_present: bool) -> NoReturn:
    """Forks until the test has ended.

    Args:
        is_present: whether it is the program of this repository, and not an earlier version.
    """
    end = _End()
    atexit.register(end)
    children = None
    if program == "tui-manager-agent":
        if is_present and "LD_FAULTS_ARM" not in os.environ:
            children = _start_forker_of_children(control, end)
        sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]  # as its `main` does
    importlib.import_module(_MAIN[program])
    for module in _IMPORTED[program]:
        with suppress(ImportError):  # an earlier version has other ones
            _import_of_tests(module)
    if program not in ("tui-manager-agent", PYTEST) and is_present:
        _import_of_tests("tests.support.databases.new_databases").copy_from_now_on()
    if children is not None:
        _import_of_tests(_FORKED_CHILDREN)
    _fork_when_asked(_Forking(program, socket.socket(fileno=control), children), end)


def _fork_when_asked(forking: _Forking, end: _End) -> NoReturn:
    if "tui_manager_protos.lazy_dataclass" in sys.modules:  # an earlier version has none
        _import_of_tests("tests.support.programs.compiled_methods").compile_methods()
    gc.collect()
    gc.freeze()
    main = forking.run()
    end.status = main()
    sys.exit(end.status)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), is_present=sys.argv[3] == "present")

"""Runs the tests in several processes: `pytest --processes 4`.

One process collects the tests, then forks the others. pytest-xdist starts new processes that each
import and collect all tests again, which takes 17 s of CPU in each. The first process hands out the
tests and reports their results; it runs none itself. To plugins the others look like those of
pytest-xdist (`config.workerinput`, PYTEST_XDIST_WORKER).

Half of the processes begin with the tests that are marked `long`, so that at the end none waits for
another one that has begun such a test. Most of these wait for programs that they have started:
meanwhile the other half uses the cores. The tests of each folder are spread over the whole run, as
those of some folders use the cores and those of others wait.
"""

import atexit
import io
import os
import random
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

import pytest

RUN = "RUN_OF_TESTS"  # the variable that is alike in all processes of one run
_TOGETHER_MAX = 20  # tests of one file; they may share what the file's fixtures make
_SHARE = 50  # of the tests that are left one of so many is taken at once, so that all end together
_Test = int  # its place among those that were collected


def add_option(parser: pytest.Parser) -> None:
    """Adds `--processes`."""
    parser.addoption("--processes", type=int, default=0, help="run the tests in so many processes")


def run(session: pytest.Session) -> bool:
    """Runs the tests of a session that has collected them; says whether it did.

    Raises:
        pytest.Session.Failed: as many have failed as `--maxfail` says.
    """
    option = session.config.option
    if option.processes < 1 or option.collectonly or session.testsfailed:
        return False  # pytest runs them, or says what is wrong
    return _Run(session).run(option.processes)


def end_without_freeing(status: int) -> None:
    """Lets this process end with a status, after all that is called at the end of the interpreter.

    To free all objects copies each page that the processes share, which takes 2 s in each of them.
    """
    atexit.register(_end, status)


def _end(status: int) -> None:
    atexit.unregister(_end)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@dataclass(slots=True)
class _Process:
    """One that runs tests, as the first process sees it."""

    number: int
    pid: int
    connection: Connection
    tests: deque[_Test] = field(default_factory=deque)  # it has them and has not ended them
    has_failures: bool = False
    ends: list[int] = field(default_factory=list)  # a descriptor, readable when it has ended

    def close(self) -> int:
        """Waits for its end; the exit status."""
        self.connection.close()
        for end in self.ends:
            os.close(end)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Order:
    """The tests that no process has yet, as groups that a process takes at once."""

    def __init__(self, files: Sequence[str], long: Sequence[bool]) -> None:
        """Of each test: its file, and whether it is long."""
        self._is_long = long
        self._left = len(files)
        self._long = deque([test] for test, is_long in enumerate(long) if is_long)
        groups: list[list[_Test]] = []
        for test, file in enumerate(files):
            if long[test]:
                continue
            last = groups[-1] if groups else []
            if last and files[last[0]] == file and len(last) < _TOGETHER_MAX:
                last.append(test)
            else:
                groups.append([test])
        self._short = deque(_spread(groups, [files[group[0]] for group in groups]))

    def take(self, *, long_first: bool, after: _Test | None = None) -> list[_Test]:
        """The next group; an empty one: no test is left.

        Args:
            after: the test that the process runs before these. A long one holds up a short one.
        """
        is_after_long = after is not None and self._is_long[after]
        groups = self._long if long_first and not is_after_long else self._short
        groups = groups or self._long or self._short
        tests = groups.popleft() if groups else []
        most = 1 if is_after_long else max(1, self._left // _SHARE)
        if len(tests) > most:
            groups.appendleft(tests[most:])
            tests = tests[:most]
        self._left -= len(tests)
        return tests

    def put_back(self, tests: Collection[_Test]) -> None:
        """They are taken next."""
        self._left += len(tests)
        self._short.extendleft([test] for test in reversed([*tests]))


def _spread(groups: Sequence[list[_Test]], files: Sequence[str]) -> list[list[_Test]]:
    """The groups, with those of each folder at even distances."""
    folders = [tuple(file.split("/")[:2]) for file in files]
    count = Counter(folders)
    before: Counter[tuple[str, ...]] = Counter()
    places = []
    for folder in folders:
        places.append((before[folder] + 0.5) / count[folder])
        before[folder] += 1
    return [groups[number] for number in sorted(range(len(groups)), key=places.__getitem__)]


class _Run:
    """Hands the tests of a session out to processes, and reports what these say."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._hook = session.config.hook
        items = session.items
        self._order = Order(
            [item.nodeid.partition("::")[0] for item in items],
            [item.get_closest_marker("long") is not None for item in items],
        )
        self._processes: list[_Process] = []
        self._forked = 0

    def run(self, count: int) -> bool:
        """Returns when all tests have ended, in a process that runs tests when those of it have."""
        reporter = self._session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.showfspath = False  # the tests of a file come with those of others
        os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(count)
        os.environ[RUN] = f"{os.getpid()}-{time.time():.0f}"
        try:
            return any(self._fork() for _ in range(count)) or self._hand_out()
        except KeyboardInterrupt:
            self._wait_for_end()  # the terminal has told all of them
            raise
        except BaseException:
            for process in self._processes:
                os.kill(process.pid, signal.SIGINT)
            self._wait_for_end()
            raise

    def _hand_out(self) -> bool:
        while self._processes:
            for process in self._with_news():
                if self._take_message(process) and self._fork():
                    return True
            self._stop_early()
        if self._order.take(long_first=False):
            raise RuntimeError("the processes have ended before all tests had run")
        return True

    def _with_news(self) -> list[_Process]:
        """Those that have sent something or have ended. A program that a test has left may keep the
        connection of its process open, so its end is looked for as well, where the system can."""
        ends = {end: process for process in self._processes for end in process.ends}
        ready = wait([*(process.connection for process in self._processes), *ends])
        for process in [ends[end] for end in ready if isinstance(end, int)]:
            if not process.connection.poll():
                process.connection.close()
        return [
            each for each in self._processes if each.connection.closed or each.connection in ready
        ]

    def _fork(self) -> bool:
        """Starts a process; True in that one, after its tests."""
        own, connection = Pipe()
        number = self._forked
        self._forked += 1
        pid = os.fork()
        if pid == 0:
            own.close()
            for process in self._processes:
                process.connection.close()
                for end in process.ends:
                    os.close(end)
            self._processes.clear()
            _run_tests(self._session, number, connection)
            return True
        connection.close()
        ends = [os.pidfd_open(pid)] if sys.platform == "linux" else []
        self._processes.append(_Process(number, pid, own, ends=ends))
        return False

    def _take_message(self, process: _Process) -> bool:
        """Takes what a process says; whether another one is to be started in its place."""
        try:
            said = process.connection.recv()
        except (EOFError, OSError):
            return self._ended(process)
        for kind, value in said:
            self._take(process, kind, value)
        return False

    def _take(self, process: _Process, kind: str, value: Any) -> None:
        if kind == "next":
            after = process.tests[-1] if process.tests else None
            tests = self._order.take(long_first=process.number % 2 == 0, after=after)
            process.tests.extend(tests)
            process.connection.send(tests)
        elif kind == "ended":
            process.tests.popleft()
        elif kind == "report":
            config = self._session.config
            report = self._hook.pytest_report_from_serializable(config=config, data=value)
            process.has_failures |= report.failed
            self._hook.pytest_runtest_logreport(report=report)
        else:
            getattr(self._hook, kind)(**value)

    def _ended(self, process: _Process) -> bool:
        """The process is gone. Whether it left tests: it ran the first of these, which failed."""
        self._processes.remove(process)
        status = process.close()
        if process.tests:
            item = self._session.items[process.tests.popleft()]
            self._order.put_back(process.tests)
            said = f"the process that ran this test has ended with status {status}"
            self._report_failure(item.nodeid, item.location, said)
            return True
        if status != (pytest.ExitCode.TESTS_FAILED if process.has_failures else 0):
            said = (
                f"after its tests the process has ended with status {status}; see what it printed"
            )
            name = f"process {process.number}"
            self._report_failure(name, (name, None, name), said)
        return False

    def _report_failure(self, test: str, place: tuple[str, int | None, str], said: str) -> None:
        report = pytest.TestReport(test, place, {}, "failed", said, "call")
        self._hook.pytest_runtest_logreport(report=report)

    def _stop_early(self) -> None:
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)

    def _wait_for_end(self) -> None:
        """Each ends at the latest when it has something to say, as nobody hears it."""
        for process in self._processes:
            process.connection.close()
        for process in self._processes:
            process.close()


class _Reports:
    """Passes what pytest says about the tests of this process to the first one, all of a test in
    one message: each message takes the processor from a test, for the first process."""

    def __init__(self, config: pytest.Config, connection: Connection) -> None:
        self._config = config
        self._connection = connection
        self._said: list[tuple[str, Any]] = []

    def end_test(self) -> None:
        """A test has ended with all that belongs to it."""
        self._said.append(("ended", None))
        self._send()

    def _send(self) -> None:
        self._connection.send(self._said)
        self._said.clear()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test has ended. A failure is said at once, as the process may end too."""
        to_data = self._config.hook.pytest_report_to_serializable
        self._said.append(("report", to_data(config=self._config, report=report)))
        if report.failed:
            self._send()

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        """A test begins."""
        given = {"nodeid": nodeid, "location": location}
        self._said.append(("pytest_runtest_logstart", given))

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        """A test has ended."""
        given = {"nodeid": nodeid, "location": location}
        self._said.append(("pytest_runtest_logfinish", given))


def _silent_reporter(config: pytest.Config) -> pytest.TerminalReporter:
    """Of a process that runs tests: the first process keeps and shows their reports."""
    reporter = pytest.TerminalReporter(config, io.StringIO())
    for hook in ("logstart", "logreport", "logfinish"):
        setattr(reporter, f"pytest_runtest_{hook}", None)  # no hook, as it cannot be called
    return reporter


def _run_tests(session: pytest.Session, number: int, connection: Connection) -> None:
    """What a forked process does. Then pytest ends in it, as it ends in the first one, and with it
    the connection, which the plugin keeps."""
    config = session.config
    os.environ["PYTEST_XDIST_WORKER"] = f"gw{number}"
    config.workerinput = {"workerid": f"gw{number}"}  # type: ignore[attr-defined]
    random.seed()
    session.testsfailed = 0
    plugins = config.pluginmanager
    capture = plugins.get_plugin("capturemanager")
    if capture is not None:  # to files of its own
        capture.stop_global_capturing()
        capture.start_global_capturing()
        capture.suspend_global_capture()
    plugins.unregister(name="terminalreporter")
    # No summary of its tests: that of snapshots compares each one with each test, for a minute.
    config.option.no_summary = True
    silent = _silent_reporter(config)
    plugins.register(silent, "terminalreporter")
    silent.pytest_sessionstart(session)
    reports = _Reports(config, connection)
    plugins.register(reports)
    tests = deque[_Test](_next(connection))
    while tests:
        item = session.items[tests.popleft()]
        if not tests:  # before the test, as it keeps the fixtures that the next one uses
            tests.extend(_next(connection))
        following = session.items[tests[0]] if tests else None
        config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        reports.end_test()


def _next(connection: Connection) -> list[_Test]:
    connection.send([("next", None)])
    return list(connection.recv())

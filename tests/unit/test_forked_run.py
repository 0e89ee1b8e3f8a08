"""Tests in several processes, which one process has collected."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.support.forked_run import Order
from tests.support.programs import warm_programs
from tests.support.programs.program_forker import PYTEST
from tests.support.programs.warm_programs import Running

_ROOT = Path(__file__).parents[2]
# Without the plugin that looks for cycles five times when a process ends, as `tests/conftest.py`.
_OPTIONS = "-rA -p no:cacheprovider -p no:unraisableexception"
_CONFTEST = f"""
import os
import pytest
import sys
from pathlib import Path
sys.path.append({str(_ROOT)!r})
from tests.support import forked_run

def pytest_addoption(parser):
    forked_run.add_option(parser)

@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    return forked_run.run(session) or None

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main():
    status = yield
    forked_run.end_without_freeing(status)
    return status

@pytest.fixture(scope="session", autouse=True)
def _of_the_process(pytestconfig):
    yield
    (pytestconfig.rootpath / f"ended-{{os.getpid()}}").touch()

def pytest_terminal_summary(config):
    (config.rootpath / f"summed-up-{{os.getpid()}}").touch()
"""

# A signal that comes just before Python sleeps is handled only after that sleep.
_SLEEP = """
def sleep_until_interrupt():
    while True:
        time.sleep(0.05)
"""


def _start(folder: Path, text: str, *arguments: str) -> Running:
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = long: takes long\n")
    (folder / "test_made.py").write_text(f"import os, signal, time\nimport pytest\n{text}{_SLEEP}")
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTEST_")}
    with (folder / "said").open("wb") as said:
        return warm_programs.start(
            PYTEST,
            [*_OPTIONS.split(), *arguments, "."],
            environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=said,
            stderr=said,
            folder=folder,
        )


def _run(folder: Path, text: str, *arguments: str) -> tuple[int, str]:
    """The exit status, and what is printed."""
    status = _start(folder, text, *arguments).wait()
    return status, (folder / "said").read_text()


@pytest.mark.parametrize(("count", "processes"), [(1, 1), (7, 3), (200, 2), (2, 5)])
def test_each_test_runs_once(tmp_path: Path, count: int, processes: int) -> None:
    text = f"""
@pytest.mark.parametrize("number", range({count}))
def test_it(number):
    with open("ran", "a") as file:
        file.write(f"{{number}} {{os.getpid()}}\\n")
"""
    status, said = _run(tmp_path, text, "--processes", str(processes))
    assert (status, f"{count} passed" in said) == (0, True), said
    ran = [line.split() for line in (tmp_path / "ran").read_text().splitlines()]
    assert sorted(int(number) for number, _ in ran) == list(range(count))
    ended = {path.name.removeprefix("ended-") for path in tmp_path.glob("ended-*")}
    assert ended == {pid for _, pid in ran}
    assert len(ended) <= processes
    assert len(list(tmp_path.glob("summed-up-*"))) == 1


def test_what_fails_is_shown_as_in_one_process(tmp_path: Path) -> None:
    text = """
def test_good():
    print("from the good one")

def test_bad():
    print("from the bad one")
    assert 1 == 2

@pytest.mark.skip(reason="not today")
def test_skipped():
    pass

@pytest.fixture
def broken():
    yield
    raise OSError("in teardown")

def test_with_fixture(broken):
    pass
"""
    status, said = _run(tmp_path, text, "--processes", "2")
    alone, expected = _run(tmp_path, text)
    assert status == alone == 1
    assert "from the bad one" in said
    for line in (
        "1 failed, 2 passed, 1 skipped, 1 error",
        "FAILED test_made.py::test_bad - assert 1 == 2",
        "SKIPPED [1] test_made.py:11: not today",
        "ERROR test_made.py::test_with_fixture - OSError: in teardown",
    ):
        assert line in said, said
        assert line in expected, expected


def test_a_test_that_ends_its_process_fails_and_the_others_run(tmp_path: Path) -> None:
    text = """
@pytest.mark.parametrize("number", range(30))
def test_it(number):
    if number == 4:
        os._exit(3)
    if number == 25:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    status, said = _run(tmp_path, text, "--processes", "2")
    assert (status, "2 failed, 28 passed" in said) == (1, True), said
    assert "the process that ran this test has ended with status 3" in said
    assert "the process that ran this test has ended with status -9" in said


def test_what_is_to_be_called_at_the_end_of_a_process_is_called(tmp_path: Path) -> None:
    text = """
import atexit
from pathlib import Path

def test_it():
    atexit.register(Path("called").touch)
"""
    status, said = _run(tmp_path, text, "--processes", "1")
    assert (status, "1 passed" in said) == (0, True), said
    assert (tmp_path / "called").exists()


def test_what_fails_after_the_tests_of_a_process_fails_the_run(tmp_path: Path) -> None:
    text = """
@pytest.fixture(scope="session", autouse=True)
def _ends_badly(pytestconfig):
    pytestconfig.add_cleanup(lambda: os._exit(7))

def test_it():
    pass
"""
    status, said = _run(tmp_path, text, "--processes", "1")
    assert (status, "1 failed, 1 passed" in said) == (1, True), said
    assert "after its tests the process has ended with status 7" in said


def test_a_process_that_cannot_begin_fails_the_run(tmp_path: Path) -> None:
    text = """
os.register_at_fork(after_in_child=lambda: os._exit(3))

def test_it():
    pass
"""
    status, said = _run(tmp_path, text, "--processes", "2")
    assert (status, "before all tests had run" in said) == (pytest.ExitCode.INTERNAL_ERROR, True)


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells no ends of processes")
def test_a_program_that_a_test_has_left_holds_nothing_up(tmp_path: Path) -> None:
    text = """
def test_it():
    if os.fork() == 0:
        os.setsid()
        open("left", "w").write(str(os.getpid()))
        time.sleep(1000)

def test_killed():
    while not os.path.getsize("left"):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
"""
    (tmp_path / "left").touch()
    status, said = _run(tmp_path, text, "--processes", "1")
    os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)
    assert (status, "1 failed, 1 passed" in said) == (1, True), said


def test_after_so_many_failures_the_others_end(tmp_path: Path) -> None:
    text = """
@pytest.mark.long
def test_long():
    with open("long", "w") as file:
        file.write(str(os.getpid()))
    open("running", "w").close()
    sleep_until_interrupt()

@pytest.mark.parametrize("number", range(30))
def test_it(number):
    if number == 25:
        open("running").close()  # waits until the other one is opened
    assert number != 25
"""
    os.mkfifo(tmp_path / "running")
    status, said = _run(tmp_path, text, "--processes", "2", "-x")
    # The process of the long one has taken one of the others, unless these had begun long before.
    assert (status, bool(re.search("1 failed, 2[45] passed", said))) == (1, True), said
    assert "stopping after 1 failures" in said
    long = (tmp_path / "long").read_text()
    assert (tmp_path / f"ended-{long}").exists()  # its fixtures have ended too


def test_an_interrupt_ends_all_processes(tmp_path: Path) -> None:
    text = """
@pytest.mark.parametrize("number", range(40))
def test_it(number):
    if number in (0, 20):
        open(f"running-{number}", "w").close()
        sleep_until_interrupt()
"""
    for number in (0, 20):
        os.mkfifo(tmp_path / f"running-{number}")
    started = _start(tmp_path, text, "--processes", "2")
    for number in (0, 20):
        (tmp_path / f"running-{number}").open().close()  # waits until the test opens it
    os.killpg(started.pid, signal.SIGINT)
    assert started.wait() == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in (tmp_path / "said").read_text()
    assert len(list(tmp_path.glob("ended-*"))) == 2


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_half_of_the_processes_begin_with_the_long_ones(processes: int) -> None:
    order = Order(["a"] * 50 + ["b"] * 30, [number % 9 == 0 for number in range(80)])
    taken: list[int] = []
    for process in range(processes):
        (first, *_) = tests = order.take(long_first=process % 2 == 0)
        assert (first % 9 == 0) == (process % 2 == 0)
        taken += tests
    while True:
        for process in range(processes):
            tests = order.take(long_first=process % 2 == 0)
            taken += tests
            assert len(tests) <= 20
            assert len({number < 50 for number in tests}) <= 1  # of one file
        if len(taken) == 80:
            break
    assert sorted(taken) == list(range(80))
    assert not order.take(long_first=True)


def test_a_long_one_holds_up_one_other_at_most() -> None:
    order = Order(["a"] * 1002, [True, True] + [False] * 1000)
    assert order.take(long_first=True) == [0]
    assert order.take(long_first=True, after=0) == [2]
    assert order.take(long_first=True, after=2) == [1]
    assert order.take(long_first=True, after=1) == [3]
    assert order.take(long_first=True, after=3) == list(range(4, 22))


def test_what_is_put_back_is_taken_next() -> None:
    order = Order(["a"] * 1500, [False] * 1500)
    first = order.take(long_first=False)
    order.put_back(first[7:])
    assert order.take(long_first=False) == [7]
    assert order.take(long_first=True) == [8]


def test_fewer_are_taken_at_once_towards_the_end() -> None:
    order = Order(["a"] * 1200, [False] * 1200)
    taken = list(iter(lambda: order.take(long_first=False), []))
    sizes = [len(tests) for tests in taken]
    assert [test for tests in taken for test in tests] == list(range(1200))
    assert (sizes[0], set(sizes[-50:])) == (20, {1})


def test_the_tests_of_each_folder_are_spread() -> None:
    order = Order(["tests/a/x.py"] * 800 + ["tests/b/c/y.py"] * 400, [False] * 1200)
    taken = [order.take(long_first=False)[0] for _ in range(6)]
    assert taken == [0, 800, 20, 40, 820, 60]

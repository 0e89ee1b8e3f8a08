"""What holds for all tests."""

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from unittest.mock import patch

import pytest
from _pytest.unraisableexception import gc_collect_iterations_key
from hypothesis import settings
from hypothesis import strategies as st
from tui_manager_agent.executions.orders.cgroup_support import (
    find_cgroup_root,
    remove_empty_cgroups,
)
from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot

from tests.support import forked_run
from tests.support.databases.new_databases import copied_databases
from tests.support.memory_folder import tmp_path
from tests.support.programs.program_forker import BENCH, DASHBOARD, PROGRAMS
from tests.support.programs.warm_programs import import_programs, stop_servers
from tests.support.run_length import ALL, draw_no_constants_of_our_code, examples, left_out

__all__ = ["tmp_path"]

# No test asserts on wall time, and so no example has a deadline.
settings.register_profile("untimed", deadline=None, max_examples=examples(100, few=25))
settings.load_profile("untimed")
draw_no_constants_of_our_code()

# Each app and each database of a test leaves thousands of objects in cycles. With Python's own
# thresholds the collections take a third of the time of a test of the screen. A higher threshold
# than this one takes more memory: a million takes 50 MB a process for 3 % of that time.
gc.set_threshold(300_000, 20, 10)
gc.disable()  # until all tests are collected

# Programs that tests start need their compiled modules, and so do the tests of the next run.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_LONG = 30  # characters; a UUID has 36
_INJECT = Path(__file__).parent / "faults/inject"
_ON_BOTH_ENGINES = ("tests/service/", "tests/storage/")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--processes`."""
    forked_run.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    """The programs that many tests fork are imported while the tests are collected.

    At its end, each process of a short run looks twice for objects that were not closed, and not
    five times: each look takes a third of a second.
    """
    if config.option.processes < 1 or config.option.collectonly:
        return
    if not ALL:
        config.stash[gc_collect_iterations_key] = 2
    chosen = [Path(argument) for argument in config.args]
    for folder, programs, inject in (
        ("tests/e2e", PROGRAMS, None),
        ("tests/e2e/screen", (DASHBOARD,), None),
        ("tests/lab", ("tui-manager",), None),
        ("tests/bench", ("tui-manager", BENCH), None),
        ("tests/faults", PROGRAMS, _INJECT),
    ):
        if any(Path(folder).is_relative_to(path) for path in chosen):
            import_programs(programs, inject)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Runs the tests in several processes, if so asked."""
    return forked_run.run(session) or None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what only repeats on PostgreSQL, unless the run is long or tests are named."""
    if any("::" in argument for argument in config.args):
        return
    found = left_out(item for item in items if item.nodeid.startswith(_ON_BOTH_ENGINES))
    if found:
        config.hook.pytest_deselected(items=found)
        without = set(found)
        items[:] = [item for item in items if item not in without]


_unfreeze = gc.unfreeze
_UNFROZEN: list[bool] = []


def _note_and_unfreeze() -> None:
    _UNFROZEN.append(True)
    _unfreeze()


def pytest_collection_finish() -> None:
    """What was made up to now stays. No collection looks at it again.

    The table of all characters, which hypothesis makes in the first run of a checkout, takes a
    second: not in each process that runs tests.
    """
    st.text().validate()
    patch.object(gc, "unfreeze", _note_and_unfreeze).start()
    gc.enable()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """An asynchronous test runs with a handler of Ctrl-C of its own.

    With Python's handler, asyncio replaces it for each fixture and test. Python then writes all
    that the fixture has returned as text, and throws that away.
    """
    is_asynchronous = item.get_closest_marker("asyncio") is not None
    signal.signal(signal.SIGINT, _interrupt if is_asynchronous else signal.default_int_handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """A test of what unfreezes, such as `serve`, leaves it as it was: else each full collection
    after it looks at everything that was collected. Here this is done once, and takes a second."""
    yield
    if _UNFROZEN:
        _UNFROZEN.clear()
        gc.collect()
        gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, int, int]:
    """Each process of a run in several ones ends without freeing its objects."""
    status = yield
    if config.option.processes:
        forked_run.end_without_freeing(status)
    return status


def pytest_unconfigure() -> None:
    """Ends the processes that tests have left to start programs from."""
    stop_servers()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Names a long parameter by its argument. Each process that runs tests makes keys and
    certificates of its own, and all of them must give a test the same name."""
    if isinstance(val, bytes | str) and len(val) > _LONG:
        return argname
    return None


@pytest.fixture(scope="session", autouse=True)
def _new_databases_are_copies() -> Iterator[None]:
    """`tests/storage/test_database.py` and programs that are not forked run the migrations."""
    with copied_databases():
        yield


@pytest.fixture(scope="session", autouse=True)
def _managers_in_memory_have_no_pipe() -> Iterator[None]:
    """What wakes the loop of gRPC lives as long as any of its objects, so other tests, with loops
    of their own, use it too. If it was a pipe, a test stalled: see `wake_ups_through_a_pipe`."""
    with patch("tui_manager.transport.ports.grpc_wake_ups.wake_ups_through_a_pipe", nullcontext):
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_empty_cgroups() -> Iterator[None]:
    """Removes what agents that were killed have left, as each would at its next start."""
    yield
    cgroup_root = find_cgroup_root("any")
    if cgroup_root is not None:
        for base in Path(cgroup_root.base).parent.glob("tui-manager-agent-*"):
            remove_empty_cgroups(CgroupRoot(str(base), cgroup_root.agent_cgroup), but=())

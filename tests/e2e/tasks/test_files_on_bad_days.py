"""Files on bad days: a program is killed in the middle of a copy or a fetch, which goes on at the
byte. Memory does not grow with a file."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.file_trees import MIB, OF_HOST, PARTIAL, noise, partial_files, read_tree
from tests.support.programs.processes import Machine
from tests.support.programs.programs import Program
from tests.support.slow_proxy import SlowProxy

pytestmark = pytest.mark.long
BEGUN = MIB  # bytes, after which a transfer is interrupted
MEMORY_MAX = 48 * MIB  # by which a program may grow while a file passes that is larger
HOSTS = ("h1", "h2")


def _write(path: Path, size: int) -> Path:
    """A file in which no MiB is like another one."""
    piece = noise("large", MIB)
    with path.open("wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(4, "big") + piece[4:])
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what cannot be slowed down."""
    return _write(tmp_path_factory.mktemp("files") / "large.img", 64 * MIB)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For a slow connection."""
    return _write(tmp_path_factory.mktemp("files") / "small.img", 16 * MIB)


@pytest.fixture
def running(machine: Machine) -> Machine:
    """A manager and two agents."""
    machine.serve()
    machine.agents(*HOSTS)
    return machine


class Slow:
    """A manager and two agents, whose connections are slow."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        _serve(machine)
        self._real = machine.address
        self.proxy = SlowProxy(self._real)
        machine.address = self.proxy.address
        machine.agents(*HOSTS)

    def start(self, *words: str) -> int:
        """The number of a task that runs by itself."""
        done = self.machine.run(*words, "--detach")
        assert done.code == 0, done
        return max(int(task["task_id"]) for task in self.machine.tasks())

    def wait_for_bytes(self, look: Callable[[], int]) -> None:
        """Until a transfer is under way. Nothing may have ended by then."""
        self.machine.wait_for("bytes", look, lambda size: size >= BEGUN)
        assert [task["status"] for task in self.machine.tasks()] == ["running"]

    def kill_manager(self) -> None:
        _kill(_newest(self.machine, "serve"))
        _serve(self.machine, "--listen", self._real)

    def kill_agents(self) -> None:
        for name in HOSTS:
            _kill(_newest(self.machine, f"agent-{name}-"))
            self.machine.agent(name)

    def kill_all(self) -> None:
        _kill(_newest(self.machine, "serve"))
        self.kill_agents()
        _serve(self.machine, "--listen", self._real)


@pytest.fixture
def slow(machine: Machine) -> Iterator[Slow]:
    made = Slow(machine)
    yield made
    made.proxy.close()


def _serve(machine: Machine, *options: str) -> None:
    """Starts a manager; agents go on to dial what they dial."""
    address = machine.address
    machine.serve(*options)
    machine.address = address or machine.address


def _newest(machine: Machine, name: str) -> Program:
    return [program for program in machine.programs if program.name.startswith(name)][-1]


def _kill(program: Program) -> None:
    program.process.send_signal(signal.SIGKILL)
    program.process.wait(30)


def _bytes_in(folder: Path, name: str = "") -> int:
    """How many bytes are on the disk below a folder, in files whose names begin so."""
    found = 0
    for path in folder.rglob(f"{name}*"):
        try:
            found += path.stat().st_blocks * 512 if path.is_file() else 0
        except FileNotFoundError:  # it has just got another name
            continue
    return found


def _least_partial(machine: Machine) -> int:
    """Bytes of the partial files of the host that has least of them."""
    return min(_bytes_in(machine.disk_of(name), PARTIAL.decode()) for name in HOSTS)


KILLS = [Slow.kill_manager, Slow.kill_agents, Slow.kill_all]


@pytest.mark.parametrize("kill", KILLS)
def test_a_copy_goes_on_after_a_kill(slow: Slow, small: Path, kill: Callable[[Slow], None]) -> None:
    machine, content = slow.machine, small.read_bytes()
    task_id = slow.start("copy", "@all", str(small), f"{OF_HOST}/in/")
    slow.wait_for_bytes(lambda: _least_partial(machine))
    kill(slow)
    slow.proxy.slow = False
    rows = machine.wait_for_task(task_id, "completed")["hosts"]
    assert {(row["bytes"], row["unchanged"]) for row in rows} == {(len(content), False)}
    assert re.search(r"files are sent .* part=data from=[1-9]", machine.story())
    for name in HOSTS:
        assert read_tree(machine.disk_of(name) / "in") == {b"small.img": content}
    again = slow.start("copy", "@all", str(small), f"{OF_HOST}/in/")
    rows = machine.wait_for_task(again, "completed")["hosts"]
    assert {row["unchanged"] for row in rows} == {True}


@pytest.mark.parametrize("kill", KILLS)
def test_a_fetch_goes_on_after_a_kill(
    slow: Slow, small: Path, tmp_path: Path, kill: Callable[[Slow], None]
) -> None:
    machine = slow.machine
    contents = {name: name.encode() + small.read_bytes() for name in HOSTS}
    for name, content in contents.items():  # not the same: equal files are stored once
        (machine.disk_of(name) / "out.img").write_bytes(content)
    task_id = slow.start("fetch", "@all", f"{OF_HOST}/out.img", "not now")
    slow.wait_for_bytes(lambda: _bytes_in(machine.state_dir / "files"))
    kill(slow)
    slow.proxy.slow = False
    machine.wait_for_task(task_id, "completed")
    saved = machine.run("task", "files", str(task_id), str(tmp_path / "back"))
    assert saved.code == 0, saved
    prefix = f"{OF_HOST[1:]}/out.img".encode()
    for name, content in contents.items():
        assert read_tree(tmp_path / "back" / name) == {prefix: content}


def test_a_copy_that_is_canceled_leaves_the_old_file(slow: Slow, small: Path) -> None:
    machine = slow.machine
    for name in HOSTS:
        (machine.disk_of(name) / "small.img").write_bytes(b"old")
    task_id = slow.start("copy", "@all", str(small), f"{OF_HOST}/")
    slow.wait_for_bytes(lambda: _least_partial(machine))
    assert machine.run("task", "cancel", str(task_id)).code == 0
    machine.wait_for_task(task_id, "canceled")
    for name in HOSTS:
        assert (machine.disk_of(name) / "small.img").read_bytes() == b"old"
        assert partial_files(machine.disk_of(name)) == []


def test_a_copy_goes_on_without_the_client_that_started_it(slow: Slow, small: Path) -> None:
    machine = slow.machine
    copy = machine.start("copy", "copy", "h1", str(small), f"{OF_HOST}/in/")
    slow.wait_for_bytes(lambda: _bytes_in(machine.disk_of("h1"), PARTIAL.decode()))
    _kill(copy)
    slow.proxy.slow = False
    machine.wait_for_task(1, "completed")
    assert read_tree(machine.disk_of("h1") / "in") == {b"small.img": small.read_bytes()}


def _uploading(machine: Machine, large: Path) -> Program:
    """A client that gives a large file to the manager, or has just done so."""
    copy = machine.start("copy", "copy", "h1", str(large), f"{OF_HOST}/in/")
    machine.wait_for(
        "bytes of the upload",
        lambda: _bytes_in(machine.state_dir / "files"),
        lambda size: size > BEGUN or copy.process.poll() is not None,
    )
    return copy


def _is_copied(machine: Machine, large: Path) -> bool:
    return read_tree(machine.disk_of("h1") / "in") == {b"large.img": large.read_bytes()}


def test_an_upload_goes_on_when_the_manager_is_back(running: Machine, large: Path) -> None:
    copy = _uploading(running, large)
    _kill(_newest(running, "serve"))
    _serve(running, "--listen", running.address)
    assert copy.wait() == 0, running.story()
    assert _is_copied(running, large)


def test_without_a_manager_an_upload_ends_and_nothing_was_started(
    running: Machine, large: Path
) -> None:
    copy = _uploading(running, large)
    _kill(_newest(running, "serve"))
    assert copy.wait() == 3, running.story()
    assert "No task was made" in copy.err
    _serve(running, "--listen", running.address)
    assert running.tasks() == []
    running.wait_until_online("h1")
    done = running.run("copy", "h1", str(large), f"{OF_HOST}/in/")
    assert done.code == 0, done
    assert _is_copied(running, large)


def test_a_client_that_is_killed_while_it_uploads_leaves_no_task(
    running: Machine, large: Path
) -> None:
    copy = _uploading(running, large)
    _kill(copy)
    assert running.tasks() == []
    assert read_tree(running.disk_of("h1")) == {}
    done = running.run("copy", "h1", str(large), f"{OF_HOST}/in/")
    assert done.code == 0, done
    assert _is_copied(running, large)


def test_memory_does_not_grow_with_a_file(running: Machine, large: Path, tmp_path: Path) -> None:
    programs = [_newest(running, "serve"), _newest(running, "agent-h1-")]
    before = [_peak(program) for program in programs]
    done = running.run("copy", "h1", str(large), f"{OF_HOST}/in/")
    assert done.code == 0, done
    done = running.run("fetch", "h1", f"{OF_HOST}/in/large.img", str(tmp_path / "back"))
    assert done.code == 0, done
    grown = [_peak(program) - size for program, size in zip(programs, before, strict=True)]
    assert max(grown) < MEMORY_MAX, [size // MIB for size in grown]
    back = {f"h1{OF_HOST}/in/large.img".encode(): large.read_bytes()}
    assert read_tree(tmp_path / "back") == back


def _peak(program: Program) -> int:
    """The most memory that a program has had, in bytes."""
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024

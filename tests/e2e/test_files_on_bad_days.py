"""Files on bad days: a program is killed in the middle of a copy or a fetch, and goes on at the
byte. Memory does not grow with a file."""

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.file_trees import MIB, OF_HOST, PARTIAL, noise, partial_files, read_tree
from tests.support.processes import Machine
from tests.support.programs import Program

pytestmark = pytest.mark.long
LARGE = 160 * MIB
MEMORY_MAX = 96 * MIB  # by which a program may grow while a file passes that is larger
HOSTS = ("h1", "h2")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A large file of the operator."""
    path = tmp_path_factory.mktemp("large") / "large.img"
    piece = noise("large", MIB)
    with path.open("wb") as file:
        for number in range(LARGE // MIB):
            file.write(number.to_bytes(4, "big") + piece[4:])
    return path


def _size_of_partial(folder: Path) -> int:
    """Bytes of the files that are on their way into a folder."""
    found = 0
    for path in folder.rglob("*"):
        try:
            if PARTIAL.decode() in path.name:
                found += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return found


def _bytes_in(folder: Path) -> int:
    found = 0
    for path in folder.rglob("*"):
        try:
            found += path.stat().st_size
        except FileNotFoundError:
            continue
    return found


def _same(path: Path, other: Path) -> bool:
    with path.open("rb") as one, other.open("rb") as two:
        while piece := one.read(MIB):
            if piece != two.read(MIB):
                return False
        return not two.read(1)


def _kill(program: Program) -> None:
    program.process.send_signal(signal.SIGKILL)
    program.process.wait(30)


@pytest.fixture
def running(machine: Machine) -> Machine:
    """A manager, and two agents."""
    machine.serve()
    machine.agents(*HOSTS)
    return machine


def _serve_again(machine: Machine) -> None:
    machine.serve("--listen", machine.address)


def _agent(machine: Machine, name: str) -> Program:
    found = [one for one in machine.programs if one.name.startswith(f"agent-{name}-")]
    return found[-1]


def _serve(machine: Machine) -> Program:
    return [one for one in machine.programs if one.name.startswith("serve")][-1]


def _kill_manager(machine: Machine) -> None:
    _kill(_serve(machine))
    _serve_again(machine)


def _kill_agents(machine: Machine) -> None:
    for name in HOSTS:
        _kill(_agent(machine, name))
        machine.agent(name)


def _kill_all(machine: Machine) -> None:
    _kill(_serve(machine))
    _kill_agents(machine)
    _serve_again(machine)


KILLS = [_kill_manager, _kill_agents, _kill_all]


def _started(machine: Machine, *words: str) -> int:
    """The number of a task that runs by itself."""
    done = machine.run(*words, "--detach")
    assert done.code == 0, done
    return max(int(task["task_id"]) for task in machine.tasks())


@pytest.mark.parametrize("kill", KILLS)
def test_a_copy_goes_on_after_a_kill(
    running: Machine, large: Path, kill: Callable[[Machine], None]
) -> None:
    task_id = _started(running, "copy", "@all", str(large), f"{OF_HOST}/in/")
    running.wait_for(
        "bytes of the copy",
        lambda: [_size_of_partial(running.disk_of(name)) for name in HOSTS],
        lambda sizes: min(sizes) > 4 * MIB or running.tasks()[0]["status"] != "running",
    )
    kill(running)
    task = running.wait_for_task(task_id, "completed")
    assert {(row["bytes"], row["unchanged"]) for row in task["hosts"]} == {(LARGE, False)}
    for name in HOSTS:
        assert _same(running.disk_of(name) / "in/large.img", large)
        assert partial_files(running.disk_of(name)) == []
    again = _started(running, "copy", "@all", str(large), f"{OF_HOST}/in/")
    assert {row["unchanged"] for row in running.wait_for_task(again, "completed")["hosts"]} == {
        True
    }


@pytest.mark.parametrize("kill", KILLS)
def test_a_fetch_goes_on_after_a_kill(
    running: Machine, large: Path, tmp_path: Path, kill: Callable[[Machine], None]
) -> None:
    for number, name in enumerate(HOSTS):  # different ones, as equal ones are stored once
        path = running.disk_of(name) / "out.img"
        path.write_bytes(bytes([number]) + large.read_bytes()[1:])
    task_id = _started(running, "fetch", "@all", f"{OF_HOST}/out.img", str(tmp_path))
    incoming = running.state_dir / "files"
    running.wait_for(
        "bytes of the fetch",
        lambda: _bytes_in(incoming),
        lambda size: size > 8 * MIB or running.tasks()[0]["status"] != "running",
    )
    kill(running)
    running.wait_for_task(task_id, "completed")
    saved = running.run("task", "files", str(task_id), str(tmp_path))
    assert saved.code == 0, saved
    for name in HOSTS:
        found = tmp_path / name / OF_HOST[1:] / "out.img"
        assert _same(found, running.disk_of(name) / "out.img")


def test_an_upload_goes_on_when_the_manager_is_back(running: Machine, large: Path) -> None:
    words = ("copy", "h1", str(large), f"{OF_HOST}/in/", "--json")
    copy = running.start("copy", *words)
    _wait_for_upload(running, copy)
    _kill_manager(running)
    assert copy.wait() == 0, running.story()
    assert _same(running.disk_of("h1") / "in/large.img", large)


def test_without_a_manager_an_upload_ends_and_nothing_was_started(
    running: Machine, large: Path
) -> None:
    copy = running.start("copy", "copy", "h1", str(large), f"{OF_HOST}/in/")
    _wait_for_upload(running, copy)
    _kill(_serve(running))
    assert copy.wait() == 3, running.story()
    assert "No task was made" in copy.err
    stored = _bytes_in(running.state_dir / "files")
    _serve_again(running)
    assert running.tasks() == []
    assert stored > 0
    done = running.run("copy", "h1", str(large), f"{OF_HOST}/in/")
    assert done.code == 0, done


def _wait_for_upload(machine: Machine, copy: Program) -> None:
    files = machine.state_dir / "files"
    machine.wait_for(
        "bytes of the upload",
        lambda: _bytes_in(files),
        lambda size: size > 4 * MIB or copy.process.poll() is not None,
    )


def test_a_client_that_is_killed_while_it_uploads_leaves_no_task(
    running: Machine, large: Path
) -> None:
    copy = running.start("copy", "copy", "h1", str(large), f"{OF_HOST}/in/")
    _wait_for_upload(running, copy)
    _kill(copy)
    if not running.tasks():  # else it was faster
        assert read_tree(running.disk_of("h1")) == {}
    done = running.run("copy", "h1", str(large), f"{OF_HOST}/in/")
    assert done.code == 0, done
    assert _same(running.disk_of("h1") / "in/large.img", large)


def test_a_copy_goes_on_without_the_client_that_started_it(running: Machine, large: Path) -> None:
    copy = running.start("copy", "copy", "h1", str(large), f"{OF_HOST}/in/")
    running.wait_for("the task", running.tasks)
    _kill(copy)
    running.wait_for_task(1, "completed")
    assert _same(running.disk_of("h1") / "in/large.img", large)


def test_a_copy_that_is_canceled_leaves_the_old_file(running: Machine, large: Path) -> None:
    old = running.disk_of("h1") / "large.img"
    old.write_bytes(b"old")
    task_id = _started(running, "copy", "h1", str(large), f"{OF_HOST}/")
    running.wait_for(
        "bytes of the copy",
        lambda: _size_of_partial(running.disk_of("h1")),
        lambda size: size > MIB or running.tasks()[0]["status"] != "running",
    )
    running.run("task", "cancel", str(task_id))
    task = running.wait_for(
        "the task to end", lambda: running.task(task_id), lambda task: task["finished_at"]
    )
    if task["status"] == "canceled":
        assert old.read_bytes() == b"old"
    else:  # it was faster
        assert _same(old, large)
    assert partial_files(running.disk_of("h1")) == []


def test_memory_does_not_grow_with_a_file(running: Machine, large: Path, tmp_path: Path) -> None:
    programs = [_serve(running), _agent(running, "h1")]
    before = [_peak(program) for program in programs]
    done = running.run("copy", "h1", str(large), f"{OF_HOST}/in/")
    assert done.code == 0, done
    done = running.run("fetch", "h1", f"{OF_HOST}/in/large.img", str(tmp_path / "back"))
    assert done.code == 0, done
    grown = [_peak(program) - size for program, size in zip(programs, before, strict=True)]
    assert max(grown) < MEMORY_MAX, [size // MIB for size in grown]
    assert _same(tmp_path / "back/h1" / OF_HOST[1:] / "in/large.img", large)


def _peak(program: Program) -> int:
    """The most memory that a program has had, in bytes."""
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024

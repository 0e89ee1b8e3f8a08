"""Where the socket lies, who may open it, and what is left when a manager has gone."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.operator.recording import EVERYTHING, SPEC, RecordingOperator
from tests.support.waiting import GIVE_UP
from tui_manager.domain.errors import StorageError, UnreachableError
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client import find_manager
from tui_manager.operator.socket.client.client import connect
from tui_manager.operator.socket.server.server import serve_operator
from tui_manager.operator.socket.unix_socket import socket_path
from tui_manager.state_files import DATABASE

START = "Start one with: tui-manager serve --state-dir "


@asynccontextmanager
async def served(
    operator: Operator, state_dir: Path
) -> AsyncIterator[tuple[Operator, Callable[[], Awaitable[None]]]]:
    """A client, and a way to stop its server under it."""
    async with AsyncExitStack() as serving:
        await serving.enter_async_context(serve_operator(operator, state_dir))
        async with connect(state_dir) as client:
            yield client, serving.aclose


async def test_only_its_owner_may_open_the_socket(
    recording: RecordingOperator, state_dir: Path
) -> None:
    state_dir.mkdir(mode=0o755)
    (state_dir / "before").touch()
    async with serve_operator(recording, state_dir) as path:
        assert path == state_dir.resolve() / "operator.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
        (state_dir / "after").touch()
        assert (state_dir / "after").stat().st_mode == (state_dir / "before").stat().st_mode
    assert {item.name for item in state_dir.iterdir()} == {"before", "after"}


async def test_a_runtime_folder_that_is_too_long_as_well_is_said_to_be_so(
    recording: RecordingOperator, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(state_dir / ("run" * 40)))
    with pytest.raises(StorageError, match="too long for one"):
        async with serve_operator(recording, state_dir / ("long" * 30)):
            pass


async def test_a_long_state_path_gets_a_socket_in_the_runtime_folder(
    recording: RecordingOperator, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(state_dir.parent))
    long = state_dir / ("long" * 30)
    other = state_dir / ("long" * 31)
    assert socket_path(long) != socket_path(other)
    async with serve_operator(recording, long) as path:
        assert path == socket_path(long)
        assert path.parent == state_dir.parent / "tui-manager"
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        link = state_dir.parent / "link"
        link.symlink_to(long)
        async with connect(link) as client:
            assert await client.create_task(SPEC) == 8
    assert not path.exists()


async def test_a_runtime_folder_of_another_user_is_not_trusted(
    recording: RecordingOperator, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state_dir.parent / "tui-manager").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(state_dir.parent))
    long = state_dir / ("long" * 30)
    if os.geteuid() == 0:
        os.chown(state_dir.parent / "tui-manager", 4711, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(StorageError, match="belongs to another user"):
        async with serve_operator(recording, long):
            pass


@pytest.fixture
def long(state_dir: Path) -> Path:
    """A state folder whose path is too long for a socket."""
    folder = state_dir / ("long" * 30)
    folder.mkdir(parents=True, mode=0o700)
    return folder


@pytest.fixture
def moved(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Changes the runtime folder of this process to one beside the state folder."""

    def move(name: str) -> None:
        (state_dir.parent / name).mkdir(exist_ok=True, mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(state_dir.parent / name))

    return move


async def test_another_runtime_folder_leads_to_the_same_manager(
    recording: RecordingOperator, long: Path, moved: Callable[[str], None]
) -> None:
    moved("one")
    async with serve_operator(recording, long) as path:
        pointer = long / "operator.path"
        assert pointer.read_text() == f"{path.resolve()}\n"
        assert stat.S_IMODE(pointer.stat().st_mode) == 0o600
        moved("two")
        async with connect(long) as client:
            assert await client.create_task(SPEC) == 8
    assert list(long.iterdir()) == []
    assert list(path.parent.iterdir()) == []


async def test_what_a_killed_manager_has_left_elsewhere_is_removed(
    recording: RecordingOperator, long: Path, moved: Callable[[str], None]
) -> None:
    moved("one")
    left = socket_path(long)
    left.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(left))
    (long / "operator.path").write_text(f"{left}\n")
    with pytest.raises(UnreachableError, match="No manager runs on"):
        async with connect(long):
            pass
    moved("two")
    async with serve_operator(recording, long) as path, connect(long) as client:
        assert path != left
        assert not left.exists()
        assert await client.create_task(SPEC) == 8


async def test_a_pointer_that_is_left_in_a_short_state_folder_is_removed(
    recording: RecordingOperator, state_dir: Path
) -> None:
    state_dir.mkdir(mode=0o700)
    (state_dir / "operator.path").write_text("/nowhere/else.sock\n")
    async with serve_operator(recording, state_dir) as path, connect(state_dir) as client:
        assert path.parent == state_dir.resolve()
        assert await client.create_task(SPEC) == 8
        assert not (state_dir / "operator.path").exists()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.parent.chmod(0o755), r"others can use its folder \(mode 0755\)"),
        (lambda path: os.chown(path, 4711, -1), r"belongs to another user \(number 4711\)"),
        (lambda path: os.chown(path.parent, 4711, -1), r"its folder belongs to another user"),
        (lambda path: (path.unlink(), path.write_text("")), "it is not a socket"),
        (lambda path: (path.unlink(), path.symlink_to("/dev/null")), "it is not a socket"),
    ],
)
async def test_what_a_pointer_names_is_looked_at(
    recording: RecordingOperator,
    long: Path,
    moved: Callable[[str], None],
    spoil: Callable[[Path], object],
    why: str,
) -> None:
    if os.geteuid():
        pytest.skip("gives files to another user")
    moved("one")
    async with serve_operator(recording, long) as path:
        spoil(path)
        with pytest.raises(UnreachableError, match=f"which is not trusted: .*{why}"):
            async with connect(long):
                pass
        path.parent.chmod(0o700)


@pytest.mark.parametrize("text", ["", "\n", "\0", "operator.sock\n", "x" * 9000, "/no/such\n"])
async def test_a_pointer_that_leads_nowhere_is_no_manager(long: Path, text: str) -> None:
    (long / "operator.path").write_text(text)
    with pytest.raises(UnreachableError, match="No manager runs on"):
        async with connect(long):
            pass


async def test_who_listens_must_be_trusted(
    recording: RecordingOperator, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve_operator(recording, state_dir):
        monkeypatch.setattr(find_manager, "_peer", lambda probe: (4711,))
        with pytest.raises(UnreachableError, match="belongs to another user and is not trusted"):
            async with connect(state_dir):
                pass


def test_a_socket_path_is_used_up_to_its_limit() -> None:
    root = Path("/tmp").resolve()
    room = 103 - len(f"{root}/x/operator.sock") + 1
    assert socket_path(root / ("x" * room)).parent == root / ("x" * room)
    assert len(bytes(socket_path(root / ("x" * room)))) == 103
    assert socket_path(root / ("x" * (room + 1))).parent != root / ("x" * (room + 1))
    assert socket_path(root / ("ü" * (room // 2 + 1))).name != "operator.sock"


@pytest.mark.parametrize("name", ["with blank", "100%41", "a?b#c", "ünicode"])
async def test_any_folder_name_will_do(
    recording: RecordingOperator, state_dir: Path, name: str
) -> None:
    async with serve_operator(recording, state_dir / name) as path:
        assert path.is_socket()
        async with connect(state_dir / name) as client:
            assert await client.create_task(SPEC) == 8


async def test_a_link_to_the_state_folder_leads_to_its_manager(
    recording: RecordingOperator, state_dir: Path
) -> None:
    async with serve_operator(recording, state_dir):
        link = state_dir.parent / "link"
        link.symlink_to(state_dir)
        async with connect(link) as client:
            assert await client.create_task(SPEC) == 8


async def test_a_leftover_socket_is_no_manager_and_no_obstacle(
    recording: RecordingOperator, state_dir: Path
) -> None:
    state_dir.mkdir(mode=0o700)
    (state_dir / DATABASE).touch()
    path = socket_path(state_dir)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(UnreachableError, match=f"No manager runs on {state_dir}. {START}"):
        async with connect(state_dir):
            pass
    async with serve_operator(recording, state_dir), connect(state_dir) as client:
        assert await client.create_task(SPEC) == 8


async def test_without_a_manager_there_is_a_clear_error(state_dir: Path) -> None:
    state_dir.mkdir(mode=0o700)
    (state_dir / DATABASE).touch()
    with pytest.raises(UnreachableError, match=f"No manager runs on {state_dir}. {START}"):
        async with connect(state_dir):
            pass


@pytest.mark.parametrize("made", [False, True])
async def test_nobody_is_told_to_start_a_second_manager(state_dir: Path, made: bool) -> None:
    """A folder without a database may have been moved away from a manager that runs."""
    if made:
        state_dir.mkdir(mode=0o700)
    with pytest.raises(UnreachableError, match="If the folder was moved, put it back") as error:
        async with connect(state_dir):
            pass
    assert START not in str(error.value)


async def test_watching_ends_with_the_manager(
    recording: RecordingOperator, state_dir: Path
) -> None:
    async with served(recording, state_dir) as (client, stop):
        watcher = client.watch()
        assert await anext(watcher) == EVERYTHING
        await stop()
        with pytest.raises(UnreachableError, match=r"The manager ends\."):
            await anext(watcher)
        assert recording.watching == 0
        with pytest.raises(UnreachableError, match="has gone"):
            await client.get_task(7)


async def test_a_manager_that_comes_back_is_found_again(
    recording: RecordingOperator, state_dir: Path
) -> None:
    async with served(recording, state_dir) as (client, stop):
        await stop()
        with pytest.raises(UnreachableError):
            await client.get_task(7)
        async with serve_operator(recording, state_dir):
            await until_answered(client)


async def until_answered(client: Operator) -> None:
    """Asks again while the channel waits for its backoff, 0.1 s at first."""
    async with asyncio.timeout(GIVE_UP):
        while True:
            try:
                await client.get_task(7)
            except UnreachableError:
                await asyncio.sleep(0.02)
            else:
                return


async def test_a_file_in_the_way_is_not_removed(
    recording: RecordingOperator, state_dir: Path
) -> None:
    state_dir.mkdir(mode=0o700)
    socket_path(state_dir).write_text("mine")
    with pytest.raises(StorageError, match="cannot be made"):
        async with serve_operator(recording, state_dir):
            pass
    assert socket_path(state_dir).read_text() == "mine"

"""A copy whose agent is killed at each call of the system that changes something, and goes on."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tui_manager_agent.files.copy import file_groups, partial_file

from tests.agent.faults import broken
from tests.agent.files.copying import Copy, mode_of, read_tree

CALLS = (
    "mkdir", "rename", "link", "unlink", "fsync", "fchmod", "fchown", "ftruncate", "pwrite", "write"
)  # fmt: skip
OLD: dict[str, bytes | None] = {
    "app": None,
    "app/same": b"same",
    "app/old": b"old",
    "app/mode": b"mode",
}
NEW: dict[str, bytes | None] = {
    "app": None,
    "app/same": b"same",
    "app/old": b"new content",
    "app/mode": b"mode",
    "app/closed": None,
    "app/closed/large": bytes(range(1, 201)) * 15 + bytes(2000) + b"end",
    "app/empty": b"",
}
MODES = {"app/closed": 0o555, "app/mode": 0o600}


class KilledError(BaseException):
    """Stands for a kill: nobody catches it to go on."""


class Killer:
    """Lets so many calls that change something pass, and kills the agent before the next one."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        for name in CALLS:
            patch.setattr(os, name, self._wrap(getattr(os, name)))

    def _wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if self.left is not None:
                if not self.left:
                    raise KilledError
                self.left -= 1
            return call(*arguments, **options)

        return counted


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    monkeypatch.setattr(partial_file, "RESUMED_FROM", 100)
    monkeypatch.setattr(file_groups, "RESUMED_FROM", 100)
    monkeypatch.setattr(file_groups, "GROUP_ENTRIES", 3)
    return Killer(monkeypatch)


def _begin(folder: Path) -> tuple[Path, Copy]:
    """A host with the old files, and a copy of the new ones to it."""
    folder.mkdir()
    target = folder / "www"
    for path, content in OLD.items():
        place = target / path
        place.parent.mkdir(exist_ok=True)
        place.mkdir() if content is None else place.write_bytes(content)
    return target, Copy(folder, NEW, f"{target}/", modes=MODES, backup=True)


def _kill_until_done(copy: Copy, killer: Killer, calls: int) -> bool:
    """False if it was done before it could be killed."""
    killer.left = calls
    try:
        copy.work().run()
    except KilledError:
        return True
    finally:
        killer.left = None
    return False


def test_a_copy_goes_on_after_a_kill_anywhere(tmp_path: Path, killer: Killer) -> None:
    calls = 0
    while True:
        target, copy = _begin(tmp_path / str(calls))
        copy.source.piece = 700
        if not _kill_until_done(copy, killer, calls):
            break
        done = copy.work().run()
        backups = list(target.glob("app/old.backup-*"))
        assert [path.read_bytes() for path in backups] == [b"old"], calls
        backups[0].unlink()
        assert read_tree(target) == dict(sorted(NEW.items())), calls
        assert mode_of(target / "app" / "closed") == 0o555, calls
        assert mode_of(target / "app" / "mode") == 0o600, calls
        assert (done.files, done.unchanged_files) == (5, 1), calls
        assert done.received_bytes == 11 + 5003, calls
        calls += 1
    assert calls > 40


def test_a_copy_goes_on_after_many_kills(tmp_path: Path, killer: Killer) -> None:
    for calls in (6, 9, 14):
        target, copy = _begin(tmp_path / str(calls))
        kills = 0
        while _kill_until_done(copy, killer, calls + kills // 10):
            kills += 1
            assert kills < 1000
        assert kills > 1
        (backup,) = target.glob("app/old.backup-*")
        backup.unlink()
        assert read_tree(target) == dict(sorted(NEW.items()))


def test_a_kill_anywhere_leaves_nothing_half_and_nothing_behind(
    tmp_path: Path, killer: Killer
) -> None:
    calls = 0
    while True:
        target, copy = _begin(tmp_path / str(calls))
        if not _kill_until_done(copy, killer, calls):
            break
        for path, content in read_tree(target).items():
            if ".part" not in path and ".backup-" not in path:
                assert content in (OLD.get(path), NEW[path]), (calls, path)
        copy.stop.set()
        copy.work().discard()
        left = [path for path in read_tree(target) if ".part" in path]
        assert left == [], calls
        for closed in target.glob("app/closed"):
            assert mode_of(closed) == 0o555, calls
        calls += 1


def test_a_folder_of_the_destinations_name_is_taken_up(tmp_path: Path, killer: Killer) -> None:
    """DEST is a name when the copy begins, and a folder when it goes on."""
    calls = 0
    while True:
        folder = tmp_path / str(calls)
        folder.mkdir()
        copy = Copy(folder, NEW, f"{folder}/www", modes=MODES)
        if not _kill_until_done(copy, killer, calls):
            break
        copy.work().run()
        tree = {path.replace("app", "www", 1): content for path, content in NEW.items()}
        found = {path: content for path, content in read_tree(folder).items() if path[:3] == "www"}
        assert found == dict(sorted(tree.items())), calls
        calls += 1


def test_the_folders_of_the_destination_get_their_mode(tmp_path: Path, killer: Killer) -> None:
    calls = 0
    while True:
        folder = tmp_path / str(calls)
        folder.mkdir()
        copy = Copy(folder, {"a": b"text"}, f"{folder}/x/y/")
        if not _kill_until_done(copy, killer, calls):
            break
        copy.work().run()
        modes = (mode_of(folder / "x"), mode_of(folder / "x" / "y"))
        assert modes == (0o755, 0o755), calls
        calls += 1


def test_a_crash_of_the_host_that_kept_only_a_later_name(tmp_path: Path, killer: Killer) -> None:
    tree = {name: name.encode() * 2000 for name in ("a", "b", "c")}
    for calls in range(100):
        folder = tmp_path / str(calls)
        folder.mkdir()
        copy = Copy(folder, tree, f"{folder}/")
        assert _kill_until_done(copy, killer, calls)
        if (copy.folder / "progress").exists():
            break
    partials = {path.name.split(".")[-2]: path for path in folder.glob(".tui-manager.*")}
    os.truncate(partials["0"], 1000)
    partials["2"].rename(folder / "c")
    done = copy.work().run()
    assert (done.unchanged_files, done.received_bytes) == (0, 6000)


def test_large_files_go_on_at_the_byte(tmp_path: Path, killer: Killer) -> None:
    content = bytes(range(1, 251)) * 40
    copy = Copy(tmp_path, {"large": content}, f"{tmp_path}/large")
    assert _kill_until_done(copy, killer, 7)
    (partial,) = tmp_path.glob(".tui-manager.*.part")
    size = partial.stat().st_size
    assert 0 < size < len(content)
    assert mode_of(partial) == 0o600
    done = copy.work().run()
    assert copy.source.asked == [(size, len(content) - size)]
    assert done.received_bytes == len(content)
    assert (tmp_path / "large").read_bytes() == content


@pytest.mark.parametrize("change", ["other bytes", "longer", "shorter", "gone", "a link", "names"])
def test_a_partial_file_that_somebody_changed(tmp_path: Path, killer: Killer, change: str) -> None:
    content = bytes(range(1, 251)) * 40 + bytes(3000)
    copy = Copy(tmp_path, {"large": content, "other": b"x" * 200}, f"{tmp_path}/")
    assert _kill_until_done(copy, killer, 7)
    (partial,) = tmp_path.glob(".tui-manager.*.part")
    victim = tmp_path / "victim"
    victim.write_bytes(b"v" * 500)
    if change == "other bytes":
        partial.write_bytes(b"x" * 12_500)
    elif change == "longer":
        partial.write_bytes(partial.read_bytes() + b"x" * 20_000)
    elif change == "shorter":
        os.truncate(partial, 300)
    else:
        partial.unlink()
        if change == "a link":
            partial.symlink_to(victim)
        elif change == "names":
            partial.hardlink_to(victim)
    done = copy.work().run()
    assert (tmp_path / "large").read_bytes() == content
    assert victim.read_bytes() == b"v" * 500
    assert (done.files, done.bytes) == (2, 13_200)
    assert list(tmp_path.glob(".tui-manager.*")) == []


def test_a_partial_file_of_another_copy_stays(tmp_path: Path) -> None:
    first, second = (Copy(tmp_path, {"a": b"text"}, f"{tmp_path}/a") for _ in range(2))
    left = tmp_path / f".tui-manager.{first.execution_id}.0.part"
    left.write_bytes(b"te")
    work = second.work()
    work.run()
    work.discard()
    second.work().discard()
    assert left.read_bytes() == b"te"
    first.work().discard()
    assert not left.exists()


def test_a_discard_of_what_never_ran(tmp_path: Path) -> None:
    Copy(tmp_path, {"a": b"text"}, f"{tmp_path}/a").work().discard()
    Copy(tmp_path, {"a": b"text"}, "relative").work().discard()
    copy = Copy(tmp_path, {"a": b"text"}, f"{tmp_path}/a")
    (copy.folder / "manifest").unlink()
    copy.work().discard()
    copy.state.rename(tmp_path / "moved away")
    with pytest.raises(FileNotFoundError):
        copy.work().discard()
    assert not (tmp_path / "a").exists()


def test_a_partial_file_that_cannot_be_removed_is_named(
    tmp_path: Path, killer: Killer, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Copy(tmp_path, {"a": b"text", "b": b"text"}, f"{tmp_path}/")
    assert _kill_until_done(copy, killer, 8)
    partials = list(tmp_path.glob(".tui-manager.*"))
    assert len(partials) == 2
    with monkeypatch.context() as disk:
        disk.setattr(os, "unlink", broken)
        with pytest.raises(OSError, match=r"Input/output error: '/.*\.1\.part'"):
            copy.work().discard()
    copy.work().discard()
    assert list(tmp_path.glob(".tui-manager.*")) == []

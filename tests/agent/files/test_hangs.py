"""A copy that was given up because a call of the system did not return, and then it returns."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tui_manager_agent.files.copy import file_groups, partial_file
from tui_manager_agent.files.transfer_work import StoppedError, TransferError

from tests.agent.files.copying import Copy
from tests.agent.files.test_kills import MODES, NEW, OLD

# Not fstat: mode and owner of one file, which is open, are one step.
CALLS = (
    "stat", "open", "dup", "mkdir", "rename", "link", "unlink", "fsync", "fchmod",
    "ftruncate", "pwrite",
)  # fmt: skip


class Hanging:
    """Lets so many calls pass; the next one returns only when the transfer has its result."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self.give_up: Callable[[], None] | None = None
        for name in CALLS:
            patch.setattr(os, name, self._wrap(getattr(os, name)))

    def _wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if self.give_up is None:
                return call(*arguments, **options)
            if self.left:
                self.left -= 1
                return call(*arguments, **options)
            give_up, self.give_up = self.give_up, None
            try:
                return call(*arguments, **options)
            finally:
                give_up()

        return counted


def named(folder: Path) -> dict[str, tuple[int, bytes]]:
    """The files that have their names, with mode and content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".part"
    }


def copy_that_hangs(base: Path, hanging: Hanging, count: int) -> bool:
    """Whether it has so many calls. The next one returns when the copy has its result, which
    empties the execution's folder."""
    target = base / "target"
    Copy(base / "old", OLD, f"{target}/").work().run()
    copy = Copy(base, NEW, f"{target}/", modes=MODES, backup=True)
    then: dict[str, tuple[int, bytes]] = {}

    def give_up() -> None:
        copy.stop.set()
        shutil.rmtree(copy.folder)
        then.update(named(target))

    work = copy.work()
    hanging.left, hanging.give_up = count, give_up
    with suppress(StoppedError, TransferError, OSError):
        work.run()
    if not then:  # it ended before
        return False
    assert named(target) == then
    with suppress(FileNotFoundError):  # of the execution's folder
        work.discard()
    assert list(target.rglob("*.part")) == []
    return True


def test_nothing_is_changed_behind_the_call_that_hung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial_file, "RESUMED_FROM", 100)
    monkeypatch.setattr(file_groups, "GROUP_ENTRIES", 2)
    hanging = Hanging(monkeypatch)
    count = 0
    while copy_that_hangs(tmp_path / str(count), hanging, count):
        count += 1
    assert count > 100

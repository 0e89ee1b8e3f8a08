"""Labs for tests. Where a machine cannot make one, its tests skip and say why."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.lab.disks import HostPlan
from tests.lab.lab import Lab, running_lab
from tests.lab.prepare import missing
from tests.support.programs.built_bundles import built_bundle, release_key

MakeLab = Callable[[Sequence[HostPlan]], Lab]


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[MakeLab]:
    """Starts a lab with these hosts, which ends with the test."""
    if reason := _missing():
        pytest.skip(reason)
    with ExitStack() as labs:
        yield lambda planned: labs.enter_context(running_lab(tmp_path / "lab", planned))


@cache
def _missing() -> str:
    return missing()


def give_bundle(lab: Lab) -> None:
    """Puts the key and the bundle of the tests where the operator's commands look for their own."""
    bundle, key = built_bundle(), release_key()
    machine = lab.operator
    places = "config/tui-manager", "cache/tui-manager/bundles", "cache/tui-manager"
    for source, name in zip((key.path, bundle.path, bundle.path), places, strict=True):
        place = machine.folder / name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)

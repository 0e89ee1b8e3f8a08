"""The wheels and source archives of the sources, built once for the tests of a process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIME = "1700000000"  # of the sources, in seconds; everything that is built gets it


def run_tool(*command: str | Path) -> str:
    """Runs a program of `tools/` and returns what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": TIME},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what `make dist` builds."""
    folder = tmp_path_factory.mktemp("dist")
    run_tool("tools/make_dist.py", folder)
    return folder

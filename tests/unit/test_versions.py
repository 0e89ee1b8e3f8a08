"""The three distributions have one version, and each needs exactly that of the others."""

import re
import tomllib
from pathlib import Path

import pytest
import tui_manager_agent
import tui_manager_protos

import tui_manager

ROOT = Path(__file__).parents[2]
VERSION = tui_manager_protos.__version__


def test_all_have_the_same_version() -> None:
    assert tui_manager.__version__ == tui_manager_agent.__version__ == VERSION


@pytest.mark.parametrize(("file", "count"), [("pyproject.toml", 3), ("agent/pyproject.toml", 1)])
def test_a_requirement_of_ours_is_exact(file: str, count: int) -> None:
    """Otherwise an update of one alone fails with an ImportError."""
    project = tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    ours = [line for lines in lists for line in lines if line.startswith("tui-manager-")]
    assert len(ours) == count
    for line in ours:
        assert re.fullmatch(rf"tui-manager-(protos|agent)=={re.escape(VERSION)}", line)

"""Where the agent finds that it runs from."""

from pathlib import Path

import pytest
from tui_manager_agent import __version__, installation


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a bundle with two versions."""
    root = tmp_path / "agent"
    for name in ("0.2.0-0123456789ab", "0.3.0-ba9876543210"):
        (root / "versions" / name / "bin").mkdir(parents=True)
    (root / "current").symlink_to("versions/0.2.0-0123456789ab")
    return root


@pytest.mark.parametrize("prefix", ["versions/0.2.0-0123456789ab", "current", "current/bin"])
def test_a_bundle(root: Path, prefix: str) -> None:
    found = installation.find(str(root / prefix))
    assert (found.installed_by, found.root) == ("bundle", root)
    assert (found.name, found.build) == ("0.2.0-0123456789ab", "0123456789ab")
    assert found.version == __version__


def test_the_version_that_runs_need_not_be_the_current_one(root: Path) -> None:
    found = installation.find(str(root / "versions/0.3.0-ba9876543210"))
    assert (found.root, found.build) == (root, "ba9876543210")


def test_a_folder_of_versions_without_a_current_one_is_no_bundle(root: Path) -> None:
    (root / "current").unlink()
    assert installation.find(str(root / "versions/0.3.0-ba9876543210")).installed_by == ""


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_a_package(tmp_path: Path, kind: str) -> None:
    (tmp_path / "lib/python").mkdir(parents=True)
    (tmp_path / "lib/packaged").write_text(f"{kind}\n")
    for prefix in ("lib", "lib/python"):
        found = installation.find(str(tmp_path / prefix))
        assert (found.installed_by, found.root, found.build) == (kind, None, "")


def test_anything_else(tmp_path: Path) -> None:
    (tmp_path / "packaged").write_text("flatpak\n")
    assert installation.find(str(tmp_path)) == installation.Installation()
    assert installation.find().installed_by == ""  # the environment of the tests

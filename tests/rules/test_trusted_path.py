"""Whom a path is trusted to, part by part."""

import os
from pathlib import Path

import pytest
from tui_manager_protos.rules.files.trusted_path import UntrustedPathError, trusted_path

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
STRANGER = 4711


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (tmp_path / "a").chmod(0o755)
    folder.chmod(0o755)
    return tmp_path


def refused(path: Path, *, user: int | None = None) -> str:
    with pytest.raises(UntrustedPathError) as error:
        trusted_path(path, user=user)
    return str(error.value)


def test_a_path_of_ones_own_is_trusted(root: Path) -> None:
    assert trusted_path(root / "a" / "b") == root / "a" / "b"


def test_what_does_not_exist_yet_is_as_good_as_what_it_would_lie_in(root: Path) -> None:
    assert trusted_path(root / "a" / "new" / "state") == root / "a" / "new" / "state"
    (root / "a").chmod(0o777)
    assert f"{root}/a can be written by anybody" in refused(root / "a" / "new" / "state")


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (0o777, "can be written by anybody; take that away: chmod go-w "),
        (0o757, "can be written by anybody; take that away: chmod o-w "),
    ],
)
def test_every_part_counts(root: Path, mode: int, words: str) -> None:
    (root / "a").chmod(mode)
    os.chown(root / "a", -1, STRANGER) if os.geteuid() == 0 else None
    said = refused(root / "a" / "b")
    assert said.startswith(f"{root}/a {words}")


def test_a_sticky_folder_is_accepted(root: Path) -> None:
    (root / "a").chmod(0o1777)
    assert trusted_path(root / "a" / "b") == root / "a" / "b"


@as_root
def test_a_group_that_can_write_is_named(root: Path) -> None:
    (root / "a").chmod(0o775)
    os.chown(root / "a", 0, STRANGER)
    assert f"{root}/a can be written by the group {STRANGER}" in refused(root / "a" / "b")


@as_root
@pytest.mark.parametrize("part", ["a", "a/b"])
def test_a_part_of_somebody_else_is_not_trusted(root: Path, part: str) -> None:
    os.chown(root / part, STRANGER, -1)
    said = refused(root / "a" / "b")
    assert f"{root}/{part} belongs to the user with number {STRANGER}" in said
    assert trusted_path(root / "a" / "b", user=STRANGER) == root / "a" / "b"


def test_links_are_resolved(root: Path) -> None:
    (root / "link").symlink_to("a/b")
    (root / "round").symlink_to(root / "a" / ".." / "link")
    assert trusted_path(root / "round" / "state") == root / "a" / "b" / "state"


def test_the_folder_of_a_link_in_the_middle_counts(root: Path) -> None:
    middle = root / "middle"
    middle.mkdir()
    (middle / "link").symlink_to(root / "a")
    (root / "first").symlink_to(middle / "link" / "b")
    assert trusted_path(root / "first") == root / "a" / "b"
    middle.chmod(0o777)
    assert f"{middle} can be written by anybody" in refused(root / "first")


@as_root
def test_a_link_of_somebody_else_in_a_sticky_folder_is_not_followed(root: Path) -> None:
    (root / "a").chmod(0o1777)
    (root / "a" / "link").symlink_to(root / "a" / "b")
    os.chown(root / "a" / "link", STRANGER, -1, follow_symlinks=False)
    assert f"{root}/a/link belongs to" in refused(root / "a" / "link")


def test_links_in_a_circle_end(root: Path) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    with pytest.raises(OSError, match="symbolic links"):
        trusted_path(root / "one")

"""The manager's state folder is its user's alone."""

import os
import stat
from pathlib import Path

import pytest

from tui_manager.domain.errors import AlreadyRunningError, StorageError
from tui_manager.state_dir import check_manager, hold, note_database, refuse_wrong_database
from tui_manager.state_files import DATABASE, has_database


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_private_with_all_above_it_that_is_missing(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with hold(tmp_path / "a" / "b"):
            assert [mode(path) for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700] * 2
            assert mode(tmp_path / "a" / "b" / "manager.lock") == 0o600
    finally:
        os.umask(before)


@pytest.mark.parametrize("bits", [0o755, 0o775, 0o701])
def test_one_that_others_can_read_is_closed(tmp_path: Path, bits: int) -> None:
    (tmp_path / "manager.lock").touch()
    (tmp_path / "manager.lock").chmod(0o644)
    tmp_path.chmod(bits)
    with hold(tmp_path):
        assert mode(tmp_path) == 0o700
        assert mode(tmp_path / "manager.lock") == 0o600


@pytest.mark.parametrize(
    ("bits", "words"), [(0o777, "by anybody.*chmod go-w"), (0o1777, "mode 1777.*chmod 700")]
)
def test_one_where_anybody_can_write_is_refused_and_left_alone(
    tmp_path: Path, bits: int, words: str
) -> None:
    tmp_path.chmod(bits)
    with pytest.raises(StorageError, match=words), hold(tmp_path):
        pass
    assert mode(tmp_path) == bits
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away")
def test_one_of_another_user_is_refused_and_left_alone(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, -1)
    refused = pytest.raises(StorageError, match=r"belongs to nobody.*chown 0")
    with refused, hold(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away")
def test_one_in_a_folder_of_another_user_is_refused_and_not_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 4711, -1)
    refused = pytest.raises(StorageError, match=rf"{home} belongs to .*chown 0 {home}")
    with refused, hold(home / ".local" / "state"):
        pass
    assert list(home.iterdir()) == []


def test_one_behind_a_link_is_used_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with hold(tmp_path / "link"):
        assert mode(tmp_path / "real") == 0o700


def test_two_managers_do_not_share_one(tmp_path: Path) -> None:
    with (
        hold(tmp_path),
        pytest.raises(AlreadyRunningError, match=str(os.getpid())),
        hold(tmp_path),
    ):
        pass


URL = "postgresql://tui:s3cret@db1/tui"


def test_a_manager_with_a_file_does_not_begin_anew_in_postgresql(tmp_path: Path) -> None:
    refuse_wrong_database(tmp_path, "")
    refuse_wrong_database(tmp_path, URL)
    (tmp_path / DATABASE).touch()
    refuse_wrong_database(tmp_path, "")
    with pytest.raises(StorageError, match="database migrate --from"):
        refuse_wrong_database(tmp_path, URL)


def test_a_manager_in_postgresql_does_not_begin_anew_with_a_file(tmp_path: Path) -> None:
    assert not has_database(tmp_path)
    note_database(tmp_path, URL, "id1")
    assert has_database(tmp_path)
    refuse_wrong_database(tmp_path, URL)
    (tmp_path / DATABASE).touch()  # it was migrated
    refuse_wrong_database(tmp_path, URL)
    with pytest.raises(StorageError, match="TUI_MANAGER_DATABASE") as error:
        refuse_wrong_database(tmp_path, "")
    noted = tmp_path / "postgresql"
    assert str(noted) in str(error.value)
    assert noted.read_text() == "postgresql://tui:***@db1/tui\nid1\n"
    assert mode(noted) == 0o600
    note_database(tmp_path, "postgresql://db2/tui", "id1")
    assert noted.read_text() == "postgresql://db2/tui\nid1\n"
    noted.unlink()
    refuse_wrong_database(tmp_path, "")


def test_a_manager_does_not_go_on_with_the_database_of_another_one(tmp_path: Path) -> None:
    check_manager(tmp_path, "")
    check_manager(tmp_path, "id1")
    note_database(tmp_path, URL, "id1")
    check_manager(tmp_path, "id1")
    with pytest.raises(StorageError, match=r"is another manager's, and .* in postgresql://tui:"):
        check_manager(tmp_path, "id2")
    with pytest.raises(StorageError, match=r"is empty.*remove .*postgresql first"):
        check_manager(tmp_path, "")

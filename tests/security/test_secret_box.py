"""Secrets of commands, sealed."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.errors import StorageError
from tui_manager.security.key_store import FolderKeys
from tui_manager.security.secret_box import SecretBox


def box_of(folder: Path) -> SecretBox:
    """With the key that is kept in a folder."""
    return SecretBox(FolderKeys(folder).secrets_key())


def test_what_was_sealed_opens_with_the_same_key_and_context(tmp_path: Path) -> None:
    sealed = box_of(tmp_path / "security").seal("hunter2 ☃", "command 7 PASSWORD")
    assert b"hunter2" not in sealed
    again = box_of(tmp_path / "security")
    assert again.unseal(sealed, "command 7 PASSWORD") == "hunter2 ☃"
    key = tmp_path / "security" / "secrets.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


def test_the_same_value_never_looks_the_same(tmp_path: Path) -> None:
    box = box_of(tmp_path)
    assert box.seal("a", "b") != box.seal("a", "b")


def test_nothing_else_opens_it(tmp_path: Path) -> None:
    box, other = box_of(tmp_path / "one"), box_of(tmp_path / "other")
    sealed = box.seal("hunter2", "command 7 PASSWORD")
    with pytest.raises(StorageError, match="cannot be opened"):
        box.unseal(sealed, "command 8 PASSWORD")
    with pytest.raises(StorageError, match="cannot be opened"):
        other.unseal(sealed, "command 7 PASSWORD")


@given(position=st.integers(0, 34), bit=st.integers(0, 7), cut=st.integers(0, 35))
def test_a_damaged_one_does_not_open(
    tmp_path_factory: pytest.TempPathFactory, position: int, bit: int, cut: int
) -> None:
    box = box_of(tmp_path_factory.getbasetemp() / "damaged")
    sealed = bytearray(box.seal("hunter2", "here"))
    assert len(sealed) == 35
    for damaged in (bytes(sealed[:cut]) if cut < 35 else b"", _flipped(sealed, position, bit)):
        with pytest.raises(StorageError, match="cannot be opened"):
            box.unseal(damaged, "here")


def _flipped(data: bytearray, position: int, bit: int) -> bytes:
    data[position] ^= 1 << bit
    return bytes(data)


def test_a_damaged_or_open_key_is_not_used(tmp_path: Path) -> None:
    box_of(tmp_path)
    key = tmp_path / "secrets.key"
    key.chmod(0o644)
    with pytest.raises(StorageError, match="chmod 600"):
        box_of(tmp_path)
    key.chmod(0o600)
    key.write_bytes(b"short")
    with pytest.raises(StorageError, match="damaged: it has 5 bytes"):
        box_of(tmp_path)

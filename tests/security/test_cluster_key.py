"""`cluster.key`: what is in it, and what is refused."""

import os
import stat
from pathlib import Path
from uuid import uuid4

import pytest

from tui_manager.domain.errors import StorageError
from tui_manager.security.cluster_key import (
    CLUSTER_KEY,
    ClusterKey,
    make_cluster_key,
    read_cluster_key,
    refuse_other_keys,
)
from tui_manager.security.key_store import AUTHORITY_CERTIFICATE, AUTHORITY_KEY, FolderKeys
from tui_manager.security.private_files import write_private

MANAGER = str(uuid4())


def make(state: Path, *, authority: bool = True, secrets: bool = True) -> ClusterKey:
    """A new one of a manager that has its state there, not yet written."""
    kept = FolderKeys(state / "security")
    path = state / CLUSTER_KEY
    return make_cluster_key(path, kept, MANAGER, authority=authority, secrets=secrets)


def written(state: Path, *, authority: bool = True) -> Path:
    """The file, in a state folder of its own."""
    state.mkdir(exist_ok=True)
    made = make(state, authority=authority)
    write_private(made.path, made.to_bytes())
    return made.path


def read(path: Path) -> ClusterKey:
    found = read_cluster_key(path, path.parent / "security")
    assert found
    return found


@pytest.mark.parametrize("authority", [True, False])
def test_what_was_written_is_read(tmp_path: Path, authority: bool) -> None:
    path = written(tmp_path, authority=authority)
    found, again = read(path), read(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (found.manager_id, found.folder) == (MANAGER, tmp_path / "security")
    assert (found.authority is not None) == authority
    assert found.fingerprint == again.fingerprint
    assert found.to_bytes() == path.read_bytes()
    assert path.read_text().startswith(f"tui-manager cluster key, format 1, of manager {MANAGER}\n")


def test_there_is_none(tmp_path: Path) -> None:
    assert read_cluster_key(tmp_path / CLUSTER_KEY, tmp_path) is None


def test_the_fingerprint_is_another_for_each_key_and_tells_no_secret(tmp_path: Path) -> None:
    path = written(tmp_path)
    found = read(path)
    fresh = make(tmp_path)
    others = [
        ClusterKey(path, found.folder, MANAGER, fresh.secrets, found.enrollment, found.authority),
        ClusterKey(path, found.folder, MANAGER, found.secrets, fresh.enrollment, found.authority),
        ClusterKey(path, found.folder, MANAGER, found.secrets, found.enrollment, fresh.authority),
        ClusterKey(path, found.folder, MANAGER, found.secrets, found.enrollment, None),
        ClusterKey(path, found.folder, "m2", found.secrets, found.enrollment, found.authority),
    ]
    assert len({found.fingerprint, *(each.fingerprint for each in others)}) == 6
    assert found.fingerprint not in path.read_text()


def test_it_is_made_of_the_keys_that_the_folder_has(tmp_path: Path) -> None:
    kept = FolderKeys(tmp_path / "security")
    authority, secrets = kept.authority_key(), kept.secrets_key()
    made = make(tmp_path)
    assert made.authority_key().public_key() == authority.public_key()
    assert made.secrets_key() == secrets
    assert {file.name for file in kept.folder.iterdir()} == {"authority.key", "secrets.key"}
    assert make(tmp_path, secrets=False).secrets_key() != secrets
    with pytest.raises(StorageError, match="authority_certificate and authority_key"):
        make(tmp_path, authority=False).authority_key()


def test_it_is_not_made_if_the_folder_has_lost_its_authority(tmp_path: Path) -> None:
    kept = FolderKeys(tmp_path / "security")
    kept.authority_key()
    (kept.folder / AUTHORITY_KEY).rename(kept.folder / AUTHORITY_CERTIFICATE)
    with pytest.raises(StorageError, match=r"authority\.key, is missing"):
        make(tmp_path)


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.chmod(0o640)
    with pytest.raises(StorageError, match=r"mode 0640.*chmod 600"):
        read(path)


def test_a_link_and_what_is_no_file_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    link = tmp_path / "other" / CLUSTER_KEY
    link.parent.mkdir()
    link.symlink_to(path)
    with pytest.raises(StorageError, match="is a link, or no regular file"):
        read(link)
    link.unlink()
    os.mkfifo(link, 0o600)
    with pytest.raises(StorageError, match="is a link, or no regular file"):
        read(link)
    link.unlink()
    link.mkdir()
    with pytest.raises(StorageError, match="is a link, or no regular file"):
        read(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_one_of_another_user_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    os.chown(path, 12345, -1)
    with pytest.raises(StorageError, match="belongs to another user"):
        read(path)


def test_one_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    write_private(path, path.read_bytes().replace(b"format 1,", b"format 2,"))
    with pytest.raises(StorageError, match=r"newer tui-manager \(format 2; this program knows 1"):
        read(path)


@pytest.mark.parametrize("lost", range(8))
def test_a_part_of_it_is_refused(tmp_path: Path, lost: int) -> None:
    path = written(tmp_path, authority=False)
    whole = path.read_bytes()
    cut = len(whole) * lost // 8
    write_private(path, whole[:cut])
    with pytest.raises(StorageError, match="is damaged"):
        read(path)


def test_a_changed_one_is_refused_or_has_another_fingerprint(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole, known = path.read_bytes(), read(path).fingerprint
    refused = 0
    for position in range(whole.index(b"-----BEGIN"), len(whole), 5):
        changed = bytearray(whole)
        changed[position] ^= 2
        write_private(path, bytes(changed))
        try:
            found = read(path)
        except StorageError:
            refused += 1
        else:  # some bits of base64 and of PKCS #8 mean nothing
            assert found.fingerprint != known or found.to_bytes() == whole
    assert refused > 50


def test_line_ends_of_another_system_do_not_matter(tmp_path: Path) -> None:
    path = written(tmp_path)
    known = read(path).fingerprint
    write_private(path, path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(path).fingerprint == known


def test_a_folder_with_keys_of_another_manager_is_not_passed_over(tmp_path: Path) -> None:
    found = read(written(tmp_path))
    refuse_other_keys(found)
    (tmp_path / "security").mkdir()
    (tmp_path / "security" / AUTHORITY_CERTIFICATE).write_bytes(b"of this manager")
    refuse_other_keys(found)
    (tmp_path / "security" / AUTHORITY_CERTIFICATE).unlink()
    FolderKeys(tmp_path / "security").authority_key()
    with pytest.raises(StorageError, match=r"another authority\.key than .*cluster\.key"):
        refuse_other_keys(found)

"""`tui-manager agent bundle`: the file it makes, and what it says when it can make none."""

import errno
import os
import re
import tempfile
from pathlib import Path

import pytest

from tests.support.programs.built_bundles import built_bundle, compressed_fast, release_key
from tests.support.programs.bundles import new_key, public
from tui_manager.agent_bundle import build_bundle
from tui_manager.agent_bundle.opened_bundle import open_bundle
from tui_manager.cli.main import main


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the operator's configuration, which does not exist yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config/tui-manager"


def test_it_makes_the_same_file_again_and_says_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = built_bundle()
    file = tmp_path / "agent.bundle"
    file.write_text("an older file")
    with compressed_fast():
        assert main(["agent", "bundle", str(file), "--key", str(release_key().path)]) == 0
    assert file.read_bytes() == before.path.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["agent.bundle"]
    said = capsys.readouterr().out
    assert f"tui-manager-agent 0.2.0, build {before.manifest.build}, for linux" in said
    assert f"signed with {release_key().public}\n" in said


def test_the_first_one_makes_a_key_that_only_its_owner_can_read(
    tmp_path: Path,
    configuration: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trusted = []

    def record(file: Path, key: object, trust: list[str]) -> object:
        trusted.append((public_of(key), trust))
        file.write_bytes(built_bundle().path.read_bytes())
        return built_bundle().manifest

    def public_of(key: object) -> str:
        return str(getattr(key, "public", ""))

    monkeypatch.setattr("tui_manager.cli.commands.hosts.agent_bundle.build_bundle", record)
    other = public(new_key())
    file = tmp_path / "agent.bundle"
    assert main(["agent", "bundle", str(file), "--trust", other]) == 0
    assert "made the key" in capsys.readouterr().err
    assert (configuration / "release.key").stat().st_mode & 0o777 == 0o600
    assert main(["agent", "bundle", str(file)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert trusted == [(trusted[0][0], [other]), (trusted[0][0], [])]
    assert f"signed with {trusted[0][0]}" in out


@pytest.mark.parametrize("arguments", [["--trust", "ed25519:AAAA"], ["--key", "none"]])
def test_a_key_that_cannot_be_used_is_wrong_usage(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agent", "bundle", str(tmp_path / "file"), *arguments]) == 2
    assert re.search("is no public key|There is no key none", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_others_can_read_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    key.write_bytes(release_key().path.read_bytes())
    key.chmod(0o644)
    assert main(["agent", "bundle", str(tmp_path / "file"), "--key", str(key)]) == 1
    assert "Other users can get at" in capsys.readouterr().err


def test_a_key_that_others_can_replace_is_not_used(
    tmp_path: Path, configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration.mkdir(parents=True)
    configuration.chmod(0o777)
    assert main(["agent", "bundle", str(tmp_path / "file")]) == 1
    assert "can be written by anybody" in capsys.readouterr().err
    key = tmp_path / "key"
    key.symlink_to(configuration / "release.key")
    assert main(["agent", "bundle", str(tmp_path / "file"), "--key", str(key)]) == 1
    assert "cannot be trusted: " in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_noticed_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (tmp_path, tmp_path / "none/file"):
        assert main(["agent", "bundle", str(file)]) == 4
        assert "is a folder, or its folder does not exist" in capsys.readouterr().err


def test_a_full_disk_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The draft is on a device that is always full, and the contents are small."""
    contents = b"x" * 1_000_000

    def write_to_full(file: Path, *rest: object) -> None:
        (tmp_path / f".{file.name}.{os.getpid()}.partial").symlink_to("/dev/full")
        write(file, *rest)  # type: ignore[arg-type]

    write = build_bundle._write
    monkeypatch.setattr(build_bundle, "_stage", lambda *_: (2, 17))
    monkeypatch.setattr(build_bundle, "_try_out", lambda *_: None)
    monkeypatch.setattr(
        build_bundle, "_about", lambda *_: {**ABOUT, "distributions": contents.hex()}
    )
    monkeypatch.setattr(build_bundle, "_COMPRESSION", 0)
    monkeypatch.setattr(build_bundle, "_write", write_to_full)
    file = tmp_path / "agent.bundle"
    killed = tmp_path / f".agent.bundle.{2**22 + 1}.partial"  # a pid that no process has
    killed.write_text("left by a killed process")
    assert main(["agent", "bundle", str(file)]) == 4
    assert "agent.bundle cannot be made: No space left on device" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


def test_a_folder_for_temporary_files_that_is_full_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(source: str, copied: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(copied))

    monkeypatch.setattr("shutil.copyfile", fail)
    assert main(["agent", "bundle", str(tmp_path / "agent.bundle")]) == 4
    said = capsys.readouterr().err
    assert f"No space left on device in {tempfile.gettempdir()}. A bundle needs 150 MB" in said
    assert not (tmp_path / "agent.bundle").exists()


ABOUT = {
    "version": "0.2.0",
    "system": "linux",
    "arch": "x86_64",
    "libc": "glibc 2.17",
    "python": "3.11.7",
}


def test_a_bundle_can_be_opened() -> None:
    bundle = open_bundle(built_bundle().path)
    assert bundle.signers == (release_key().public,)
    assert bundle.manifest.size < 40_000_000

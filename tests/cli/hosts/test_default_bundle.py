"""The bundle that is kept: made once, made again when something in it has changed."""

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.programs.bundles import small_bundle
from tui_manager.agent_bundle import build_bundle, default_bundle, source_files
from tui_manager.agent_bundle.problems import CannotBuildError, NotWrittenError
from tui_manager.agent_bundle.shared_libraries import needed_libraries
from tui_manager.agent_bundle.signing_key import SigningKey, load_or_make_key
from tui_manager.agent_bundle.source_files import SourceFile, Sources, find_sources
from tui_manager.cli.commands.hosts import agent_bundle


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    """Signs the bundles of a test."""
    return load_or_make_key(tmp_path / "key")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """What is installed: one file."""
    file = tmp_path / "agent.py"
    file.write_text("")
    made = Sources(
        (SourceFile("lib/agent.py", file),), (("tui-manager-agent", "0.2.0"), ("x", "1"))
    )
    monkeypatch.setattr(default_bundle, "find_sources", lambda: made)
    return made


@pytest.fixture
def built(key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The bundles that were made, one after another."""
    made: list[Path] = []

    def record(file: Path, _: SigningKey, trust: Sequence[str] = ()) -> None:
        made.append(file)
        file.write_bytes(small_bundle([key.private]))

    monkeypatch.setattr(build_bundle, "build_bundle", record)
    return made


def test_it_is_made_once(
    tmp_path: Path, key: SigningKey, sources: Sources, built: list[Path]
) -> None:
    folder = tmp_path / "cache/tui-manager"
    first = default_bundle.default_bundle(folder, key)
    assert default_bundle.default_bundle(folder, key) == first
    assert built == [first.path]


def test_a_bundle_is_said_to_be_made_only_if_it_is(
    tmp_path: Path,
    key: SigningKey,
    sources: Sources,
    built: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also if there is one of an earlier version."""
    monkeypatch.setattr(agent_bundle, "signing_key", lambda _: key)
    monkeypatch.setattr(agent_bundle, "user_cache_path", lambda _: tmp_path)
    for number in range(1, 3):
        sources.files[0].source.write_text("x = 1\n" * number)
        made = agent_bundle.own_bundle()
        words = "tui-manager: a bundle of the agent is made, once; this takes about half a minute\n"
        assert capsys.readouterr().err == words
        assert agent_bundle.own_bundle() == made
        assert capsys.readouterr().err == ""


def test_it_is_made_again_when_a_file_or_the_key_is_another_one(
    tmp_path: Path, key: SigningKey, sources: Sources, built: list[Path]
) -> None:
    folder = tmp_path / "cache"
    default_bundle.default_bundle(folder, key)
    sources.files[0].source.write_text("x = 1\n")
    default_bundle.default_bundle(folder, key)
    default_bundle.default_bundle(folder, load_or_make_key(tmp_path / "other"))
    assert len(set(built)) == 3


def test_a_damaged_one_is_made_again(
    tmp_path: Path, key: SigningKey, sources: Sources, built: list[Path]
) -> None:
    path = default_bundle.default_bundle(tmp_path / "cache", key).path
    path.write_bytes(path.read_bytes()[:-1])
    assert default_bundle.default_bundle(tmp_path / "cache", key).path == path
    assert built == [path, path]


def test_the_three_newest_are_kept(
    tmp_path: Path, key: SigningKey, sources: Sources, built: list[Path]
) -> None:
    folder = tmp_path / "cache"
    for number in range(5):
        sources.files[0].source.write_text("#" * number)
        path = default_bundle.default_bundle(folder, key).path
        os.utime(path, (number, number))
    assert sorted(folder.iterdir()) == sorted(built[-3:])


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, key: SigningKey, sources: Sources, built: list[Path]
) -> None:
    folder = tmp_path / "file/cache"
    folder.parent.write_text("")
    with pytest.raises(NotWrittenError, match=r"file/cache cannot be written: Not a directory\."):
        default_bundle.default_bundle(folder, key)


def test_a_file_of_another_python_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/none")
    with pytest.raises(CannotBuildError, match="no Python with its library in /none"):
        find_sources()


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_files, "AGENT", "no-such-package")
    with pytest.raises(CannotBuildError, match=r"no-such-package is not installed here"):
        find_sources()


def test_another_system_makes_no_bundle(
    tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    with pytest.raises(CannotBuildError, match="on Linux with glibc"):
        build_bundle.build_bundle(tmp_path / "file", key)


def test_the_sources_are_the_agent_and_what_it_needs_alone() -> None:
    found = find_sources()
    names = {name for name, _ in found.distributions}
    assert {"tui-manager-agent", "tui-manager-protos", "grpcio", "psutil"} <= names
    assert names.isdisjoint(("tui-manager", "textual", "pip", "pytest", "pycparser"))
    paths = {file.path for file in found.files}
    parts = {part for path in paths for part in path.split("/")}
    assert parts.isdisjoint(("__pycache__", "site-packages", "test", "idlelib", "tkinter", "tests"))
    assert "share/run-agent.sh" in paths
    assert any(path.startswith("share/licenses/grpcio-") for path in paths)


def test_a_python_that_needs_no_library_here_leaves_that_of_c_plus_plus_to_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else it would need a C library as new as that of this machine."""
    file = SourceFile("lib/extension.so", Path("/extension.so"))
    run_time = [("libstdc++.so.6", Path("/a")), ("libgcc_s.so.1", Path("/b"))]
    name = "tui_manager.agent_bundle.shared_libraries._loaded_with"
    monkeypatch.setattr(name, lambda _: iter([*run_time, ("libc.so.6", Path("/c"))]))
    assert needed_libraries([file]) == []
    monkeypatch.setattr(name, lambda _: iter([*run_time, ("libz.so.1", Path("/z"))]))
    assert [library.path for library in needed_libraries([file])] == [
        "lib/libgcc_s.so.1",
        "lib/libstdc++.so.6",
        "lib/libz.so.1",
    ]

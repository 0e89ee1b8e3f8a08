"""When the file of a policy is read, and when it is trusted."""

import os
import sys
from pathlib import Path

import pytest
from tui_manager_agent.policy.policy_file import PolicyFile, default_path

from tests.agent.policies import ONLY_ECHO, to_run

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")


def test_a_change_of_the_file_counts_at_once(policy_file: Path) -> None:
    policy = PolicyFile(policy_file)
    assert policy.judge(to_run()).rule == "restart"
    policy_file.write_text(ONLY_ECHO)
    assert "(allow)" in policy.judge(to_run()).refusal
    policy_file.write_text("[allow")
    said = policy.judge(to_run("echo a")).refusal
    assert said.startswith(f"refused by this host's policy (file): {policy_file}: ")
    policy_file.write_text(ONLY_ECHO)
    assert policy.judge(to_run("echo a")).rule == "echo"
    policy_file.unlink()
    said = policy.judge(to_run("echo a")).refusal
    assert said == f"refused by this host's policy (file): There is no policy {policy_file}."


def test_without_a_policy_everything_is_allowed(
    monkeypatch: pytest.MonkeyPatch, policy_file: Path
) -> None:
    absent = policy_file.with_name("absent.toml")
    monkeypatch.setattr("tui_manager_agent.policy.policy_file.default_path", lambda: absent)
    policy = PolicyFile(None)
    assert not policy.read()
    assert (
        policy.judge(to_run("rm -rf /", user="root", folder="/x", variables=("A",))).refusal == ""
    )
    policy_file.rename(absent)
    assert "(allow)" in policy.judge(to_run("rm -rf /")).refusal
    absent.unlink()
    assert "(file)" in policy.judge(to_run("rm -rf /")).refusal, "until the agent starts again"


def test_where_a_policy_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_path() == Path("/etc/tui-manager-agent/policy.toml")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_path() == tmp_path / "tui-manager-agent" / "policy.toml"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_allows_nothing(policy_file: Path, mode: int) -> None:
    policy_file.chmod(mode)
    policy = PolicyFile(policy_file)
    assert f"{policy_file} can be written by " in policy.judge(to_run()).refusal
    policy_file.chmod(0o644)
    assert policy.judge(to_run()).refusal == ""


def test_a_file_in_a_folder_that_others_can_write_allows_nothing(policy_file: Path) -> None:
    policy_file.parent.chmod(0o777)
    policy = PolicyFile(policy_file)
    said = policy.judge(to_run()).refusal
    assert f"{policy_file.parent} can be written by anybody" in said
    policy_file.parent.chmod(0o700)
    assert policy.judge(to_run()).refusal == ""


def test_a_link_is_as_good_as_what_it_leads_to(policy_file: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    policy_file.rename(real / "policy.toml")
    policy_file.symlink_to(real / "policy.toml")
    assert PolicyFile(policy_file).judge(to_run()).refusal == ""
    real.chmod(0o777)
    assert f"{real} can be written" in PolicyFile(policy_file).judge(to_run()).refusal


def test_the_folder_of_a_link_in_the_middle_counts_as_well(
    policy_file: Path, tmp_path: Path
) -> None:
    middle, real = tmp_path / "middle", tmp_path / "real"
    middle.mkdir()
    real.mkdir()
    policy_file.rename(real / "policy.toml")
    (middle / "link").symlink_to(real)
    policy_file.symlink_to(middle / "link" / "policy.toml")
    assert PolicyFile(policy_file).judge(to_run()).refusal == ""
    middle.chmod(0o777)
    assert f"{middle} can be written by anybody" in PolicyFile(policy_file).judge(to_run()).refusal


@as_root
def test_a_file_of_somebody_else_allows_nothing(policy_file: Path) -> None:
    os.chown(policy_file, 65534, 65534)
    said = PolicyFile(policy_file).judge(to_run()).refusal
    assert f"{policy_file} belongs to nobody, who could replace what is there" in said


@as_root
def test_a_file_in_a_folder_of_somebody_else_allows_nothing(policy_file: Path) -> None:
    os.chown(policy_file.parent, 65534, 65534)
    assert "belongs to nobody" in PolicyFile(policy_file).judge(to_run()).refusal
    os.chown(policy_file.parent, 0, 0)


def test_what_is_no_file_allows_nothing_and_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "fifo", tmp_path):
        assert "It is not a regular file" in PolicyFile(path).judge(to_run()).refusal
    large = tmp_path / "large"
    large.write_bytes(b"#" * 300_000)
    assert "longer than 256 KiB" in PolicyFile(large).judge(to_run()).refusal
    large.write_bytes(b"# \xff\n" + ONLY_ECHO.encode())
    assert "not UTF-8 at byte 2" in PolicyFile(large).judge(to_run()).refusal

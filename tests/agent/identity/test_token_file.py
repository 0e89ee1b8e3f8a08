"""The join token in a file: read once, and gone when the host has enrolled with it."""

import os
from pathlib import Path

import pytest
from tui_manager_agent.cli.arguments import Arguments, parse, without_token
from tui_manager_agent.identity import token_file

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_enrollment import FakeEnrollment
from tests.agent.fake_manager import FakeManager

TOKEN = f"tm1.{'p' * 43}.{'s' * 32}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "join-token"
    path.touch(mode=0o600)
    path.write_text(f"{TOKEN}\n")
    return path


async def test_the_file_is_removed_once_the_host_has_enrolled(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment, file: Path
) -> None:
    file.write_text(f"{enrollment.token}\n")
    option = f"--join-token-file={file}"
    await fresh.run(tls_manager, option)
    await tls_manager.wait_for(lambda: tls_manager.reports)
    assert not file.exists()
    await fresh.terminate()
    await fresh.run(tls_manager, option)  # as a unit does, at each start
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 2)
    assert len(enrollment.requests) == 1


async def test_a_credential_of_systemd_stays_and_is_used_once(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment, file: Path
) -> None:
    file.write_text(enrollment.token)
    file.chmod(0o440)  # systemd's access control list looks like that
    variables = {
        "CREDENTIALS_DIRECTORY": str(file.parent),
        "TUI_MANAGER_AGENT_JOIN_TOKEN_FILE": str(file),
    }
    for hellos in (1, 2):
        await fresh.run(tls_manager, **variables)
        await tls_manager.wait_for(lambda: len(tls_manager.hellos) == hellos)  # noqa: B023
        await fresh.terminate()
    assert file.exists()
    assert len(enrollment.requests) == 1


async def test_a_token_that_was_not_used_is_kept(
    enrolled: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment, file: Path
) -> None:
    """The host goes on with what it has: a person decides."""
    await enrolled.terminate()
    file.write_text(f"tm1.{enrollment.key.pin}.{'2' * 32}.1")  # nobody answers there
    await enrolled.run(tls_manager, f"--join-token-file={file}")
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 2)
    assert file.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602])
def test_a_file_that_others_can_read_or_write_is_refused(
    file: Path, mode: int, capsys: pytest.CaptureFixture[str]
) -> None:
    file.chmod(mode)
    with pytest.raises(SystemExit) as stopped:
        parse(["run", "--manager=m:1", f"--state-dir={file.parent}", f"--join-token-file={file}"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert f"chmod 600 {file}" in said
    assert TOKEN not in said


def test_what_is_no_token_file(file: Path, tmp_path: Path) -> None:
    assert token_file.read(tmp_path / "none") is None
    link = tmp_path / "link"
    link.symlink_to(file)
    with pytest.raises(ValueError, match="cannot be read"):
        token_file.read(link)
    with pytest.raises(ValueError, match="not a regular file"):
        token_file.read(tmp_path)
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(ValueError, match="not a regular file"):
        token_file.read(tmp_path / "fifo")
    file.write_bytes(b"\xff" * 10_000)
    with pytest.raises(ValueError, match="not a join token"):
        token_file.read(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(file: Path) -> None:
    os.chown(file, 4711, -1)
    with pytest.raises(ValueError, match="belongs to another user"):
        token_file.read(file)


def test_a_host_that_has_not_enrolled_is_told_of_the_missing_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(["run", "--manager=m:1", f"--state-dir={tmp_path}", "--join-token-file=/none"])
    assert "has not enrolled yet and there is no file /none" in capsys.readouterr().err


def test_a_token_of_the_command_line_goes_before_the_file(file: Path) -> None:
    token = TOKEN.replace("s", "t")
    common = ["run", "--manager=m:1", f"--state-dir={file.parent}", f"--join-token-file={file}"]
    for options, secret, kept in (([f"--join-token={token}"], "t", None), ([], "s", file)):
        chosen = parse([*common, *options])
        assert isinstance(chosen, Arguments)
        assert chosen.join_token is not None
        assert (chosen.join_token.secret, chosen.token_file) == (secret * 32, kept)


def test_the_program_starts_again_without_the_file() -> None:
    rest = ["run", "--manager=m:1"]
    assert without_token([*rest, "--join-token-file=/a"]) == rest
    assert without_token(["run", "--join-token-file", "/a", "--manager=m:1"]) == rest

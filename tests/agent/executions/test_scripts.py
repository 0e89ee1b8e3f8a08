"""Scripts on the host: how they are started, with real children."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tui_manager_agent.executions.orders.make_order import make_order
from tui_manager_agent.journal.order_and_result import Order
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.supervisor import shebang
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.contents import scripted

ID = "0d2d4b62-93c8-4d2f-9f5e-0a2b6ad6a0b1"
NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = {
    "user": "nobody",
    "uid": NOBODY.pw_uid,
    "gid": NOBODY.pw_gid,
    "groups": str(NOBODY.pw_gid),
    "cwd": "/",
}
ODD = ["two words", "", "-n", "a\nb", "*", "$HOME", "'", '"', "--", "é", "a=b", "x" * 100_000]
PRINT_ARGUMENTS = b"#!/bin/sh\n" + rb'for a; do printf "%s\0" "$a"; done' + b"\n"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


# ----------------------------------------------------------------------------------- the first line


@pytest.mark.parametrize(
    "line",
    [
        "#!/bin/echo",
        "#! /bin/echo",
        "#! \t /bin/echo \t ",
        "#!/bin/echo one",
        "#!/bin/echo one two  three ",
        "#!/bin/echo\tone\ttwo",
        "#!/bin/echo one\ttwo",
        "#!/bin/echo \t -n",
        "#!/bin/echo 'one'",
        "#!/bin/echo \vx",
        "#!/usr/bin/env echo",
        "#!/usr/bin/env -S echo one 'two three'",
        "#!/bin/echo " + "x" * 243,  # 255 bytes
    ],
)
def test_the_first_line_means_what_it_means_to_the_kernel(tmp_path: Path, line: str) -> None:
    script = f"{line}\nrest".encode()
    path = tmp_path / "script"
    path.write_bytes(script)
    path.chmod(0o755)
    by_the_kernel = subprocess.run([path, "a", "b"], capture_output=True, check=True).stdout
    with scripted(tmp_path, script, ["a", "b"]) as one:
        assert one.result()["status"] == "completed"
        own_path = bytes(one.spool.folder / "script")
        assert one.stdout.replace(own_path, bytes(path)) == by_the_kernel


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (b"", "must begin with #!"),
        (b"echo hello\n", "must begin with #!"),
        (b"\xef\xbb\xbf#!/bin/sh\n", "must begin with #!"),
        (b" #!/bin/sh\n", "must begin with #!"),
        (b"#!\n", "names no program"),
        (b"#! \t \n/bin/sh", "names no program"),
        (b"#!/bin/sh\0\n", "names no program"),
        (b"#!/bin/sh\r\necho\r\n", "carriage return"),
        (b"#!/bin/echo " + b"x" * 244 + b"\n", "longer than 255 bytes"),
        (b"#!/bin/echo" + b"x" * 5000, "longer than 255 bytes"),
    ],
)
def test_a_first_line_that_names_no_program(script: bytes, words: str) -> None:
    with pytest.raises(shebang.ShebangError, match=words):
        shebang.parse(script)


def test_a_script_may_be_its_first_line_alone(tmp_path: Path) -> None:
    with scripted(tmp_path, b"#!/bin/echo", ["alone"]) as one:
        assert one.result()["status"] == "completed"
        assert one.stdout.endswith(b"/script alone\n")


# --------------------------------------------------------------------------------- what it is given


def test_arguments_arrive_as_they_are(tmp_path: Path) -> None:
    with scripted(tmp_path, PRINT_ARGUMENTS, ODD) as one:
        assert one.result()["status"] == "completed", one.stderr
        assert one.stdout.decode().split("\0")[:-1] == ODD


def test_its_path_is_that_of_its_bytes(tmp_path: Path) -> None:
    """Also of those that are no text."""
    script = b'#!/bin/sh\ncat "$0"; exit\n' + bytes(range(256)) * 4000
    with scripted(tmp_path, script) as one:
        assert one.result()["status"] == "completed", one.stderr
        assert one.stdout == script


def test_it_starts_as_every_other_command_does(tmp_path: Path) -> None:
    script = (
        b"#!/bin/sh\nreadlink /proc/self/fd/0; ls /proc/self/fd | wc -l\n"
        b"grep ^SigBlk /proc/self/status; pwd; echo $TUI_MANAGER_EXECUTION_ID\n"
    )
    with scripted(tmp_path, script) as one:
        assert one.result()["status"] == "completed", one.stderr
        stdin, descriptors, blocked, cwd, mark = one.stdout.decode().splitlines()
    assert stdin == "/dev/null"
    # 0 to 2, the one that ls itself opens, and the one in which sh reads the script.
    assert int(descriptors) in (4, 5)
    assert int(blocked.split()[1], 16) == 0
    assert (cwd, mark) == (str(tmp_path), one.id)


def test_nobody_executes_its_file(tmp_path: Path) -> None:
    with scripted(tmp_path, b'#!/bin/sh\nstat -c %a "$0"; [ -x "$0" ] || echo not\n') as one:
        assert one.result()["status"] == "completed", one.stderr
        assert one.stdout.split()[0] == b"600"


def can_mount() -> bool:
    words = ["unshare", "-m", "sh", "-c", "mount --bind /tmp /tmp"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(words, capture_output=True, check=False).returncode
    )


def test_it_runs_from_a_noexec_folder(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("this system lets its tests mount nothing")
    mount = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,noexec {tmp_path}"
    before = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    script = b'#!/bin/sh\ncp /bin/true ran; ./ran && exit 9; grep -c "$PWD .*noexec" /proc/mounts'
    with scripted(tmp_path, script, before=before) as one:
        result = one.result()
        assert (result["status"], one.stdout.strip()) == ("completed", b"1"), one.stderr


def test_its_file_goes_with_its_end(tmp_path: Path) -> None:
    with scripted(tmp_path, b"#!/bin/sh\nexit 3\n") as one:
        result = one.result()
        one.process.wait()
    assert result["exit_code"] == "3"
    assert {path.name for path in one.spool.folder.iterdir()} == {"result"}


# ----------------------------------------------------------------------------- why it did not start


@pytest.mark.parametrize(
    ("first_line", "words"),
    [
        (
            "#!/no/such/program",
            "cannot start /no/such/program, which the script names: No such file or directory",
        ),
        ("#!/etc", "cannot start /etc, which the script names: it is a folder"),
        ("#!/etc/passwd", "cannot start /etc/passwd, which the script names: Permission denied"),
    ],
)
@pytest.mark.parametrize("user", ["own", pytest.param("nobody", marks=as_root)])
def test_a_program_that_cannot_be_started(
    tmp_path: Path, copies: Path, first_line: str, words: str, user: str
) -> None:
    given: dict[str, object] = {}
    if user == "nobody":
        given = {"copy": str(copies / "x"), **AS_NOBODY}
        words = words.replace(" names:", " names as nobody:")
    with scripted(tmp_path, f"{first_line}\n".encode(), **given) as one:
        result = one.result()
        one.process.wait()
    assert (result["status"], result["reason"]) == ("failed", "spawn_failed")
    assert result["detail"] == words
    assert {path.name for path in one.spool.folder.iterdir()} == {"result"}
    assert not (copies / "x").exists()


@pytest.mark.parametrize("left", [None, b"#!/bin/sh\ntouch r"])
def test_a_script_that_is_not_whole_does_not_run(tmp_path: Path, left: bytes | None) -> None:
    one = scripted(tmp_path, b"#!/bin/sh\ntouch ran\n")
    path = one.spool.folder / "script"
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    with one:
        result = one.result()
    assert (result["status"], result["reason"]) == ("failed", "spawn_failed")
    assert "script" in result["detail"]
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "r").exists()


# ---------------------------------------------------------------------------------- as another user


@as_root
def test_a_script_that_another_user_has_put_there_does_not_run(tmp_path: Path) -> None:
    one = scripted(tmp_path, b"#!/bin/sh\ntouch ran\n")
    os.chown(one.spool.folder / "script", NOBODY.pw_uid, -1)
    with one:
        result = one.result()
    assert result["detail"] == "the script in the agent's folder belongs to another user"
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def copies() -> Iterator[Path]:
    """A folder for copies that is not made yet, where each user of the host can reach it."""
    above = Path(tempfile.mkdtemp())
    above.chmod(0o755)
    yield above / "copies"
    shutil.rmtree(above)


@as_root
def test_another_user_can_read_the_script_and_nobody_else_can(tmp_path: Path, copies: Path) -> None:
    copy = copies / "journal.execution"
    umask = os.umask(0o777)  # the agent leaves its own alone
    script = b'#!/bin/sh\nid -un; echo "$0" "$@"; stat -c "%a %U" "$0" "${0%/*}"; ls "${0%/*}"\n'
    one = scripted(tmp_path, script, ["a b"], copy=str(copy), **AS_NOBODY)
    one.spool.folder.chmod(0o700)
    with one:
        os.umask(umask)
        result = one.result()
        said = one.stdout.decode().splitlines()
        errors = one.stderr.decode()
        one.process.wait()
    assert said == ["nobody", f"{copy} a b", "400 nobody", "711 root"]
    assert "ermission denied" in errors, "others cannot list the scripts"
    assert result["exit_code"] != "0"
    assert not copy.exists()


@as_root
@pytest.mark.parametrize("trap", ["link", "mode", "owner", "file"])
def test_a_folder_that_others_could_change_gets_no_script(
    tmp_path: Path, copies: Path, trap: str
) -> None:
    if trap == "link":
        (copies.parent / "elsewhere").mkdir(mode=0o777)
        copies.symlink_to(copies.parent / "elsewhere")
    elif trap == "file":
        copies.touch()
    else:
        copies.mkdir()
        copies.chmod(0o777 if trap == "mode" else 0o755)
        os.chown(copies, NOBODY.pw_uid if trap == "owner" else 0, -1)
    with scripted(tmp_path, b"#!/bin/sh\n", copy=str(copies / "x"), **AS_NOBODY) as one:
        result = one.result()
    assert result["reason"] == "spawn_failed"
    assert f"other users could change {copies}; remove it" in result["detail"]


@as_root
def test_a_runtime_folder_that_takes_nothing_is_said(tmp_path: Path, copies: Path) -> None:
    copies.parent.rmdir()
    with scripted(tmp_path, b"#!/bin/sh\n", copy=str(copies / "x"), **AS_NOBODY) as one:
        result = one.result()
    copies.parent.mkdir()
    assert result["reason"] == "spawn_failed"
    assert "nobody could read it: No such file or directory" in result["detail"]


# ------------------------------------------------------------------------------------ what is asked


def ask(**fields: object) -> Order:
    run = wire.RunCommand(execution_id=ID, **fields)  # type: ignore[arg-type]
    return make_order(
        run, fifo=Path("/state/bell"), boot_id="this", copy_path="/run/copies/{}".format
    )


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({"script": b"echo\n"}, "rejected", "the script must begin with #!"),
        ({"script": b""}, "rejected", "the script must begin with #!"),
        (
            {"script": b"#!/bin/sh\n".ljust(1024 * 1024 + 1)},
            "rejected",
            "the script has 1048577 bytes; at most 1048576 are allowed",
        ),
        (
            {"command": "cat", "stdin": bytes(1024 * 1024 + 1)},
            "rejected",
            "the stdin has 1048577 bytes; at most 1048576 are allowed",
        ),
        (
            {"command": "true", "script": b"#!/bin/sh\n"},
            "rejected",
            "the request has both a command and a script",
        ),
        (
            {"command": "true", "arguments": ["a"]},
            "rejected",
            "the request has arguments, and no script that takes them",
        ),
        ({"script": b"#!/bin/sh\n", "arguments": ["a\0"]}, "spawn_failed", "a NUL byte"),
    ],
)
def test_what_an_agent_refuses_by_itself(
    fields: dict[str, object], reason: str, words: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        ask(**fields)
    assert refused.value.reason == reason
    assert str(refused.value).startswith(words)


def test_the_largest_that_are_allowed() -> None:
    script = b"#!/bin/sh\n".ljust(1024 * 1024)
    made = ask(script=script, stdin=bytes(1024 * 1024))
    assert made.stdin_size == 1024 * 1024
    assert made.script is not None
    assert made.script.size == 1024 * 1024


def test_only_another_users_script_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for user, copy in (("", ""), ("root", ""), ("nobody", f"/run/copies/{ID}")):
        run = wire.RunCommand(execution_id=ID, script=b"#!/bin/sh\n", run_as_user=user)
        made = make_order(
            run, fifo=Path("/state/bell"), boot_id="this", copy_path="/run/copies/{}".format
        )
        assert made.script is not None
        assert made.script.copy == copy

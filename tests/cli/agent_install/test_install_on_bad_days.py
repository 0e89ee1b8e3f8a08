"""Hosts on which no agent can be, ssh that does not connect or breaks, and others in the way."""

import asyncio
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli.agent_install.ssh_hosts import (
    Installing,
    InstallOperator,
    SshHosts,
    agent_bundle,
    statuses,
)
from tui_manager.agent_install.install import why_not_online
from tui_manager.cli.commands.hosts import agent_install
from tui_manager.cli.main import main
from tui_manager.cli.printing.write_text import note
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.hosts.join_token import NewToken, TokenSpec
from tui_manager.domain.status import Admission, CommandHostStatus, Reason

Capture = pytest.CaptureFixture[str]
CHANGED = (
    "@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@\nHost key verification failed."
)
CHANGED_ELSEWHERE = """\
@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @
Offending ED25519 key in {file}:3
Host key for [192.0.2.1]:2222 has changed and you have requested strict checking.
Host key verification failed.
Connection closed by UNKNOWN port 65535"""
UNKNOWN = "No ED25519 host key is known for web1 and you have requested strict checking.\n" \
    "Host key verification failed."  # fmt: skip


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("root@web1: Permission denied (publickey,password).", "`ssh-copy-id web1` puts your key"),
        (CHANGED, "Its host key is not the known one"),
        (CHANGED, "`ssh-keygen -R web1` removes"),
        (CHANGED_ELSEWHERE, "The host key of [192.0.2.1]:2222 is not the known one"),
        (
            CHANGED_ELSEWHERE.format(file="/home/ana/.ssh/known_hosts"),
            "`ssh-keygen -R '[192.0.2.1]:2222'` removes",
        ),
        (
            CHANGED_ELSEWHERE.format(file="/etc/ssh/known_hosts"),
            "`ssh-keygen -f /etc/ssh/known_hosts -R '[192.0.2.1]:2222'` removes",
        ),
        (UNKNOWN, "Its host key is not known here yet: `ssh web1` once shows it"),
        ("ssh: connect to host web1 port 22: Connection refused", "ssh: connect to host web1"),
        ("kex_exchange_identification: Connection closed by remote host", "kex_exchange"),
        ("Connection to UNKNOWN port 65535 timed out", "timed out"),
        ("", "ssh: it ended without a word"),
    ],
)
def test_why_ssh_does_not_connect(said: str, words: str, hosts: SshHosts, run: Installing) -> None:
    hosts.add("web1").write(stderr=said, status="255")
    hosts.add("web2")
    first, second, third = run("web1,web2", "nowhere", exits=1)
    assert first["status"] == third["status"] == "failed"
    assert words in first["detail"]
    assert "Could not resolve hostname" in third["detail"]
    assert second["status"] == "installed"
    tries = hosts.calls().count("-- web1 ")
    assert tries == (3 if "kex" in said else 1)


def test_a_login_shell_that_runs_nothing_is_named(hosts: SshHosts, run: Installing) -> None:
    web1 = hosts.add("web1")
    web1.program("nologin", "echo This account is currently not available.; exit 1")
    web1.write(shell="nologin")
    (row,) = run("web1", exits=1)
    assert "did not start `sh` (status 1): This account is currently not available" in row["detail"]


@pytest.mark.parametrize(
    ("program", "text", "words"),
    [
        ("uname", "echo Linux web1 riscv64", "there is no bundle for that"),
        ("getconf", "echo glibc 2.5", "and the host has glibc 2.5."),
        ("df", "echo x; echo / 100 99 1 99% /", "too little room: 1 and"),
        (
            "head",
            '[ ! -f /dev/fd/1 ] || { echo head: full >&2; exit 1; }; exec /usr/bin/head "$@"',
            "could not be written there: head: full",
        ),
        ("sha256sum", "echo 0000 -", "came to the host as others (SHA-256 0000)"),
        ("tar", "echo tar: no gzip >&2; exit 2", "could not be unpacked there: tar: no gzip"),
    ],
)  # fmt: skip
def test_hosts_on_which_no_agent_can_be(
    program: str, text: str, words: str, hosts: SshHosts, run: Installing
) -> None:
    web1 = hosts.add("web1")
    before = web1.files
    web1.program(program, text)
    (row,) = run("web1", exits=1)
    assert row["status"] == "failed"
    assert words in row["detail"]
    assert web1.files == before


def test_a_host_without_glibc(hosts: SshHosts, run: Installing) -> None:
    web1 = hosts.add("web1")
    web1.program("getconf", "exit 1")
    web1.program("ldd", "echo 'musl libc (x86_64)' >&2")
    (row,) = run("web1", exits=1)
    assert "has no glibc" in row["detail"]


def test_a_program_that_does_not_run_there_is_not_installed(
    hosts: SshHosts, run: Installing, tmp_path: Path
) -> None:
    web1 = hosts.add("web1")
    before = web1.files
    right = agent_bundle(tmp_path)
    breaks = 'printf "#!/bin/sh\\necho no such library >&2; exit 127\\n"'
    web1.program(
        "tar",
        f'/bin/tar "$@" && for f; do :; done; {breaks} >"$f/bin/tui-manager-agent"',
    )
    (row,) = run("web1", exits=1, bundle=right)
    assert row["detail"] == "The agent does not run there: no such library."
    assert web1.files == before


def namespaces_work() -> bool:
    return (
        subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not namespaces_work(), reason="no file system can be mounted")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("ro", "is on a read-only file system"),
        ("noexec", "its file system is mounted with noexec"),
        ("size=8k", "No space left on device"),
    ],
)
def test_file_systems_on_which_no_agent_can_be(
    options: str, words: str, hosts: SshHosts, run: Installing
) -> None:
    web1 = hosts.add("web1")
    mount = f'mount -t tmpfs -o {options} none "$HERE/root/opt"'
    web1.program("login", f'exec unshare -m sh -c \'{mount} && exec sh "$@"\' sh "$@"')
    web1.write(shell="login")
    (row,) = run("web1", exits=1)
    assert words in row["detail"]


def test_two_names_of_one_machine(
    hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    hosts.add("web1", "alias", "third")
    rows = run("web1,alias,third", exits=1)
    assert sorted(row["status"] for row in rows) == ["failed", "failed", "installed"]
    (good,) = (row["host"] for row in rows if row["status"] == "installed")
    for row in rows:
        if row["host"] != good:
            assert row["detail"] == f"It is the same machine as {good}."
    assert len(operator.tokens) == 1
    rows = run("alias,third", exits=1)
    assert sorted(row["status"] for row in rows) == ["failed", "unchanged"]


def test_a_host_of_another_manager_is_left_alone(
    hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    web1 = hosts.add("web1")
    run("web1")
    (web1.state / "identity").write_bytes(b"journal_id=j\0manager_id=other\0host_id=h\0")
    before = web1.files, web1.settings.read_bytes()
    (row,) = run("web1", exits=1)
    assert row["detail"].startswith("It belongs to another manager, other. `tui-manager agent")
    assert "uninstall --ssh web1`" in row["detail"]
    assert (web1.files, web1.settings.read_bytes()) == before


@pytest.mark.parametrize(
    "verb", ["probe", "lock", "has", "receive", "identity", "configure", "status"]
)
def test_ssh_that_breaks_at_any_step_is_mended_by_a_repeat(
    verb: str, hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    web1 = hosts.add("web1")
    web1.write(dies=verb)
    if verb == "status":  # it is asked for only while the agent is waited for
        web1.program("setsid", "exit 0")
        web1.program("sleep", "exit 0")
        (row,) = run("web1", exits=1)
        assert row["detail"] == "The service there does not start: run-agent.sh does not start."
        (web1.folder / "bin/setsid").unlink()
        (web1.folder / "bin/sleep").unlink()
    else:
        (row,) = run("web1", exits=1)
        assert row["status"] == "failed"
        assert "Broken pipe" in row["detail"]
        assert "Here " in row["detail"]
    assert not list(web1.root.glob(".install*"))
    (web1.folder / "dies").unlink()
    assert statuses(run("web1")) == {"web1": "installed"}


def test_ssh_that_breaks_within_the_files(hosts: SshHosts, run: Installing) -> None:
    web1 = hosts.add("web1")
    before = web1.files
    web1.write(dies="receive 100")
    (row,) = run("web1", exits=1)
    assert "cut after 100 bytes" in row["detail"]
    assert web1.files == before
    (web1.folder / "dies").unlink()
    assert statuses(run("web1")) == {"web1": "installed"}


def test_another_install_at_the_same_time_is_waited_for_by_the_operator(
    hosts: SshHosts, run: Installing
) -> None:
    web1 = hosts.add("web1")
    lock = web1.root / ".install-lock"
    web1.root.mkdir(parents=True)
    lock.write_text(f"{os.getpid()} otherrun web1\n")
    (row,) = run("web1", exits=1)
    assert row["detail"].startswith("Another install or removal is at work there")
    os.utime(lock, (1, 1))
    assert statuses(run("web1")) == {"web1": "installed"}  # it has lost its connection long ago


def test_a_lock_of_a_process_that_is_gone_is_taken(hosts: SshHosts, run: Installing) -> None:
    web1 = hosts.add("web1")
    lock = web1.root / ".install-lock"
    web1.root.mkdir(parents=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    lock.write_text(f"{ended.pid} otherrun web1\n")
    assert statuses(run("web1")) == {"web1": "installed"}
    assert not lock.exists()


def test_a_name_that_another_host_has_is_refused(
    hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    hosts.add("web1")
    operator.add_host("web1", fingerprint="lusab-babad-gutih")
    (row,) = run("web1", exits=1)
    assert "Another host has the name web1, with the key lusab-babad-gutih" in row["detail"]
    assert operator.tokens == []
    (row,) = run("web1", "--name", "web1-new")
    assert (row["status"], row["name"]) == ("installed", "web1-new")


@pytest.mark.parametrize("admission", [Admission.REVOKED, Admission.REJECTED])
def test_a_host_that_was_turned_away_stays_away(
    admission: Admission, hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    hosts.add("web1")
    run("web1")
    operator.change_host("web1", admission=admission)
    (row,) = run("web1", exits=1)
    assert f"The manager has {admission.value} this host, web1, for good." in row["detail"]


def test_the_log_says_why_an_agent_does_not_come(hosts: SshHosts, run: Installing) -> None:
    web1 = hosts.add("web1")
    web1.state.mkdir(parents=True)
    (web1.state / "refused").write_text(
        "time=2026-11-28 02:00:00,000 level=INFO dialing\n"
        "time=2026-11-28 02:00:01,000 level=WARNING not enrolled: no answer from m:7444\x1b[2J\n"
    )
    web1.program("sleep", "exec /bin/sleep 0.02")
    (row,) = run("web1", exits=1)
    assert row["status"] == "failed"
    assert row["detail"] == "The service there does not start: run-agent.sh does not start." or (
        "not enrolled: no answer from m:7444" in row["detail"]
    )


def test_a_line_of_the_log_that_comes_again_and_again_is_shown_once() -> None:
    line = "time={} level=WARNING not enrolled: reason='No route to host' again_in={}s next=m:7443"
    log = [
        "time=1 level=INFO dialing",
        "time=2 level=WARNING the token is old",
        *(line.format(second, second * 1.5) for second in range(3, 20)),
    ]
    assert why_not_online(log, None) == (
        "The agent is there and does not come online. Its log ends with: the token is old; "
        "not enrolled: reason='No route to host'"
    )


def test_a_check_that_fails_is_told(
    hosts: SshHosts, operator: InstallOperator, run: Installing, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.add("web1"), hosts.add("web2")
    ends = {"web1": (CommandHostStatus.FAILED, Reason.SPAWN_FAILED, "no /bin/sh"),
            "web2": (CommandHostStatus.FAILED, Reason.REJECTED, "no rule allows it")}  # fmt: skip

    def end_on(host: str, *, task_id: int) -> None:
        status, reason, detail = ends[host]
        InstallOperator.end_on(operator, host, status, reason, task_id=task_id, detail=detail)

    monkeypatch.setattr(operator, "end_on", end_on)
    first, second = run("web[1-2]", exits=1)
    assert first["status"] == "failed"
    assert first["detail"] == (
        "The agent is online, and the command `true` has not completed there: no /bin/sh"
    )
    assert second["status"] == "installed"


def test_a_manager_that_goes_away_meanwhile(
    hosts: SshHosts, operator: InstallOperator, run: Installing, monkeypatch: pytest.MonkeyPatch
) -> None:
    web1 = hosts.add("web1")

    async def gone(spec: TokenSpec) -> NewToken:
        raise UnreachableError("The manager has ended.")

    real = operator.create_token
    monkeypatch.setattr(operator, "create_token", gone)
    (row,) = run("web1", exits=3)
    assert row["detail"].startswith("The manager does not answer any more: the agent is there")
    monkeypatch.setattr(operator, "create_token", real)
    assert not list(web1.root.glob(".install*"))
    assert statuses(run("web1")) == {"web1": "installed"}


def test_ctrl_c_stops_everything_and_says_what_is_where(
    hosts: SshHosts, operator: InstallOperator, run: Installing, monkeypatch: pytest.MonkeyPatch
) -> None:
    web1 = hosts.add("web1")
    hosts.add("web2")
    real = operator.create_token

    async def interrupted(spec: TokenSpec) -> NewToken:
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(operator, "create_token", interrupted)
    first, second = run("web1,web2", "--parallel", "1", exits=130)
    assert first["status"] == second["status"] == "interrupted"
    assert first["detail"].startswith("the agent is there, and may have been started")
    assert second["detail"].startswith("nothing was changed there")
    assert web1.pid == 0
    assert not list(web1.root.glob(".install*"))
    monkeypatch.setattr(operator, "create_token", real)
    assert statuses(run("web1,web2")) == {"web1": "installed", "web2": "installed"}


def test_a_package_looks_after_its_own_agent(hosts: SshHosts, run: Installing) -> None:
    if os.geteuid() != 0:
        pytest.skip("packages are root's")
    web1 = hosts.add("web1")
    folder = web1.folder / "root/usr/lib/tui-manager-agent"
    folder.mkdir(parents=True)
    (folder / "packaged").write_text("deb\n")
    (row,) = run("web1", exits=1)
    assert row["detail"].startswith("Its agent comes from a deb package: the package manager")


def test_ctrl_c_while_a_bundle_is_made_says_what_it_waits_for(
    hosts: SshHosts,
    operator: InstallOperator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    web1 = hosts.add("web1")
    before = web1.files
    is_told = threading.Event()

    def make() -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        is_told.wait()
        raise OSError("no bundle")

    def noted(text: str) -> None:
        note(text)
        if "as soon as the bundle is made" in text:
            is_told.set()

    monkeypatch.setattr(agent_install, "own_bundle", make)
    monkeypatch.setattr(agent_install, "note", noted)
    assert main(["agent", "install", "--ssh", "web1"]) == 130
    out, err = capsys.readouterr()
    assert out.startswith("web1: interrupted: nothing was changed there")
    assert "interrupted; this ends as soon as the bundle is made" in err
    assert web1.files == before


PASSWD = "root:x:0:0::/root:/bin/sh\nana:x:7:7:,:/home/ana:\n"


def test_an_agent_of_another_user_of_the_machine(hosts: SshHosts, run: Installing) -> None:
    """Nothing is sent, and --name says that a second one is wanted."""
    if os.geteuid() != 0:
        pytest.skip("only root sees the agents of others")
    web1 = hosts.add("web1")
    (web1.folder / "root/etc/passwd").write_text(PASSWD)
    folder = web1.folder / "root/home/ana/.local/share/tui-manager-agent"
    folder.mkdir(parents=True)
    (folder / "current").symlink_to("versions/0.2.0-0123456789ab")
    before = web1.files
    for options in ((), ("--dry-run",)):
        (row,) = run("web1", *options, exits=1)
        assert row["detail"].startswith(
            f"This machine has an agent already, of ana in {folder}. If you mean that one, log in "
            "as ana. Else uninstall it first"
        )
    assert web1.files == before
    assert statuses(run("web1", "--name", "web1-root")) == {"web1": "installed"}
    assert statuses(run("web1")) == {"web1": "unchanged"}


def test_a_user_of_a_machine_that_has_an_agent_of_root(hosts: SshHosts, run: Installing) -> None:
    """Nothing is sent, and no key is made."""
    if os.geteuid() != 0:
        pytest.skip("the first agent is root's")
    web1 = hosts.add("web1")
    run("root@web1")
    web1.program("id", "case $1 in -u) echo 1000;; -un) echo admin;; esac")
    before = web1.files
    for options in ((), ("--dry-run",)):
        (row,) = run("admin@web1", *options, exits=1)
        assert row["detail"].startswith(
            f"This machine has an agent already, of root in {web1.root}. If you mean that one, use "
            "--become or log in as root. Else uninstall it first"
        )
    assert web1.files == before


def test_a_name_that_is_online_is_not_to_be_removed(
    hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    web1 = hosts.add("web1")
    operator.add_host("web1", fingerprint="lusab-babad-gutih")
    before = web1.files
    for options in ((), ("--dry-run",)):
        (row,) = run("web1", *options, exits=1)
        assert "It is online, so this is another machine, or another user of it" in row["detail"]
        assert "hosts remove" not in row["detail"]
    assert web1.files == before
    operator.change_host("web1", online=False)
    (row,) = run("web1", exits=1)
    assert "If that machine is gone, or its agent was uninstalled with" in row["detail"]

"""`agent install`, on hosts that a `ssh` of the tests reaches."""

import io
import os
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.agent_install.ssh_hosts import (
    ADDRESS,
    KEY,
    NO_BOOT,
    Installing,
    InstallOperator,
    SshHosts,
    agent_bundle,
    statuses,
)
from tests.support.programs.bundles import new_key, public
from tui_manager import __version__
from tui_manager.agent_bundle.opened_bundle import open_bundle
from tui_manager.agent_install import install
from tui_manager.agent_install.probe import Probe, read_probe
from tui_manager.agent_install.ssh import host_session
from tui_manager.agent_install.ssh.ssh_targets import SshTarget
from tui_manager.agent_install.stages import Stage
from tui_manager.cli.commands.hosts import agent_install
from tui_manager.cli.main import main
from tui_manager.cli.printing import status_line
from tui_manager.cli.printing.install_progress import HostProgress
from tui_manager.domain.status import Admission

Capture = pytest.CaptureFixture[str]


def test_from_nothing_to_hosts_that_run_a_command(
    hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    made = [hosts.add(name) for name in ("web1", "web2", "db1")]
    rows = run("root@web[1-2],db1", "--label", "env=prod")
    assert [row["host"] for row in rows] == ["root@web1", "root@web2", "db1"]
    assert [row["name"] for row in rows] == ["web1", "web2", "db1"]
    assert {row["status"] for row in rows} == {"installed"}
    for host, row in zip(made, rows, strict=True):
        assert row["detail"] == f"known by {host.fingerprint}, {NO_BOOT}"
        assert row["host_id"] == host.ids()["host_id"]
        assert f"{row['version']}-{row['build']}" == host.current
        assert not host.token.exists()
        assert (host.state / "used-token").stat().st_mode & 0o777 == 0o600
        assert host.settings.read_text().splitlines()[1:] == [
            f"TUI_MANAGER_AGENT_MANAGER={ADDRESS}",
            f"TUI_MANAGER_AGENT_NAME={row['name']}",
            "TUI_MANAGER_AGENT_LABELS=env=prod",
        ]
        assert not list(host.root.glob(".install*"))
    (task,) = operator.tasks.values()
    assert task.row.name == "agent install: check"
    assert len(task.rows) == 3
    assert "3 hosts: 3 installed" in run.err
    assert f"hosts dial {ADDRESS}" in run.err


def test_a_repeat_changes_nothing(
    hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    web1 = hosts.add("web1")
    run("web1", "--label", "env=prod", "--manager", "m1.example:7443", "--name", "first")
    before = web1.files, web1.pid, web1.settings.read_bytes()
    (row,) = run("web1")
    assert (row["status"], row["name"]) == ("unchanged", "first")
    assert (web1.files, web1.pid, web1.settings.read_bytes()) == before
    assert len(operator.tokens) == 1


def test_other_settings_replace_those_that_are_there_and_no_others(
    hosts: SshHosts, run: Installing
) -> None:
    web1 = hosts.add("web1")
    run("web1", "--label", "env=prod", "--label", "role=web")
    before = web1.settings.read_bytes()
    own = (
        b"A\tSECRET=\x01\xff" + b"x" * 3000 + b"\r\n" + b"#\n" * 300 + b"TUI_MANAGER_AGENT_NAMES=1"
    )
    web1.settings.write_bytes(before + own)
    web1.settings.chmod(0o600)
    (row,) = run("web1", "--label", "env=test", "--label", "a=b", "--manager", "m1:1,m2:2")
    assert row["status"] == "changed"
    assert row["detail"].startswith("manager, labels, known by ")
    assert web1.settings.stat().st_mode & 0o777 == 0o600
    head = before.splitlines(keepends=True)[0]
    assert web1.settings.read_bytes() == (
        head
        + b"TUI_MANAGER_AGENT_NAME=web1\n"
        + own
        + b"\nTUI_MANAGER_AGENT_MANAGER=m1:1,m2:2\nTUI_MANAGER_AGENT_LABELS=a=b,env=test,role=web\n"
    )


def test_a_bundle_of_somebody_else_is_refused(
    hosts: SshHosts, run: Installing, tmp_path: Path, capsys: Capture
) -> None:
    key = new_key()
    other = agent_bundle(tmp_path, more="other", key=key)
    assert run("web1", exits=2, bundle=other) == []
    assert f"is signed with {public(key)}, which is not your key" in run.err
    assert not (hosts.folder / "calls").exists()
    hosts.add("web1")
    assert statuses(run("web1", "--trust", public(key), bundle=other)) == {"web1": "installed"}


def test_versions_that_nobody_uses_are_removed(
    hosts: SshHosts, run: Installing, tmp_path: Path
) -> None:
    web1 = hosts.add("web1")
    for more in "abcd":
        before = web1.current
        run("web1", bundle=agent_bundle(tmp_path, more=more))
        kept = sorted(path.name for path in (web1.root / "versions").iterdir())
        assert kept == sorted(filter(None, (before, web1.current)))
    assert os.readlink(web1.root / "previous") == f"versions/{before}"


def test_what_the_owner_has_set_stays_on_the_host(
    hosts: SshHosts, run: Installing, monkeypatch: pytest.MonkeyPatch
) -> None:
    web1 = hosts.add("web1")
    run("web1")
    with web1.settings.open("a") as file:
        file.write("HTTPS_PROXY=http://ana:secret@proxy:3128\n")
    seen = []

    def noted(answer: host_session.Answer, challenge: str) -> Probe:
        seen.append(answer)
        return read_probe(answer, challenge)

    monkeypatch.setattr(install, "read_probe", noted)
    run("web1")
    assert "secret" not in str(seen)


def test_another_bundle_updates(hosts: SshHosts, run: Installing, tmp_path: Path) -> None:
    web1 = hosts.add("web1")
    (first,) = run("web1")
    newer = agent_bundle(tmp_path, more="newer")
    before = web1.current
    (row,) = run("web1", bundle=newer)
    assert row["status"] == "updated"
    assert row["detail"].startswith(f"{named(before)} before")
    assert row["build"] != first["build"]
    assert web1.current.endswith(row["build"])


def named(folder: str) -> str:
    """How lines for people spell the version in a folder."""
    version, _, build = folder.rpartition("-")
    return f"{version} (build {build})"


KEEPS = "and keeps it: --bundle or `agent update` replaces it"


def test_another_build_stays_unless_a_bundle_is_given(
    hosts: SshHosts, run: Installing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web1 = hosts.add("web1")
    own = run.bundle
    monkeypatch.setattr(agent_install, "own_bundle", lambda: open_bundle(own))
    run("web1")
    first = web1.current
    run("web1", bundle=agent_bundle(tmp_path, more="other"))
    before, current = web1.files, web1.current
    (row,) = run.without_bundle("web1")
    assert row["status"] == "unchanged"
    assert row["detail"].endswith(f", it runs another build than {named(first)}, {KEEPS}")
    assert f"{row['version']}-{row['build']}" == current
    assert web1.files == before
    (row,) = run.without_bundle("web1", "--label", "env=prod")
    assert row["status"] == "changed"
    assert row["detail"].startswith("labels, known by ")
    assert row["detail"].endswith(KEEPS)
    assert (web1.current, web1.files) == (current, before)
    assert "AGENT_LABELS=env=prod\n" in web1.settings.read_text()
    (row,) = run("web1", bundle=own)
    assert (row["status"], web1.current) == ("updated", first)


@pytest.mark.parametrize(
    ("version", "status"), [("0.10.0", "unchanged"), ("0.2.0rc1", "updated"), ("0.1.9", "updated")]
)
def test_a_newer_version_stays_and_an_older_one_does_not(
    version: str,
    status: str,
    hosts: SshHosts,
    run: Installing,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    web1 = hosts.add("web1")
    monkeypatch.setattr(agent_install, "own_bundle", lambda: open_bundle(run.bundle))
    run("web1", bundle=agent_bundle(tmp_path, version))
    (planned,) = run.without_bundle("web1", "--dry-run")
    (row,) = run.without_bundle("web1")
    assert row["status"] == status
    assert planned["status"] == {"updated": "would_update"}.get(status, status)
    assert web1.current.startswith(f"{version}-") is (status == "unchanged")
    assert ("another version than 0.2.0 (build " in row["detail"]) is (status == "unchanged")


def test_a_host_that_is_offline_gets_the_build_of_this_machine(
    hosts: SshHosts, run: Installing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web1 = hosts.add("web1")
    monkeypatch.setattr(agent_install, "own_bundle", lambda: open_bundle(run.bundle))
    run("web1", bundle=agent_bundle(tmp_path, more="other"))
    web1.stop()
    assert statuses(run.without_bundle("web1")) == {"web1": "updated"}


@pytest.mark.parametrize(
    "broken", ["agent", "current", "program", "settings", "update-keys", "cut"]
)
def test_a_repeat_mends(broken: str, hosts: SshHosts, run: Installing) -> None:
    web1 = hosts.add("web1")
    run("web1")
    match broken:
        case "agent":
            web1.kill_loop(signal.SIGKILL)
        case "settings":
            web1.settings.unlink()
        case "program":
            (web1.root / "current/bin/tui-manager-agent").write_text("")
            web1.kill_loop(signal.SIGKILL)
        case "cut":
            left = web1.root / "versions/.install.1/files"
            left.mkdir(parents=True)
            web1.kill_loop(signal.SIGKILL)
            (web1.root / "current/bin/tui-manager-agent").unlink()
        case _:
            (web1.root / broken).unlink()
            web1.kill_loop(signal.SIGKILL)
    (row,) = run("web1")
    assert row["status"] == "installed"
    assert web1.pid
    assert "AGENT_MANAGER" in web1.settings.read_text()
    assert not list((web1.root / "versions").glob(".*"))
    (again,) = run("web1")
    assert again["status"] == "unchanged"


@pytest.mark.parametrize("shell", ["bash", "busybox sh", "fish", "csh"])
def test_any_login_shell_and_any_banner(shell: str, hosts: SshHosts, run: Installing) -> None:
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"there is no {shell}")
    web1 = hosts.add("web1")
    web1.write(shell=shell, banner="*** Welcome ***\nready=yes\ndone=yes\n" * 40)
    assert statuses(run("web1")) == {"web1": "installed"}


def test_busybox_alone_is_enough(hosts: SshHosts, run: Installing) -> None:
    if (busybox := shutil.which("busybox")) is None:
        pytest.skip("there is no busybox")
    web1 = hosts.add("web1")
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    for name in set(listed.split()) - {"crontab"}:
        (web1.folder / "bin" / name).symlink_to(busybox)
    assert statuses(run("web1")) == {"web1": "installed"}
    assert statuses(run("web1")) == {"web1": "unchanged"}


def test_no_command_line_has_the_token(
    hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    web1 = hosts.add("web1")
    see = 'cat /proc/[0-9]*/cmdline /proc/$PPID/environ >>"$HERE/seen" 2>/dev/null'
    for program in ("mv", "mkdir", "rm", "cmp", "setsid"):
        web1.program(program, f'{see}; exec /usr/bin/env PATH=/usr/bin:/bin {program} "$@"')
    run("web1")
    ((_, token),) = operator.tokens
    assert (web1.state / "used-token").read_text().strip() == token.text
    secret = token.text.split(".")[2].encode()
    assert secret not in (web1.folder / "seen").read_bytes()
    assert secret.decode() not in hosts.calls()


def test_a_dry_run_makes_no_bundle_and_no_key(
    hosts: SshHosts, run: Installing, tmp_path: Path, capsys: Capture
) -> None:
    hosts.add("web1"), hosts.add("web2"), hosts.add("web3")
    run("web[1-2]")
    hosts.hosts[1].stop()
    before = sorted(path for path in tmp_path.rglob("*") if "hosts" not in path.parts)
    assert main(["agent", "install", "--ssh", "web[1-3]", "--dry-run"]) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("web1: unchanged: known by ")
    assert "stays and is repaired" in second
    assert third.startswith(f"web3: would be installed: {__version__} comes into ")
    assert before == sorted(path for path in tmp_path.rglob("*") if "hosts" not in path.parts)


def test_a_dry_run_changes_nothing(
    hosts: SshHosts, operator: InstallOperator, run: Installing, tmp_path: Path
) -> None:
    web1, web2 = hosts.add("web1"), hosts.add("web2")
    run("web1")
    before = web1.files, web2.files, len(operator.tokens), len(operator.tasks)
    newer = agent_bundle(tmp_path, more="newer")
    assert statuses(run("web1,web2", "--dry-run")) == {"web1": "unchanged", "web2": "would_install"}
    updated, installed = run("web1,web2", "--dry-run", bundle=newer)
    assert (updated["status"], installed["status"]) == ("would_update", "would_install")
    assert updated["detail"].partition(",")[0].endswith(f"comes in place of {named(web1.current)}")
    assert installed["detail"].endswith("without systemd, kept running by a script")
    web1.kill_loop(signal.SIGTERM)
    (row,) = run("web1", "--dry-run")
    assert "stays and is repaired" in row["detail"]
    after = [name for name in web1.files if "run.pid" not in name]
    assert after == [name for name in before[0] if "run.pid" not in name]
    assert (web2.files, len(operator.tokens)) == (before[1], before[2])


def test_a_host_that_operators_have_renamed_keeps_its_name(
    hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    web1 = hosts.add("web1")
    run("web1")
    (known,) = operator.hosts.values()
    operator.hosts = {"shop": replace(known, name="shop")}
    operator.add_host("web1", fingerprint="lusab-babad-gutih")
    web1.kill_loop(signal.SIGTERM)
    (row,) = run("web1")
    assert (row["status"], row["name"]) == ("installed", "shop")


def test_an_address_gets_the_name_that_the_host_gives_itself(
    hosts: SshHosts, run: Installing
) -> None:
    first, second = hosts.add("192.0.2.1"), hosts.add("192.0.2.2")
    for host, name in ((first, "db7"), (second, "(none)")):
        host.program("uname", f'echo "Linux {name} $(/bin/uname -m)"')
    installed, failed = run("192.0.2.[1-2]", exits=1)
    assert installed["status"] == "installed"
    assert "AGENT_NAME" not in first.settings.read_text()
    assert failed["detail"].startswith("It calls itself '(none)', which is no name for a host.")


def test_a_pending_host_whose_key_was_seen_is_approved(
    hosts: SshHosts, operator: InstallOperator, run: Installing
) -> None:
    web1 = hosts.add("web1")
    run("web1")
    operator.change_host("web1", admission=Admission.PENDING)
    web1.kill_loop(signal.SIGTERM)
    assert statuses(run("web1")) == {"web1": "installed"}
    assert operator.hosts["web1"].admission is Admission.ADMITTED


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["-oProxyCommand=id"], "arguments are required"),
        (["--", "-oProxyCommand=id"], "ssh would read it as an option"),
        (["web1;id"], "is not a host"),
        (["web[1-2]", "--name", "x"], "--name is for one host"),
        (["web1", "--name", "-x"], "expected one argument"),
        (["web1", "--manager", "m1"], "--manager m1: expected HOST:PORT"),
        (["web1", "--label", "env"], "expected NAME=VALUE"),
        (["web1", "--label", "env=a b"], "is not a value for the label env"),
        (["web1", "--ask-become-password"], "only for --become"),
        (["web1", "--parallel", "0"], "a number from 1 to 200"),
    ],
)
def test_wrong_usage(words: list[str], problem: str, hosts: SshHosts, run: Installing) -> None:
    assert run(*words, exits=2) == []
    assert problem in run.err
    assert not (hosts.folder / "calls").exists()


def test_a_manager_that_no_host_can_reach(
    operator: InstallOperator, hosts: SshHosts, run: Installing
) -> None:
    hosts.add("web1")
    operator.address = "127.0.0.1:7443"
    run("web1", exits=2)
    assert "other machines cannot reach" in run.err
    assert statuses(run("web1", "--manager", "127.0.0.1:7443")) == {"web1": "installed"}
    operator.security = "insecure"
    run("web1", "--manager", "127.0.0.1:7443", exits=2)
    assert "runs with --insecure" in run.err


def test_lines_for_people(hosts: SshHosts, run: Installing, capsys: Capture) -> None:
    web1 = hosts.add("web1")
    hosts.add("web2").write(stderr="Permission denied\x1b[2J (publickey).", status="255")
    options = ["--bundle", str(run.bundle), "--trust", public(KEY)]
    status = main(["agent", "install", "--ssh", "web[1-2]", *options])
    out, err = capsys.readouterr()
    assert status == 1
    first, second = out.splitlines()
    assert first == f"web1: installed {named(web1.current)}: known by {web1.fingerprint}, {NO_BOOT}"
    assert second.startswith("web2: failed: ssh was not let in: Permission denied")
    assert "\x1b" not in out
    assert "web1 connecting\n" in err
    assert err.endswith("tui-manager: 2 hosts: 1 installed, 1 failed; checked by task 1\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_of_a_terminal_says_that_a_command_is_tried_at_the_end(
    hosts: SshHosts, run: Installing, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.add("web1")
    hosts.add("web2").write(stderr="Permission denied", status="255")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(status_line, "_INTERVAL", 0.0)
    options = ["--bundle", str(run.bundle), "--trust", public(KEY)]
    assert main(["agent", "install", "--ssh", "web[1-2]", *options]) == 1
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert "2 of 2 hosts, 1 failed" in drawn
    assert "2 of 2 hosts, 1 failed: trying a command on them" in drawn


def test_nothing_is_drawn_where_ssh_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(status_line, "_INTERVAL", 0.0)
    web1 = SshTarget("web1", "web1")
    progress = HostProgress(1, ssh_asks=True)
    progress.on_stage(web1, Stage.CONNECTING)
    assert terminal.getvalue() == ""
    progress.on_stage(web1, Stage.LOOKING)
    assert "web1 looking at the host" in terminal.getvalue()
    status_line.clear_status()


def test_a_log_has_one_line_for_each_of_many_hosts(
    hosts: SshHosts, run: Installing, operator: InstallOperator
) -> None:
    for number in range(1, 7):
        hosts.add(f"web{number}")
    (hosts.folder / "web6/stderr").write_text("Permission denied (publickey).")
    (hosts.folder / "web6/status").write_text("255")
    run("web[1-6]", exits=1)
    lines = run.err.splitlines()
    ended = [line for line in lines if not line.startswith("tui-manager: ")]
    assert sorted(line.partition(",")[0] for line in ended) == [
        *(f"web{number} installed" for number in range(1, 6)),
        "web6 failed",
    ]
    assert [line.partition(", ")[2] for line in ended] == [f"{n} of 6" for n in range(1, 7)]
    assert lines[-1] == "tui-manager: 6 hosts: 5 installed, 1 failed; checked by task 1"
    (task,) = operator.tasks.values()
    assert task.spec.target == "web[1-5]"


def test_names_from_stdin(
    hosts: SshHosts, run: Installing, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.add("web1"), hosts.add("web2")
    monkeypatch.setattr("sys.stdin", iter(["web1  # the first\n", "web2\n"]))
    assert statuses(run("-")) == {"web1": "installed", "web2": "installed"}

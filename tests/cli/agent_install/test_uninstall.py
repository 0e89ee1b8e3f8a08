"""`agent uninstall` leaves nothing on a host, and nothing of it in the fleet."""

import os
from pathlib import Path

import pytest

from tests.cli.agent_install.ssh_hosts import (
    Installing,
    InstallOperator,
    SshHosts,
    Uninstalling,
    statuses,
)
from tui_manager.cli.main import main
from tui_manager.domain.status import Admission, CommandHostStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec


def test_nothing_is_left(
    hosts: SshHosts, operator: InstallOperator, run: Installing, remove: Uninstalling
) -> None:
    made = [hosts.add("web1"), hosts.add("web2")]
    before = [host.files for host in made]
    run("web[1-2]")
    rows = remove("web[1-2]")
    assert statuses(rows) == {"web1": "removed", "web2": "removed"}
    assert [row["detail"] for row in rows] == [
        "the manager has removed web1, whose history stays",
        "the manager has removed web2, whose history stays",
    ]
    assert [host.files for host in made] == before
    assert [host.pid for host in made] == [0, 0]
    assert operator.hosts == {}
    actions = [entry.action for entry in operator.audit]
    assert (actions.count("revoke_host"), actions.count("remove_host")) == (2, 2)


def test_a_repeat_finds_nothing(hosts: SshHosts, run: Installing, remove: Uninstalling) -> None:
    web1 = hosts.add("web1")
    before = web1.files
    (row,) = remove("web1")
    assert (row["status"], row["detail"]) == ("unchanged", "there was no agent")
    assert web1.files == before
    run("web1")
    remove("web1")
    assert statuses(remove("web1")) == {"web1": "unchanged"}


def test_an_installed_host_comes_back_as_a_new_one(
    hosts: SshHosts, run: Installing, remove: Uninstalling
) -> None:
    web1 = hosts.add("web1")
    (first,) = run("web1")
    remove("web1")
    (second,) = run("web1")
    assert second["status"] == "installed"
    assert second["host_id"] not in ("", first["host_id"])
    assert web1.pid


@pytest.mark.parametrize("damage", ["program", "agent", "settings", "current"])
def test_a_broken_agent_is_taken_away_too(
    damage: str,
    hosts: SshHosts,
    operator: InstallOperator,
    run: Installing,
    remove: Uninstalling,
) -> None:
    web1 = hosts.add("web1")
    before = web1.files
    run("web1")
    match damage:
        case "program":
            (web1.root / "current/bin/tui-manager-agent").write_text("")
        case "agent":
            web1.stop()
        case "settings":
            web1.settings.unlink()
        case _:
            (web1.root / "current").unlink()
    assert statuses(remove("web1")) == {"web1": "removed"}
    assert web1.files == before
    assert operator.hosts == {}


def test_commands_that_run_are_named_and_block_it(
    hosts: SshHosts,
    operator: InstallOperator,
    run: Installing,
    remove: Uninstalling,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    web1 = hosts.add("web1")
    before = web1.files
    run("web1")
    start = super(InstallOperator, operator).start_task
    monkeypatch.setattr(operator, "start_task", start)
    spec = TaskSpec(target="web1", commands=(CommandSpec(text="make"),), name="nightly")

    async def begin() -> int:
        task_id = await operator.create_task(spec)
        await operator.start_task(task_id)
        return task_id

    task_id = operator.run_alone(begin())
    (row,) = remove("web1", exits=1)
    assert row["detail"] == (
        f"Commands run there: task {task_id} (nightly). Wait for them or cancel them; with "
        "--force the agent is taken away all the same, they go on, and their results are lost."
    )
    assert web1.pid
    assert operator.hosts["web1"].admission is Admission.ADMITTED
    second = operator.run_alone(begin())
    (row,) = remove("web1", "--force")
    assert row["status"] == "removed"
    assert row["detail"] == (
        "2 commands go on there, and nobody hears of them any more: "
        f"task {second} (nightly), task {task_id} (nightly); "
        "the manager has removed web1, whose history stays"
    )
    assert web1.files == before
    operator.end_on("web1", CommandHostStatus.COMPLETED, task_id=task_id)


def test_the_manager_may_keep_the_host(
    hosts: SshHosts, operator: InstallOperator, run: Installing, remove: Uninstalling
) -> None:
    web1 = hosts.add("web1")
    run("web1")
    (row,) = remove("web1", "--keep-host")
    assert (row["status"], row["name"]) == ("removed", "web1")
    assert row["detail"] == (
        "the manager keeps web1, as offline: `tui-manager hosts remove web1` before another "
        "install under this name"
    )
    assert not web1.root.exists()
    assert operator.hosts["web1"].admission is Admission.ADMITTED


def test_the_name_of_a_host_that_was_kept_is_free_once_it_is_removed(
    hosts: SshHosts,
    operator: InstallOperator,
    run: Installing,
    remove: Uninstalling,
    capsys: pytest.CaptureFixture[str],
) -> None:
    web1 = hosts.add("web1")
    run("web1")
    remove("web1", "--keep-host")
    before = web1.files
    operator.change_host("web1", online=False)
    (row,) = run("web1", exits=1)
    assert "uninstalled with --keep-host, `tui-manager hosts remove web1` first" in row["detail"]
    assert web1.files == before
    assert main(["hosts", "remove", "web1"]) == 0
    assert capsys.readouterr().out == "web1\n"
    assert statuses(run("web1")) == {"web1": "installed"}


def test_an_agent_of_another_manager_is_taken_away_and_named(
    hosts: SshHosts, operator: InstallOperator, run: Installing, remove: Uninstalling
) -> None:
    web1 = hosts.add("web1")
    run("web1")
    (web1.state / "identity").write_bytes(b"journal_id=j\0manager_id=other\0host_id=h\0")
    (row,) = remove("web1")
    assert row["detail"] == "it belonged to the manager other"
    assert not web1.state.exists()
    assert operator.hosts["web1"].admission is Admission.ADMITTED


def test_files_of_the_owner_stay(hosts: SshHosts, run: Installing, remove: Uninstalling) -> None:
    web1 = hosts.add("web1")
    run("web1")
    folder = web1.config / "tui-manager-agent"
    folder.mkdir()
    (folder / "policy.toml").write_text("")
    (row,) = remove("web1")
    assert f"{folder} stays, as its owner made it" in row["detail"]
    assert (folder / "policy.toml").exists()


def test_other_lines_of_the_crontab_stay(
    hosts: SshHosts, run: Installing, remove: Uninstalling
) -> None:
    web1 = hosts.add("web1")
    table = web1.folder / "table"
    web1.program("crontab", f"""
case $1 in
-l) cat {table} 2>/dev/null || {{ echo no crontab for root >&2; exit 1; }} ;;
-r) rm {table} ;;
-) cat >{table} ;;
esac
""")  # fmt: skip
    run("web1")
    remove("web1")
    assert not table.exists()
    table.write_text("1 2 * * * mine\n")
    run("web1")
    assert table.read_text().count("\n") == 2
    remove("web1")
    assert table.read_text() == "1 2 * * * mine\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent is root's")
def test_an_agent_of_another_user_is_named(
    hosts: SshHosts, run: Installing, remove: Uninstalling
) -> None:
    """Somebody has forgotten --become."""
    web1 = hosts.add("web1")
    run("root@web1")
    web1.program("id", "case $1 in -u) echo 1000;; -un) echo admin;; esac")
    before = web1.files
    (row,) = remove("admin@web1")
    assert (row["status"], row["detail"]) == (
        "unchanged",
        f"admin has no agent there, but there is one of root in {web1.root}: to take that one "
        "away, use --become or log in as root",
    )
    assert web1.files == before
    (web1.folder / "bin/id").unlink()
    assert statuses(remove("root@web1")) == {"root@web1": "removed"}


@pytest.mark.skipif(os.geteuid() != 0, reason="packages are root's")
def test_a_package_is_left_to_the_package_manager(
    hosts: SshHosts, run: Installing, remove: Uninstalling
) -> None:
    web1 = hosts.add("web1")
    folder = web1.folder / "root/usr/lib/tui-manager-agent"
    folder.mkdir(parents=True)
    (folder / "packaged").write_text("rpm\n")
    (row,) = remove("web1", exits=1)
    assert row["detail"] == "Its agent comes from a rpm package: the package manager removes it."


@pytest.mark.parametrize("verb", ["probe", "lock", "uninstall"])
def test_ssh_that_breaks_is_mended_by_a_repeat(
    verb: str, hosts: SshHosts, run: Installing, remove: Uninstalling
) -> None:
    web1 = hosts.add("web1")
    before = web1.files
    run("web1")
    web1.write(dies=verb)
    (row,) = remove("web1", exits=1)
    assert "Broken pipe" in row["detail"]
    (web1.folder / "dies").unlink()
    assert statuses(remove("web1")) == {"web1": "removed"}
    assert web1.files == before


def test_no_manager(hosts: SshHosts, tmp_path: Path) -> None:
    hosts.add("web1")
    words = ["--state-dir", str(tmp_path / "none"), "--ssh", "web1"]
    for action in ("install", "uninstall"):
        assert main(["agent", action, *words]) == 3
    assert not (hosts.folder / "calls").exists()

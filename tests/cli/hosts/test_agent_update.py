"""`agent update`: which task starts, what the manager stores, what is printed."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.transfers import HOSTS, Capture, Manager
from tests.support.programs.bundles import new_key, small_bundle
from tui_manager.agent_bundle.opened_bundle import open_bundle
from tui_manager.cli.commands.hosts import agent_update
from tui_manager.cli.main import main
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.task_spec.task_spec import Offline, StepKind


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "agent.bundle"
    path.write_bytes(small_bundle([new_key()]))
    return path


@pytest.fixture
def manager(connect_to: Connect) -> Manager:
    """web01 is updated, web02 has this version, web03 goes back to the old one."""

    async def act(operator: FakeOperator) -> None:
        (step,) = operator.tasks[1].spec.commands
        assert step.stored_files is not None
        size = step.stored_files.bytes
        did = Transfer(size, 1, 0, size, "ab" * 32)
        operator.end_on("web01", transfer=did, detail="0.1.0 to 0.2.0")
        operator.end_on("web02", transfer=Transfer(size, 1, 1, 0, "ab" * 32))
        operator.end_on(
            "web03",
            CommandHostStatus.FAILED,
            Reason.UPDATE_FAILED,
            detail="the new version was not back within 2m; 0.1.0 goes on",
        )

    made = Manager(connect_to)
    made.acts(act)
    return made


def test_an_update_gives_the_bundle_to_the_manager_and_starts_a_task(
    manager: Manager, bundle: Path, capsys: Capture
) -> None:
    manifest = open_bundle(bundle).manifest
    assert main(["agent", "update", "@all", "--bundle", str(bundle)]) == 1
    update = manager.step.update
    assert manager.step.kind is StepKind.UPDATE
    assert update is not None
    assert (update.version, update.build) == (manifest.version, manifest.build)
    assert (update.system, update.arch) == ("linux", "x86_64")
    assert (update.files.files, update.files.bytes) == (1, bundle.stat().st_size)
    assert manager.operator.sets[update.files.sha256][1] == bundle.read_bytes()
    captured = capsys.readouterr()
    assert sorted(captured.out.splitlines()) == [
        "web01: updated: 0.1.0 to 0.2.0",
        f"web02: unchanged: 0.2.0 (build {manifest.build})",
    ]
    assert captured.err == (
        "tui-manager: task 1: 3 hosts: 1 updated, 1 unchanged, 1 failed: web03 update failed (the "
        "new version was not back within 2m; 0.1.0 goes on)\n"
    )


def test_the_json_of_an_update_is_that_of_a_copy(
    manager: Manager, bundle: Path, capsys: Capture
) -> None:
    assert main(["agent", "update", "@all", "--bundle", str(bundle), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    by_host = {host["host"]: host for host in found["hosts"]}
    assert by_host["web01"]["detail"] == "0.1.0 to 0.2.0"
    assert by_host["web01"]["bytes"] == bundle.stat().st_size
    assert [by_host[host]["unchanged"] for host in HOSTS] == [False, True, False]
    assert by_host["web03"]["reason"] == "update_failed"
    assert by_host["web03"]["sha256"] is None


def test_the_task_shows_what_it_brings(manager: Manager, bundle: Path, capsys: Capture) -> None:
    manifest = open_bundle(bundle).manifest
    named = f"0.2.0 (build {manifest.build})"
    main(["agent", "update", "@all", "--bundle", str(bundle)])
    capsys.readouterr()
    assert main(["task", "show", "1", "--json"]) == 0
    (step,) = json.loads(capsys.readouterr().out)["steps"]
    assert (step["kind"], step["version"], step["build"]) == ("update", "0.2.0", manifest.build)
    assert (step["system"], step["arch"]) == ("linux", "x86_64")
    assert main(["task", "show", "1"]) == 0
    out = capsys.readouterr().out
    assert f"update the agent to {named} for linux x86_64" in out
    rows = {line.split()[0]: line for line in out.splitlines() if line.startswith("web")}
    assert "updated: 0.1.0 to 0.2.0" in rows["web01"]
    assert f"unchanged: {named}" in rows["web02"]
    assert "update failed (the new version was not back" in rows["web03"]
    assert main(["task", "list"]) == 0
    assert f"update the agent to {named}" in capsys.readouterr().out


def test_the_options_of_run_describe_the_task(manager: Manager, bundle: Path) -> None:
    words = (
        f"agent update --bundle {bundle} web01,web02 --name agents --timeout 20m --offline wait "
        "--delivery-timeout 2h --batches 1,rest --max-failures 0 --hold first --no-start"
    )
    assert main(words.split()) == 0
    spec = manager.spec
    assert (spec.target, spec.name, spec.offline) == ("web01,web02", "agents", Offline.WAIT)
    assert (spec.rollout.batches, spec.rollout.max_failures) == ("1,rest", "0")
    assert manager.step.timeout.total_seconds() == 1200


def test_a_plan_starts_and_stores_nothing(manager: Manager, bundle: Path, capsys: Capture) -> None:
    assert main(["agent", "update", "@all", "--bundle", str(bundle), "--plan"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("tui-manager: signed with ed25519:")
    assert "Nothing is started. The update would run on 3 hosts" in out
    assert "update the agent to 0.2.0 (build " in out
    assert manager.operator.tasks == {}
    assert manager.operator.sets == {}
    assert main(["agent", "update", "@all", "--bundle", str(bundle), "--plan", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == [{"name": "", "kind": "update"}]


def test_without_a_bundle_it_takes_that_of_this_machine(
    manager: Manager, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_update, "own_bundle", lambda: open_bundle(bundle))
    assert main(["agent", "update", "@all", "--detach"]) == 0
    assert manager.step.update is not None
    assert manager.step.update.build == open_bundle(bundle).manifest.build


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1024], "The bundle is cut"),
        (lambda data: data.replace(b'"version"', b'"Version"', 1), "is wrong"),
        (lambda data: b"no bundle", "This is no bundle of tui-manager-agent"),
    ],
)
def test_a_bundle_is_checked_before_anything_is_stored(
    manager: Manager, bundle: Path, capsys: Capture, change: object, words: str
) -> None:
    assert callable(change)
    bundle.write_bytes(change(bundle.read_bytes()))
    assert main(["agent", "update", "@all", "--bundle", str(bundle)]) == 2
    assert str(bundle) in capsys.readouterr().err
    assert manager.operator.tasks == {}
    assert manager.operator.sets == {}


def test_what_cannot_be_asked_for_is_refused_before_a_bundle_is_made(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def make() -> Path:
        raise AssertionError("a bundle was made")

    monkeypatch.setattr(agent_update, "own_bundle", make)
    for words, why in (
        (["nobody"], "nobody"),
        (["@all", "--batches", "0"], "--batches 0"),
        (["@all", "--plan", "--detach"], "leave --detach out"),
        (["@all", "--strict"], "--strict needs --max-failures"),
    ):
        assert main(["agent", "update", *words]) == 2
        assert why in capsys.readouterr().err


def test_an_update_is_run_again_on_the_hosts_that_failed(
    manager: Manager, bundle: Path, capsys: Capture
) -> None:
    main(["agent", "update", "@all", "--bundle", str(bundle)])
    capsys.readouterr()
    assert main(["task", "rerun", "1", "--no-start"]) == 0
    again = manager.operator.tasks[2].spec
    assert again.commands == manager.spec.commands


def test_a_template_cannot_be_made_of_an_update(
    manager: Manager, bundle: Path, capsys: Capture
) -> None:
    main(["agent", "update", "@all", "--bundle", str(bundle)])
    capsys.readouterr()
    assert main(["template", "save", "agents", "1"]) == 2
    assert "An update of agents is no part of a task file, a template" in capsys.readouterr().err


@pytest.mark.usefixtures("manager_goes_away")
def test_an_update_says_what_becomes_of_it_without_a_manager(bundle: Path, capsys: Capture) -> None:
    assert main(["agent", "update", "@all", "--bundle", str(bundle)]) == 3
    assert capsys.readouterr().err == (
        "tui-manager: The manager has stopped. Task 1 waits for it; a host whose new agent does "
        "not find it within 2 minutes goes back to the old one.\n"
    )

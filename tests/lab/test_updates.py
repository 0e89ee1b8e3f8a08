"""Updates of agents on hosts that a test of the agent alone cannot show: real bundles, systemd and
its absence, commands that run through all of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.changed_bundles import (
    ENDS,
    HANGS,
    bundle_of_script,
    changed_bundle,
    shorter_trial,
)
from tests.lab.conftest import MakeLab, give_bundle
from tests.lab.lab import Lab, plans
from tests.support.programs.built_bundles import built_bundle, release_key
from tests.support.programs.bundles import new_key

pytestmark = pytest.mark.long

NAMES = [f"h{number:02}" for number in range(1, 5)]
UNTIL_TOLD = "mkfifo /tmp/end; echo $$; read -r _ < /tmp/end; echo $$"


def update(lab: Lab, target: str, bundle: Path, *options: str, status: int) -> dict[str, Any]:
    """Runs `agent update`; what it says of each host."""
    words = ("agent", "update", target, "--bundle", str(bundle), *options, "--json")
    done = lab.operator.run(*words)
    assert done.code == status, f"{done}\n{lab.story()}"
    return {row["host"]: row for row in json.loads(done.out)["hosts"]}


def builds(lab: Lab) -> dict[str, tuple[bool, str]]:
    """Which hosts are online, and what they run."""
    return {host["name"]: (host["online"], host["build"]) for host in lab.operator.hosts()}


def wait_for_builds(lab: Lab, expected: dict[str, str]) -> None:
    """Waits until these hosts are online with these builds."""
    wanted = {name: (True, build) for name, build in expected.items()}
    lab.operator.wait_for(
        f"{expected}", lambda: builds(lab), lambda seen: seen.items() >= wanted.items()
    )


def versions(lab: Lab, name: str) -> set[str]:
    """The builds that a host keeps; an unfinished one has a name of its own."""
    kept = (lab[name].root / "opt/tui-manager-agent/versions").iterdir()
    return {path.name.rpartition("-")[2] for path in kept}


def test_bad_updates_revert_while_commands_run(make_lab: MakeLab, tmp_path: Path) -> None:
    key = release_key().private
    good = changed_bundle(tmp_path / "good", key, shorter_trial(15))
    bundle_of_script(tmp_path / "hangs", key, HANGS)
    bundle_of_script(tmp_path / "ends", key, ENDS)
    bundle_of_script(tmp_path / "foreign", new_key(), ENDS)
    lab = make_lab(plans(4, systemd=(2, 4), unpacked=True))
    lab.operator.serve()
    give_bundle(lab)
    installed = lab.operator.run("agent", "install", "--ssh", "h[01-04]")
    assert installed.code == 0, f"{installed}\n{lab.story()}"
    first = built_bundle().manifest.build
    started = lab.operator.run("run", "@all", "--detach", "--", UNTIL_TOLD)
    task_id = int(started.out)
    lab.operator.wait_for(
        "all to run", lambda: lab.operator.output(task_id).count(b"\n") == len(NAMES)
    )

    rows = update(lab, "@all", tmp_path / "good", status=0)
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(NAMES, "completed")
    wait_for_builds(lab, dict.fromkeys(NAMES, good.build))
    assert {frozenset(versions(lab, name)) for name in NAMES} == {frozenset({first, good.build})}

    rows = update(lab, "@all", tmp_path / "good", status=0)
    assert all(row["unchanged"] for row in rows.values())

    rows = update(lab, "h[01-02]", tmp_path / "foreign", status=1)
    assert {row["reason"] for row in rows.values()} == {"rejected"}
    assert all("signed" in row["detail"] for row in rows.values()), rows
    assert {frozenset(versions(lab, name)) for name in NAMES} == {frozenset({first, good.build})}

    # One batch, and the budget is spent. Meanwhile the others get a version that ends at once.
    budget = ("--batches", "2,rest", "--max-failures", "0", "--json")
    words = ("agent", "update", "@all", "--bundle", str(tmp_path / "hangs"), *budget)
    hanging = lab.operator.start("hanging", *words)
    lab.operator.wait_for("the version that hangs", lambda: hangs_on(lab, "h01"))
    rows = update(lab, "h[03-04]", tmp_path / "ends", status=1)
    assert {row["reason"] for row in rows.values()} == {"update_failed"}
    assert hanging.wait() == 1
    rows = {row["host"]: row for row in json.loads(hanging.out)["hosts"]}
    assert {name: (row["status"], row["reason"]) for name, row in rows.items()} == {
        **dict.fromkeys(NAMES[:2], ("failed", "update_failed")),
        **dict.fromkeys(NAMES[2:], ("skipped", "budget_spent")),
    }
    assert all("was not back within 15s" in rows[name]["detail"] for name in NAMES[:2]), rows
    wait_for_builds(lab, dict.fromkeys(NAMES, good.build))
    lab.operator.wait_for(
        "the bad versions to be removed",
        lambda: set.union(*(versions(lab, name) for name in NAMES)),
        lambda kept: kept == {first, good.build},
    )

    for name in NAMES:
        lab[name].run("sh", "-c", "echo > /tmp/end")
    lab.operator.wait_for_task(task_id, "completed")
    for row in lab.operator.task(task_id)["hosts"]:
        assert row["status"] == "completed"
    lines = lab.operator.output(task_id).split()
    assert len(lines) == 2 * len(NAMES)
    assert all(lines.count(pid) % 2 == 0 for pid in lines)  # each shell has said its id twice


def test_a_host_that_loses_power_in_a_trial_is_back_with_its_old_agent(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    key = release_key().private
    good = changed_bundle(tmp_path / "good", key, {"share/note": b"another build"})
    bundle_of_script(tmp_path / "hangs", key, HANGS)
    lab = make_lab(plans(2, systemd=(2,), unpacked=True))
    lab.operator.serve()
    give_bundle(lab)
    names = NAMES[:2]
    installed = lab.operator.run("agent", "install", "--ssh", "plain@h01", "h02")
    assert installed.code == 0, f"{installed}\n{lab.story()}"
    rows = update(lab, "@all", tmp_path / "good", status=0)  # the agent of a user too
    assert {row["status"] for row in rows.values()} == {"completed"}
    wait_for_builds(lab, dict.fromkeys(names, good.build))

    words = ("agent", "update", "@all", "--bundle", str(tmp_path / "hangs"), "--detach")
    task_id = int(lab.operator.run(*words).out)
    for name in names:
        lose_power_in_trial(lab, name)
    wait_for_builds(lab, dict.fromkeys(names, good.build))
    task = lab.operator.wait_for_task(task_id, "failed")
    assert {row["reason"] for row in task["hosts"]} == {"update_failed"}
    assert all("restarted" in row["detail"] for row in task["hosts"]), task["hosts"]
    done = lab.operator.run("run", "@all", "--json", "--", "hostname")
    assert [row["stdout"] for row in json.loads(done.out)["hosts"]] == [f"{n}\n" for n in names]


def lose_power_in_trial(lab: Lab, name: str) -> None:
    """Restarts a host as soon as the new version hangs there."""
    lab.operator.wait_for(f"a trial on {name}", lambda: hangs_on(lab, name))
    lab.restart(name)


def hangs_on(lab: Lab, name: str) -> bool:
    """Whether the program that dials nobody runs there in place of the agent."""
    words = lab[name].try_to_run("sh", "-c", "cat /proc/[0-9]*/cmdline").stdout
    return b"sleep\x00100000" in words

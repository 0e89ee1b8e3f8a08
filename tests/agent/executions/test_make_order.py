"""The order that is made of a RunCommand."""

import os
import pwd
from pathlib import Path

import pytest
from tui_manager_agent.executions.orders.make_order import is_execution_id, make_order
from tui_manager_agent.journal.order_and_result import Order
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.supervisor import clock, record
from tui_manager_protos.v1 import agent_pb2 as wire

ID = "0d2d4b62-93c8-4d2f-9f5e-0a2b6ad6a0b1"
FIFO = Path("/state/bell")


def order(**fields: object) -> Order:
    run = wire.RunCommand(execution_id=ID, command="true", **fields)  # type: ignore[arg-type]
    return make_order(run, fifo=FIFO, boot_id="this", copy_path="/run/copies/{}".format)


def test_what_is_not_said_has_a_default() -> None:
    made = order()
    assert made.timeout == 3600 * clock.SECOND
    assert made.kill_grace == 10 * clock.SECOND
    assert made.output_limit == 16 * 1024 * 1024
    assert not made.start_before


def test_the_manager_has_the_last_word_on_variables_but_not_on_the_mark() -> None:
    made = order(environment={"PATH": "/opt/bin", record.MARK: "another"})
    assert made.environment["PATH"] == "/opt/bin"
    assert made.environment[record.MARK] == ID


def test_a_policy_does_not_judge_what_the_manager_adds() -> None:
    made = order(
        environment={
            "OWN": "x",
            "TUI_MANAGER_HOST": "web01",
            "TUI_MANAGER_LABEL_ENV": "prod",
            "TUI_MANAGER_BATCH": "not what a manager makes",
            "TUI_MANAGER_AGENT_POLICY": "/dev/null",
        }
    )
    assert set(made.variables) == {"OWN", "TUI_MANAGER_BATCH", "TUI_MANAGER_AGENT_POLICY"}
    assert made.environment["TUI_MANAGER_HOST"] == "web01"


def test_the_agents_own_variables_stay_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_TOKEN", "secret")
    monkeypatch.setenv("LC_TIME", "de_DE.UTF-8")
    monkeypatch.delenv("PATH")
    made = order()
    assert "AGENT_TOKEN" not in made.environment
    assert made.environment["LC_TIME"] == "de_DE.UTF-8"
    assert "/usr/bin" in made.environment["PATH"]


def test_a_user_without_a_home_works_in_the_root_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    me = pwd.getpwuid(os.geteuid())
    homeless = pwd.struct_passwd((*me[:5], "/nonexistent", me[6]))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: homeless)
    assert order().cwd == "/"
    assert order(cwd="/tmp").cwd == "/tmp"


def test_a_user_that_passwd_does_not_know(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert order().cwd == str(tmp_path)
    assert order().environment["USER"] == str(os.geteuid())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"pty": True}, "rejected"),
        ({"run_as_user": "somebody-else"}, "rejected"),
        ({"environment": {"A=B": "x"}}, "spawn_failed"),
        ({"environment": {"": "x"}}, "spawn_failed"),
        ({"environment": {"A": "x\0y"}}, "spawn_failed"),
        ({"environment": {"A\0B": "x"}}, "spawn_failed"),
        ({"cwd": "/tmp\0"}, "spawn_failed"),
    ],
)
def test_what_no_supervisor_could_carry_out_is_refused(
    fields: dict[str, object], reason: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        order(**fields)
    assert refused.value.reason == reason


def test_naming_the_agents_own_user_is_fine() -> None:
    assert order(run_as_user=pwd.getpwuid(os.geteuid()).pw_name).command == "true"


@pytest.mark.parametrize("text", ["", "..", "a/b", ID.upper(), "{" + ID + "}", ID + "\n"])
def test_only_a_plain_uuid_names_a_folder(text: str) -> None:
    assert not is_execution_id(text)
    assert is_execution_id(ID)

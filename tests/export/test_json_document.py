"""A task as JSON."""

import asyncio
import json

from tests.export.conftest import Operator, exported
from tui_manager.domain.presentation.export_format import Format
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.export.json_document import CUT


def test_it_has_what_show_and_run_print(operator: Operator) -> None:
    task = json.loads(exported(operator, Format.JSON))
    assert (task["task_id"], task["status"], task["name"]) == (1, "failed", "rolling <restart>")
    assert task["exported_at"] == "2026-03-01T12:05:01.250Z"
    assert [step["name"] for step in task["steps"]] == ["restart", ""]
    assert task["counts"]["total"] == len(task["hosts"]) == 14
    assert [row["command"] for row in task["hosts"]] == [0] * 7 + [1] * 7
    failed = task["hosts"][3]
    assert (failed["host"], failed["reason"], failed["exit_code"]) == ("web03", "exit_code", 3)
    assert failed["stdout"] == "\x1b[1;31mbad\x1b[0m \x00\ufffd <&>\n"
    assert failed["stderr"] == "=1+1 failed\n"
    assert "cut" not in failed


def test_a_long_stream_is_cut_as_in_run(operator: Operator) -> None:
    whole = "é".encode() * (CUT // 2)
    operator.emit(operator.execution(1, "web01", 0), b"x" + whole, Stream.STDERR)
    operator.emit(operator.execution(1, "web02", 0), whole[: CUT - 3])
    long, fits = json.loads(exported(operator, Format.JSON))["hosts"][1:3]
    assert long["cut"] is True
    assert long["stderr"] == "x" + "é" * (CUT // 2 - 1)  # half of the last character is left out
    assert long["stderr_bytes"] == CUT + 1
    assert "cut" not in fits
    assert fits["stdout_bytes"] == CUT


def test_a_terminal_gets_no_control_character(operator: Operator) -> None:
    operator.emit(operator.execution(1, "web01", 0), "\x7f\x9b31m\u202e\u2028é".encode())
    text = exported(operator, Format.JSON)
    assert not any(char in text for char in "\x1b\x7f\x9b\u202e\u2028")
    assert json.loads(text)["hosts"][1]["stdout"] == "ok\n\x7f\x9b31m\u202e\u2028é"


def test_a_task_without_hosts() -> None:
    operator = Operator("web01")
    asyncio.run(operator.create_task(TaskSpec("@all", (CommandSpec("true"),))))
    task = json.loads(exported(operator, Format.JSON))
    assert (task["status"], task["hosts"]) == ("pending", [])

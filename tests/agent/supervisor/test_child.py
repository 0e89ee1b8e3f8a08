"""A child program whose agent has ended prints nothing."""

import subprocess
import sys

import pytest
from tui_manager_agent.supervisor import record


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (["tui_manager_agent.identity.keys", "request"], {"folder": "/no/such/folder"}),
        (["tui_manager_agent.identity.keys", "request"], {}),
        (["tui_manager_agent.link.enrollment_program"], {}),
    ],
)
def test_a_child_whose_agent_is_gone_prints_nothing(
    words: list[str], order: dict[str, str]
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    child.stdin.write(record.encode(order))
    child.stdin.close()
    said = child.stderr.read()
    child.stderr.close()
    assert (child.wait(), said) == (0, b"")

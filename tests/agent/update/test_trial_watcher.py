"""The program that watches a new version of the agent, where no agent is needed to try it."""

import subprocess
from pathlib import Path

from tui_manager_agent.supervisor import clock
from tui_manager_agent.supervisor.processes import processes
from tui_manager_agent.update.trial_watcher import Watcher

_TRIAL = 300 * clock.SECOND


def test_a_trial_that_is_over_before_the_first_look_is_over(tmp_path: Path) -> None:
    """Its record was written and removed meanwhile."""
    with subprocess.Popen(
        ["sh", "-c", "read -r go && exec sleep 600"], stdin=subprocess.PIPE
    ) as agent:
        assert agent.stdin is not None
        _, born = processes.inspect(agent.pid)
        end = clock.now() + _TRIAL
        words = [tmp_path / "update.trial", "id", agent.pid, born, end, 0, 0, ""]
        watcher = Watcher([str(word) for word in words])
        agent.stdin.write(b"go\n")
        agent.stdin.flush()
        assert not watcher.watch()
        assert (clock.now() < end, agent.poll()) == (True, None)
        agent.kill()

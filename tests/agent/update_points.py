"""Failpoints and short times in the versions of `updated_host.py`; installed in their programs."""

import asyncio
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_POINTS = Path(__file__).parents[1] / "faults/inject/points.py"
SECOND = 1_000_000_000


def install() -> None:
    spec = importlib.util.spec_from_file_location("points", _POINTS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    points = module.Points(os.environ["UPDATE_POINTS"])

    def around(owner: Any, attribute: str, name: str) -> None:
        setattr(owner, attribute, points.around(name, getattr(owner, attribute)))

    from tui_manager_agent.executions.execution_requests import ExecutionRequests
    from tui_manager_agent.update import start_trial_watcher, trial, trial_record, update_work
    from tui_manager_agent.update.trial import Trial
    from tui_manager_agent.update.trial_record import TrialRecord
    from tui_manager_agent.update.update_work import UpdateWork
    from tui_manager_agent.update.versions import Versions

    for module, names in ((trial, ["WITHIN"]), (start_trial_watcher, ["PATIENCE", "KILL_AFTER"])):
        for name in names:
            setattr(module, name, int(float(os.environ[f"UPDATE_{name}"]) * SECOND))
    around(update_work, "pull_manifest", "pull_manifest")
    around(UpdateWork, "_pull_bundle", "pull_bundle")
    around(UpdateWork, "_check_bundle", "check_bundle")
    around(UpdateWork, "_unpack", "unpack_bundle")
    around(UpdateWork, "_try", "try_version")
    around(Versions, "place", "place_version")
    around(Versions, "prepare", "prepare_links")
    around(start_trial_watcher, "start_watcher", "start_watcher")
    around(TrialRecord, "write", "write_record")
    around(os, "execve", "execve")
    around(trial, "find", "find_trial")
    around(Trial, "check_welcome", "check_welcome")
    around(Versions, "accept", "accept_version")
    around(Versions, "finish", "finish_links")
    around(trial_record, "remove", "forget_trial")
    around(Trial, "clean_up", "clean_up")
    requests = ExecutionRequests
    requests.end_update = points.around_async("end_update", requests.end_update)  # type: ignore[method-assign]


def replace_dialling(dial: Callable[..., Any]) -> None:
    """Lets an agent do something else than dial."""
    from tui_manager_agent.agent import Agent

    Agent._keep_dialling = dial  # type: ignore[method-assign]


async def forever(*_: object) -> None:
    """Does nothing, for ever."""
    await asyncio.Event().wait()


async def broken(*_: object) -> None:
    """Fails as a program does that has a fault."""
    raise RuntimeError("a fault of this version")

"""The agent tells its manager the facts of its host, and when one has changed."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tui_manager_agent.facts import fact_watch
from tui_manager_agent.facts.fact_watch import FactWatch
from tui_manager_agent.facts.machine_facts import MachineFacts

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_manager import FakeManager


def told(manager: FakeManager) -> list[dict[str, str]]:
    """The facts of all reports that have some."""
    return [dict(report.facts.values) for report in manager.reports if report.HasField("facts")]


async def test_hello_has_the_facts_and_reports_have_changes(
    manager: FakeManager, fresh: AgentProcess, tmp_path: Path
) -> None:
    own = tmp_path / "facts.toml"
    own.write_text('site = "berlin"\n')
    own.chmod(0o600)
    await fresh.start(manager, f"--facts={own}")
    await manager.wait_for(lambda: manager.reports)
    facts = dict(manager.hellos[0].facts.values)
    assert facts["site"] == "berlin"
    assert facts["kernel"]
    assert told(manager) == []
    own.write_text('site = "paris"\n')
    await manager.wait_for(lambda: told(manager))
    assert told(manager) == [{**facts, "site": "paris"}]
    manager.hang_up()
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    assert dict(manager.hellos[1].facts.values) == {**facts, "site": "paris"}


async def test_the_variable_names_the_file_too(manager: FakeManager, fresh: AgentProcess) -> None:
    absent = str(fresh.state_dir.with_name("absent.toml"))
    await fresh.run(manager, "--insecure", TUI_MANAGER_AGENT_FACTS=absent)
    await manager.wait_for(lambda: manager.hellos)
    error = manager.hellos[0].facts.values["facts_error"]
    assert error == "absent.toml: It cannot be read: No such file or directory."


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A machine with a disk that does not answer until the event is set."""
    answers = threading.Event()

    def collect(self: MachineFacts) -> Mapping[str, str]:
        answers.wait()
        return {"os": "debian"}

    monkeypatch.setattr(MachineFacts, "collect", collect)
    yield answers
    answers.set()


async def test_a_look_that_fails_is_not_the_last(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    results: list[Exception | Mapping[str, str]]
    results = [RuntimeError("no such disk"), {"os": "debian"}, OSError("gone"), {"os": "fedora"}]

    def collect(self: MachineFacts) -> Mapping[str, str]:
        found = results.pop(0) if len(results) > 1 else results[0]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(MachineFacts, "collect", collect)
    for pause in ("LOOK_EVERY", "LOOK_AGAIN_AFTER"):
        monkeypatch.setattr(fact_watch, pause, 0.01)
    monkeypatch.setattr(fact_watch, "COLLECT_EVERY", 0.0)
    watch = FactWatch(tmp_path / "absent.toml")
    changed = asyncio.Queue[Mapping[str, str]]()
    watch.begin_session(changed.put_nowait)
    watch.start()
    assert (await changed.get())["os"] == "debian"
    assert (await changed.get())["os"] == "fedora"
    watch.stop()
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors == ["facts not known"] * 2


async def test_a_disk_that_does_not_answer_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch, stuck: threading.Event, tmp_path: Path
) -> None:
    monkeypatch.setattr(fact_watch, "FIRST_WITHIN", 0.01)
    watch = FactWatch(tmp_path / "absent.toml")
    watch.start()
    await watch.wait_for_first()
    changed = asyncio.Queue[Mapping[str, str]]()
    assert watch.begin_session(changed.put_nowait) == {}
    stuck.set()
    assert (await changed.get())["os"] == "debian"
    watch.stop()

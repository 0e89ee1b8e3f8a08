"""The variables that the manager adds to each command before it is sent."""

import pytest

from tests.support.managers.manager_parts import Parts, spec
from tests.support.managers.manager_parts import result as ended
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.agent_features import Feature
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.transport.messages.convert_messages import from_run

TAKES = (Feature.HOST_VARIABLES.value,)


async def test_each_command_says_which_task_and_host_it_is_of(parts: Parts) -> None:
    await parts.connect("web01", labels={"env": "prod"}, features=TAKES)
    await parts.connect("web02", features=TAKES)
    command = CommandSpec("true", parameters={"P": "1"}, environment={"E": "2"})
    task_id = await parts.tasks.create_task(TaskSpec("@all", (command,)))
    await parts.tasks.start_task(task_id)
    sent = await parts.send()
    first, second = (run for _, run in sent)
    assert dict(from_run(first).run_command.environment) == {
        "P": "1",
        "E": "2",
        "TUI_MANAGER_TASK_ID": str(task_id),
        "TUI_MANAGER_EXECUTION_ID": first.execution_id,
        "TUI_MANAGER_HOST": "web01",
        "TUI_MANAGER_BATCH": "1",
        "TUI_MANAGER_LABEL_ENV": "prod",
    }
    assert second.environment["TUI_MANAGER_HOST"] == "web02"
    assert second.environment["TUI_MANAGER_EXECUTION_ID"] == second.execution_id
    assert "TUI_MANAGER_LABEL_ENV" not in second.environment


async def test_the_batch_is_that_of_the_host(parts: Parts) -> None:
    await parts.connect("web01", features=TAKES)
    task_id = await parts.tasks.create_task(spec("@all"))

    def put_into_batch(tx: Transaction) -> None:
        tx.execute("UPDATE command_hosts SET batch = 7 WHERE task_id = ?", (task_id,))

    await parts.tasks.start_task(task_id)
    await parts.database.write(put_into_batch)
    ((_, run),) = await parts.send()
    assert run.environment["TUI_MANAGER_BATCH"] == "7"


async def test_the_labels_are_those_of_the_newest_session(parts: Parts) -> None:
    await parts.connect("web01", labels={"env": "test"}, features=TAKES)
    await parts.started("@all", "first", "second")
    await parts.connect("web01", labels={"env": "prod"}, features=TAKES)
    (host_id, first) = parts.dispatcher.sent[0]
    assert first.environment["TUI_MANAGER_LABEL_ENV"] == "test"
    await parts.report(host_id, ended(first.execution_id))
    await parts.send()
    again = [run for _, run in parts.dispatcher.sent[1:]]
    assert again
    assert {run.environment["TUI_MANAGER_LABEL_ENV"] for run in again} == {"prod"}


async def test_an_old_agent_gets_none_of_them(parts: Parts) -> None:
    """With a policy it would refuse the command, because the policy does not name them."""
    await parts.connect("web01", labels={"env": "prod"})
    await parts.started("@all")
    ((_, run),) = parts.dispatcher.sent
    assert run.environment == {}


@pytest.mark.parametrize("kind", ["parameters", "environment", "secrets"])
async def test_an_operator_cannot_set_one(parts: Parts, kind: str) -> None:
    await parts.connect("web01", features=TAKES)
    command = CommandSpec("true", **{kind: {"TUI_MANAGER_HOST": "db01"}})  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="TUI_MANAGER_"):
        await parts.tasks.create_task(TaskSpec("@all", (command,)))


async def test_what_operators_say_of_a_host_counts_at_once(parts: Parts) -> None:
    await parts.connect("web01", labels={"env": "test"}, features=TAKES)
    await parts.started("@all")
    await parts.host_management.rename("web01", "shop", "ana@pts/3")
    await parts.host_management.label(["shop"], {"env": "prod", "rack": "r7"}, [], "ana@pts/3")
    await parts.started("shop")
    _, run = parts.dispatcher.sent[-1]
    assert run.environment["TUI_MANAGER_HOST"] == "shop"
    assert run.environment["TUI_MANAGER_LABEL_ENV"] == "prod"
    assert run.environment["TUI_MANAGER_LABEL_RACK"] == "r7"

"""Queries that take many texts as one parameter. A host or an operator may send any of them."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.databases.engines import open_transaction
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.tasks import command_hosts
from tui_manager.storage.views import task_overview

QUERIES: list[Callable[[Transaction, list[str]], object]] = [
    command_hosts.stored_executions,
    lambda tx, texts: command_hosts.hosts_of_task(tx, 1, texts),
    lambda tx, texts: hosts.targetable(tx, texts)[1],
    lambda tx, texts: task_overview.last_lines(tx, 1, texts),
]


@pytest.fixture
def tx() -> Iterator[Transaction]:
    with open_transaction() as made:
        yield made


@pytest.mark.parametrize("text", ["a\0b", "\0", r"\u0000", '"', "\u202e\U0001f600"])
@pytest.mark.parametrize("query", QUERIES, ids=["executions", "host ids", "names", "last lines"])
def test_a_text_that_nothing_has_finds_nothing(
    tx: Transaction, query: Callable[[Transaction, list[str]], object], text: str
) -> None:
    assert query(tx, [text]) == {}

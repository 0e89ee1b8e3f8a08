"""The page on task files: its example is one, and its tables have all keys."""

import re

import pytest

from tests.cli.documents.test_docs import PAGES, first_cells, section, words
from tui_manager.domain.task_files.task_file import (
    PARAMETER_KEYS,
    ROLLOUT_KEYS,
    TOP_KEYS,
    read_task_file,
)
from tui_manager.domain.task_files.task_file_steps import STEP_KEYS
from tui_manager.domain.task_spec.rollout_spec import RolloutSpec
from tui_manager.domain.task_spec.task_parameters import ParameterType

PAGE = PAGES["task-files.md"]


def table(heading: str, number: int) -> set[str]:
    """The keys of a table under a heading."""
    tables = re.findall(r"(?:^\|.*\n)+", section(PAGE, heading), re.MULTILINE)
    return words(first_cells(tables[number]))


@pytest.mark.parametrize(
    ("heading", "number", "keys"),
    [
        ("Keys", 0, TOP_KEYS),
        ("Keys", 1, ROLLOUT_KEYS),
        ("Keys", 2, STEP_KEYS),
        ("Parameters", 0, PARAMETER_KEYS),
        ("Parameters", 1, tuple(ParameterType)),
    ],
)
def test_a_table_has_all_keys(heading: str, number: int, keys: tuple[str, ...]) -> None:
    assert table(heading, number) == set(keys)


def test_the_example_is_a_task_file() -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    task_file = read_task_file(text, "deploy.toml")
    steps = task_file.spec.commands
    assert [step.kind for step in steps] == ["run", "run", "script", "run"]
    assert [step.barrier for step in steps] == [False, True, False, False]
    assert steps[3].always
    assert task_file.spec.rollout == RolloutSpec(batches="1,10%,rest", max_failures="0")
    assert [one.name for one in task_file.parameters] == ["VERSION", "DRAIN", "REGISTRY_TOKEN"]

"""The variables that the manager adds to each command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui_manager_protos.rules.host_variables import is_host_variable, variables_of_host
from tui_manager_protos.rules.names_and_labels import LABELS_LIMIT, check_labels

KEYS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}", fullmatch=True)
VALUES = st.from_regex(r"[A-Za-z0-9._:/@+-]{0,128}", fullmatch=True)


def test_the_name_and_each_label() -> None:
    labels = {"env": "prod", "example.com/role-of": "web", "9": "", "a_b": "x@y"}
    assert variables_of_host("web01", labels) == {
        "TUI_MANAGER_HOST": "web01",
        "TUI_MANAGER_LABEL_ENV": "prod",
        "TUI_MANAGER_LABEL_EXAMPLE_COM_ROLE_OF": "web",
        "TUI_MANAGER_LABEL_9": "",
        "TUI_MANAGER_LABEL_A_B": "x@y",
    }


def test_labels_that_would_have_one_name_are_left_out() -> None:
    labels = {"a.b": "1", "A_B": "2", "a-b": "3", "c": "4"}
    assert variables_of_host("h", labels) == {
        "TUI_MANAGER_HOST": "h",
        "TUI_MANAGER_LABEL_C": "4",
    }


@given(st.dictionaries(KEYS, VALUES, max_size=LABELS_LIMIT))
def test_an_agent_knows_every_variable_that_a_manager_makes(labels: dict[str, str]) -> None:
    check_labels(labels)
    made = variables_of_host("web01", labels)
    assert all(is_host_variable(name, value) for name, value in made.items())
    assert len(made) <= len(labels) + 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "/tmp"),
        ("TUI_MANAGER_AGENT_POLICY", "/dev/null"),
        ("TUI_MANAGER_LABEL_", "x"),
        ("TUI_MANAGER_LABEL_a", "x"),
        ("TUI_MANAGER_LABEL_A\n", "x"),
        ("TUI_MANAGER_HOST", "$(reboot)"),
        ("TUI_MANAGER_HOST", "a b"),
        ("TUI_MANAGER_LABEL_A", "x\n"),
        ("TUI_MANAGER_LABEL_A", "x" * 129),
        ("XTUI_MANAGER_HOST", "x"),
    ],
)
def test_what_no_manager_makes(name: str, value: str) -> None:
    assert not is_host_variable(name, value)

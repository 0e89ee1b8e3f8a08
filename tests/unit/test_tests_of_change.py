"""Which tests `make test-fast` takes."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tool", ROOT / "tools" / "tests_of_change.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_package_has_its_folders(tool: ModuleType) -> None:
    folders = {name for names in tool.TESTS.values() for name in names}
    assert [name for name in folders if not (ROOT / "tests" / name).is_dir()] == []


def test_a_module_of_the_screen_needs_the_files_that_name_it(tool: ModuleType) -> None:
    changed = ["tui_manager/ui/listing/row_window.py", "tests/ui/test_numbers.py"]
    found = tool.tests_of_modules("ui", "tui_manager/ui", changed)
    assert "tests/ui/test_numbers.py" in found
    assert "tests/ui/listing/test_row_window.py" in found
    assert "tests/ui/frame/test_quitting.py" not in found


def test_a_room_of_the_agent_needs_the_files_that_name_it(tool: ModuleType) -> None:
    changed = ["agent/tui_manager_agent/policy/policy.py"]
    found = tool.tests_of_modules("agent", "agent/tui_manager_agent", changed)
    assert "tests/agent/policy/test_policy.py" in found
    assert "tests/agent/facts/test_machine_facts.py" not in found


def test_what_no_file_names_needs_all(tool: ModuleType) -> None:
    changed = ["tui_manager/ui/app.tcss", "tests/ui/test_numbers.py"]
    assert tool.tests_of_modules("ui", "tui_manager/ui", changed) == []


@pytest.mark.parametrize("room", ["ui/forms", "agent/supervisor"])
def test_a_room_can_be_named(
    tool: ModuleType, room: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main([room]) == 0
    files = capsys.readouterr().out.split()
    package = room.partition("/")[0]
    assert files
    assert all(name.startswith(f"tests/{package}/") for name in files)


@pytest.mark.parametrize("name", ["nothing", "ui/nothing", "service/core"])
def test_what_is_no_package_and_no_room_is_an_error(
    tool: ModuleType, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main([name]) == 2
    assert name in capsys.readouterr().err

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
    found = tool.ui_tests(["tui_manager/ui/listing/row_window.py", "tests/ui/test_numbers.py"])
    assert "tests/ui/test_numbers.py" in found
    assert "tests/ui/test_row_window.py" in found
    assert "tests/ui/test_quitting.py" not in found


def test_what_no_file_names_needs_all(tool: ModuleType) -> None:
    assert tool.ui_tests(["tui_manager/ui/app.tcss", "tests/ui/test_numbers.py"]) == []

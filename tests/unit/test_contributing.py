"""CONTRIBUTING.md is true: paths and functions exist; the map has every package and top file."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PACKAGES = (
    "tui_manager",
    "agent/tui_manager_agent",
    "protos/tui_manager_protos",
)
_WHY = re.compile(r"of its own|its own file|^The only module|^The file that")
# Their packages and files have lines of their own.
LAYERS = ("domain", "storage", "service", "transport", "ui", "cli")
PATHS = sorted(
    {
        span
        for span in re.findall(r"`(\w[\w./-]*)`", TEXT)
        if "/" in span.rstrip("/") or span.endswith(("/", ".py", ".md", ".sql", ".toml"))
    }
)
MAP = set(re.findall(r"^\| `([\w./-]+)` \|", TEXT, flags=re.MULTILINE))
STEPS = re.findall(r"^\| [^|]+ \| `([\w./-]+\.py)` \| ([^|]+) \|$", TEXT, flags=re.MULTILINE)


def test_every_path_exists() -> None:
    bases = (ROOT, ROOT / "tui_manager", ROOT / "tui_manager/storage/sql/sqlite")
    assert len(PATHS) > 100
    assert [path for path in PATHS if not any((base / path).exists() for base in bases)] == []


@dataclass(frozen=True)
class File:
    """What the tests ask of a file: its number of lines, its docstring without line breaks, and its
    functions and methods with their last line as seen from their first one."""

    lines: int
    said: str
    functions: list[tuple[str, int]]


@cache
def read(path: Path) -> File:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    functions = [
        (node.name, (node.end_lineno or 0) - node.lineno)
        for node in statements_in(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    said = " ".join((ast.get_docstring(tree) or "").split())
    return File(len(text.splitlines()), said, functions)


def statements_in(node: ast.AST) -> Iterator[ast.AST]:
    """All statements below a node. Expressions have none, so they are not looked into."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from statements_in(child)


def functions_of(path: str) -> set[str]:
    """The functions and methods of a file."""
    return {name for name, _ in read(ROOT / path).functions}


def files_of(package: str) -> list[Path]:
    """Those that we write."""
    return [p for p in sorted((ROOT / package).rglob("*.py")) if "_pb2" not in p.name]


def test_every_step_of_a_command_exists() -> None:
    named = {(path, cell): set(re.findall(r"`(\w+)`", cell)) for path, cell in STEPS}
    assert [step for step, functions in named.items() if not functions] == []
    missing = {
        path: functions - functions_of(path)
        for (path, _), functions in named.items()
        if not functions <= functions_of(path)
    }
    assert missing == {}


def test_there_are_steps_of_a_command() -> None:
    assert len(STEPS) > 20


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_has_every_package_and_top_file(package: str) -> None:
    folder = ROOT / package
    packages = {path for path in folder.iterdir() if (path / "__init__.py").exists()}
    for layer in LAYERS:
        inner = folder / layer
        inner_packages = {path for path in inner.glob("*") if (path / "__init__.py").exists()}
        if inner_packages:
            packages.discard(inner)
            packages |= inner_packages
            packages |= {path for path in inner.glob("*.py") if path.stem != "__init__"}
    files = {path for path in folder.glob("*.py") if path.stem != "__init__"}
    wanted = {
        f"{path.relative_to(ROOT)}/" if path.is_dir() else f"{path.relative_to(ROOT)}"
        for path in packages | files
    }
    assert wanted <= MAP


@pytest.mark.parametrize("package", PACKAGES)
def test_no_package_has_more_files_than_it_says(package: str) -> None:
    (most,) = re.findall(r"A folder has at most (\d+)\s+files", TEXT)
    folders = {path.parent for path in (ROOT / package).rglob("*.py") if path.parent.name != "v1"}
    files = {folder: [*folder.glob("[!_]*.py")] for folder in folders}
    assert {folder: len(found) for folder, found in files.items() if len(found) > int(most)} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_has_more_lines_than_it_says(package: str) -> None:
    (most,) = re.findall(r"If a function passes (\d+)\s+lines", TEXT)
    too_long = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files_of(package)
        for name, last in read(path).functions
        if last >= int(most)
    ]
    assert too_long == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_short_file_says_why_it_is_one(package: str) -> None:
    (least,) = re.findall(r"A file\s+of under (\d+) lines says", TEXT)
    silent = [
        str(path.relative_to(ROOT))
        for path in files_of(package)
        if read(path).lines < int(least)
        and path.stem != "__init__"
        and not _WHY.search(read(path).said)
    ]
    assert silent == []

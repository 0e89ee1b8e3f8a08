"""Builds wheels and source archives of the three distributions, without a network.

Each is built from a copy of its tracked files, to which the files are added that are not a part of
the packages: man pages, and what the manager needs as a service. The source archives have them too,
so they make the same wheels. With the same sources and the same Python, each file is the same byte
for byte.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import make_man_pages
from flit_core.sdist import SdistBuilder
from flit_core.wheel import make_wheel_in

ROOT = Path(__file__).resolve().parents[1]
# Each with what belongs to it, beside pyproject.toml and LICENSE.
PROJECTS = {
    "protos": ("tui_manager_protos",),
    "agent": ("tui_manager_agent",),
    ".": ("tui_manager", "README.md"),
}
_DATA = "data"  # what is below is installed below the prefix, as share/man is
_EXTERNAL_DATA = f'\n[tool.flit.external-data]\ndirectory = "{_DATA}"\n'
_OF_SERVICE = ("tui-manager.service", "packaging/tui-manager.sysusers.conf")
_OF_MONITORING = ("prometheus", "grafana")


def make(out: Path) -> list[Path]:
    """Builds everything into a folder, which is made. Returns the files."""
    os.environ.setdefault("SOURCE_DATE_EPOCH", time_of_sources())
    out.mkdir(parents=True, exist_ok=True)
    built = []
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "man1"
        make_man_pages.make(pages)
        for project, parts in PROJECTS.items():
            copy = Path(folder) / (project.strip(".") or "manager")
            _copy(ROOT / project, copy, parts)
            _add_files(copy, sorted(pages.iterdir()))
            built.append(make_wheel_in(copy / "pyproject.toml", out).file)
            built.append(SdistBuilder.from_ini_path(copy / "pyproject.toml").build(out))
    return built


def _copy(project: Path, copy: Path, parts: Sequence[str]) -> None:
    for name in _files(project, (*parts, "pyproject.toml", "LICENSE")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project / name, copy / name)


def _add_files(copy: Path, pages: Sequence[Path]) -> None:
    """Adds the man pages of a project, and the manager's files for a service."""
    if (copy / "tui_manager_agent").exists():
        own = [page for page in pages if page.stem == "tui-manager-agent"]
        share = copy / "tui_manager_agent" / "share"  # a bundle takes it as it is
        _put(own, share / "man" / "man1")
        _put([copy / "LICENSE"], share)
    elif (copy / "tui_manager").exists():
        own = [page for page in pages if page.stem != "tui-manager-agent"]
        share = copy / _DATA / "share" / "tui-manager"
        _put([ROOT / name for name in _OF_SERVICE], share)
        for folder in _OF_MONITORING:
            _put(sorted((ROOT / "packaging" / folder).iterdir()), share / folder)
    else:
        return
    _put(own, copy / _DATA / "share" / "man" / "man1")
    with (copy / "pyproject.toml").open("a") as file:
        file.write(_EXTERNAL_DATA)


def _put(files: Sequence[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy2(file, folder / file.name)


def _files(project: Path, parts: Sequence[str]) -> list[str]:
    """The files of a project that git does not ignore. Without git, all but compiled modules."""
    try:
        names = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard", at=project)
    except (OSError, subprocess.CalledProcessError):
        found = [path for part in parts for path in (project / part, *(project / part).rglob("*"))]
        kept = [path for path in found if path.is_file() and "__pycache__" not in path.parts]
        return sorted(str(path.relative_to(project)) for path in kept)
    inside = [name for name in names.split("\0") if name.split("/")[0] in parts]
    return sorted({name for name in inside if (project / name).is_file()})


def time_of_sources() -> str:
    """Seconds: that of the last commit, or of the newest version without git."""
    try:
        return _git("log", "-1", "--format=%ct", at=ROOT).strip()
    except (OSError, subprocess.CalledProcessError):
        return str(int((ROOT / "CHANGELOG.md").stat().st_mtime))


def _git(*arguments: str, at: Path) -> str:
    command = ["git", "-C", str(at), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Runs from the command line and prints the files."""
    parser = argparse.ArgumentParser(description="Build wheels and source archives.")
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "dist")
    for path in make(parser.parse_args().folder):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

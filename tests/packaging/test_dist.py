"""Wheels and source archives: what they contain, and that they can be installed and used."""

import email
import json
import os
import stat
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest

import tui_manager
from tests.packaging.conftest import ROOT, run_tool
from tests.support.programs.programs import Program, wait_for

VERSION = tui_manager.__version__


@dataclass(frozen=True)
class Project:
    """One of the distributions: where it is, and what its wheel has beside the package."""

    name: str
    folder: Path
    program: str = ""
    added: tuple[str, ...] = ()  # to the package
    data: tuple[str, ...] = ()  # below the prefix

    @property
    def package(self) -> str:
        return self.name.replace("-", "_")

    def wheel(self, dist: Path) -> Path:
        return dist / f"{self.package}-{VERSION}-py3-none-any.whl"

    def source(self, dist: Path) -> Path:
        return dist / f"{self.package}-{VERSION}.tar.gz"


PROTOS = Project("tui-manager-protos", ROOT / "protos")
AGENT = Project(
    "tui-manager-agent",
    ROOT / "agent",
    program="tui-manager-agent=tui_manager_agent.cli.main:main",
    added=("share/LICENSE", "share/man/man1/tui-manager-agent.1"),
    data=("share/man/man1/tui-manager-agent.1",),
)
MANAGER = Project(
    "tui-manager",
    ROOT,
    program="tui-manager=tui_manager.cli.main:program",
    data=(
        "share/man/man1/tui-manager.1",
        "share/man/man1/tui-manager-run.1",
        "share/tui-manager/tui-manager.service",
        "share/tui-manager/tui-manager.sysusers.conf",
        "share/tui-manager/prometheus/prometheus.yml",
        "share/tui-manager/prometheus/tui-manager.rules.yml",
        "share/tui-manager/grafana/tui-manager.json",
    ),
)
PROJECTS = pytest.mark.parametrize(
    "project", [PROTOS, AGENT, MANAGER], ids=lambda project: project.name
)


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


@PROJECTS
def test_a_wheel_has_the_whole_package_and_nothing_else(project: Project, dist: Path) -> None:
    package = project.folder / project.package
    expected = {
        f"{project.package}/{path.relative_to(package)}"
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert f"{project.package}/py.typed" in expected
    expected |= {f"{project.package}/{name}" for name in project.added}
    with zipfile.ZipFile(project.wheel(dist)) as wheel:
        names = set(wheel.namelist())
    own = f"{project.package}-{VERSION}"
    of_package = {name for name in names if name.startswith(f"{project.package}/")}
    assert of_package == expected
    assert f"{own}.dist-info/licenses/LICENSE" in names
    data = {name for name in names if name.startswith(f"{own}.data/data/")}
    assert data >= {f"{own}.data/data/{name}" for name in project.data}
    assert bool(data) == bool(project.data)
    other = {name for name in names - of_package - data if ".dist-info/" not in name}
    assert other == set()


def test_files_that_are_no_modules_are_in_the_wheels(dist: Path) -> None:
    with zipfile.ZipFile(MANAGER.wheel(dist)) as wheel:
        names = wheel.namelist()
    assert any(name.endswith("/sqlite/0001_start.sql") for name in names)
    assert any(name.endswith("/postgresql/0001_start.sql") for name in names)
    assert "tui_manager/ui/app.tcss" in names
    with zipfile.ZipFile(AGENT.wheel(dist)) as wheel:
        script = wheel.getinfo("tui_manager_agent/share/run-agent.sh")
        assert stat.S_IMODE(script.external_attr >> 16) == 0o755
        assert "tui_manager_agent/share/tui-manager-agent.service" in wheel.namelist()
    with zipfile.ZipFile(PROTOS.wheel(dist)) as wheel:
        assert "tui_manager_protos/v1/agent.proto" in wheel.namelist()


@PROJECTS
def test_the_metadata_says_what_is_needed(project: Project, dist: Path) -> None:
    said = metadata_of(project.wheel(dist))
    asked = tomllib.loads((project.folder / "pyproject.toml").read_text())["project"]
    assert (said["Name"], said["Version"]) == (project.name, VERSION)
    assert said["License-Expression"] == "Apache-2.0"
    assert said.get_all("License-File") == ["LICENSE"]
    assert said["Requires-Python"] == asked["requires-python"]
    extras = asked.get("optional-dependencies", {})
    needed = said.get_all("Requires-Dist", [])
    assert [one for one in needed if "extra ==" not in one] == asked["dependencies"]
    of_extras = [(name, one.split(";")[0].strip()) for name in extras for one in extras[name]]
    for name, one in of_extras:
        assert [found for found in needed if found.startswith(one) and f'"{name}"' in found]
    assert len(needed) == len(asked["dependencies"]) + len(of_extras)
    assert said.get_all("Provides-Extra", []) == sorted(extras)
    with zipfile.ZipFile(project.wheel(dist)) as wheel:
        name = f"{project.package}-{VERSION}.dist-info/entry_points.txt"
        programs = wheel.read(name).decode() if name in wheel.namelist() else ""
    assert project.program in programs


@pytest.mark.parametrize("project", [PROTOS, AGENT], ids=lambda project: project.name)
def test_all_distributions_have_the_same_licence(project: Project) -> None:
    assert (project.folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@PROJECTS
def test_a_source_archive_makes_the_same_archives(
    project: Project, dist: Path, tmp_path: Path
) -> None:
    with tarfile.open(project.source(dist)) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # none before 3.11.4
        archive.extractall(tmp_path)
        names = archive.getnames()
    assert not any("tests" in name.split("/") or name.endswith(".pyc") for name in names)
    source = tmp_path / f"{project.package}-{VERSION}"
    run_tool("-m", "flit_core.wheel", source, "--outdir", tmp_path)
    assert project.wheel(tmp_path).read_bytes() == project.wheel(dist).read_bytes()
    again = (
        "import sys; from pathlib import Path; from flit_core.sdist import SdistBuilder;"
        "SdistBuilder.from_ini_path(Path(sys.argv[1])).build(Path(sys.argv[2]))"
    )
    run_tool("-c", again, source / "pyproject.toml", tmp_path)
    assert project.source(tmp_path).read_bytes() == project.source(dist).read_bytes()


class Installed:
    """A fresh environment with the three wheels, and the libraries of this one."""

    def __init__(self, folder: Path, dist: Path) -> None:
        self.folder = folder
        self.bin = folder / "venv" / "bin"
        venv.create(folder / "venv")
        wheels = [str(project.wheel(dist)) for project in (PROTOS, AGENT, MANAGER)]
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python")]
        subprocess.run(
            [*pip, "install", "--quiet", "--no-index", "--no-deps", "--no-compile", *wheels],
            check=True,
        )
        # A folder that a .pth file names is searched last. The .pth files in it do not count, so
        # this environment's editable installs are not seen.
        site_packages = next((folder / "venv" / "lib").glob("python*/site-packages"))
        (site_packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        home = folder / "home"
        home.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environment = {**kept, "HOME": str(home)}

    def run(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [self.bin / program, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, name: str, program: str, words: Sequence[str]) -> Program:
        out, err = self.folder / f"{name}.out", self.folder / f"{name}.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [self.bin / program, *words],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        return Program(name, process, out, err)


def test_the_wheels_work_in_a_fresh_environment(dist: Path, tmp_path: Path) -> None:
    installed = Installed(tmp_path, dist)
    where = "import tui_manager, tui_manager_agent, tui_manager_protos as protos;"
    where += "print(tui_manager.__file__, tui_manager_agent.__file__, protos.__file__)"
    for path in installed.run("python", "-c", where).split():
        assert Path(path).is_relative_to(tmp_path)
    assert installed.run("tui-manager", "--version") == f"tui-manager {VERSION}\n"
    assert installed.run("tui-manager-agent", "--version") == f"tui-manager-agent {VERSION}\n"
    assert (tmp_path / "venv" / "share" / "man" / "man1" / "tui-manager.1").exists()
    state = ("--state-dir", str(tmp_path / "manager"))
    manager = installed.start(
        "manager",
        "tui-manager",
        ["serve", *state, "--insecure", "--listen", "127.0.0.1:0"],
    )
    agent = None
    try:
        said = wait_for(
            "the manager to listen",
            lambda: manager.out,
            lambda text: text.endswith("\n"),
            explain=manager.story,
        )
        address = said.split()[2]
        words = ["run", "--insecure", "--manager", address, "--name", "web01"]
        agent = installed.start(
            "agent", "tui-manager-agent", [*words, "--state-dir", str(tmp_path / "agent")]
        )
        wait_for(
            "the host",
            lambda: json.loads(installed.run("tui-manager", "hosts", *state, "--json")),
            lambda hosts: [host for host in hosts if host["online"]],
            explain=agent.story,
        )
        done = installed.run("tui-manager", "run", *state, "web01", "--", "echo it runs")
        assert done == "web01: it runs\n"
    finally:
        for program in (agent, manager):
            if program is not None:
                program.stop()
    assert "Traceback" not in manager.err

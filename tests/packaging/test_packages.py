"""The packages of the agent for Debian and Red Hat: what they contain, and their scripts."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, run_tool
from tests.support.programs.bundles import FILES, new_key, small_bundle

SCRIPTS = ROOT / "packaging" / "agent"
NEEDS_DPKG = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg is not installed")
NEEDS_RPM = pytest.mark.skipif(not shutil.which("rpm"), reason="rpm is not installed")
UNIT = "tui-manager-agent.service"
OF_BUNDLE = {
    "bin/python3": b"",
    "lib/os.py": b"",
    "share/licenses/LICENSE": b"",
    "share/run-agent.sh": b"",
    f"share/{UNIT}": b"",
    "share/man/a.1": b"",
    "manifest.json": b"{}",
}
EXPECTED = {
    "/etc/tui-manager-agent.env",
    "/usr/bin/tui-manager-agent",
    "/usr/lib/tui-manager-agent/bin/tui-manager-agent",
    "/usr/lib/tui-manager-agent/bin/python3",
    "/usr/lib/tui-manager-agent/lib/os.py",
    "/usr/lib/tui-manager-agent/share/licenses/LICENSE",
    "/usr/lib/tui-manager-agent/manifest.json",
    "/usr/lib/tui-manager-agent/packaged",
    f"/usr/lib/systemd/system/{UNIT}",
    f"/usr/lib/systemd/user/{UNIT}",
    "/usr/share/man/man1/tui-manager-agent.1.gz",
}


def printed(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True)
class Packages:
    """The files of both."""

    deb: Path
    rpm: Path


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """Made of a small bundle."""
    folder = tmp_path_factory.mktemp("packages")
    bundle = folder / "agent.bundle"
    bundle.write_bytes(small_bundle([new_key()], {**FILES, **OF_BUNDLE}, libc="glibc 2.31"))
    made = run_tool("tools/make_packages.py", folder, "--bundle", bundle, "--release", "7")
    deb, rpm = map(Path, made.split())
    assert deb.name == "tui-manager-agent_0.2.0-7_amd64.deb"
    assert rpm.name == "tui-manager-agent-0.2.0-7.x86_64.rpm"
    return Packages(deb, rpm)


@pytest.fixture
def unpacked(packages: Packages, tmp_path: Path) -> Path:
    """The files of the package of Debian."""
    printed("dpkg-deb", "-R", packages.deb, tmp_path)
    return tmp_path


@NEEDS_DPKG
def test_the_deb_has_the_program_and_its_service(packages: Packages, unpacked: Path) -> None:
    files = {
        f"/{path.relative_to(unpacked)}"
        for path in unpacked.rglob("*")
        if not path.is_dir() and "DEBIAN" not in path.parts
    }
    assert files == EXPECTED | {"/usr/share/doc/tui-manager-agent/copyright"}
    program = unpacked / "usr/bin/tui-manager-agent"
    assert printed(program) == "tui-manager-agent 0.2.0\n"
    assert not Path(program.readlink()).is_absolute()
    assert (unpacked / "usr/lib/tui-manager-agent/packaged").read_text() == "deb\n"
    assert (unpacked / "etc/tui-manager-agent.env").stat().st_mode & 0o777 == 0o600
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/tui-manager-agent.env\n"
    assert printed("dpkg-deb", "-f", packages.deb, "Depends") == "libc6 (>= 2.31)\n"
    assert " root/root " in printed("dpkg-deb", "-c", packages.deb).splitlines()[-1]


@NEEDS_DPKG
def test_a_unit_differs_from_its_source_in_the_path_of_the_program_only(unpacked: Path) -> None:
    share = ROOT / "agent" / "tui_manager_agent" / "share"
    for source, made in ((share / UNIT, "system"), (share / "user" / UNIT, "user")):
        before = source.read_text().splitlines()
        after = (unpacked / "usr/lib/systemd" / made / UNIT).read_text().splitlines()
        differs = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
        assert differs == [
            (
                "ExecStart=/usr/local/bin/tui-manager-agent run",
                "ExecStart=/usr/bin/tui-manager-agent run",
            )
        ]


@NEEDS_RPM
def test_the_rpm_has_the_same_files(packages: Packages) -> None:
    listed = printed("rpm", "-qp", "--qf", "[%{FILENAMES}\t%{FILEMODES:perms}\n]", packages.rpm)
    rows = dict(row.split("\t") for row in listed.splitlines())
    files = {name for name, mode in rows.items() if not mode.startswith("d")}
    assert files == EXPECTED | {"/usr/share/licenses/tui-manager-agent/LICENSE"}
    assert rows["/usr/lib/tui-manager-agent/bin/tui-manager-agent"] == "-rwxr-xr-x"
    assert rows["/etc/tui-manager-agent.env"] == "-rw-------"
    configs = printed("rpm", "-qpc", packages.rpm)
    assert configs == "/etc/tui-manager-agent.env\n"
    assert "libc.so.6(GLIBC_2.31)(64bit)" in printed("rpm", "-qp", "--requires", packages.rpm)


def test_the_same_bundle_makes_the_same_packages(packages: Packages, tmp_path: Path) -> None:
    bundle = packages.deb.with_name("agent.bundle")
    run_tool("tools/make_packages.py", tmp_path, "--bundle", bundle, "--release", "7")
    for package in (packages.deb, packages.rpm):
        assert (tmp_path / package.name).read_bytes() == package.read_bytes()


@pytest.mark.parametrize("name", [path.name for path in sorted(SCRIPTS.glob("*.sh"))])
def test_sh_understands_the_scripts(name: str) -> None:
    printed("sh", "-n", SCRIPTS / name)


class Host:
    """A folder that stands for a host whose `systemctl` writes down what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked = folder / "asked"
        (folder / "bin").mkdir()
        (folder / "bin" / "systemctl").write_text(f'#!/bin/sh\necho "$*" >>{self.asked}\n')
        (folder / "bin" / "systemctl").chmod(0o755)
        for name in ("run/systemd/system", "etc/systemd/system", "var/lib/tui-manager-agent/keys"):
            (folder / name).mkdir(parents=True)
        (folder / "etc" / "tui-manager-agent.token").touch()
        self.unit = folder / "etc" / "systemd" / "system" / UNIT

    def run(self, script: str, *arguments: str) -> list[str]:
        """Runs a script as if `folder` were `/`. Returns what systemctl was asked."""
        text = (SCRIPTS / script).read_text()
        for name in ("/run/", "/etc/", "/var/"):
            text = text.replace(f" {name}", f" {self.folder}{name}").replace(
                f"={name}", f"={self.folder}{name}"
            )
        self.asked.unlink(missing_ok=True)
        subprocess.run(
            ["sh", "-c", text, script, *arguments],
            env={"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin"},
            check=True,
        )
        return self.asked.read_text().splitlines() if self.asked.exists() else []

    @property
    def has_state(self) -> bool:
        return (self.folder / "var" / "lib" / "tui-manager-agent").exists()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("configure", ""), ["daemon-reload"]),
        (("configure", "0.1.0-1"), ["daemon-reload", f"try-restart {UNIT}"]),
        (("abort-upgrade", "0.1.0-1"), ["daemon-reload"]),
        (
            ("abort-remove",),
            ["daemon-reload", f"--quiet is-enabled {UNIT}", f"start {UNIT}"],
        ),
        (("1",), ["daemon-reload"]),
        (("2",), ["daemon-reload", f"try-restart {UNIT}"]),
    ],
)
def test_an_upgrade_restarts_the_agent_if_it_runs(
    host: Host, arguments: tuple[str, ...], asked: list[str]
) -> None:
    assert host.run("after-install.sh", *arguments) == asked


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("upgrade", "0.3.0-1"), []),
        (("failed-upgrade", "0.3.0-1"), []),
        (("remove",), [f"stop {UNIT}"]),
        (("1",), []),
        (("0",), [f"stop {UNIT}", f"--quiet --no-reload disable {UNIT}"]),
    ],
)
def test_only_a_removal_stops_the_agent(
    host: Host, arguments: tuple[str, ...], asked: list[str]
) -> None:
    assert host.run("before-remove.sh", *arguments) == asked


def test_only_purge_removes_the_state(host: Host) -> None:
    for words in (("upgrade", "0.3.0-1"), ("remove",), ("0",), ("1",)):
        host.run("after-remove.sh", *words)
        assert host.has_state
    assert host.run("after-remove.sh", "purge") == ["daemon-reload"]
    assert not host.has_state
    assert not (host.folder / "etc" / "tui-manager-agent.token").exists()


def test_an_agent_that_was_installed_in_another_way_is_left_alone(host: Host) -> None:
    host.unit.write_text("[Service]\nExecStart=/opt/tui-manager-agent/current/bin/x run\n")
    assert host.run("after-install.sh", "configure", "0.1.0-1") == ["daemon-reload"]
    assert host.run("before-remove.sh", "remove") == []
    host.run("after-remove.sh", "purge")
    assert host.has_state
    host.unit.write_text("[Service]\nExecStart=/usr/bin/tui-manager-agent run\n")
    assert host.run("before-remove.sh", "remove") == [f"stop {UNIT}"]


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none").write_bytes(b"no bundle")
    said = subprocess.run(
        [sys.executable, "tools/make_packages.py", tmp_path, "--bundle", tmp_path / "none"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 2
    assert "Traceback" not in said.stderr
    assert "none" in said.stderr.splitlines()[-1]


def test_without_systemd_nothing_is_asked(host: Host) -> None:
    (host.folder / "run" / "systemd" / "system").rmdir()
    for script in ("after-install.sh", "before-remove.sh", "after-remove.sh"):
        for words in (("configure", "0.1.0"), ("remove",), ("purge",), ("0",), ("2",)):
            assert host.run(script, *words) == []

"""An agent that runs from a bundle, as a host has it: unpacked with tar, started over a link."""

import ast
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
import pytest

from tests.support.programs.bare_root import can_make_bare_root, inside, make_bare_root
from tests.support.programs.built_bundles import built_bundle
from tests.support.programs.processes import Machine
from tests.support.programs.program_forker import installed
from tests.support.programs.programs import Program
from tui_manager.agent_bundle.shared_libraries import elf_facts, is_elf, is_of_glibc

OF_PYTHON = {
    "PYTHONHOME": "/none",
    "PYTHONPATH": "/none",
    "PYTHONSTARTUP": "/none",
    "PYTHONPLATLIBDIR": "none",
    "PYTHONINSPECT": "1",
    "PYTHONVERBOSE": "1",
    "PYTHONWARNINGS": "error",
    "PYTHONEXECUTABLE": "/none",
}
ENTRY = "current/bin/tui-manager-agent"


def unpack(root: Path) -> None:
    """Unpacks the bundle with tar alone, below `root`, as the version that is current."""
    bundle = built_bundle()
    version = root / "versions" / bundle.manifest.folder
    version.mkdir(parents=True)
    (root / "current").symlink_to(f"versions/{bundle.manifest.folder}")
    unpacking = 'tar -xOf "$1" agent.tar.gz | tar -xzf - -C "$2"'
    subprocess.run(["sh", "-c", unpacking, "sh", bundle.path, version], check=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the agent is installed; a name that a shell could take apart."""
    root = tmp_path_factory.mktemp("bundle") / "a folder's $name"
    unpack(root)
    return root


def start_agent(
    machine: Machine, name: str, command: Sequence[str], variables: Mapping[str, str]
) -> Program:
    """Starts an agent by its command line, with no variables but these and the mark of the test."""
    out, err = machine.folder / f"{name}.out", machine.folder / f"{name}.err"
    mark = {key: value for key, value in machine.environment().items() if "TEST" in key}
    words = [*command, "run", "--manager", machine.address, "--name", name]
    if not machine.secure:
        words.append("--insecure")
    with out.open("ab") as stdout, err.open("ab") as stderr:
        process = subprocess.Popen(
            [*words, "--state-dir", f"{machine.folder}/agents/{name}"],
            env={**mark, **variables},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    machine.programs.append(Program(name, process, out, err))
    return machine.programs[-1]


def version_of(*command: str | Path, folder: Path | None = None, **variables: str) -> str:
    """What an agent prints as its version."""
    done = subprocess.run(
        [*command, "--version"], cwd=folder, env=variables, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_starts_over_links_and_from_every_folder(root: Path, tmp_path: Path) -> None:
    entry = root / ENTRY
    (tmp_path / "absolute").symlink_to(entry)
    (tmp_path / "relative").symlink_to(os.path.relpath(entry, tmp_path))
    (tmp_path / "twice").symlink_to("relative")
    (tmp_path / "-x").symlink_to("absolute")
    path = os.environ["PATH"]
    expected = version_of(entry)
    assert expected == "tui-manager-agent 0.2.0\n"
    assert version_of(tmp_path / "absolute") == expected
    assert version_of("./relative", folder=tmp_path, PATH=path) == expected
    assert version_of("env", "twice", PATH=f"{tmp_path}:{path}") == expected
    assert version_of("./-x", folder=tmp_path, PATH=path) == expected
    bin_folder = entry.parent
    assert version_of("sh", entry.name, folder=bin_folder, PATH=path, CDPATH="/") == expected
    (tmp_path / "tui_manager_agent.py").write_text("raise SystemExit(9)\n")
    assert version_of(entry, folder=tmp_path, **OF_PYTHON) == expected


def test_a_folder_that_is_gone_is_no_wrong_usage(root: Path, tmp_path: Path) -> None:
    """Exit statuses 2 and 3 would say to whoever starts it that it must not be tried again."""
    copied = tmp_path / "bin/tui-manager-agent"
    copied.parent.mkdir()
    copied.write_text((root / ENTRY).read_text())
    done = subprocess.run(["sh", copied, "--version"], capture_output=True, check=False)
    assert done.returncode not in (0, 2, 3)


def test_nothing_is_looked_for_where_it_was_on_this_machine(root: Path) -> None:
    version = (root / "current").resolve()
    programs = [path for path in version.rglob("*") if path.is_file() and is_elf(path)]
    assert len(programs) > 20
    libraries = {path.name for path in (version / "lib").glob("*.so*")}
    for path in programs:
        facts = elf_facts(path)
        assert facts.run_path == ("$ORIGIN/../lib" if path.name == "python3" else "")
        left = {name for name in facts.needed if not is_of_glibc(name)} - libraries
        assert left <= {"libstdc++.so.6", "libgcc_s.so.1"}


def test_it_has_all_that_the_agent_imports_at_any_time(root: Path) -> None:
    """Also within functions, which a start does not show."""
    version = (root / "current").resolve()
    wanted = set()
    for package in ("tui_manager_agent", "tui_manager_protos"):
        for path in version.glob(f"lib/python*/{package}/**/*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    wanted |= {name.name for name in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    wanted.add(node.module)
    assert len(wanted) > 50
    program = f"import importlib\nfor name in {sorted(wanted)}: importlib.import_module(name)"
    done = subprocess.run(
        [version / "bin/python3", "-I", "-S", "-c", program], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    with built_bundle().path.open("rb") as file, tarfile.open(fileobj=file) as bundle:
        contents = bundle.extractfile("agent.tar.gz")
        with tarfile.open(fileobj=contents, mode="r:gz") as packed:
            there = {version / name for name in packed.getnames()}
    assert set(version.rglob("*")) == there  # Python has written nothing


def environments(machine: Machine, *names: str) -> list[dict[str, str]]:
    """What a command finds in its environment on each host, without what tells hosts apart."""
    done = machine.run("run", ",".join(names), "--json", "--", "cat /proc/self/environ")
    assert done.code == 0, done
    found = {host["host"]: host["stdout"].split("\0") for host in json.loads(done.out)["hosts"]}
    variables = [dict(item.split("=", 1) for item in found[name] if item) for name in names]
    for each in variables:
        for key in ("TUI_MANAGER_HOST", "TUI_MANAGER_EXECUTION_ID"):
            del each[key]
    return variables


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"LANG": "C", "TZ": "Europe/Berlin", "PATH": "/usr/bin:/bin", "SHELL": "/bin/false"},
        {"LC_ALL": "C.UTF-8", "tui_manager_agent_root": "/none", "file": "x", "link": "y"},
        {"LC_CTYPE": "POSIX", "ENV": "/none", "CDPATH": "/usr", "LD_LIBRARY_PATH": "/none"},
    ],
)
def test_commands_find_the_environment_that_they_have_without_a_bundle(
    machine: Machine, root: Path, variables: dict[str, str]
) -> None:
    machine.serve()
    start_agent(machine, "plain", [str(installed("tui-manager-agent"))], variables)
    start_agent(machine, "bundle", [str(root / ENTRY)], variables)
    machine.wait_until_online("plain", "bundle")
    plain, bundled = environments(machine, "plain", "bundle")
    assert plain == bundled


def test_it_joins_and_works_with_its_own_python_alone(secure: Machine, root: Path) -> None:
    """Also when it starts again without its token, for enrolment and for supervisors."""
    variables = {
        **OF_PYTHON,
        "TUI_MANAGER_AGENT_JOIN_TOKEN": secure.token("--auto-approve"),
    }
    agent = start_agent(secure, "h1", [str(root / ENTRY)], variables)
    secure.wait_for_host("h1", "admitted")
    gate = secure.folder / "gate"
    running = secure.start(
        "running",
        *("run", "h1", "--env", f"GATE={gate}", "--"),
        'echo begun; until [ -e "$GATE" ]; do sleep 0.25; done',
    )
    secure.wait_for("the command to begin", lambda: running.out)
    own = psutil.Process(agent.process.pid)
    python = (root / "versions" / built_bundle().manifest.folder / "bin/python3").resolve()
    programs = [own, *own.children(recursive=True)]
    supervisors = [p for p in programs if "sh" not in p.name() and "sleep" not in p.name()]
    assert len(supervisors) >= 2
    assert {Path(program.exe()) for program in supervisors} == {python}
    assert own.cmdline()[:3] == [str(python), "-I", "-S"]
    gate.touch()
    secure.wait_for("the command to end", running.process.poll, lambda code: code == 0)


needs_root = pytest.mark.skipif(
    not can_make_bare_root(), reason="only root can run a program in another root"
)


@needs_root
def test_it_runs_where_there_is_no_python_and_no_library(machine: Machine, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    make_bare_root(bare)
    unpack(bare / "opt/agent")
    machine.serve()
    start_agent(machine, "bare", inside(bare, f"/opt/agent/{ENTRY}"), {"PATH": os.environ["PATH"]})
    machine.wait_until_online("bare")
    done = machine.run(
        "run", "bare", "--json", "--", "id -u; command -v python3 python || echo none"
    )
    assert done.code == 0, done
    (host,) = json.loads(done.out)["hosts"]
    assert host["stdout"] == "0\nnone\n"

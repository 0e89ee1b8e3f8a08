"""Which modules are loaded: each command pays for the supervisor's, each host for the agent's."""

import ast
import subprocess
import sys
from pathlib import Path

from tui_manager_agent import supervisor

COSTLY = {
    "asyncio",
    "ctypes",
    "dataclasses",
    "enum",
    "json",
    "re",
    "signal",
    "subprocess",
    "typing",
}


def modules_after(statement: str, *flags: str) -> set[str]:
    """Names in sys.modules of a fresh interpreter."""
    program = f"import sys; {statement}; print(*sys.modules)"
    output = subprocess.run([sys.executable, *flags, "-c", program], check=True, stdout=-1).stdout
    return set(output.decode().split())


def test_the_supervisor_loads_next_to_nothing() -> None:
    from tui_manager_agent.supervisor import launch

    parent = launch.__file__.rsplit("/", 3)[0]
    statement = f"sys.path.append({parent!r}); import tui_manager_agent.supervisor.supervise"
    modules = modules_after(statement, "-I", "-S")
    assert modules & COSTLY == set()
    ours = {name for name in modules if name.startswith("tui_manager")}
    assert all(
        name == "tui_manager_agent" or name.startswith("tui_manager_agent.supervisor")
        for name in ours
    )


def test_the_agent_loads_nothing_of_the_manager() -> None:
    modules = modules_after("import tui_manager_agent.agent")
    assert (
        modules & {"tui_manager", "textual", "rich", "sqlite3", "aiosqlite", "ClusterShell"}
        == set()
    )


def test_only_child_programs_load_cryptography() -> None:
    """A running agent is looked at in test_tls_link: asyncio here loads what it does not there."""
    modules = modules_after("import tui_manager_agent.agent, tui_manager_agent.link.enrollment")
    assert modules & {
        "cryptography",
        "tui_manager_agent.identity.keys",
        "tui_manager_agent.link.enrollment_program",
    } == (set())


def test_the_identity_is_read_without_loading_what_only_an_agent_needs() -> None:
    modules = modules_after("import tui_manager_agent.identity.identity")
    modules |= modules_after("import tui_manager_agent.identity.keys")
    assert "cryptography.hazmat.primitives.asymmetric.ec" in modules
    assert modules & {"cryptography.x509", "grpc", "asyncio", "psutil", "ssl"} == set()


def test_usage_is_said_without_loading_grpc() -> None:
    assert modules_after("import tui_manager_agent.cli.main") & {"grpc", "asyncio", "ssl"} == set()


def test_a_supervisor_imports_nothing_once_it_runs() -> None:
    """A package's upgrade puts files of another version below it, and a removal takes them away."""
    late = {
        (path.name, function.name)
        for path in Path(supervisor.__path__[0]).rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    }
    before_it_runs, without_proc = ("launch.py", "main"), ("processes.py", "_from_ps")
    assert late <= {before_it_runs, without_proc}

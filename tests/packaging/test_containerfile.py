"""The container of the manager, as far as it can be checked without building it."""

import json
import re
import subprocess
import tomllib

import pytest

from tests.packaging.conftest import ROOT
from tui_manager.cli.options.commands import command_line_parser

CONTAINERFILE = ROOT / "packaging" / "Containerfile"
PYPROJECT_FILE = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYPROJECT = PYPROJECT_FILE["project"]


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments; lines that go on are put together."""
    lines = [line for line in CONTAINERFILE.read_text().splitlines() if not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", "")
    return [
        (name, rest.strip())
        for name, _, rest in (one.partition(" ") for one in whole.split("\n"))
        if name
    ]


def arguments_of(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


def environment() -> dict[str, str]:
    (words,) = arguments_of("ENV")
    return dict(word.split("=", 1) for word in words.split())


def test_what_is_copied_exists() -> None:
    for arguments in arguments_of("COPY"):
        *sources, _ = arguments.split()
        for source in sources:
            assert (
                source.startswith("--from=")
                or source == "/opt/tui-manager"
                or (ROOT / source).exists()
            )


def test_what_is_copied_is_all_that_an_installation_needs() -> None:
    copied = {word for one in arguments_of("COPY") for word in one.split()[:-1]}
    assert {"pyproject.toml", PYPROJECT["readme"], *PYPROJECT["license-files"]} <= copied
    assert {"protos", "agent", "tui_manager"} <= copied


def test_it_starts_the_manager_as_a_user_without_rights() -> None:
    assert json.loads(*arguments_of("ENTRYPOINT")) == ["tui-manager"]
    assert "tui-manager" in PYPROJECT["scripts"]
    words = json.loads(*arguments_of("CMD"))
    assert command_line_parser().parse_args(words).action == "serve"
    names = [name for name, _ in instructions()]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert arguments_of("USER") == ["tui-manager"]
    assert any(re.search(r"useradd .* tui-manager\b", run) for run in arguments_of("RUN"))


def test_its_state_is_a_volume_and_its_ports_are_those_of_the_manager() -> None:
    state = environment()["TUI_MANAGER_STATE_DIR"]
    assert arguments_of("VOLUME") == [state]
    assert any(
        f"--owner=tui-manager --group=tui-manager {state}" in run for run in arguments_of("RUN")
    )
    address, _, port = environment()["TUI_MANAGER_LISTEN"].rpartition(":")
    assert address == "0.0.0.0"
    assert arguments_of("EXPOSE") == [f"{port} {int(port) + 1}"]


def test_it_installs_extras_that_there_are() -> None:
    (extras,) = re.findall(r"'\.\[(.*)\]'", CONTAINERFILE.read_text())
    assert set(extras.split(",")) <= PYPROJECT["optional-dependencies"].keys()


@pytest.mark.parametrize("run", arguments_of("RUN"), ids=["install", "user"])
def test_sh_understands_what_it_runs(run: str) -> None:
    subprocess.run(["sh", "-n", "-c", run], check=True)


def test_libraries_come_from_the_lock_with_their_hashes() -> None:
    (run,) = (one for one in arguments_of("RUN") if "pip install" in one)
    fetch, install = (one for one in run.split("&&") if "/pip " in one)
    assert "--require-hashes" in fetch
    assert "--requirement requirements.lock" in fetch
    (folder,) = re.findall(r"--dest (\S+)", fetch)
    assert f"--no-index --find-links {folder}" in install
    assert "flit_core" in PYPROJECT_FILE["build-system"]["requires"][0]  # is in the lock too
    assert "flit-core==" in (ROOT / "requirements.lock").read_text()

"""The units for systemd: that they start what there is, and that systemd understands them."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import tui_manager_agent
from tui_manager_agent.cli import arguments as agent_arguments
from tui_manager_agent.executions.orders import cgroup_support

from tui_manager.cli.options.commands import command_line_parser

ROOT = Path(__file__).parents[2]
SHARE = Path(tui_manager_agent.__file__).parent / "share"
AGENT = SHARE / "tui-manager-agent.service"
AGENT_OF_USER = SHARE / "user" / "tui-manager-agent.service"
MANAGER = ROOT / "tui-manager.service"


def values(unit: Path, key: str) -> list[str]:
    """What the unit says of a key."""
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", [AGENT, AGENT_OF_USER], ids=["system", "user"])
def test_the_agent_finds_the_cgroup_that_its_unit_gives_it(unit: Path) -> None:
    assert values(unit, "Delegate") == ["yes"]
    assert values(unit, "DelegateSubgroup") == [cgroup_support._SUBGROUP]
    assert values(unit, "KillMode") == ["process"]


@pytest.mark.parametrize("key", ["Restart", "RestartSec", "RestartPreventExitStatus", "OOMPolicy"])
def test_both_units_of_the_agent_start_it_again_in_the_same_cases(key: str) -> None:
    assert values(AGENT_OF_USER, key) == values(AGENT, key) != []


@pytest.mark.parametrize("unit", [AGENT, AGENT_OF_USER], ids=["system", "user"])
def test_the_path_of_the_program_can_be_replaced(unit: Path) -> None:
    assert unit.read_text().count("/usr/local/bin/tui-manager-agent") == 1


def test_the_units_start_the_programs_with_options_that_they_have() -> None:
    for unit in (AGENT, AGENT_OF_USER, MANAGER):
        (line,) = values(unit, "ExecStart")
        program, *words = shlex.split(line)
        assert Path(program).name == unit.stem
        if unit == MANAGER:
            assert command_line_parser().parse_args(words).state_dir
            continue
        for variable in values(unit, "Environment"):
            option = variable.partition("=")[0].removeprefix("TUI_MANAGER_AGENT_").lower()
            assert option in agent_arguments._OPTIONS


@pytest.mark.skipif(not shutil.which("systemd-sysusers"), reason="systemd is not installed")
def test_systemd_makes_the_user_of_the_manager(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = ROOT / "packaging" / "tui-manager.sysusers.conf"
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", str(file)], check=True)
    (user,) = values(MANAGER, "User")
    (line,) = (tmp_path / "etc" / "passwd").read_text().splitlines()
    assert line.startswith(f"{user}:")
    assert line.endswith(":/var/lib/tui-manager:/usr/sbin/nologin")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize(
    ("unit", "whose"),
    [(AGENT, "--system"), (AGENT_OF_USER, "--user"), (MANAGER, "--system")],
    ids=["agent", "user", "manager"],
)
def test_systemd_understands_the_units(unit: Path, whose: str, tmp_path: Path) -> None:
    copy = tmp_path / unit.name  # the programs are elsewhere here
    copy.write_text(re.sub(r"(?m)^ExecStart=.*$", "ExecStart=/bin/true", unit.read_text()))
    said = subprocess.run(
        ["systemd-analyze", whose, "verify", str(copy)], capture_output=True, text=True, check=False
    )
    newer = "Unknown key 'DelegateSubgroup'"  # before systemd 254
    wrong = [line for line in said.stderr.splitlines() if str(copy) in line and newer not in line]
    assert wrong == []

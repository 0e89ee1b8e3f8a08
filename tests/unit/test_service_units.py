"""The units for systemd: that they start what there is, and that systemd understands them."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from tui_manager_agent.cli import arguments as agent_arguments
from tui_manager_agent.executions import cgroup_support

from tui_manager.cli.options.commands import command_line_parser

ROOT = Path(__file__).parents[2]
AGENT = ROOT / "agent" / "tui-manager-agent.service"
MANAGER = ROOT / "tui-manager.service"


def values(unit: Path, key: str) -> list[str]:
    """What the unit says of a key."""
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_the_agent_finds_the_cgroup_that_its_unit_gives_it() -> None:
    assert values(AGENT, "Delegate") == ["yes"]
    assert values(AGENT, "DelegateSubgroup") == [cgroup_support._SUBGROUP]
    assert values(AGENT, "KillMode") == ["process"]


def test_the_units_start_the_programs_with_options_that_they_have() -> None:
    for unit, variables in ((AGENT, values(AGENT, "Environment")), (MANAGER, [])):
        (line,) = values(unit, "ExecStart")
        program, *words = shlex.split(line)
        assert Path(program).name == unit.stem
        if unit == MANAGER:
            assert command_line_parser().parse_args(words).state_dir
        for variable in variables:
            option = variable.partition("=")[0].removeprefix("TUI_MANAGER_AGENT_").lower()
            assert option in agent_arguments._OPTIONS


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("unit", [AGENT, MANAGER], ids=lambda unit: unit.stem)
def test_systemd_understands_the_units(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name  # the programs are elsewhere here
    copy.write_text(re.sub(r"(?m)^ExecStart=.*$", "ExecStart=/bin/true", unit.read_text()))
    said = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    newer = "Unknown key 'DelegateSubgroup'"  # before systemd 254
    wrong = [line for line in said.stderr.splitlines() if str(copy) in line and newer not in line]
    assert wrong == []

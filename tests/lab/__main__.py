"""Starts a lab and gives a shell of its operator, to try by hand: `python -m tests.lab --hosts 10`.

The lab ends with the shell. With `-- COMMAND…`, this runs instead of a shell.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab.lab import Lab, plans, running_lab
from tests.lab.prepare import missing

_ABOUT = """\
Hosts: {names}
  h01, root, without Python; `ssh h01` works, also as admin (sudo) and plain (no sudo).
  With systemd: {systemd}. Behind the host `jump`: {behind}.
Manager: {address}; its state: {state}
Try: tui-manager agent install --ssh 'h[01-{last}]'
The end of this shell ends everything.
"""


def main() -> int:
    """Runs the lab until the shell ends; the exit status of the shell."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--hosts", type=int, default=10, help="how many (default: 10)")
    parser.add_argument("--systemd", default="7,8,9", help="which have it (default: 7,8,9)")
    parser.add_argument("--no-manager", action="store_true", help="start no manager")
    parser.add_argument("command", nargs="*", help="instead of a shell")
    options = parser.parse_args()
    if reason := missing():
        sys.stderr.write(f"{reason}\n")
        return 2
    systemd = [int(word) for word in options.systemd.split(",") if word]
    with (
        TemporaryDirectory(prefix="lab-") as folder,
        running_lab(Path(folder) / "lab", plans(options.hosts, systemd, behind_jump=(10,))) as lab,
    ):
        lab.operator.inside = 0  # the manager looks as on any machine
        if not options.no_manager:
            lab.operator.serve()
        sys.stderr.write(_about(lab))
        words = options.command or ["bash", "--norc", "-i"]
        programs = Path(sys.executable).parent
        environment = lab.operator.environment()
        variables = environment | {
            "PATH": f"{programs}:{environment['PATH']}",
            "PS1": "operator$ ",
        }
        at_home = ("env", f"--chdir={lab.operator.home}")
        shell = subprocess.run([*lab.enter, *at_home, *words], env=variables, check=False)
    return shell.returncode


def _about(lab: Lab) -> str:
    hosts = [host.plan for host in lab.hosts.values() if host.name != "jump"]
    return _ABOUT.format(
        names=", ".join(plan.name for plan in hosts),
        systemd=", ".join(plan.name for plan in hosts if plan.systemd) or "none",
        behind=", ".join(plan.name for plan in hosts if plan.behind_jump) or "none",
        address=lab.operator.address or "none",
        state=lab.operator.state_dir,
        last=f"{len(hosts):02}",
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.umask(0o022)
    sys.exit(main())

"""Serves as `tui_manager_agent/supervisor/launch.py` does, with failpoints in the supervisors."""

import importlib
import os
import sys


def main() -> int:
    sys.path.append(os.environ["LD_FAULTS_PACKAGES"])
    from tui_manager_agent.supervisor import claim, fork_server, script_and_stdin, shell, supervise
    from tui_manager_agent.supervisor.processes import cgroup

    sys.path.append(__file__.rsplit("/", 1)[0])
    points = importlib.import_module("points").Points(os.environ["LD_FAULTS_ARM"])
    for owner, name in (
        (claim, "take"),
        (claim.Claim, "end"),
        (script_and_stdin, "arguments"),
        (script_and_stdin, "open_stdin"),
        (script_and_stdin, "remove_files"),
        (shell, "Shell"),
        *(
            (supervise.Supervisor, name)
            for name in ("_note_start", "_move_output", "_reap", "_finish")
        ),
    ):
        setattr(owner, name, points.around(name.strip("_").lower(), getattr(owner, name)))
    server = fork_server.ForkServer
    for name in ("_fork", "_tell"):
        setattr(server, name, points.around(name.strip("_"), getattr(server, name)))
    cgroup_root = cgroup.CgroupRoot(*sys.argv[3:5]) if len(sys.argv) > 4 else None
    server(int(sys.argv[1]), cgroup_root).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The file that the agent runs: `python -I -S launch.py DESCRIPTOR FOLDER [BASE HOME]`.

The descriptor is of a socket to the agent; the folder of the executions is for people who
read the list of processes; BASE and HOME say where commands get cgroups, if they do.

It finds the package beside it, then serves. `-I -S` leaves sys.path without site-packages; the
package's own parent goes last, so that the standard library comes first and the modules' cached
bytecode is used.
"""

import sys


def main() -> int:
    sys.path.append(__file__.rsplit("/", 3)[0])
    from tui_manager_agent.supervisor.fork_server import ForkServer
    from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot

    cgroup_root = CgroupRoot(*sys.argv[3:5]) if len(sys.argv) > 4 else None
    ForkServer(int(sys.argv[1]), cgroup_root).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())

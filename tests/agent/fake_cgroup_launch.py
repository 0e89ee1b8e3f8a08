"""As launch.py, where each cgroup is a folder that looks like one with all controllers.

The kernel does nothing there. BASE is the folder in which they are made; what stands in its file
`memory.events`, stands in that of each.
"""

import os
import sys

sys.path.append(__file__.rsplit("/", 3)[0] + "/agent")  # as launch.py: -S leaves all else out
from tui_manager_agent.supervisor.fork_server import ForkServer
from tui_manager_agent.supervisor.processes.cgroup import Cgroup, CgroupRoot

FILES = ("cgroup.procs", "memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max")


class FakeCgroup(Cgroup):
    """Made with the files that the kernel would make, and kept when it is removed."""

    def make(self) -> None:
        os.makedirs(self.path)
        for name in FILES:
            cgroup_file(self.path, name, "")
        base = os.path.dirname(self.path)
        for name in ("memory.events", "memory.peak", "cpu.stat"):
            if os.path.exists(f"{base}/{name}"):
                with open(f"{base}/{name}") as file:
                    cgroup_file(self.path, name, file.read())

    def remove(self) -> bool:
        return True


class FakeCgroupRoot(CgroupRoot):
    def cgroup(self, execution_id: str) -> Cgroup:
        return FakeCgroup(f"{self.base}/{execution_id}", self.agent_cgroup)


def cgroup_file(folder: str, name: str, text: str) -> None:
    with open(f"{folder}/{name}", "w") as file:
        file.write(text)


if __name__ == "__main__":
    ForkServer(int(sys.argv[1]), FakeCgroupRoot(sys.argv[3], sys.argv[4])).serve()

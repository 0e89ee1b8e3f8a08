"""Starts a supervisor as `tui_manager_agent/supervisor/launch.py` does, with failpoints in it."""

import importlib
import os
import sys


def main() -> int:
    sys.path.append(os.environ["LD_FAULTS_PACKAGES"])
    from tui_manager_agent.supervisor import claim, record, shell, supervise

    sys.path.append(__file__.rsplit("/", 1)[0])
    points = importlib.import_module("points").Points(os.environ["LD_FAULTS_ARM"])
    for owner, name in (
        (claim, "take"),
        (record, "write"),
        (shell, "Shell"),
        *(
            (supervise.Supervisor, name)
            for name in ("_note_start", "_move_output", "_reap", "_finish")
        ),
    ):
        setattr(owner, name, points.around(name.strip("_").lower(), getattr(owner, name)))
    return supervise.supervise(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())

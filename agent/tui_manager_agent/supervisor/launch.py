"""The file that the agent runs for each command: finds the package beside it, then supervises.

`-I -S` leaves sys.path without site-packages; the package's own parent goes last, so that the
standard library comes first and the modules' cached bytecode is used.
"""

import sys


def main() -> int:
    sys.path.append(__file__.rsplit("/", 3)[0])
    from tui_manager_agent.supervisor.supervise import supervise

    return supervise(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())

"""The files of a bundle that come from no distribution: how the agent is started in it. A file of
its own, because it is a script of a bundle, and runs on the hosts.

`bin/tui-manager-agent` resolves links, such as `current`, and starts the Python of the real folder.
So the agent keeps its own version after `current` was replaced. It sets no variable, because
commands would see it. Python ignores the variables that are set (-I) and the packages of the host
(-S).
"""

PROGRAM_ENTRY = """\
#!/bin/sh
# Starts the agent with the Python beside it, whatever links lead to this file.
unset tui_manager_agent_root
unset PYTHONEXECUTABLE  # the only variable that Python obeys also with -I
tui_manager_agent_root=$(
    file=$0
    case $file in */*) ;; *) file=./$file ;; esac
    while [ -h "$file" ]; do
        link=$(readlink "$file") || exit
        case $link in /*) file=$link ;; *) file=${file%/*}/$link ;; esac
    done
    CDPATH= cd -P "${file%/*}/.." && pwd -P
) || exit 126
exec "$tui_manager_agent_root/bin/python3" -I -S "$tui_manager_agent_root/lib/start_agent.py" "$@"
"""

START_AGENT = """\
import sys

from tui_manager_agent.cli.main import main

sys.exit(main())
"""

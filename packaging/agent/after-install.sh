#!/bin/sh
# For deb and rpm. Arguments: deb says `configure` with the version before, if there was one; rpm says how
# many versions are there now. Commands go on while the agent starts again: its unit has KillMode=process.
set -e

unit=/etc/systemd/system/tui-manager-agent.service # it replaces that of the package

case "$1" in
configure) before=$2 ;;
abort-remove) before= again=yes ;; # the agent was stopped, and the package stays
[2-9]*) before=yes ;;
*) before= ;;
esac

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
    if [ -e $unit ] && ! grep -q '^ExecStart=/usr/bin/' $unit; then
        : # the unit of an agent that was installed in another way is not ours
    elif [ -n "$before" ]; then
        systemctl try-restart tui-manager-agent.service || :
    elif [ -n "${again-}" ] && systemctl --quiet is-enabled tui-manager-agent.service; then
        systemctl start tui-manager-agent.service || :
    fi
fi

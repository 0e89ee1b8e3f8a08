#!/bin/sh
# For deb and rpm. Arguments: deb says what it has done; rpm says how many versions are left. Only deb knows
# `purge`: rpm leaves the state of the agent to whoever removes it.
set -e

unit=/etc/systemd/system/tui-manager-agent.service # it replaces that of the package

if [ "$1" = purge ] && { [ ! -e $unit ] || grep -q '^ExecStart=/usr/bin/' $unit; }; then
    rm -rf /var/lib/tui-manager-agent
    rm -f /etc/tui-manager-agent.token /etc/systemd/system/multi-user.target.wants/tui-manager-agent.service
fi
case "$1" in
remove | purge | 0)
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload || :
    fi
    ;;
esac

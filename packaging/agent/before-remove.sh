#!/bin/sh
# For deb and rpm. Arguments: deb says what it is about to do; rpm says how many versions stay. An upgrade
# stops nothing. Commands that run go on to their end.
set -e

unit=/etc/systemd/system/tui-manager-agent.service # it replaces that of the package

case "$1" in
remove | 0)
    # The unit of an agent that was installed in another way is not ours.
    if [ -d /run/systemd/system ] && { [ ! -e $unit ] || grep -q '^ExecStart=/usr/bin/' $unit; }; then
        systemctl stop tui-manager-agent.service || :
        if [ "$1" = 0 ]; then
            systemctl --quiet --no-reload disable tui-manager-agent.service || :
        fi
    fi
    ;;
esac

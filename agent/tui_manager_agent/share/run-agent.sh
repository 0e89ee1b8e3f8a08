#!/bin/sh
# Keeps the agent of tui-manager running where there is no systemd:
#
#   setsid nohup ROOT/current/share/run-agent.sh >/dev/null 2>&1 </dev/null &
#
# ROOT is the folder of the agent: /opt/tui-manager-agent, or ~/.local/share/tui-manager-agent. To start
# with the machine, put `@reboot ROOT/current/share/run-agent.sh` into the crontab of its user.
#
# Usage: run-agent.sh [ROOT [SETTINGS]]
#
# It runs ROOT/current/bin/tui-manager-agent, and starts it again 5 seconds after its end. It stops when
# the agent ends with status 2 (wrong usage) or 3 (refused by the manager), which need a person, and
# returns that status, unless it was another version on trial. At SIGTERM it passes the signal on, waits for the agent and returns 0. Commands
# outlive the agent.
#
# SETTINGS has lines such as TUI_MANAGER_AGENT_MANAGER=manager.example:7443. By default it is
# /etc/tui-manager-agent.env for root, ~/.config/tui-manager-agent.env for others. The agent gets these
# settings, and nothing else of the environment in which this script was started.
#
# ROOT/run.pid has the pid of this script while it runs, ROOT/run.stop while it stops, ROOT/agent.log what
# the agent says. At 1 MiB that becomes ROOT/agent.log.1.
set -u

pause=5           # seconds
log_limit=1048576 # bytes
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

main() {
    cd "$root" && root=$(pwd) && [ -e current ] || fail "$root is not the folder of an agent"
    umask 077
    if true 2>/dev/null >>run.lock; then
        exec 9>>run.lock
    elif [ -r run.lock ]; then # the file system is read-only now
        exec 9<run.lock
    else
        fail "cannot write to $root"
    fi
    lock
    rm -f run.pid run.stop 2>/dev/null # of one that was killed
    open_log
    umask 022 # for the files of commands, as with systemd
    cd /

    child= stopping=
    trap stop TERM INT
    trap '' HUP PIPE
    while :; do
        [ -s "$root/run.pid" ] || write_pid 2>/dev/null # else the disk was full
        start_log_writer
        run_agent &
        wait_for $!
        [ -z "$stopping" ] || end 0 "stopped"
        case $status in
        2 | 3) is_on_trial || end "$status" "the agent ended and is not started again: status=$status" ;;
        esac
        log WARNING "the agent ended and starts again in ${pause}s: status=$status"
        pause_before_start &
        wait_for $!
        [ -z "$stopping" ] || end 0 "stopped"
    done
}

fail() {
    echo "run-agent.sh: $1" >&2
    exit 1
}

# Only one of these scripts runs for a folder. The lock ends with this process, and no other one inherits
# it. Without flock, two that start in the same moment are told apart by the agent, which locks its state.
lock() {
    if command -v flock >/dev/null; then
        flock -n 9 && return
    else
        runs || return 0
    fi
    echo "run-agent.sh: it runs already, with pid $(cat run.pid 2>/dev/null || echo unknown)" >&2
    exit 0
}

# Whether run.pid names a process that lives and is this script. After a crash it may be any other.
runs() {
    pid=$(cat run.pid 2>/dev/null) && kill -0 "$pid" 2>/dev/null || return 1
    case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null || ps -p "$pid" -o args= 2>/dev/null) in
    *run-agent.sh*) return 0 ;;
    esac
    return 1
}

write_pid() {
    echo $$ >"$root/run.pid.new" && mv -f "$root/run.pid.new" "$root/run.pid"
}

# Makes a pipe: 6 is its end for the agent, 7 the one for the log's writer.
open_log() {
    rm -f run.fifo 2>/dev/null
    if mkfifo run.fifo 2>/dev/null; then
        exec 8<>run.fifo # so that no open waits for the other end
        exec 6>run.fifo 7<run.fifo 8>&-
        rm -f run.fifo
    else
        exec 6>/dev/null 7</dev/null
    fi
    log_writer=
    end_of_log=$(printf '\004') # a process that the agent has left may keep the pipe open
}

start_log_writer() {
    [ -n "$log_writer" ] && kill -0 "$log_writer" 2>/dev/null && return
    write_log &
    log_writer=$!
}

# Appends lines to the log, and gives it another name before it is longer than its limit.
write_log() {
    exec <&7 >/dev/null 2>&1 6>&- 7<&- 9>&-
    umask 077
    LC_ALL=C # lengths are in bytes
    length=$(wc -c <"$root/agent.log") || length=0
    while IFS= read -r line || [ -n "$line" ]; do
        [ "$line" != "$end_of_log" ] || exit 0
        length=$((length + ${#line} + 1))
        if [ "$length" -gt "$log_limit" ]; then
            mv -f "$root/agent.log" "$root/agent.log.1"
            length=$((${#line} + 1))
        fi
        printf '%s\n' "$line" >>"$root/agent.log"
    done
}

log() {
    start_log_writer
    echo "time=$(date '+%Y-%m-%d %H:%M:%S') level=$1 $2" >&6
}

# In a process of its own, which becomes the agent: so settings cannot change this script's variables.
run_agent() {
    exec </dev/null >&6 2>&1 6>&- 7<&- 9>&-
    set -- "$root/current/bin/tui-manager-agent" run
    export_settings
    is_stopping || exec "$@"
}

pause_before_start() {
    exec 6>&- 7<&- 9>&-
    is_stopping || exec sleep "$pause"
}

# Whether the agent that has ended was another version on trial, after `agent update`. Whatever its status,
# the version before starts again: it finds the record of the trial, and removes it.
is_on_trial() (
    export_settings
    [ -e "$TUI_MANAGER_AGENT_STATE_DIR/update.trial" ]
)

export_settings() {
    export TUI_MANAGER_AGENT_STATE_DIR="$state" TUI_MANAGER_AGENT_JOIN_TOKEN_FILE="$token"
    [ ! -r "$settings" ] || read_settings <"$settings"
}

# Lines NAME=VALUE; the value may have quotes around it. Nothing in it is carried out.
read_settings() {
    carriage_return=$(printf '\r')
    while read -r line || [ -n "$line" ]; do
        line=${line%"$carriage_return"}
        name=${line%%=*} value=${line#*=}
        case $line in
        '#'* | ';'* | =* | [0-9]*) continue ;;
        *=*) ;;
        *) continue ;;
        esac
        case $name in *[!A-Za-z0-9_]*) continue ;; esac
        case $value in
        \"*\") value=${value#\"} value=${value%\"} ;;
        \'*\') value=${value#\'} value=${value%\'} ;;
        esac
        export "$name=$value"
    done
}

stop() {
    stopping=yes
    echo $$ 2>/dev/null >"$root/run.stop"
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}

# For a child that was just forked, as the shell may lose the signal in it.
is_stopping() {
    { read -r pid <"$root/run.stop"; } 2>/dev/null && [ "$pid" = $$ ]
}

# Sets `status` to that of a child. A signal that comes meanwhile is passed on to it.
wait_for() {
    child=$1
    [ -z "$stopping" ] || stop # it came before the child was known
    while :; do
        wait "$child" 2>/dev/null # the shell would print how it was killed
        status=$?
        kill -0 "$child" 2>/dev/null || break # else a signal has ended `wait`
    done
    child=
}

# Ends this script once the log has been written.
end() {
    log INFO "$2"
    echo "$end_of_log" >&6
    wait "$log_writer"
    rm -f "$root/run.pid" "$root/run.stop"
    exit "$1"
}

if [ "${1-}" != --clean ]; then
    root=${1:-$(dirname "$0")/../..}
    exec env -i HOME="${HOME:-/}" USER="${USER:-}" LOGNAME="${LOGNAME:-}" PATH="$path" \
        /bin/sh "$0" --clean "$root" "${2-}"
fi
if [ "$(id -u)" = 0 ]; then
    settings=/etc/tui-manager-agent.env
    token=/etc/tui-manager-agent.token
    state=/var/lib/tui-manager-agent
else
    settings=$HOME/.config/tui-manager-agent.env
    token=$HOME/.config/tui-manager-agent.token
    state=$HOME/.local/state/tui-manager-agent
fi
root=$2
settings=${3:-$settings}
main
exit # not reached; the shell reads no further when the script is replaced

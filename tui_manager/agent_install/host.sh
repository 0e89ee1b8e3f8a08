# What a host does for `tui-manager agent install` and `agent uninstall`. It comes over ssh and runs in any
# POSIX shell; nothing of it stays on the host.
#
# It reads requests from stdin: lines `name=value`, the first one `do=VERB`, and an empty line at the end.
# It answers on stdout: lines that begin with $nonce, because login shells and programs print there too;
# `done=yes` is the last one of a request, `done=no` says that it failed, with `error` and `detail`.
# The session ends with the end of stdin. Everything that it is asked for may be asked again.

export LC_ALL=C
umask 022
exec 3>&1 1>&2 # what programs print goes to stderr

prefix=${TUI_MANAGER_INSTALL_PREFIX-} # for tests: in which folder / is
uid=$(id -u)
unit_name=tui-manager-agent
if [ "$uid" = 0 ]; then
    scope=--system
    root=$prefix/opt/tui-manager-agent
    settings=$prefix/etc/tui-manager-agent.env
    token=$prefix/etc/tui-manager-agent.token
    state=$prefix/var/lib/tui-manager-agent
    unit=$prefix/etc/systemd/system/$unit_name.service
    unit_source=share/$unit_name.service
    owners=$prefix/etc/tui-manager-agent
else
    scope=--user
    root=$HOME/.local/share/tui-manager-agent
    settings=$HOME/.config/tui-manager-agent.env
    token=$HOME/.config/tui-manager-agent.token
    state=$HOME/.local/state/tui-manager-agent
    unit=$HOME/.config/systemd/user/$unit_name.service
    unit_source=share/user/$unit_name.service
    owners=$HOME/.config/tui-manager-agent
    if [ -z "${XDG_RUNTIME_DIR-}" ] && [ -d "/run/user/$uid" ]; then
        export XDG_RUNTIME_DIR="/run/user/$uid"
    fi
fi
program=$root/current/bin/tui-manager-agent
lock=$root/.install-lock
cron_mark='# tui-manager-agent'

main() {
    trap release EXIT
    trap 'exit 1' HUP INT TERM PIPE
    answer ready=yes
    while read_request; do
        failed=
        case $verb in
        probe | lock | has | identity | configure | status | log | clean | uninstall) "do_$verb" </dev/null ;;
        receive) do_receive ;;
        *) fail request "$verb" ;;
        esac
        if [ -n "$failed" ]; then answer done=no; else answer done=yes; fi
    done
    exit 0
}

read_request() {
    verb= name= version= size= sha256= kilobytes= new_token= new_settings= lines= owner= run= challenge=
    while IFS= read -r line; do
        case $line in
        '') return 0 ;;
        do=*) verb=${line#*=} ;;
        name=*) name=${line#*=} ;;
        version=*) version=${line#*=} ;;
        size=*) size=${line#*=} ;;
        sha256=*) sha256=${line#*=} ;;
        kilobytes=*) kilobytes=${line#*=} ;;
        token=*) new_token=${line#*=} ;;
        setting=*) new_settings="$new_settings${new_settings:+
}${line#*=}" ;;
        lines=*) lines=${line#*=} ;;
        owner=*) owner=${line#*=} ;;
        run=*) run=${line#*=} ;;
        challenge=*) challenge=${line#*=} ;;
        esac
    done
    return 1
}

answer() {
    printf '%s %s\n' "$nonce" "$1" >&3
}

# A value of any program, on one line and not too long.
answer_text() {
    value=$2
    case $value in *[!\ -~]*) value=$(printf '%s' "$value" | tr '\n\r\t' '   ') ;; esac
    [ ${#value} -le 2000 ] || value=$(printf '%s' "$value" | cut -c 1-2000)
    answer "$1=$value"
}

# fail CODE DETAIL: the request has failed.
fail() {
    failed=$1
    answer "error=$1"
    answer_text detail "$2"
}

# A tenth of a second, or a second where sleep knows no fractions.
pause() {
    sleep 0.1 2>/dev/null || sleep 1
}

# remove OPTION PATH: `rm`, which is started only if there is something to remove.
remove() {
    if [ -e "$2" ] || [ -L "$2" ]; then rm "$1" "$2"; fi
}

# Starts `mkdir` only if the folder is missing.
make_folder() {
    [ -d "$1" ] || mkdir -p "$1"
}

has_program() {
    command -v "$1" >/dev/null 2>&1
}

# ---- what there is ----

do_probe() {
    # shellcheck disable=SC2046  # it prints three words
    set -- $(uname -snm)
    answer_text system "$1"
    answer_text host "$2"
    answer_text arch "$3"
    answer_text libc "$(find_libc)"
    answer "uid=$uid"
    answer_text user "$(id -un 2>/dev/null || echo "$uid")"
    answer_text root "$root"
    answer "service=$(find_service)"
    answer_text package "$(find_package)"
    probe_place "$root" run
    first=$trial
    probe_place "${settings%/*}" write
    second=$trial
    probe_place "$state" write
    rm -f "$first" "$second" "$trial"
    existing_folder "$root"
    answer "free=$(free_kilobytes "$folder")"
    if [ -L "$root/current" ]; then
        found=$(readlink "$root/current")
        answer_text current "${found##*/}"
    fi
    if [ -f "$settings" ]; then
        sed -n '/^[[:space:]]*TUI_MANAGER_AGENT_\(MANAGER\|NAME\|LABELS\)=/p' "$settings" |
            while IFS= read -r line; do answer_text setting "$line"; done
    fi
    if [ -f "$state/identity" ]; then
        tr '\0' '\n' <"$state/identity" | while IFS= read -r line; do
            case $line in manager_id=* | host_id=*) answer_text "${line%%=*}" "${line#*=}" ;; esac
        done
    fi
    find_others
    if is_running; then answer active=yes; else answer active=no; fi
    if [ -f "$state/identity" ] && [ -x "$program" ]; then
        found=$("$program" identity --json --state-dir "$state" --challenge "$challenge" 2>/dev/null 3>&-) && answer_text identity "$found"
    fi
    return 0
}

find_libc() {
    getconf GNU_LIBC_VERSION 2>/dev/null && return
    found=$(ldd --version 2>&1 | head -n 1)
    case $found in
    *musl*) echo musl ;;
    *[0-9].[0-9]*) echo "glibc ${found##* }" ;;
    esac
}

# Agents of other users of this machine, as far as this one can see them.
find_others() {
    if [ "$uid" != 0 ]; then
        if [ -L "$prefix/opt/tui-manager-agent/current" ]; then answer "other=root $prefix/opt/tui-manager-agent"; fi
    elif [ -r "$prefix/etc/passwd" ]; then
        while IFS=: read -r user _ _ _ _ home _; do
            found=$prefix$home/.local/share/tui-manager-agent
            if [ -L "$found/current" ]; then answer_text other "$user $found"; fi
        done <"$prefix/etc/passwd"
    fi
}

# What would keep the agent running: systemd, user (systemd of this user) or loop (run-agent.sh).
find_service() {
    if [ ! -d "$prefix/run/systemd/system" ] || ! has_program systemctl; then
        echo loop
    elif [ "$uid" = 0 ]; then
        echo systemd
    elif systemctl --user show-environment >/dev/null 2>&1 || has_program loginctl; then
        echo user
    else
        echo loop
    fi
}

find_package() {
    found=$prefix/usr/lib/tui-manager-agent/packaged
    if [ "$uid" = 0 ] && [ -f "$found" ]; then cat "$found" 2>/dev/null; fi
}

# Sets `folder` to the last part of a path that exists.
existing_folder() {
    folder=$1
    while [ ! -d "$folder" ]; do
        folder=${folder%/*}
        [ -n "$folder" ] || folder=/
    done
}

# probe_place PATH run|write: whether files can be made below PATH, and run there. Leaves `trial`.
probe_place() {
    existing_folder "$1"
    trial=$folder/.tui-manager-agent-probe.$$
    if ! said=$( (printf '#!/bin/sh\nexit 0\n' >"$trial") 2>&1); then
        case $said in
        *ead-only*) problem=read_only ;;
        *'o space'* | *uota*) problem=no_space ;;
        *) problem=not_writable ;;
        esac
        answer "problem=$problem $folder"
        return
    fi
    if [ "$2" = run ]; then
        chmod 700 "$trial"
        "$trial" 2>/dev/null || answer "problem=noexec $folder"
    fi
}

free_kilobytes() {
    df -Pk "$1" 2>/dev/null | {
        read -r _ # the names of the columns
        read -r _ _ _ free _
        echo "$free"
    }
}

# ---- one install at a time ----

# The lock is a file, which is linked into its place and so has its line from the first moment on: the pid
# of the shell, the run, and what was typed. Its time says when its install did something last. An install
# that lost its connection does nothing any more, and after two minutes another one takes over.
do_lock() {
    if ! said=$( (mkdir -p "$root" && printf '%s %s %s\n' "$$" "$run" "$owner" >"$lock.$$") 2>&1); then
        fail not_writable "$said"
        return
    fi
    tries=5
    until ln "$lock.$$" "$lock" 2>/dev/null; do
        tries=$((tries - 1))
        held=$(cat "$lock" 2>/dev/null)
        if [ $tries = 0 ] || { [ -n "$(is_fresh)" ] && is_alive "${held%% *}"; }; then
            fail busy "${held#* }"
            break
        fi
        drop_lock
    done
    rm -f "$lock.$$"
    if [ -z "$failed" ]; then locked=yes; fi
}

# Removes the lock if it is still the one that was read.
drop_lock() {
    mv "$lock" "$lock.$$.old" 2>/dev/null || return 0
    if [ "$(cat "$lock.$$.old" 2>/dev/null)" != "$held" ]; then ln "$lock.$$.old" "$lock" 2>/dev/null; fi
    rm -f "$lock.$$.old"
}

is_fresh() {
    find "$lock" "$root/versions" -maxdepth 3 -path '*/.install*' -mmin -2 2>/dev/null | head -n 1
}

is_alive() {
    [ -n "$1" ] && kill -0 "$1" 2>/dev/null
}

# A new time for the lock, without a process: an empty line after its own.
keep_lock() {
    [ -n "$locked" ] && { echo >>"$lock"; } 2>/dev/null
    return 0
}

release() {
    [ -n "$locked" ] || return 0
    held=
    { read -r held <"$lock"; } 2>/dev/null
    set -- "$root/versions/.install.$$"
    case $held in "$$ "*) set -- "$@" "$lock" ;; esac
    rm -rf "$@"
    rmdir "$root/versions" "$root" 2>/dev/null
    locked=
}
locked=

# ---- the files of the agent ----

do_has() {
    keep_lock
    if check_version "$root/versions/$name"; then answer has=yes; else answer has=no; fi
}

# Whether the program in a folder is there and runs; sets `said`.
check_version() {
    [ -x "$1/bin/tui-manager-agent" ] || return 1
    said=$("$1/bin/tui-manager-agent" --version 2>&1 3>&-) || return 1
    case $said in *"$version"*) return 0 ;; esac
    return 1
}

# The bytes of agent.tar.gz follow once it has answered `go`. Whatever fails ends the session, because the
# rest of these bytes must not be read as requests.
do_receive() {
    new=$root/versions/.install.$$
    for found in "$root"/versions/.install.*; do remove -rf "$found"; done
    if ! said=$(mkdir -p "$new/files" 2>&1); then
        end_receive not_writable "$said"
    fi
    free=$(free_kilobytes "$new")
    if [ -n "$free" ] && [ "$free" -lt "$kilobytes" ]; then
        end_receive no_space "$free $kilobytes"
    fi
    answer go=yes
    if ! said=$( (head -c "$size" >"$new/agent.tar.gz") 2>&1); then
        end_receive receive "$said"
    fi
    received=$(($(wc -c <"$new/agent.tar.gz")))
    [ "$received" = "$size" ] || end_receive cut "$received"
    keep_lock
    if has_program sha256sum; then
        found=$(sha256sum <"$new/agent.tar.gz")
        [ "${found%% *}" = "$sha256" ] || end_receive sha256 "${found%% *}"
    fi
    if ! said=$(tar -xzof "$new/agent.tar.gz" -C "$new/files" 2>&1 </dev/null); then
        end_receive unpack "$said"
    fi
    check_version "$new/files" </dev/null || end_receive does_not_run "$said"
    sync -f "$new/files" 2>/dev/null </dev/null
    remove -rf "$root/versions/$name"
    if ! said=$(mv "$new/files" "$root/versions/$name" 2>&1); then
        end_receive not_writable "$said"
    fi
    rm -rf "$new"
    keep_lock
}

end_receive() {
    rm -rf "$new"
    fail "$1" "$2"
    answer done=no
    exit 0
}

do_identity() {
    keep_lock
    if found=$("$root/versions/$name/bin/tui-manager-agent" identity --json --state-dir "$state" \
        --challenge "$challenge" 2>&1 3>&-); then
        answer_text identity "$found"
    else
        fail identity "$found"
    fi
}

# ---- settings and service ----

do_configure() {
    keep_lock
    changed=
    if ! said=$( (: >>"$root/.update-lock") 2>&1); then
        fail not_writable "$said"
        return
    fi
    exec 9>>"$root/.update-lock" # an update holds it while it is under way
    if has_program flock && ! flock -n 9; then
        exec 9>&-
        fail updating ''
        return
    fi
    if put_settings && put_token && put_current; then
        start_service
    fi
    exec 9>&-
    if [ -n "$changed" ]; then answer changed=yes; else answer changed=no; fi
}

# Replaces the lines of some settings. All other lines of a file that is there stay as they are, and so do
# its mode and its owner.
put_settings() {
    if [ -z "$new_settings" ] && [ -f "$settings" ]; then return 0; fi
    old=$(printf '%s\n' "$new_settings" | while IFS= read -r line; do
        echo "/^[[:space:]]*${line%%=*}=/d"
    done)
    if ! said=$( (
        make_folder "${settings%/*}" && remove -f "$settings.new" || exit
        if [ -f "$settings" ]; then
            cp -p "$settings" "$settings.new" && sed "$old" "$settings" >"$settings.new" || exit
            if [ -n "$(tail -c 1 "$settings.new")" ]; then echo >>"$settings.new" || exit; fi
        else
            echo "# The agent's settings: \`tui-manager-agent run --help\` has all." >"$settings.new" || exit
        fi
        printf '%s\n' "$new_settings" >>"$settings.new"
    ) 2>&1); then
        rm -f "$settings.new"
        fail not_writable "$said"
        return 1
    fi
    changed=yes
    mv -f "$settings.new" "$settings"
}

put_token() {
    [ -n "$new_token" ] || return 0
    put_file "$token" 077 "$new_token"
}

# put_file PATH UMASK TEXT: writes the text there, whole or not at all. No list of processes shows it,
# because printf is a part of the shell.
put_file() {
    if ! said=$( (
        make_folder "${1%/*}" &&
            umask "$2" &&
            remove -f "$1.new" &&
            printf '%s\n' "$3" >"$1.new"
    ) 2>&1); then
        rm -f "$1.new"
        fail not_writable "$said"
        return 1
    fi
    if [ "$2" = 022 ] && cmp -s "$1" "$1.new"; then
        rm -f "$1.new"
        return 0
    fi
    changed=yes
    mv -f "$1.new" "$1"
}

put_current() {
    before=$(readlink "$root/current")
    if [ "$before" = "versions/$name" ] && [ -f "$root/update-keys" ]; then return 0; fi
    changed=yes
    if ! said=$( (
        case $before in
        "versions/$name" | '') ;;
        *) rm -rf "$root/previous" && ln -s "$before" "$root/previous" || exit ;;
        esac
        cp "$root/versions/$name/share/update-keys" "$root/.update-keys.new" &&
            mv -f "$root/.update-keys.new" "$root/update-keys" &&
            remove -rf "$root/.current.new" &&
            ln -s "versions/$name" "$root/.current.new" &&
            { mv -fT "$root/.current.new" "$root/current" 2>/dev/null ||
                { ln -sfn "versions/$name" "$root/current" && rm -f "$root/.current.new"; }; }
    ) 2>&1); then
        fail not_writable "$said"
        return 1
    fi
}

start_service() {
    case $(find_service) in
    systemd) start_unit ;;
    user)
        if keep_user_manager; then
            start_unit
        else
            drop_unit
            start_loop
        fi
        ;;
    *) start_loop ;;
    esac
}

start_unit() {
    text=$(sed "s#/usr/local/bin/tui-manager-agent#$program#" "$root/current/$unit_source")
    put_file "$unit" 022 "$text" || return 1
    answer service=systemd
    stop_loop
    drop_cron
    if ! said=$(systemctl "$scope" daemon-reload 2>&1 && systemctl "$scope" enable $unit_name 2>&1); then
        fail service "$said"
        return 1
    fi
    if [ -z "$changed" ] && systemctl "$scope" is-active --quiet $unit_name; then return 0; fi
    changed=yes
    systemctl "$scope" reset-failed $unit_name >/dev/null 2>&1
    if ! said=$(systemctl "$scope" restart $unit_name 2>&1); then
        fail service "$said"
        return 1
    fi
}

# systemd ends the services of a user when the user logs out, unless the user lingers. Fails if they
# cannot stay.
keep_user_manager() {
    me=$(id -un)
    if [ ! -e "/var/lib/systemd/linger/$me" ]; then
        if ! loginctl enable-linger "$me" >/dev/null 2>&1; then
            answer linger=no
            return 1
        fi
        : >"$root/lingers"
    fi
    tries=50
    until systemctl --user show-environment >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        pause
        if [ -d "/run/user/$uid" ]; then export XDG_RUNTIME_DIR="/run/user/$uid"; fi
    done
}

drop_unit() {
    [ -f "$unit" ] || return 0
    systemctl "$scope" disable --now $unit_name >/dev/null 2>&1
    rm -f "$unit"
}

loop_pid() {
    { read -r pid <"$root/run.pid"; } 2>/dev/null && is_alive "$pid" || return 1
    case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in *run-agent.sh*) return 0 ;; esac
    return 1
}

start_loop() {
    answer service=loop
    put_cron
    if [ -z "$changed" ] && loop_pid; then return 0; fi
    changed=yes
    stop_loop || {
        fail service "run-agent.sh does not end"
        return 1
    }
    if has_program setsid; then
        setsid sh "$root/current/share/run-agent.sh" "$root" "$settings" </dev/null >/dev/null 2>&1 3>&- 9>&- &
    else
        nohup sh "$root/current/share/run-agent.sh" "$root" "$settings" </dev/null >/dev/null 2>&1 3>&- 9>&- &
    fi
    tries=100
    until loop_pid; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || {
            fail service "run-agent.sh does not start"
            return 1
        }
        pause
    done
}

stop_loop() {
    loop_pid || return 0
    kill -TERM "$pid" 2>/dev/null
    tries=300
    while loop_pid; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        pause
    done
}

put_cron() {
    if ! has_program crontab; then
        answer boot=no
        return
    fi
    line="@reboot sh $root/current/share/run-agent.sh $root $settings >/dev/null 2>&1 $cron_mark"
    table=$(read_cron) || {
        answer boot=no
        return
    }
    case "
$table
" in
    *"
$line
"*) return ;;
    esac
    { printf '%s\n' "$table" | grep -vF "$cron_mark"; printf '%s\n' "$line"; } | grep -v '^$' | crontab - 2>/dev/null ||
        answer boot=no
}

drop_cron() {
    has_program crontab && table=$(read_cron) || return 0
    case $table in *"$cron_mark"*) ;; *) return 0 ;; esac
    rest=$(printf '%s\n' "$table" | grep -vF "$cron_mark")
    if [ -n "$rest" ]; then printf '%s\n' "$rest" | crontab - 2>/dev/null; else crontab -r 2>/dev/null; fi
    return 0
}

# Fails if the table cannot be read: it must not be replaced then.
read_cron() {
    table=$(crontab -l 2>&1) && {
        printf '%s\n' "$table"
        return
    }
    case $table in *'no crontab'* | *'o such file'*) return 0 ;; esac
    return 1
}

is_running() {
    if [ -f "$unit" ] && has_program systemctl; then
        systemctl "$scope" is-active --quiet $unit_name 2>/dev/null && return
    fi
    loop_pid
}

# Whether it runs, waits to be started again, or has ended for good.
do_status() {
    keep_lock
    if loop_pid; then
        answer active=yes
    elif [ -f "$unit" ] && has_program systemctl; then
        case $(systemctl "$scope" is-active $unit_name 2>/dev/null) in
        failed | inactive) answer active=no ;;
        *) answer active=yes ;;
        esac
    else
        answer active=no
    fi
}

do_log() {
    keep_lock
    if [ -f "$unit" ] && has_program journalctl; then
        if [ "$uid" = 0 ]; then
            journalctl -u $unit_name -n "$lines" -o cat --no-pager 2>/dev/null
        else
            journalctl --user -u $unit_name -n "$lines" -o cat --no-pager 2>/dev/null
        fi
    else
        tail -n "$lines" "$root/agent.log" 2>/dev/null
    fi | while IFS= read -r line; do answer_text line "$line"; done
}

# Removes all versions but the one in use, the one before, and those of which a process still runs.
do_clean() {
    keep_lock
    for found in "$root"/versions/*-*; do
        case ${found##*-} in *[!0-9a-f]*) continue ;; esac
        case versions/${found##*/} in
        "$(readlink "$root/current")" | "$(readlink "$root/previous")") continue ;;
        esac
        # shellcheck disable=SC2012  # names of processes are numbers
        ls -l /proc/[0-9]*/exe 2>/dev/null | grep -qF -e "-> $found/" || rm -rf "$found"
    done
}

# ---- removal ----

do_uninstall() {
    if [ -f "$unit" ] && has_program systemctl; then
        answer had=yes
        said=$(systemctl "$scope" disable --now $unit_name 2>&1)
        if systemctl "$scope" is-active --quiet $unit_name 2>/dev/null; then
            fail service "$said"
            return
        fi
    fi
    stop_loop || {
        fail service "run-agent.sh does not end"
        return
    }
    drop_cron
    if [ -e "$root/lingers" ]; then loginctl disable-linger "$(id -un)" >/dev/null 2>&1; fi
    for found in "$unit" "$settings" "$token" "$settings.new" "$token.new" "$unit.new" "$root" "$state"; do
        if [ -e "$found" ] || [ -L "$found" ]; then
            if [ "$found" != "$root" ] || [ "$(ls -A "$root")" != .install-lock ]; then answer had=yes; fi
            said=$(rm -rf "$found" 2>&1) || fail not_writable "$said"
        fi
    done
    locked=
    if has_program systemctl && [ -d "$prefix/run/systemd/system" ]; then
        systemctl "$scope" daemon-reload >/dev/null 2>&1
        systemctl "$scope" reset-failed $unit_name >/dev/null 2>&1
    fi
    if [ "$uid" != 0 ]; then
        for found in .config/systemd/user/default.target.wants .config/systemd/user .config/systemd .config \
            .local/share .local/state .local; do
            rmdir "$HOME/$found" 2>/dev/null
        done
    fi
    if [ -e "$owners" ]; then answer_text left "$owners"; fi
    return 0
}

main

# Becomes root, and then runs $boot, which reads from stdin what comes next. The first line of stdin is the
# password for sudo; empty: sudo must not ask for one.
# shellcheck disable=SC2154  # nonce and boot are set before

refuse() {
    printf '%s error=%s\n%s detail=%s\n%s done=no\n' "$nonce" "$1" "$nonce" \
        "$(printf '%s' "$2" | tr '\n\r\t' '   ' | cut -c 1-2000)" "$nonce"
    exit 0
}

become() {
    IFS= read -r password
    if [ "$(id -u)" = 0 ]; then exec sh -c "$boot"; fi
    command -v sudo >/dev/null 2>&1 || refuse no_sudo ''
    if said=$(sudo -n -- sh -c : 2>&1 </dev/null); then exec sudo -n -- sh -c "$boot"; fi
    [ -n "$password" ] || refuse sudo "$said"
    # Tried alone first, because sudo would read the next lines of stdin as further passwords.
    if ! said=$(printf '%s\n' "$password" | sudo -k -S -p '' -- sh -c : 2>&1); then
        refuse sudo_password "$said"
    fi
    printf '%s password=good\n' "$nonce"
    # -k: sudo reads the password in any case. printf is a part of the shell: no list of processes shows it.
    { printf '%s\n' "$password" && exec cat; } | {
        sudo -k -S -p '' -- sh -c "$boot" || refuse sudo_password ''
    }
}

become

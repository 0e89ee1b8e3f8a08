# Completion of tui-manager for bash 4 and later.
_tui_manager() {
    local program=$1 rotates=0
    type -P -- "$program" >/dev/null || program=tui-manager
    [[ $COMP_TYPE == 37 || $COMP_TYPE == 42 ]] && rotates=1
    # Without a trap, bash keeps a ctrl-c that comes meanwhile, and drops the next completion for it.
    local -a reply
    local trapped
    trapped=$(trap -p INT)
    trap : INT
    mapfile -t reply < <(
        printf '%s\0' "$1" "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" "${COLUMNS:-80}" "$rotates" |
            "$program" completion --answer bash 2>/dev/null
    )
    eval "${trapped:-trap - INT}"
    COMPREPLY=("${reply[@]:1}")
    case ${reply[0]-} in
        files) compopt -o default ;;
        folders) compopt -o dirnames ;;
    esac
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=.:/] ]] && compopt -o nospace
    compopt -o nosort 2>/dev/null # not before bash 4.4
    return 0
}
complete -F _tui_manager tui-manager

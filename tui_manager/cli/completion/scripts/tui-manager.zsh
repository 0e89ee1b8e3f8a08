#compdef tui-manager
# Completion of tui-manager for zsh.
_tui_manager() {
    local program=${~${(Q)words[1]}}
    (( $+commands[$program] )) || [[ -x $program ]] || program=tui-manager
    local -a reply open whole
    local typed=$PREFIX line
    [[ -z ${compstate[quote]} ]] && typed=${(Q)typed}
    reply=("${(@f)$(
        print -rN -- "${(@Q)words[2,CURRENT-1]}" "$typed" |
            command $program completion --answer zsh 2>/dev/null
    )}")
    case $reply[1] in
        files|folders)
            [[ $PREFIX == -*=* ]] && compset -P '*='
            if [[ $reply[1] == files ]]; then _files; else _files -/; fi
            return ;;
    esac
    for line in "${(@)reply[2,-1]}"; do
        local value=${line%%$'\t'*} text=${line#*$'\t'}
        line=${${value//\\/\\\\}//:/\\:}${text:+:${text//\\/\\\\}}
        if [[ $value == *[=.:/] ]]; then open+=("$line"); else whole+=("$line"); fi
    done
    local result=1
    (( $#open )) && _describe -V tui-manager open -S '' && result=0
    (( $#whole )) && _describe -V tui-manager whole && result=0
    return result
}
if [[ $zsh_eval_context[-1] == *func ]]; then
    _tui_manager "$@"
else
    compdef _tui_manager tui-manager
fi

#compdef tui-manager
# Completion of tui-manager for zsh.
_tui_manager() {
    local program=${~${(Q)words[1]}}
    (( $+commands[$program] )) || [[ -x $program ]] || program=tui-manager
    local -a reply open open_lines whole whole_lines
    local typed=$PREFIX line value text
    local -i width=0
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
    reply=("${(@)reply[2,-1]}")
    for line in "${(@)reply}"; do
        value=${line%%$'\t'*}
        (( ${(m)#value} > width )) && width=${(m)#value}
    done
    for line in "${(@)reply}"; do
        value=${line%%$'\t'*} text=${line#*$'\t'}
        [[ -n $text ]] && text="${(mr:width:)value} -- $text" || text=$value
        text=${text[1,COLUMNS-1]}
        if [[ $value == *[=.:/] ]]; then
            open+=("$value") open_lines+=("$text")
        else
            whole+=("$value") whole_lines+=("$text")
        fi
    done
    # `_describe` sorts those that have the same text.
    local result=1
    local -a one_a_line
    [[ "${reply[*]}" == *$'\t'[^$'\t']* ]] && one_a_line=(-l)
    (( $#open )) && compadd -V tui-manager $one_a_line -S '' -d open_lines -a open && result=0
    (( $#whole )) && compadd -V tui-manager $one_a_line -d whole_lines -a whole && result=0
    return result
}
if [[ $zsh_eval_context[-1] == *func ]]; then
    _tui_manager "$@"
else
    compdef _tui_manager tui-manager
fi

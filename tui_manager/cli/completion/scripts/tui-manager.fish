# Completion of tui-manager for fish.
function __tui_manager_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l program $words[1]
    type -q -- $program; or set program tui-manager
    set -l reply (string join0 -- $words[2..] "$typed" | $program completion --answer fish 2>/dev/null)
    if contains -- "$reply[1]" files folders
        # fish completes paths for a command that it does not know.
        set -l option (string match -r -- '^-[^=]*=' $typed)
        set -l path (string replace -r -- '^-[^=]*=' '' $typed)
        set -l found (complete -C"__tui_manager_no_command $path")
        test $reply[1] = folders; and set found (string match -r -- '.*/$' $found)
        test (count $found) -gt 0; and printf '%s\n' "$option"$found
    else if set -q reply[2]
        printf '%s\n' $reply[2..]
    end
end
complete -c tui-manager -f -k -a '(__tui_manager_complete)'

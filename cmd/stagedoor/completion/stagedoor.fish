# fish completion for stagedoor.
# For this shell:  stagedoor completion fish | source
function __stagedoor_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~' -- $HOME $words[1])
    set -l found ($program __complete $words[2..-1] "$current" 2>/dev/null)
    if string match -q -- ':files*' "$found[1]"
        __fish_complete_path "$current"
    else
        string join -- \n $found
    end
end
complete -c stagedoor -f -a '(__stagedoor_complete)'

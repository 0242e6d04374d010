#compdef stagedoor
# zsh completion for stagedoor.
# For this shell:  source <(stagedoor completion zsh)
_stagedoor() {
    local line
    local -a found
    for line in "${(@f)$("${${(Q)words[1]}/#\~/$HOME}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        if [[ $line == :files* ]]; then
            compset -P '*='
            _files
            return
        fi
        found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    (( $#found )) && _describe 'stagedoor' found
}
if [[ $funcstack[1] == _stagedoor ]]; then
    _stagedoor "$@"
else
    compdef _stagedoor stagedoor
fi

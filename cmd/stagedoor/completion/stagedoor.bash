# bash completion for stagedoor.
# For this shell:  source <(stagedoor completion bash)
_stagedoor() {
    local word
    COMPREPLY=()
    while IFS=$'\t' read -r word _; do
        if [[ $word == :files ]]; then
            compopt -o default 2>/dev/null
            return
        fi
        COMPREPLY+=("$word")
    done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _stagedoor stagedoor

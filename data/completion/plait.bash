# SPDX-License-Identifier: MIT
# Completion for bash (and zsh after bashcompinit). It asks plait itself: what
# --help lists is what is offered, so that it cannot fall behind.
_plait() {
    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
    local previous=${COMP_WORDS[COMP_CWORD - 1]} words
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words="$(plait --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p') --help --version"
    elif [[ $previous == --@(cc|scheduler|path-manager) ]]; then
        words=$(plait connect "$previous" help 2>/dev/null | sed -n 's/^ *\([a-z][a-z0-9-]*\)  .*/\1/p' | sort -u)
    elif [[ $word == -* ]]; then
        words=$(plait "$command" --help 2>/dev/null | grep -o -e '--[a-z0-9-]*' | sort -u)
    else
        compopt -o default 2>/dev/null
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
shopt -s extglob
complete -F _plait plait

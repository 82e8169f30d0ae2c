# Which files of this tree are packed: `. lessons/assignments/tools/files.sh` at its top, with the
# build folder in B, defines
#
#   tracked     prints the files of the tree, one per line: git's list where there is one, and
#               otherwise every file that was not built
#   pack_into   copies the files that standard input lists into a folder
#
# SPDX-License-Identifier: MIT
# shellcheck shell=sh

tracked() {
    if [ -n "$(git ls-files ./Makefile 2>/dev/null)" ]; then
        git -c core.quotePath=off ls-files
    else
        find . -type d \( -path ./.git -o -path "./$B" -o -path ./data -o -path ./lessons/work \
            -o -exec test -e {}/double/flags \; -o -exec test -e {}/float/flags \; \) -prune \
            -o -type f -print |
            sed 's|^\./||' | LC_ALL=C sort
    fi
}

pack_into() { # pack_into FOLDER
    mkdir -p "$1" && while IFS= read -r name; do
        [ ! -f "$name" ] || printf '%s\n' "$name" # git's list may still contain a deleted file
    done | tar -cf - -T - | tar -xf - -C "$1"
}

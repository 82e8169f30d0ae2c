#!/bin/sh
# Copies an assignment's starter to lessons/work, which git ignores: `make start A=a1_elu`. A file
# that is already there is never overwritten.
# SPDX-License-Identifier: MIT
set -u
tool=start
. lessons/assignments/tools/common.sh

work=lessons/work/$A
mkdir -p "$work" || stop "cannot create the folder '$work'"
set -C # a redirection fails if the file exists
if [ -e "$work/$file" ] || [ -L "$work/$file" ]; then
    echo "$work/$file is already there; it was not changed."
elif cat "$folder/$file" >"$work/$file"; then
    echo "Copied the starter to $work/$file."
else
    stop "cannot create '$work/$file'"
fi
echo
echo "  1. Read $folder/README.md."
echo "  2. Edit $work/$file."
echo "  3. make grade A=$A"

# What the scripts share: `. lessons/assignments/tools/common.sh` at the top of the tree, with the
# build folder and the names of the assignments as arguments. Sets
#
#   B       the build folder
#   A       the assignment, from GRADE_A
#   folder  the assignment's folder
#   file    the name of the file that is submitted: elu.c
#
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034  # the scripts that include this use the variables

stop() {
    echo "${tool:-grade}: $*" >&2
    exit 2
}

B=$1
[ -n "$GRADE_A" ] || stop "A is not set: use make ${tool:-grade} A=NAME; there are: $2"
A=
for name in $2; do
    [ "$GRADE_A" != "$name" ] || A=$name
done
[ -n "$A" ] || stop "there is no assignment '$GRADE_A'; there are: $2"
folder=lessons/assignments/$A
file=$(cat "$folder/submit")

#!/bin/sh
# Packs the copy that students get: `make student-kit` writes $B/slope-student-kit.tar.gz. It lacks
# hidden tests, reference solutions, wrong solutions, the notes for teachers and the answers to
# exercises; with ANSWERS=1 the last two are included.
# SPDX-License-Identifier: MIT
set -u
B=$1
. lessons/assignments/tools/files.sh

stop() {
    echo "student-kit: $*" >&2
    exit 2
}

# What is not for students; .ci without deps tests what they do not have.
hidden='^tests/assignments/|^lessons/assignments/[^/]*/hidden[^/]*$|^\.ci/'
answers='(^|/)TEACHING\.md$|(^|/)answers/'
[ "$GRADE_ANSWERS" = 1 ] || hidden="$hidden|$answers"

mkdir -p "$B/work" && work=$(mktemp -d "$B/work/kit-XXXXXX") || stop "cannot write to '$B'"
trap 'rm -rf "$work"' EXIT
trap 'exit 2' INT TERM HUP
{ tracked | grep -Ev "$hidden"; echo .ci/deps; } | pack_into "$work/slope" ||
    stop "the files cannot be copied"
kit=$B/slope-student-kit.tar.gz
tar -C "$work" -cf "$work/kit.tar" slope && gzip -9n "$work/kit.tar" &&
    mv "$work/kit.tar.gz" "$kit" || stop "cannot write '$kit'"
echo "$kit: $(find "$work/slope" -type f | wc -l | tr -d ' ') files, without hidden tests" \
    "and solutions."

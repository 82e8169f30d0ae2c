#!/bin/sh
# Packs an autograder for Gradescope: `make gradescope A=a1_elu` writes $B/gradescope-a1_elu.zip,
# with setup.sh and run_autograder at its top and, in the folder slope, the library, the judge and
# the assignment.
# SPDX-License-Identifier: MIT
set -u
tool=gradescope
. lessons/assignments/tools/common.sh
. lessons/assignments/tools/files.sh

if command -v zip >/dev/null; then pack="zip -qrX"
elif command -v python3 >/dev/null; then pack="python3 -m zipfile -c"
else stop "found neither zip nor python3: install the package zip"
fi

mkdir -p "$B/work" && work=$(mktemp -d "$B/work/zip-XXXXXX") || stop "cannot write to '$B'"
trap 'rm -rf "$work"' EXIT
trap 'exit 2' INT TERM HUP

wanted="^(Makefile|LICENSE|slope\.h)$|^(tensor|autograd|nn|optim|datasets)/"
wanted="$wanted|^lessons/assignments/(targets\.mk$|grade\.sh$|(judge|solver|tools)/)"
# The assignment's own files are packed even if git does not know them: hidden tests may be secret.
{ tracked | grep -E "$wanted"; find "$folder" -type f; } | pack_into "$work/slope" &&
    echo "$A" >"$work/slope/assignment" &&
    cp lessons/assignments/tools/gradescope/setup.sh \
        lessons/assignments/tools/gradescope/run_autograder "$work" &&
    chmod 755 "$work/setup.sh" "$work/run_autograder" || stop "the files cannot be copied"

(cd "$work" && $pack new.zip setup.sh run_autograder slope) &&
    mv "$work/new.zip" "$B/gradescope-$A.zip" || stop "cannot write '$B/gradescope-$A.zip'"
[ -e "$folder/hidden.c" ] ||
    echo "gradescope: this copy has no hidden tests, so the autograder will run the visible ones only"
echo "$B/gradescope-$A.zip: upload it as the autograder. Students submit $file."

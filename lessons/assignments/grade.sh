#!/bin/sh
# Grades a submission: `make grade A=a1_elu SUBMISSION=path/to/elu.c` calls this, with the build
# folder and the names of the assignments as arguments, and everything else in variables that begin
# with GRADE_. With a third argument it grades every submission in GRADE_DIR (make grade-all).
#
# The judge (judge/main.c) compiles the submission in a fresh folder and runs it in a process of its
# own. The results are written to GRADE_OUT, or to $B/grade/A; those of a class, to $B/marks/A.
#
# The exit status is 0 if the submission was graded, whatever the points, and 2 if grading itself
# failed.
# SPDX-License-Identifier: MIT
set -u
tool=grade${3:+-all}
. lessons/assignments/tools/common.sh

case $GRADE_MODE in asan | tsan)
    stop "MODE=$GRADE_MODE is not possible, because submissions are linked without sanitizers;" \
        "MODE=debug B=build-debug is" ;;
esac

if [ "$tool" = grade ]; then
    submission=${GRADE_SUBMISSION:-lessons/work/$A/$file}
    [ -n "$GRADE_SUBMISSION" ] || [ -e "$submission" ] ||
        stop "there is no $submission yet: make start A=$A puts the starter there"
    out=${GRADE_OUT:-$B/grade/$A}
else
    [ -n "$GRADE_DIR" ] || stop "DIR is not set: the folder that contains the submissions"
    [ -d "$GRADE_DIR" ] || stop "there is no folder '$GRADE_DIR'"
    out=${GRADE_OUT:-$B/marks/$A}
fi
mkdir -p -- "$B/work" "$out" || stop "cannot create the folder '$out'"
[ "$tool" != grade ] || # an interrupted grading leaves none, rather than those of an earlier one
    (cd -- "$out" && rm -f results.json report.txt printed.txt row.csv)

[ -e "$B/double/$folder/judge" ] ||
    echo "$tool: building the library and the judge of $A, once; this can take a minute ..." >&2

# Gradings that start side by side wait for one another while they build the judge. The lock is a
# file that contains its holder's process number; noclobber creates it only if it does not exist.
lock=$B/work/lock
take() {
    (set -C && echo "$1" >"$lock") 2>/dev/null
}
[ -w "$B/work" ] || stop "cannot write to the folder '$B/work'"
until take $$; do
    holder=$(cat "$lock" 2>/dev/null) || holder=
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null && [ ! -d "/proc/$holder" ] &&
        mv "$lock" "$lock.$$" 2>/dev/null; then # it was killed, unless somebody was faster
        [ "$(cat "$lock.$$")" = "$holder" ] || take "$(cat "$lock.$$")"
        rm -f "$lock.$$"
    fi
    sleep 0.1
done
trap 'rm -f "$lock"' EXIT
trap 'exit 2' INT TERM HUP
$MAKE --no-print-directory -s B="$B" A="$A" judge ${3:+class} >&2 ||
    stop "the judge cannot be built"
rm -f "$lock"
trap - EXIT INT TERM HUP

run=$B/double/$folder/run
if [ "$tool" = grade ]; then
    printf '%s: %s\n\n' "$A" "$(printf %s "$submission" | tr '[:cntrl:]' '?')"
    sh "$run" --submission "$submission" --work "$B/work" --out "$out" --seed "$GRADE_SEED" \
        --limit "$GRADE_LIMIT" || exit 2
    [ -e "$folder/hidden.c" ] ||
        echo "The instructor's grader also runs the hidden tests, which this copy does not contain."
    echo "Results: $out/results.json (for Gradescope) and report.txt; output: printed.txt there."
else
    # A submission is graded again if anything that its marks depend on has changed.
    version=$(cat "$run" "${run%run}judge" "${run%run}services.o" "$B/libslope-double.a" \
        "$folder"/*.txt "$folder"/*.h $(find "$folder/solvers" -name '*.c' 2>/dev/null) \
        lessons/assignments/judge/allow.txt | cksum)
    work=$(mktemp -d "$B/work/all-XXXXXX") || stop "cannot create a folder in '$B/work'"
    trap 'rm -rf "$work"' EXIT
    trap 'exit 2' INT TERM HUP
    "$B/double/lessons/assignments/tools/class" --dir "$GRADE_DIR" --out "$out" --work "$work" \
        --run "$run" --assignment "$folder" --file "$file" --seed "$GRADE_SEED" \
        --limit "$GRADE_LIMIT" --version "$version $GRADE_SEED $GRADE_LIMIT"
fi

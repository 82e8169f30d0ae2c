#!/bin/sh
# Grades a submission: `make grade A=a1_elu SUBMISSION=path/to/elu.c` calls this, with the build
# folder and the names of the assignments as arguments, and everything else in variables that begin
# with GRADE_.
#
# The judge (judge/main.c) compiles the submission in a fresh folder and runs it in a process of its
# own. The results are written to GRADE_OUT, or to $B/grade/A.
#
# The exit status is 0 if the submission was graded, whatever the points, and 2 if grading itself
# failed.
# SPDX-License-Identifier: MIT
set -u
B=$1 assignments=$2
home=lessons/assignments

stop() {
    echo "grade: $*" >&2
    exit 2
}

[ -n "$GRADE_A" ] || stop "A is not set: use make grade A=NAME; there are: $assignments"
case " $assignments " in
*" $GRADE_A "*) ;;
*) stop "there is no assignment '$GRADE_A'; there are: $assignments" ;;
esac
A=$GRADE_A
folder=$home/$A
file=$(cat "$folder/submit")
submission=${GRADE_SUBMISSION:-lessons/work/$A/$file}
[ -n "$GRADE_SUBMISSION" ] || [ -e "$submission" ] ||
    stop "there is no $submission yet: make start A=$A puts the starter there"

out=${GRADE_OUT:-$B/grade/$A}
mkdir -p "$B/work" "$out" || stop "cannot create the folder '$out'"

# Gradings that start side by side wait for one another while they build the judge.
lock=$B/work/lock
until mkdir "$lock" 2>/dev/null; do
    holder=$(cat "$lock/pid" 2>/dev/null) || holder=
    [ -z "$holder" ] || kill -0 "$holder" 2>/dev/null || rm -rf "$lock"
    sleep 0.1
done
echo $$ >"$lock/pid"
trap 'rm -rf "$lock"' EXIT INT TERM
$MAKE --no-print-directory -s B="$B" A="$A" judge >&2 || stop "the judge cannot be built"
rm -rf "$lock"
trap - EXIT INT TERM

echo "$A: $submission"
echo
objects="$B/double/$home/solver/solver.o $B/double/$home/solver/wire.o"
objects="$objects $B/double/$home/$A/services.o"
"$B/double/$home/$A/judge" --assignment "$folder" --submission "$submission" \
    --work "$B/work" --out "$out" --compile "$GRADE_COMPILE" --objects "$objects" \
    --link "$GRADE_LINK" --seed "$GRADE_SEED" --limit "$GRADE_LIMIT" || exit 2
echo "Results: $out/results.json (for Gradescope) and report.txt; output: printed.txt there."

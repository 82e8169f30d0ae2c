#!/bin/sh
# Grades a submission: `make grade A=a1_elu SUBMISSION=path/to/elu.c` calls this with A, SUBMISSION,
# SEED, LIMIT, CC, FLAGS, LIBS, CHECK, B and the grader's program in the environment.
#
# An assignment is a folder here with README.md, points.txt, tests.c, the files that tests and
# submission share, and one starter: a .c file, named in the folder's file `submit`. The work is
# done in $B/grade/A: the pristine files are copied there first, then the submission's one file, and
# nothing else of the submission.
#
# Exit status 0 when graded, whatever the points; 2 when grading itself failed.
# SPDX-License-Identifier: MIT
set -u
home=lessons/assignments

stop() {
    echo "grade: $*" >&2
    exit 2
}

known=
for folder in "$home"/*/; do
    known="$known $(basename "$folder")"
done
case " $known " in
*" ${A:-} "*) [ -n "${A:-}" ] || stop "say which: make grade A=a1_elu; there are:$known" ;;
*) stop "there is no assignment '${A:-}'; there are:$known" ;;
esac

pristine=$home/$A
file=$(cat "$pristine/submit")
submission=${SUBMISSION:-$pristine/$file}
[ ! -d "$submission" ] || submission=$submission/$file
[ -f "$submission" ] || stop "there is no file '$submission'; expected your $file"
[ -r "$submission" ] || stop "the file '$submission' cannot be read"

echo 'int main(void) { return 0; }' | $CC -x c -o /dev/null - $CHECK 2>/dev/null ||
    stop "the test library Check is not installed; make deps installs it"

work=$B/grade/$A
rm -rf "$work"
mkdir -p "$work" || stop "cannot make the folder '$work'"
cp "$submission" "$work/submission.c.new" || stop "cannot copy '$submission'"
cp "$pristine"/*.[ch] "$pristine/points.txt" "$work" || stop "cannot copy '$pristine'"
mv "$work/submission.c.new" "$work/$file"

# What the compiler said, of the file that was handed in and not of its copy.
say_compiler() {
    FROM=$work/$file TO=$submission awk '{
        said = ""
        while (at = index($0, ENVIRON["FROM"])) {
            said = said substr($0, 1, at - 1) ENVIRON["TO"]
            $0 = substr($0, at + length(ENVIRON["FROM"]))
        }
        print said $0
    }' "$work/compiler.txt" >"$work/compiler.said"
    mv "$work/compiler.said" "$work/compiler.txt"
    cat "$work/compiler.txt"
}

echo "$A: $submission"
echo
object=$work/submission.o
if ! $CC $FLAGS -Wno-error -c "$work/$file" -o "$object" >"$work/compiler.txt" 2>&1; then
    say_compiler
    exec "$GRADER" --points "$work/points.txt" --results "$work/results.json" \
        --refused "$work/compiler.txt"
fi
say_compiler # its warnings
for source in "$work/tests.c" "$home/runner.c"; do
    $CC $FLAGS -c "$source" -o "$work/$(basename "$source" .c).o" ||
        stop "the assignment's own '$source' does not compile"
done
if ! $CC $FLAGS "$work/runner.o" "$work/tests.o" "$object" "$B/libslope-double.a" $CHECK $LIBS \
    -o "$work/tests" >"$work/compiler.txt" 2>&1; then
    say_compiler
    exec "$GRADER" --points "$work/points.txt" --results "$work/results.json" \
        --refused "$work/compiler.txt"
fi
"$GRADER" --points "$work/points.txt" --results "$work/results.json" --tests "$work/tests" \
    --printed "$work/printed.txt" --seed "${SEED:-}" --limit "${LIMIT:-}" || exit 2
echo "The same for Gradescope: $work/results.json. What the tests printed: $work/printed.txt."

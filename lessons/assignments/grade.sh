#!/bin/sh
# Grades a submission: `make grade A=a1_elu SUBMISSION=path/to/elu.c` calls this with A, SUBMISSION,
# SEED, LIMIT, CC, FLAGS, LIBS, CHECK, B and the grader's program in the environment.
#
# An assignment is a folder here with README.md, points.txt, tests.c, the files that the tests and
# the submission share, and one starter: a .c file, named in the folder's file `submit`. Grading
# takes place in $B/grade/A: the original files are copied there, with the submission's one file in
# place of the starter and nothing else from the submission.
#
# The exit status is 0 if the submission was graded, whatever the points, and 2 if grading itself
# failed.
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
*" ${A:-} "*) [ -n "${A:-}" ] || stop "A is not set: use make grade A=NAME; there are:$known" ;;
*) stop "there is no assignment '${A:-}'; there are:$known" ;;
esac

pristine=$home/$A
file=$(cat "$pristine/submit")
submission=${SUBMISSION:-$pristine/$file}
[ ! -d "$submission" ] || submission=$submission/$file
[ -f "$submission" ] || stop "there is no file '$submission'; expected your $file"
[ -r "$submission" ] || stop "the file '$submission' cannot be read"

echo 'int main(void) { return 0; }' | $CC -x c -o /dev/null - $CHECK 2>/dev/null ||
    stop "the test library Check is not installed; \`make deps\` installs it"

work=$B/grade/$A
rm -rf "$work"
mkdir -p "$work" || stop "cannot create the folder '$work'"
cp "$submission" "$work/submission.c.new" || stop "cannot copy '$submission'"
cp "$pristine"/*.[ch] "$pristine/points.txt" "$work" || stop "cannot copy '$pristine'"
mv "$work/submission.c.new" "$work/$file"

# Prints the compiler's messages, with the submitted file's name in place of its copy's.
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
echo "Results for Gradescope: $work/results.json. Output of the tests: $work/printed.txt."

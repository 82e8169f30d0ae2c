#!/bin/sh
# run.sh BENCH FOLDER [NAME...] -- measures, compares and summarises; `make bench` calls it.
#
#   - Runs BENCH (tests/bench/main.c) and, if PyTorch is installed, the same work in PyTorch
#     (peer.py) in turn, ROUNDS times (default 3), so that a disturbance affects both alike.
#   - Prints a table and sentences that summarise it (table.awk, judge.awk).
#   - Writes to FOLDER: bench.csv (described in join.awk), cnn_bytes.txt (the minimum work of a
#     step of ConvNetPReLU, kernel by kernel), roofline.{dat,gp,svg,png}, and the times of each
#     round: ours.txt (name,threads,ms,flops,bytes) and peer.txt (name,threads,ms).
#   - With NAMEs, only the rows that begin with one of them and the machine's limits are measured.
#
# SPDX-License-Identifier: MIT
set -eu
bench=$1 folder=$2 rounds=${ROUNDS:-3}
here=$(dirname "$0")
shift 2
"$bench" --list "$@" >/dev/null # stops at a mistyped name

say() { echo "bench: $*" >&2; }

python=
case $bench in
    */double/*) say "no comparison with PyTorch in double precision: its default is float" ;;
    *)
        for candidate in python3 /usr/bin/python3; do
            if [ -z "$python" ] && "$candidate" -c 'import torch' >/dev/null 2>&1; then
                python=$candidate
            fi
        done
        [ -n "$python" ] || say "PyTorch is not installed, so there is no comparison with it"
        ;;
esac

# The limits are measured in every run, because the other rows are compared with them.
limits=
[ $# -eq 0 ] || limits="fma_peak fma_moving triad update"

mkdir -p "$folder"
: >"$folder/ours.txt"
: >"$folder/peer.txt"
round=1
while [ "$round" -le "$rounds" ]; do
    say "round $round of $rounds"
    # shellcheck disable=SC2086  # the limits are words
    "$bench" $limits "$@" >>"$folder/ours.txt"
    threads=$(grep -m 1 '^fma_peak,' "$folder/ours.txt" | cut -d, -f2)
    [ -z "$python" ] || "$python" "$here/peer.py" "$threads" "$@" >>"$folder/peer.txt"
    round=$((round + 1))
done

judge() { awk -f "$here/read.awk" -f "$here/$1" "$folder/ours.txt" "$folder/bench.csv" "$2"; }

awk -f "$here/join.awk" "$folder/ours.txt" "$folder/peer.txt" >"$folder/bench.csv"
"$bench" --layers cnn 64 >"$folder/layers.csv"
judge table.awk /dev/null
echo
judge judge.awk /dev/null
judge layers.awk "$folder/layers.csv" >"$folder/cnn_bytes.txt"
rm "$folder/layers.csv"
[ -z "${VERBOSE:-}" ] || cat "$folder/cnn_bytes.txt"

judge roofline.awk /dev/null >"$folder/roofline.dat"
cp "$here/roofline.gp" "$folder"
if ! command -v gnuplot >/dev/null; then
    say "gnuplot is not installed, so $folder/roofline.gp is not drawn"
elif (cd "$folder" && gnuplot -d roofline.gp); then
    say "see $folder/bench.csv, cnn_bytes.txt and roofline.svg"
else
    say "gnuplot could not draw $folder/roofline.gp"
fi

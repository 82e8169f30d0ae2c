#!/bin/sh
# run.sh BENCH FOLDER -- runs BENCH, and the same work in PyTorch if it is installed, in turns;
# writes FOLDER/bench.csv (name,threads,ms,gflops,peer,peer_ms,ratio) and prints it as a table.
# Each figure is the median over the rounds; the peer's is that of its better number of threads;
# ratio = peer_ms / ms, so 2 means twice as fast as the peer.
# SPDX-License-Identifier: MIT
set -eu
bench=$1 folder=$2 rounds=${ROUNDS:-3}
here=$(dirname "$0")

python=
for candidate in python3 /usr/bin/python3; do
    if [ -z "$python" ] && "$candidate" -c 'import torch' >/dev/null 2>&1; then
        python=$candidate
    fi
done
[ -n "$python" ] || echo "bench: PyTorch is not installed, so there is no peer to compare with" >&2

: >"$folder/ours.txt"
: >"$folder/peer.txt"
round=1
while [ "$round" -le "$rounds" ]; do
    echo "bench: round $round of $rounds" >&2
    "$bench" >>"$folder/ours.txt"
    if [ -n "$python" ]; then
        threads=$(tail -n 1 "$folder/ours.txt" | cut -d, -f2)
        "$python" "$here/peer.py" "$threads" >>"$folder/peer.txt"
    fi
    round=$((round + 1))
done

awk -F, '
    function median(list,   parts, n, i, j, t) {
        n = split(list, parts, " ")
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && parts[j] + 0 < parts[j - 1] + 0; j--) {
                t = parts[j]; parts[j] = parts[j - 1]; parts[j - 1] = t
            }
        return parts[int((n + 1) / 2)]
    }
    FILENAME == ARGV[1] {
        if (!($1 in ms)) order[++count] = $1
        ms[$1] = ms[$1] " " $3; gflops[$1] = gflops[$1] " " $4; threads[$1] = $2
    }
    FILENAME == ARGV[2] { peer[$1] = peer[$1] " " $2; at[$1, $2] = at[$1, $2] " " $3 }
    END {
        print "name,threads,ms,gflops,peer,peer_ms,ratio"
        for (i = 1; i <= count; i++) {
            name = order[i]; mine = median(ms[name]); best = ""
            n = split(peer[name], used, " ")
            for (k = 1; k <= n; k++) {
                theirs = median(at[name, used[k]])
                if (best == "" || theirs < best) best = theirs
            }
            rate = gflops[name] ~ /[0-9]/ ? median(gflops[name]) : ""
            if (best == "") printf "%s,%s,%s,%s,,,\n", name, threads[name], mine, rate
            else printf "%s,%s,%s,%s,pytorch,%s,%.2f\n", name, threads[name], mine, rate, best, best / mine
        }
    }' "$folder/ours.txt" "$folder/peer.txt" >"$folder/bench.csv"

awk -F, '{ printf "%-14s %8s %10s %10s %10s %10s %8s\n", $1, $2, $3, $4, $5, $6, $7 }' "$folder/bench.csv"

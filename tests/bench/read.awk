# read.awk OURS BENCH.CSV -- reads what table.awk, judge.awk, layers.awk and roofline.awk need.
#
#   row[1 … rows]              "name" SUBSEP threads, in the order of the file
#   name[key], threads[key]    of a row
#   ms[key], peer[key]         milliseconds; peer is "" if there is none
#   flops[name], bytes[name]   the minimum work of one call
#   all                        the largest number of threads
#   least[t], most[t]          milliseconds of fma_peak in its best and its worst round
#
# SPDX-License-Identifier: MIT

BEGIN { FS = "," }

NF == 5 {
    flops[$1] = $4; bytes[$1] = $5
    if ($1 == "fma_peak" && (!least[$2] || $3 < least[$2]))
        least[$2] = $3
    if ($1 == "fma_peak" && $3 > most[$2])
        most[$2] = $3
}

NF == 7 && FNR > 1 {
    key = $1 SUBSEP $2
    row[++rows] = key
    name[key] = $1; threads[key] = $2; ms[key] = $3; peer[key] = $6
    if ($2 + 0 > all)
        all = $2 + 0
}

# GF/s and GB/s of a row
function gflops(key) { return key in ms ? flops[name[key]] / ms[key] / 1e6 : 0 }
function gbytes(key) { return key in ms ? bytes[name[key]] / ms[key] / 1e6 : 0 }

# The machine's limits for t threads, measured in the same run. t threads are at least as fast as
# one, so a disturbed measurement does not lower their limit below that of one.
function larger(a, b) { return a > b ? a : b }
function fma_moving(t) {
    return larger(gflops("fma_moving" SUBSEP t), gflops("fma_moving" SUBSEP 1))
}
function fma_peak(t) { return larger(gflops("fma_peak" SUBSEP t), gflops("fma_peak" SUBSEP 1)) }
function triad(t) { return larger(gbytes("triad" SUBSEP t), gbytes("triad" SUBSEP 1)) }
function update(t) { return larger(gbytes("update" SUBSEP t), gbytes("update" SUBSEP 1)) }

function is_limit(key) { return name[key] ~ /^(fma_peak|fma_moving|triad|update)$/ }
function is_step(key) { return name[key] ~ /_step_/ }

# Milliseconds that a row's arithmetic takes at fma_peak, and its bytes at a speed in GB/s.
function fma_ms(key) { return flops[name[key]] / fma_peak(threads[key]) / 1e6 }
function memory_ms(key, speed) { return bytes[name[key]] / speed / 1e6 }

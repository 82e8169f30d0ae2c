# compare.awk TIMES -- the table of tests/bench/compare, from lines "old|new NAME THREADS PAIR MS".
#
# SPDX-License-Identifier: MIT

# Sorts v[1] to v[n].
function sort(v, n,   i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j] < v[j - 1]; j--) {
            t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
        }
}

# A quantile of sorted values, interpolated between neighbours.
function quantile(v, n, q,   at, i) {
    at = 1 + q * (n - 1)
    i = int(at)
    return i == n ? v[n] : v[i] + (at - i) * (v[i + 1] - v[i])
}

# The median of one build's times of a row.
function median_of(which, row,   v, i) {
    for (i = 1; i <= pairs; i++)
        v[i] = ms[which, row, i]
    sort(v, pairs)
    return quantile(v, pairs, 0.5)
}

{
    row = $2 " " $3
    ms[$1, row, $4] = $5 + 0
    if (!(row in seen)) {
        seen[row] = 1
        order[++rows] = row
    }
}

END {
    pairs += 0
    printf "%-18s %7s %10s %10s   %6s  %s\n",
           "name", "threads", "old ms", "new ms", "ratio", "quartiles"
    for (i = 1; i <= rows; i++) {
        row = order[i]
        split(row, part, " ")
        for (p = 1; p <= pairs; p++)
            if (!(("old", row, p) in ms) || !(("new", row, p) in ms) || ms["old", row, p] <= 0) {
                print "compare: " row ": a time of pair " p " is missing" >"/dev/stderr"
                exit 2
            }
        for (p = 1; p <= pairs; p++)
            ratio[p] = ms["new", row, p] / ms["old", row, p]
        sort(ratio, pairs)
        low = quantile(ratio, pairs, 0.25)
        middle = quantile(ratio, pairs, 0.5)
        high = quantile(ratio, pairs, 0.75)
        slow = middle > limit + 0 && low > 1
        slower += slow
        printf "%-18s %7d %10.4f %10.4f   %6.3f  %.3f to %.3f%s\n", part[1], part[2],
               median_of("old", row), median_of("new", row), middle, low, high,
               slow ? "  SLOWER" : ""
    }
    if (slower) {
        printf "%d of %d rows are slower: ", slower, rows
        printf "the median of their %d ratios is above %s and both quartiles are above 1\n",
               pairs, limit
        exit 1
    }
    printf "no row is slower: "
    printf "none has a median of its %d ratios above %s and both quartiles above 1\n", pairs, limit
}

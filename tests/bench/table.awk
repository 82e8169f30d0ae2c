# table.awk -- bench.csv as a readable table, with the share of its limit that each row reaches.
#
# A kernel's limit is the longer of two times: its arithmetic at fma_peak and its bytes at the speed
# of update (more than 100 % means that a cache held what is counted as memory). A training step's
# limit is the sum of the two, since it has kernels of both kinds.
#
# SPDX-License-Identifier: MIT

function limit(key,   f, m) {
    if (is_limit(key))
        return "(a limit)"
    f = fma_ms(key); m = memory_ms(key, update(threads[key]))
    if (is_step(key))
        return sprintf("%3.0f %% both", 100 * (f + m) / ms[key])
    return sprintf("%3.0f %% %s", 100 * (f > m ? f : m) / ms[key], f > m ? "fma" : "memory")
}

# An empty text for a value that was not measured.
function number(x, format) { return x ? sprintf(format, x) : "" }

END {
    line = "%-18s %7s %10s %8s %7s  %-13s %9s %6s\n"
    printf line, "name", "threads", "ms", "GF/s", "GB/s", "of its limit", "peer ms", "ratio"
    for (i = 1; i <= rows; i++) {
        key = row[i]
        printf line, name[key], threads[key], number(ms[key], "%.3f"),
            number(gflops(key), "%.1f"), number(gbytes(key), "%.1f"), limit(key),
            number(peer[key], "%.3f"), number(peer[key] / ms[key], "%.2f")
    }
}

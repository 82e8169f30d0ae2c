# join.awk OURS PEER -- joins all rounds into bench.csv, one row per benchmark and thread count.
#
#   name,threads,ms,gflops,peer,peer_ms,ratio
#
# ms is the median over the rounds, or their minimum for the limits. gflops (10^9 operations per
# second) is empty if a row measures only bytes. peer_ms is the peer's time with its best number of
# threads, among those that do not exceed the row's; ratio = peer_ms / ms: 2 means twice as fast as
# the peer.
#
# SPDX-License-Identifier: MIT

function median(list,   v, n, i, j, t) {
    n = split(list, v, " ")
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) {
            t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
        }
    return middle_is_lowest ? v[1] : n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

BEGIN { FS = "," }

NF == 5 { # ours
    key = $1 "," $2
    if (!(key in ms))
        order[++rows] = key
    ms[key] = ms[key] " " $3
    flops[$1] = $4
}

NF == 3 { # the peer's
    at[$1, $2] = at[$1, $2] " " $3
    if ($2 > most)
        most = $2
}

END {
    print "name,threads,ms,gflops,peer,peer_ms,ratio"
    for (i = 1; i <= rows; i++) {
        split(order[i], part, ",")
        name = part[1]; threads = part[2]
        middle_is_lowest = name ~ /^(fma_peak|fma_moving|triad|update)$/
        mine = median(ms[order[i]])
        best = ""
        for (t = 1; t <= threads && t <= most; t++)
            if ((name, t) in at && (best == "" || median(at[name, t]) < best))
                best = median(at[name, t])
        rate = flops[name] > 0 ? sprintf("%.1f", flops[name] / mine / 1e6) : ""
        if (best == "")
            printf "%s,%d,%.4f,%s,,,\n", name, threads, mine, rate
        else
            printf "%s,%d,%.4f,%s,pytorch,%.4f,%.2f\n", name, threads, mine, rate, best, best / mine
    }
}

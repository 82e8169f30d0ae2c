# judge.awk -- summarises the table in sentences.
#
# SPDX-License-Identifier: MIT

function plural(t) { return t == 1 ? "1 thread" : t " threads" }

function say_arithmetic(n,   key) {
    key = n SUBSEP all
    if (key in ms)
        printf "%s: %.0f GF/s, %.0f %% of fma_peak with %s and %.0f %% of fma_moving.\n", n,
            gflops(key), 100 * gflops(key) / fma_peak(all), plural(all),
            100 * gflops(key) / fma_moving(all)
}

# `speed` is that of a loop of the same kind: triad writes to another array than it reads, update to
# the same one.
function say_memory(n, speed, loop,   key, times) {
    key = n SUBSEP all
    if (!(key in ms))
        return
    times = ms[key] / memory_ms(key, speed)
    printf "%s: takes %.2f x as long as moving its %.0f MB at the speed of %s%s.\n", n, times,
        bytes[n] / 1e6, loop, times < 0.9 ? " (a cache holds part of them)" : ""
}

function say_step(n,   key, f, m) {
    key = n SUBSEP all
    if (!(key in ms))
        return
    f = fma_ms(key); m = memory_ms(key, triad(all))
    printf "%s: %.1f ms = %.2f x (%.1f ms of arithmetic at fma_peak + %.1f ms of memory traffic " \
        "at triad).\n", n, ms[key], ms[key] / (f + m), f, m
}

function say_scaling(n) {
    if (all > 1 && (n SUBSEP 1) in ms)
        printf "%s: %d threads are %.2f x as fast as one.\n", n, all, ms[n, 1] / ms[n, all]
}

function say_peer(   i, key, r, count, ahead, worst, slowest) {
    for (i = 1; i <= rows; i++) {
        key = row[i]
        if (threads[key] + 0 != all || peer[key] == "")
            continue
        r = peer[key] / ms[key]
        count++
        ahead += r >= 1
        if (!worst || r < worst) {
            worst = r; slowest = name[key]
        }
    }
    if (count)
        printf "PyTorch: Slope is at least as fast in %d of %d rows; the lowest ratio is that of " \
            "%s, %.2f.\n", ahead, count, slowest, worst
}

# Arithmetic on registers always takes the same time, unless other programs use the processor.
function say_disturbance() {
    if (most[all] > 1.1 * least[all])
        printf "DISTURBED: fma_peak took %.2f x as long in one round as in another, so other " \
            "programs were running; the times with %s are too long. Measure again.\n",
            most[all] / least[all], plural(all)
}

END {
    printf "Limits with %s: fma_peak %.0f GF/s, fma_moving %.0f GF/s, triad %.1f GB/s, update " \
        "%.1f GB/s", plural(all), fma_peak(all), fma_moving(all), triad(all), update(all)
    if (all > 1)
        printf "; with one: %.0f, %.0f, %.1f, %.1f", fma_peak(1), fma_moving(1), triad(1), update(1)
    print "."
    say_arithmetic("gemm_1024")
    say_arithmetic("conv_fwd_a"); say_arithmetic("conv_bwd_a")
    say_arithmetic("conv_fwd_b"); say_arithmetic("conv_bwd_b")
    say_memory("prelu_fwd", triad(all), "triad"); say_memory("prelu_bwd", triad(all), "triad")
    say_memory("adam", update(all), "update")
    say_step("mlp_step_64"); say_step("cnn_step_64")
    say_scaling("gemm_1024"); say_scaling("mlp_step_64"); say_scaling("cnn_step_64")
    say_peer()
    say_disturbance()
}

# layers.awk … LAYERS -- prints the account of cost.c as a table: cnn_bytes.txt.
#
# SPDX-License-Identifier: MIT

NF == 3 { layer[++layers] = $1; layer_flops[layers] = $2; layer_bytes[layers] = $3 }

function line(what, f, b) {
    printf "%-36s %10.1f %8.1f %8.2f %8.2f\n", what, f / 1e6, b / 1e6, f / fma_peak(all) / 1e6,
        b / triad(all) / 1e6
}

END {
    print "The minimum work of a training step of ConvNetPReLU at batch 64: for each kernel, what"
    print "it reads -> writes, and how long that takes at fma_peak and at triad with all threads."
    print "tests/bench/cost.c explains what is counted."
    printf "\n%-36s %10s %8s %8s %8s\n", "kernel", "Mflop", "MB", "fma ms", "mem ms"
    for (i = 1; i <= layers; i++) {
        line(layer[i], layer_flops[i], layer_bytes[i])
        f += layer_flops[i]; b += layer_bytes[i]
    }
    line("all", f, b)
}

# roofline.awk -- the table as points for roofline.gp: operations per second against operations per
# byte.
#
# Blocks (index 0 …): the roof; the same for triad; the limits' names; Slope's points; PyTorch's
# points; the points' names; lines from a point to its name.
#
# SPDX-License-Identifier: MIT

function log10(x) { return log(x) / log(10) }
function intensity(n) { return flops[n] / bytes[n] }
function block(title) { printf "%s# %s\n", blocks++ ? "\n\n" : "", title }

# --- where the names go: beside the point, or to the nearest free place ---------------------------

# All lengths are in decades, which are equally long on both axes. A name is W wide per letter and H
# high.
BEGIN { W = 0.06; H = 0.1 }

# Keeps names out of a box: left, bottom, right, top.
function occupy(l, b, r, t) { ++boxes; L[boxes] = l; B[boxes] = b; R[boxes] = r; T[boxes] = t }

function is_free(l, b, r, t,   i) {
    if (l < -1.08 || r > 3) # outside the plot
        return 0
    for (i = 1; i <= boxes; i++)
        if (l < R[i] && r > L[i] && b < T[i] && t > B[i])
            return 0
    return 1
}

# Tries circles of growing radius around (x,y), the right side first. Sets at_x and at_y to the
# middle of the name's left edge, keeps other names out of the place, and returns the radius.
function find_place(x, y, width,   radius, k, angle, l) {
    for (radius = 0.055; radius < 1; radius += 0.03)
        for (k = 0; k < 16; k++) {
            angle = (k % 2 ? 1 : -1) * int((k + 1) / 2) * 3.14159265 / 8
            at_y = y + 1.2 * radius * sin(angle)
            l = x + radius * cos(angle)
            at_x = cos(angle) > 0.1 ? l : cos(angle) < -0.1 ? l - width : l - width / 2
            if (is_free(at_x, at_y - H / 2, at_x + width, at_y + H / 2)) {
                occupy(at_x, at_y - H / 2, at_x + width, at_y + H / 2)
                return radius
            }
        }
    return radius
}

# --- the blocks -----------------------------------------------------------------------------------

# The limit by memory at a speed, up to the point where arithmetic becomes the limit.
function roof(speed) {
    printf "%g %g\n%g %g\n", 0.01, 0.01 * speed, fma_peak(all) / speed, fma_peak(all)
}

# Keeps names off the roof.
function occupy_roof(speed,   x) {
    for (x = -1.1; x < log10(fma_peak(all) / speed); x += 0.04)
        occupy(x, x + log10(speed) - 0.01, x + 0.04, x + log10(speed) + 0.05)
    occupy(log10(fma_peak(all) / speed), log10(fma_peak(all)), 3, log10(fma_peak(all)) + 0.12)
}

# Prints a limit's name along its line, above or below it.
function roof_name(text, x, speed, shift,   i) {
    printf "%g %g \"%s %.0f GB/s\" 45\n", x, x * speed * shift, text, speed
    for (i = 0; i < length(text) + 8; i++)
        occupy(log10(x) + i * 0.7 * W - 0.03, log10(x * speed * shift) + i * 0.7 * W - H / 2,
            log10(x) + i * 0.7 * W + 0.05, log10(x * speed * shift) + i * 0.7 * W + H / 2)
}

function is_drawn(key) {
    return threads[key] + 0 == all && flops[name[key]] > 0 && bytes[name[key]] > 0 &&
        name[key] ~ /^(gemm_1024|gemm_(1|64|512)x|conv_|prelu_.wd|adam|mlp_step_64|cnn_step_64)/ &&
        name[key] !~ /^gemm_64x(512|8192)/
}

function point(key, t) {
    printf "%g %g %g # %s\n", intensity(name[key]), flops[name[key]] / t / 1e6, gflops(key),
        name[key]
    x = log10(intensity(name[key])); y = log10(flops[name[key]] / t / 1e6)
    occupy(x - 0.035, y - 0.035, x + 0.035, y + 0.035)
}

# Keeps names off the line from PyTorch's point to Slope's.
function pair(key,   x, a, b) {
    x = log10(intensity(name[key]))
    a = log10(gflops(key)); b = log10(flops[name[key]] / peer[key] / 1e6)
    occupy(x - 0.02, (a < b ? a : b), x + 0.02, (a < b ? b : a))
}

END {
    block("the roof: memory at the speed of update, then fma_peak")
    roof(update(all)); occupy_roof(update(all))
    printf "%g %g\n", 1e5, fma_peak(all)
    block("memory at the speed of triad")
    roof(triad(all))
    block("names of the limits: x y text angle")
    roof_name("update", 0.8, update(all), 1.25)
    roof_name("triad", 0.9, triad(all), 0.8)
    printf "%g %g \"fma_peak %.0f GF/s, %d thread%s\" 0\n", fma_peak(all) / update(all) * 1.6,
        fma_peak(all) * 1.15, fma_peak(all), all, (all > 1 ? "s" : "")
    block("Slope: operations per byte, GF/s")
    for (i = 1; i <= rows; i++)
        if (is_drawn(row[i]))
            point(row[i], ms[row[i]])
    block("PyTorch, and Slope again")
    print "1e9 1 1 # out of sight, so that the block is never empty"
    for (i = 1; i <= rows; i++)
        if (is_drawn(row[i]) && peer[row[i]] != "") {
            point(row[i], peer[row[i]])
            pair(row[i])
        }
    block("names of Slope's points: x y text")
    for (i = 1; i <= rows; i++)
        if (is_drawn(row[i])) {
            n = name[row[i]]
            x = log10(intensity(n)); y = log10(gflops(row[i]))
            width = W * length(n)
            if (find_place(x, y, width) > 0.09) # far enough for a line to the nearer end
                leader[++leaders] = sprintf("%g %g\n%g %g\n", 10 ^ x, 10 ^ y,
                    10 ^ (at_x + (at_x > x ? 0 : at_x + width < x ? width : x - at_x)), 10 ^ at_y)
            printf "%g %g \"%s\"\n", 10 ^ at_x, 10 ^ at_y, n
        }
    block("lines to the names")
    print "NaN NaN"
    for (i = 1; i <= leaders; i++)
        printf "%s\n", leader[i]
}

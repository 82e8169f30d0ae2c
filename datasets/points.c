/* datasets/points.c -- points in the plane that no straight line separates, and a curve to fit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/generate.h"

#include <math.h>
#include <tgmath.h>

#include "tensor/random.h"

/* Streams of their own ("points" in ASCII, then which set). */
#define POINTS_STREAM ((uint64_t)0x706f696e7473 << 16)

enum { POINTS_SPIRALS, POINTS_MOONS, POINTS_SINE };

static void points_check(const char *function, int classes, real noise)
{
    if (classes < 1)
        slope_fail(function, "%d arms; expected 1 or more", classes);
    if (!(noise >= 0))
        slope_fail(function, "noise is %g; expected a standard deviation of 0 or more",
                   (double)noise);
}

/* Writes point i and its class. Both normals are drawn even if noise is 0, so that each point uses
 * the same part of the stream for any noise. */
static void points_put(Dataset *data, ptrdiff_t i, int class, real x, real y, real noise, Rng *rng)
{
    data->labels.data[i] = class;
    data->features[2 * i] = x + noise * rng_normal(rng);
    data->features[2 * i + 1] = y + noise * rng_normal(rng);
}

/* At time t, 0 … 1, arm k of K is at radius t and angle 2 pi (1.5 t + k/K). */
Dataset *spirals_new(ptrdiff_t count, int arms, real noise, uint64_t seed)
{
    points_check("spirals_new", arms, noise);
    Dataset *data = dataset_new("spirals", DATASET_FEATURES, count, SHAPE(2), arms);
    Rng rng = rng_new(seed, POINTS_STREAM + POINTS_SPIRALS);
    for (ptrdiff_t i = 0; i < count; i++) {
        int arm = (int)(i % arms);
        real t = rng_uniform(&rng);
        real angle = (real)(2 * M_PI) * ((real)1.5 * t + (real)arm / (real)arms);
        points_put(data, i, arm, t * cos(angle), t * sin(angle), noise, &rng);
    }
    return data;
}

/* Class 0 is the upper half of the circle around (0, 0), class 1 the lower half of the one
 * around (1, 0.5): each reaches into the other's opening. */
Dataset *moons_new(ptrdiff_t count, real noise, uint64_t seed)
{
    points_check("moons_new", 2, noise);
    Dataset *data = dataset_new("moons", DATASET_FEATURES, count, SHAPE(2), 2);
    Rng rng = rng_new(seed, POINTS_STREAM + POINTS_MOONS);
    for (ptrdiff_t i = 0; i < count; i++) {
        int moon = (int)(i % 2);
        real angle = (real)M_PI * rng_uniform(&rng);
        real x = moon ? 1 - cos(angle) : cos(angle);
        real y = moon ? (real)0.5 - sin(angle) : sin(angle);
        points_put(data, i, moon, x, y, noise, &rng);
    }
    return data;
}

/* The normal number is drawn even if noise is 0, so that x does not depend on the noise. */
Dataset *sine_new(ptrdiff_t count, real noise, uint64_t seed)
{
    points_check("sine_new", 1, noise);
    Dataset *data = dataset_new_with_targets("sine", DATASET_FEATURES, count, SHAPE(1), SHAPE(1));
    Rng rng = rng_new(seed, POINTS_STREAM + POINTS_SINE);
    for (ptrdiff_t i = 0; i < count; i++) {
        real x = (real)M_PI * (2 * rng_uniform(&rng) - 1);
        data->features[i] = x;
        data->targets[i] = sin(x) + noise * rng_normal(&rng);
    }
    return data;
}

/* datasets/generate.h -- data sets that need no file.
 *
 *  - glyphs: 28x28 images of the ten digits, drawn as strokes with random slant, thickness,
 *    position, size and noise; a stand-in for Fashion-MNIST, but easier.
 *  - spirals and moons: points in the plane, the classic tests of a small network.
 *  - sine: numbers and their sines with noise, a simple regression problem.
 *  - The same seed yields the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_GENERATE_H
#define SLOPE_DATASETS_GENERATE_H

#include "datasets/dataset.h"

SLOPE_C_BEGIN

/* `count` images (1,28,28), classes 0 … 9 in turn. Image i depends on the seed and i alone, so
 * use another seed for a test set. They are not trivial: the nearest class mean classifies about 7
 * in 10 correctly. */
Dataset *glyphs_new(ptrdiff_t count, uint64_t seed);

/* `count` points (2) on `arms` spirals of one and a half turns within the unit disc, one class per
 * arm, in turn; `noise` is the standard deviation of the noise added to each coordinate. */
Dataset *spirals_new(ptrdiff_t count, int arms, real noise, uint64_t seed);

/* Two interleaved half circles of radius 1, around (0, 0) and (1, 0.5), classes 0 and 1 in turn. */
Dataset *moons_new(ptrdiff_t count, real noise, uint64_t seed);

/* `count` numbers x (1), uniform in -pi … pi, with the targets y (1) = sin x plus normal noise of
 * standard deviation `noise`. Without noise the variance of y is about 1/2. */
Dataset *sine_new(ptrdiff_t count, real noise, uint64_t seed);

SLOPE_C_END

#endif

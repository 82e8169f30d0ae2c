/* autograd/probe.h -- a function of Vars around a point: its values, finite differences and their
 * errors; for autograd/gradcheck.c, not for programs.
 *
 *  - A random cotangent u reduces the function's result to one number, f(in) = <u, fn(in)>, so that
 *    a permuted or partly summed gradient cannot hide (with u = 1 it could).
 *  - Every value is computed twice, because differences of a function that is not repeatable mean
 *    nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_PROBE_H
#define SLOPE_AUTOGRAD_PROBE_H

#include "autograd/gradcheck.h"

typedef struct Probe {
    GradFunction fn;
    void        *ctx;
    Var        **in;
    Var         *u;        /* the cotangent */
    Tensor      *here;     /* the result at the point, … */
    uint64_t     branches; /* … and a hash of the branches that the ops took there */
    double       rounding; /* R below */
    bool         differs;  /* did two calls with the same inputs differ? */
    double       twice[2]; /* if so, the two values of the first element that differed */
} Probe;

/* Finite differences at one coordinate x, with the step as rounded to floating point:
 *
 *      central  (f(x+h) - f(x-h)) / ((x+h) - (x-h))
 *      left     (f(x) - f(x-h)) / (x - (x-h))
 *      right    (f(x+h) - f(x)) / ((x+h) - x)
 *
 * The central difference has two errors: truncation, about h^2 |f'''| / 6, of which halving the
 * step removes three quarters, and rounding, about R / (2h), which it doubles. Each op's result v
 * is off by up to eps |v|, which changes f by eps |v df/dv|; independent errors add up to about
 * R = eps sqrt(sum of (v df/dv)^2). */
typedef struct Difference {
    double x, h;
    double central, left, right;
    double rounding; /* infinite if x + h or x - h rounds to x: the step is lost */
    bool   kink;     /* the ops' branches differ within the step */
} Difference;

/* The function at the values of `in`. The cotangent and `here` are on the tape. */
Probe slope_probe(GradFunction fn, void *ctx, Var **in, uint64_t seed);

/* Calls the function. */
Var *slope_probe_call(const Probe *p);

/* Plays the function backwards from u, which adds to the leaves' ->grad. With `retain`, returns the
 * sum of (v df/dv)^2 over the results v of its ops. */
double slope_probe_backward(Probe *p, bool retain);

/* The differences at the element of x, the value of an input, at offset `at`. */
Difference slope_probe_difference(Probe *p, Tensor *x, ptrdiff_t at, double h);

/* Constants of magnitude 0.5 … 1.5 and either sign: none is near 0, so every element counts. */
Var *slope_cotangent(Shape shape, uint64_t seed, uint64_t stream);

/* The sum of (a b)^2 over all elements where it is finite. */
double slope_sum_squares(const Tensor *a, const Tensor *b);

#endif

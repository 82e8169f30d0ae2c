/* autograd/gradcheck.h -- derivatives against finite differences, coordinate by coordinate.
 *
 *  - gradcheck(fn, …) compares the tape's gradient with central differences of the values, for
 *    every coordinate of every input, with its sign, under a random cotangent, and starting from
 *    a ->grad that is not zero.
 *  - Near a kink a central difference is wrong by up to half the jump of the slope. The checker
 *    learns from each op which side of its kinks it is on; where a step of h crosses one, the
 *    gradient must lie between the left and the right slope. The verdict is then KINK: such
 *    coordinates are counted, never silently skipped.
 *  - Order 2 checks the gradient of the gradient, with respect to the inputs and the cotangent.
 *  - gradcheck works for any function of Vars, op_check for any Op with a sample.
 *
 *      GradReport r = gradcheck(my_function, NULL, inputs, 2, GRADCHECK_DEFAULTS);
 *      if (r.verdict == GRAD_FAIL) puts(r.message);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_GRADCHECK_H
#define SLOPE_AUTOGRAD_GRADCHECK_H

#include "autograd/backward.h"

typedef enum GradVerdict { GRAD_PASS, GRAD_KINK, GRAD_FAIL } GradVerdict;

typedef struct GradCheckOptions {
    double   h;          /* step */
    double   atol, rtol; /* |analytic - numeric| <= atol + rtol |numeric| */
    int      order;      /* 1, or 2 for gradients of gradients */
    double   max_kinks;  /* the largest fraction of coordinates that may be at a kink */
    uint64_t seed;       /* of the cotangents */
    FILE    *trace;      /* NULL, or one line per coordinate */
} GradCheckOptions;

/* In double precision h = 1e-6, atol = 1e-5 and rtol = 1e-3; float can resolve only h = 5e-3 and
 * atol = rtol = 1e-2. In both, at most a tenth of the coordinates may be at a kink. */
#ifdef SLOPE_DOUBLE
#define GRADCHECK_DEFAULTS \
    ((GradCheckOptions){.h = 1e-6, .atol = 1e-5, .rtol = 1e-3, .order = 1, .max_kinks = 0.1})
#else
#define GRADCHECK_DEFAULTS \
    ((GradCheckOptions){.h = 5e-3, .atol = 1e-2, .rtol = 1e-2, .order = 1, .max_kinks = 0.1})
#endif

typedef struct GradReport {
    GradVerdict verdict; /* FAIL if any coordinate failed or too many are at a kink */
    long        checked, kinks, failures;
    long        nonzero; /* coordinates whose gradient is not 0: a check of zeros proves nothing */
    double      worst;   /* the largest |analytic - numeric| away from kinks */
    char        message[400]; /* one sentence: what failed first, or what passed */
} GradReport;

/* A function from Vars to one Var. It must return the same value each time it is called. */
typedef Var *(*GradFunction)(Var **in, void *ctx);

/* Checks fn at the values of in. Every in[i] that requires a gradient must be a leaf; its value may
 * have any strides. The checker changes it in place and restores it. */
GradReport gradcheck(GradFunction fn, void *ctx, Var **in, int n_in, GradCheckOptions options);

/* Checks an op as its sample prescribes, on inputs drawn from options.seed. */
GradReport op_check(const Op *op, GradCheckOptions options);

/* Fills `in` with leaves on the tape, the sample's inputs, drawn from a seed; for op_check and the
 * tests. */
void op_sample_inputs(const OpSample *sample, uint64_t seed, Var **in);

const char *grad_verdict_name(GradVerdict verdict); /* "PASS" … */

#endif

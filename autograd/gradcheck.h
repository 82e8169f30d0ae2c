/* autograd/gradcheck.h -- derivatives against finite differences, coordinate by coordinate.
 *
 *  - gradcheck(fn, …) compares the gradient that the tape gives with central differences of the
 *    values, for every coordinate of every input, signed, under a random cotangent, starting
 *    from gradients that are not zero.
 *  - Near a kink a central difference is wrong by up to half the jump of the slope. The checker
 *    asks each op which side of its kinks it is on; where a step of h crosses one, the gradient
 *    must lie between the left and the right slope: verdict KINK, counted, never silently skipped.
 *  - order 2 checks the gradient's gradient, with respect to the inputs and the cotangent.
 *  - It works for any function of Vars, and op_check for any Op with a sample.
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
    double   max_kinks;  /* the share of coordinates that may lie at a kink */
    uint64_t seed;       /* of the cotangents */
    FILE    *trace;      /* NULL, or one line per coordinate */
} GradCheckOptions;

/* In double h = 1e-6, atol 1e-5, rtol 1e-3; a float build can resolve only h = 5e-3, rtol 1e-2.
 * In both, at most a tenth of the coordinates may lie at a kink. */
#ifdef SLOPE_DOUBLE
#define GRADCHECK_DEFAULTS \
    ((GradCheckOptions){.h = 1e-6, .atol = 1e-5, .rtol = 1e-3, .order = 1, .max_kinks = 0.1})
#else
#define GRADCHECK_DEFAULTS \
    ((GradCheckOptions){.h = 5e-3, .atol = 1e-2, .rtol = 1e-2, .order = 1, .max_kinks = 0.1})
#endif

typedef struct GradReport {
    GradVerdict verdict; /* FAIL if any coordinate failed or too many lie at a kink */
    long        checked, kinks, failures;
    long        nonzero; /* coordinates whose gradient is not 0: a check of zeros proves nothing */
    double      worst;   /* the largest |analytic - numeric| away from kinks */
    char        message[400]; /* one sentence: what failed first, or what passed */
} GradReport;

/* A function from Vars to one Var. It must give the same value each time it is called. */
typedef Var *(*GradFunction)(Var **in, void *ctx);

/* Checks fn at the values of in. Every in[i] that requires a gradient is a leaf, and its value
 * may have any strides; the checker changes it in place and puts it back. */
GradReport gradcheck(GradFunction fn, void *ctx, Var **in, int n_in, GradCheckOptions options);

/* Checks an op as its sample says, with inputs drawn from options.seed. */
GradReport op_check(const Op *op, GradCheckOptions options);

/* Leaves of the sample's inputs on the tape, drawn from a seed; for op_check and the tests. */
void op_sample_inputs(const OpSample *sample, uint64_t seed, Var **in);

const char *grad_verdict_name(GradVerdict verdict); /* "PASS" … */

#endif

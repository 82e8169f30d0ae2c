/* autograd/gradcheck.h -- compares gradients with finite differences, coordinate by coordinate.
 *
 *  - gradcheck(fn, …) compares the tape's gradient with central differences of the values, for
 *    every coordinate of every input, with its sign, under a random cotangent, and starting from
 *    a ->grad that is not zero.
 *  - Near a kink a central difference is wrong by up to half the jump of the slope. Each op reports
 *    which side of its kinks it is on; where a step crosses one, the gradient must lie between the
 *    left and the right slope. The verdict is then KINK: such coordinates are counted, never
 *    silently skipped.
 *  - A difference is inexact, too: a long step has a truncation error, and a short one is lost in
 *    rounding. The checker estimates both errors. A coordinate that no step can judge is LOST: it
 *    is counted, and the check fails with a message that blames the step, not the gradient.
 *  - Order 2 checks the gradient, as order 1 does, and then, unless that fails, the gradient of the
 *    gradient, with respect to the inputs and the cotangent.
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

SLOPE_C_BEGIN

typedef enum GradVerdict { GRAD_PASS, GRAD_KINK, GRAD_FAIL } GradVerdict;

/* Start from a copy of GRADCHECK_DEFAULTS and change what you need. Other options are refused,
 * because tolerances that were left out would be 0:
 *     GradCheckOptions o = GRADCHECK_DEFAULTS;
 *     o.order = 2; */
typedef struct GradCheckOptions {
    double   h;          /* the step from x is h max(1, |x|) */
    double   atol, rtol; /* |analytic - numeric| <= atol + rtol |numeric| */
    int      order;      /* 1, or 2 for gradients of gradients as well */
    double   max_kinks;  /* the largest fraction of coordinates that may be at a kink */
    uint64_t seed;       /* of the cotangents */
    FILE    *trace;      /* NULL, or where to write one line per coordinate */
    bool     from_defaults; /* set in GRADCHECK_DEFAULTS */
} GradCheckOptions;

/* In double precision h = 1e-6, atol = 1e-5 and rtol = 1e-3. Float can resolve only h = 5e-3,
 * atol = 5e-3 and rtol = 2e-3: a derivative of 3.02 for 3 fails, but one of 3.005 passes. In both,
 * at most a tenth of the coordinates may be at a kink. */
extern const GradCheckOptions GRADCHECK_DEFAULTS;

/* With order 2, it describes the gradient of the gradient or, if the check of the gradient failed,
 * that check; a message about a coordinate then begins with "at order 1". */
typedef struct GradReport {
    GradVerdict verdict; /* FAIL if a coordinate failed or is lost, too many are at a kink, or none
                          * was checked */
    long        checked, kinks, failures;
    long        lost;    /* coordinates where no step tells a right gradient from a wrong one */
    long        nonzero; /* coordinates whose gradient is not 0: a check of zeros proves nothing */
    double      worst;   /* the largest |analytic - numeric| away from kinks */
    char        message[400]; /* "PASS: " (of an op, "cube: PASS: ") and what passed or failed */
} GradReport;

/* A function from Vars to one Var. It must return the same bits each time it is called: the checker
 * calls it twice at every point, and its verdict is FAIL if they differ. */
typedef Var *(*GradFunction)(Var **in, void *ctx);

/* Checks fn at the values of in. Every in[i] that requires a gradient must be a leaf; its value may
 * have any strides, but no two elements may share memory. The checker changes it in place and
 * restores it. Gradients accumulate in parameters that fn uses and that are not inputs. */
GradReport gradcheck(GradFunction fn, void *ctx, Var **in, int n_in, GradCheckOptions options);

/* Checks an op as its sample prescribes, on inputs drawn from options.seed. */
GradReport op_check(const Op *op, GradCheckOptions options);

/* Fills `in` with the sample's inputs, as leaves on the tape, drawn from `seed`; for op_check and
 * the tests. */
void op_sample_inputs(const OpSample *sample, uint64_t seed, Var **in);

const char *grad_verdict_name(GradVerdict verdict); /* "PASS" … */

SLOPE_C_END

#endif

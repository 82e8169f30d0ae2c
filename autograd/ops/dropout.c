/* dropout --------------------------- y = 0 with probability p, else x / (1 - p)
 *   shape     y (...) = x (...)
 *   backward  gx = dropout of gy with the same mask
 *   care      the mask is a function of the random stream and the position, so the backward pass
 *             draws it again instead of storing it, and it is the same on any number of threads.
 *             p = 1 yields zeros. Elements are selected, not multiplied: a dropped one is 0 even
 *             if it was Inf or NaN (PyTorch multiplies).
 *   source    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 15, 2014
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/cut.h"
#include "tensor/parallel.h"

typedef struct DropoutAttr {
    real p;
    Rng  rng;
} DropoutAttr;

typedef struct DropoutRun {
    const DropoutAttr *d;
    uint64_t    bound; /* p 2^32; kept unless the 32 bits drawn are below it */
    real        scale;
    const real *x;
    real       *y;
} DropoutRun;

/* The value for x, given 32 random bits. */
static inline real dropout_value(const DropoutRun *r, real x, uint32_t bits)
{
    return bits >= r->bound ? x * r->scale : 0;
}

/* Elements [begin, end), begin even, because two elements share a random word. */
static void dropout_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const DropoutRun run = *(const DropoutRun *)ctx;
    const Rng *rng = &run.d->rng;
    uint64_t words[RNG_WORDS];
    for (ptrdiff_t i = begin; i < end; i += 2 * RNG_WORDS) {
        const real *x = run.x + i;
        real *y = run.y + i;
        ptrdiff_t n = min_size(2 * RNG_WORDS, end - i);
        rng_words(rng->seed, rng->stream, rng->position + (uint64_t)i / 2, (n + 1) / 2, words);
        for (ptrdiff_t k = 0; k < n / 2; k++) {
            y[2 * k] = dropout_value(&run, x[2 * k], (uint32_t)words[k]);
            y[2 * k + 1] = dropout_value(&run, x[2 * k + 1], (uint32_t)(words[k] >> 32));
        }
        if (n % 2)
            y[n - 1] = dropout_value(&run, x[n - 1], (uint32_t)words[n / 2]);
    }
}

static void dropout_forward(Var *y)
{
    const DropoutAttr *d = y->attr;
    DropoutRun r = {.d = d, .bound = (uint64_t)((double)d->p * 4294967296.0),
                    .scale = d->p < 1 ? 1 / (1 - d->p) : 0,
                    .x = tensor_read(y->in[0]->value), .y = tensor_write(y->value)};
    parallel_for(tensor_count(y->value), 4096, dropout_block, &r);
}

static void dropout_backward(Var *y, Var *gy)
{
    const DropoutAttr *d = y->attr;
    Var *x = y->in[0];
    SEND(x, var_dropout(gy, d->p, d->rng));
}

static Var *dropout_sample(Var **in) { return var_dropout(in[0], (real)0.4, rng_new(3, 0)); }

const Op op_dropout = {
    .name = "dropout",
    .forward = dropout_forward,
    .backward = dropout_backward,
    .sample = {.call = dropout_sample, .n_in = 1,
               .in = {{.shape = {2, {4, 5}}, .low = -2, .high = 2}}},
};

Var *var_dropout(Var *x, real p, Rng rng)
{
    var_check(x, "var_dropout");
    if (!(p >= 0 && p <= 1))
        slope_fail("var_dropout", "the probability is %g; expected a number from 0 to 1",
                   (double)p);
    DropoutAttr d = {p, rng};
    return var_apply_with(&op_dropout, var_shape(x), VARS(var_contiguous(x)), &d, sizeof d);
}

/* tensor/kernels/cross_entropy.c -- the cross-entropy of each row of scores, and its gradient.
 *
 * The maximum of a row is subtracted first, as in softmax, so that no exponential overflows. The
 * exponentials are the whole cost: the forward pass stores them as p, so the backward pass computes
 * none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/cross_entropy.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "tensor/kernels/reduce.h"
#include "tensor/parallel.h"

enum { CROSS_ENTROPY_GRAIN = 2048 }; /* elements that a thread takes at a time, about */

typedef struct CrossEntropy {
    ptrdiff_t   K;
    const real *x, *label, *weight, *p_in;
    real       *p, *gx;
    double     *loss;
    real        smoothing;
} CrossEntropy;

/* log sum exp(x) - (1-s) x_label - s mean(x), for K scores. A term whose factor is 0 is left out: a
 * score of -Inf, which rules a class out, would make it NaN. */
static double cross_entropy_row(real *p, const real *x, ptrdiff_t K, ptrdiff_t label,
                                real smoothing)
{
    real max = tensor_row_max(x, K, 1);
    double sum = 0, total = 0, s = (double)smoothing;
    for (ptrdiff_t k = 0; k < K; k++) {
        p[k] = exp(x[k] - max);
        sum += (double)p[k];
    }
    for (ptrdiff_t k = 0; k < K; k++)
        p[k] *= (real)(1 / sum);
    for (ptrdiff_t k = 0; k < K && s > 0; k++)
        total += (double)(x[k] - max);
    double loss = log(sum);
    if (s < 1)
        loss -= (1 - s) * (double)(x[label] - max);
    if (s > 0)
        loss -= s * total / (double)K;
    return loss;
}

static void cross_entropy_forward_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const CrossEntropy *c = ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = c->x + i * c->K;
        real *p = c->p + i * c->K;
        c->loss[i] = 0;
        if (c->label[i] >= 0)
            c->loss[i] = cross_entropy_row(p, x, c->K, (ptrdiff_t)c->label[i], c->smoothing);
        else
            memset(p, 0, (size_t)c->K * sizeof(real));
    }
}

static void cross_entropy_backward_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const CrossEntropy *c = ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *p = c->p_in + i * c->K;
        real *gx = c->gx + i * c->K, weight = c->weight[i], low = c->smoothing / (real)c->K;
        bool counts = c->label[i] >= 0;
        for (ptrdiff_t k = 0; k < c->K; k++)
            gx[k] = counts ? weight * (p[k] - low) : 0;
        ptrdiff_t label = (ptrdiff_t)c->label[i];
        if (counts)
            gx[label] = weight * (p[label] - (low + (1 - c->smoothing)));
    }
}

static void cross_entropy_run(CrossEntropy c, ptrdiff_t rows, ParallelFn fn)
{
    parallel_for(rows, 1 + CROSS_ENTROPY_GRAIN / (c.K + 1), fn, &c);
}

void tensor_cross_entropy(double *loss, Tensor *p, const Tensor *x, const Tensor *label,
                          real smoothing)
{
    tensor_check(p, "tensor_cross_entropy"), tensor_check(x, "tensor_cross_entropy");
    tensor_check(label, "tensor_cross_entropy");
    cross_entropy_run((CrossEntropy){.K = x->shape.dim[1], .x = tensor_read(x),
                                     .label = tensor_read(label), .p = tensor_write(p),
                                     .loss = loss, .smoothing = smoothing},
                      x->shape.dim[0], cross_entropy_forward_rows);
}

void tensor_cross_entropy_backward(Tensor *gx, const Tensor *p, const Tensor *label,
                                   const Tensor *weight, real smoothing)
{
    const char *function = "tensor_cross_entropy_backward";
    tensor_check(gx, function), tensor_check(p, function);
    tensor_check(label, function), tensor_check(weight, function);
    cross_entropy_run((CrossEntropy){.K = p->shape.dim[1], .p_in = tensor_read(p),
                                     .label = tensor_read(label), .weight = tensor_read(weight),
                                     .gx = tensor_write(gx), .smoothing = smoothing},
                      p->shape.dim[0], cross_entropy_backward_rows);
}

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
    const real *c;     /* the class weights (K), or NULL */
    double      c_sum; /* the sum of the class weights */
    real       *p, *gx;
    double     *loss;
    real        smoothing;
} CrossEntropy;

/* --- forward ---------------------------------------------------------------------------------- */

/* p = softmax(x) for K scores of which `max` is the largest; returns the sum of e^(x - max). */
static double cross_entropy_softmax(real *p, const real *x, ptrdiff_t K, real max)
{
    double sum = 0;
    for (ptrdiff_t k = 0; k < K; k++) {
        p[k] = exp(x[k] - max);
        sum += (double)p[k];
    }
    for (ptrdiff_t k = 0; k < K; k++)
        p[k] *= (real)(1 / sum);
    return sum;
}

/* The sum over k of c_k (x_k - max). */
static double cross_entropy_total(const CrossEntropy *e, const real *x, real max)
{
    double total = 0;
    for (ptrdiff_t k = 0; k < e->K; k++) {
        double c = e->c ? (double)e->c[k] : 1;
        if (c > 0)
            total += c * (double)(x[k] - max);
    }
    return total;
}

/* sum(q) log sum exp(x) - sum over k of q_k x_k. Terms whose factor is 0 are omitted, because a
 * score of -Inf, which rules a class out, would make them NaN. */
static double cross_entropy_row(const CrossEntropy *e, real *p, const real *x, ptrdiff_t label)
{
    real max = tensor_row_max(x, e->K, 1);
    double s = (double)e->smoothing, high = (1 - s) * (e->c ? (double)e->c[label] : 1);
    double sum = e->c ? high + s * e->c_sum / (double)e->K : 1;
    double loss = sum * log(cross_entropy_softmax(p, x, e->K, max));
    if (high > 0)
        loss -= high * (double)(x[label] - max);
    if (s > 0)
        loss -= s * cross_entropy_total(e, x, max) / (double)e->K;
    return loss;
}

static void cross_entropy_forward_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const CrossEntropy *e = ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = e->x + i * e->K;
        real *p = e->p + i * e->K;
        e->loss[i] = 0;
        if (e->label[i] >= 0)
            e->loss[i] = cross_entropy_row(e, p, x, (ptrdiff_t)e->label[i]);
        else
            memset(p, 0, (size_t)e->K * sizeof(real));
    }
}

/* --- backward --------------------------------------------------------------------------------- */

static void cross_entropy_backward_row(const CrossEntropy *e, real *gx, const real *p, real weight,
                                       ptrdiff_t label)
{
    real low = e->smoothing / (real)e->K;
    for (ptrdiff_t k = 0; k < e->K; k++)
        gx[k] = weight * (p[k] - low);
    gx[label] = weight * (p[label] - (low + (1 - e->smoothing)));
}

static void cross_entropy_backward_weighted(const CrossEntropy *e, real *gx, const real *p,
                                            real weight, ptrdiff_t label)
{
    real low = e->smoothing / (real)e->K, high = 1 - e->smoothing;
    real sum = high * e->c[label] + low * (real)e->c_sum;
    for (ptrdiff_t k = 0; k < e->K; k++)
        gx[k] = weight * (sum * p[k] - low * e->c[k]);
    gx[label] = weight * (sum * p[label] - (low + high) * e->c[label]);
}

static void cross_entropy_backward_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const CrossEntropy *e = ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *p = e->p_in + i * e->K;
        real *gx = e->gx + i * e->K;
        ptrdiff_t label = (ptrdiff_t)e->label[i];
        if (label < 0)
            memset(gx, 0, (size_t)e->K * sizeof(real));
        else if (e->c)
            cross_entropy_backward_weighted(e, gx, p, e->weight[i], label);
        else
            cross_entropy_backward_row(e, gx, p, e->weight[i], label);
    }
}

/* --- the kernels ------------------------------------------------------------------------------ */

static void cross_entropy_run(CrossEntropy e, const Tensor *c, ptrdiff_t rows, ParallelFn fn)
{
    e.c = c ? tensor_read(c) : NULL;
    for (ptrdiff_t k = 0; k < e.K && c; k++)
        e.c_sum += (double)e.c[k];
    parallel_for(rows, 1 + CROSS_ENTROPY_GRAIN / (e.K + 1), fn, &e);
}

void tensor_cross_entropy(double *loss, Tensor *p, const Tensor *x, const Tensor *label,
                          const Tensor *c, real smoothing)
{
    tensor_check(p, "tensor_cross_entropy"), tensor_check(x, "tensor_cross_entropy");
    tensor_check(label, "tensor_cross_entropy");
    cross_entropy_run((CrossEntropy){.K = x->shape.dim[1], .x = tensor_read(x),
                                     .label = tensor_read(label), .p = tensor_write(p),
                                     .loss = loss, .smoothing = smoothing},
                      c, x->shape.dim[0], cross_entropy_forward_rows);
}

void tensor_cross_entropy_backward(Tensor *gx, const Tensor *p, const Tensor *label,
                                   const Tensor *weight, const Tensor *c, real smoothing)
{
    const char *function = "tensor_cross_entropy_backward";
    tensor_check(gx, function), tensor_check(p, function);
    tensor_check(label, function), tensor_check(weight, function);
    cross_entropy_run((CrossEntropy){.K = p->shape.dim[1], .p_in = tensor_read(p),
                                     .label = tensor_read(label), .weight = tensor_read(weight),
                                     .gx = tensor_write(gx), .smoothing = smoothing},
                      c, p->shape.dim[0], cross_entropy_backward_rows);
}

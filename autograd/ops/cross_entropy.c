/* cross_entropy ------------------ row loss = - sum over k of q_k log softmax(x)_k
 *   where     q_k = c_k ((1-s) [k = label] + s/K), s is the label smoothing, and c are the class
 *             weights (all 1 if none are given)
 *   shape     x (N,K), labels (N), c (K) -> () for the mean or the sum, (N) without reduction; a
 *             second output is softmax(x) (N,K), for the backward pass
 *   backward  gx = gy w (softmax(x) sum(q) - q), where w is the weight of a row: 0 if its label is
 *             ignore_index, else 1 or, for the mean, 1 / (sum of c_label over rows not ignored)
 *   care      log softmax subtracts the maximum first; the mean of no rows, or of rows whose
 *             labels all have weight 0, is not finite, but its gradient is 0. A kernel computes the
 *             rule; if the rule is being recorded, it is computed with ops instead, so that the
 *             loss has second derivatives.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "autograd/op.h"
#include "autograd/record.h"
#include "tensor/kernels/cross_entropy.h"
#include "tensor/memory.h"

/* --- forward ---------------------------------------------------------------------------------- */

/* The labels (N), an input of the op, so that the tape owns a copy. In the copy, an ignored row has
 * label -1, because not every ignore_index can be represented as a float. */
static const real *cross_entropy_labels(const Var *y)
{
    return tensor_read(y->in[1]->value);
}

/* The class weights (K), or NULL. They are the third input, so that the tape owns a copy. */
static const Tensor *cross_entropy_class_weights(const Var *y)
{
    return y->n_in > 2 ? y->in[2]->value : NULL;
}

/* What the total is divided by to get the mean: the sum, over the rows that count, of the class
 * weights of their labels. Without class weights, it is the number of these rows. */
static double cross_entropy_divisor(const Var *y)
{
    const real *label = cross_entropy_labels(y);
    const Tensor *weights = cross_entropy_class_weights(y);
    const real *c = weights ? tensor_read(weights) : NULL;
    double sum = 0;
    for (ptrdiff_t i = 0, N = var_shape(y->in[0]).dim[0]; i < N; i++)
        if (label[i] >= 0)
            sum += c ? (double)c[(ptrdiff_t)label[i]] : 1;
    return sum;
}

/* Writes the losses of the rows, or their sum or mean, added up in order. */
static void cross_entropy_reduce(Var *y, const double *loss, ptrdiff_t N)
{
    const CrossEntropyOptions *o = y->attr;
    real *out = tensor_write(y->value);
    double total = 0;
    for (ptrdiff_t i = 0; i < N; i++) {
        if (o->reduction == LOSS_NONE)
            out[i] = (real)loss[i];
        total += loss[i];
    }
    if (o->reduction != LOSS_NONE)
        *out = (real)(o->reduction == LOSS_MEAN ? total / cross_entropy_divisor(y) : total);
}

static void cross_entropy_forward(Var *y)
{
    const CrossEntropyOptions *o = y->attr;
    ptrdiff_t N = y->in[0]->value->shape.dim[0];
    double *loss = memory_take((size_t)N * sizeof *loss);
    tensor_cross_entropy(loss, var_output(y, 1)->value, y->in[0]->value, y->in[1]->value,
                         cross_entropy_class_weights(y), o->smoothing);
    cross_entropy_reduce(y, loss, N);
    memory_give(loss, (size_t)N * sizeof *loss);
}

/* --- backward --------------------------------------------------------------------------------- */

/* q (N,K) */
static Var *cross_entropy_targets(const Var *y)
{
    const CrossEntropyOptions *o = y->attr;
    Shape shape = var_shape(y->in[0]);
    Var *q = var_full(shape, o->smoothing / (real)shape.dim[1]);
    const real *label = cross_entropy_labels(y);
    real *p = tensor_write(q->value);
    for (ptrdiff_t i = 0; i < shape.dim[0]; i++)
        if (label[i] >= 0)
            p[i * shape.dim[1] + (ptrdiff_t)label[i]] += 1 - o->smoothing;
    return y->n_in > 2 ? var_mul(q, y->in[2]) : q;
}

/* w (N,1) */
static Var *cross_entropy_weights(const Var *y)
{
    const CrossEntropyOptions *o = y->attr;
    ptrdiff_t N = var_shape(y->in[0]).dim[0];
    Var *w = var_empty(SHAPE(N, 1));
    const real *label = cross_entropy_labels(y);
    real *p = tensor_write(w->value);
    double divisor = o->reduction == LOSS_MEAN ? cross_entropy_divisor(y) : 1;
    real each = divisor > 0 ? 1 / (real)divisor : 0;
    for (ptrdiff_t i = 0; i < N; i++)
        p[i] = label[i] >= 0 ? each : 0;
    return w;
}

static void cross_entropy_in_ops(Var *y, Var *gy)
{
    const CrossEntropyOptions *o = y->attr;
    Var *x = y->in[0], *g = gy;
    if (o->reduction == LOSS_NONE)
        g = var_reshape(gy, SHAPE(var_shape(x).dim[0], 1));
    Var *p = var_softmax(x, 1), *q = cross_entropy_targets(y);
    if (y->n_in > 2)
        p = var_mul(p, var_sum(q, AXES(1), true));
    SEND(x, var_mul(var_sub(p, q), var_mul(cross_entropy_weights(y), g)));
}

static void cross_entropy_fused(Var *y, Var *gy)
{
    const CrossEntropyOptions *o = y->attr;
    Var *x = y->in[0], *w = cross_entropy_weights(y), *gx = var_empty(var_shape(x));
    Shape per_row = o->reduction == LOSS_NONE ? var_shape(w) : SHAPE_SCALAR;
    Var *weight = var_mul(w, var_reshape(gy, per_row));
    tensor_cross_entropy_backward(gx->value, var_output(y, 1)->value, y->in[1]->value,
                                  weight->value, cross_entropy_class_weights(y), o->smoothing);
    var_send(x, gx);
}

static void cross_entropy_backward(Var *y, Var *const *gy)
{
    if (grad_enabled() || tape_anomaly_mode())
        cross_entropy_in_ops(y, gy[0]);
    else if (var_needs_grad(y->in[0]))
        cross_entropy_fused(y, gy[0]);
}

/* --- the op ----------------------------------------------------------------------------------- */

static Var *cross_entropy_sample(Var **in)
{
    Labels labels = {.data = (int32_t[]){2, -100, 0}, .count = 3};
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    o.smoothing = (real)0.1;
    return var_cross_entropy_with(in[0], &labels, o);
}

const Op op_cross_entropy = {
    .name = "cross_entropy",
    .forward = cross_entropy_forward,
    .backward_all = cross_entropy_backward,
    .sample = {.call = cross_entropy_sample, .n_in = 1,
               .in = {{.shape = {2, {3, 4}}, .low = -2, .high = 2}}},
};

const CrossEntropyOptions CROSS_ENTROPY_DEFAULTS = {.ignore_index = -100, .from_defaults = true};

static void cross_entropy_check_label(int32_t label, ptrdiff_t row, Shape x, int32_t ignore_index,
                                      const char *function)
{
    if (label == ignore_index || (label >= 0 && label < x.dim[1]))
        return;
    char more[160] = "";
    if (label > 0)
        snprintf(more, sizeof more, "; for this label the network needs at least %lld outputs, but "
                 "its logits %s have %td", (long long)label + 1, SHAPE_TEXT(x), x.dim[1]);
    slope_fail(function, "label %d in row %td; expected a class from 0 to %td, or %d to "
               "ignore the row%s", (int)label, row, x.dim[1] - 1, (int)ignore_index, more);
}

static void cross_entropy_check_weights(const Tensor *weight, ptrdiff_t K, const char *function)
{
    tensor_check(weight, function);
    if (!shape_equal(weight->shape, SHAPE(K)))
        slope_fail(function, "the class weights have shape %s; expected (%td,), one for each class",
                   SHAPE_TEXT(weight->shape), K);
    for (ptrdiff_t k = 0; k < K; k++) {
        double w = (double)tensor_get(weight, &k);
        if (!(w >= 0 && isfinite(w)))
            slope_fail(function, "the weight of class %td is %g; expected a finite number, 0 or "
                       "more", k, w);
    }
}

static void cross_entropy_check(Shape x, const Labels *labels, CrossEntropyOptions o,
                                const char *function)
{
    if (!o.from_defaults)
        slope_fail(function, "options left out are 0, and ignore_index 0 is a class; start with "
                   "CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;");
    if (x.ndim != 2 || x.dim[1] < 1)
        slope_fail(function, "the logits have shape %s; expected (N,K), one row of K class scores "
                   "per example", SHAPE_TEXT(x));
    if ((double)x.dim[1] > ldexp(1, REAL_MANT_DIG))
        slope_fail(function, "%td classes; expected at most 2^%d", x.dim[1], REAL_MANT_DIG);
    if (labels->count != x.dim[0])
        slope_fail(function, "%td labels for logits %s: expected one label per row, %td",
                   labels->count, SHAPE_TEXT(x), x.dim[0]);
    if (!(o.smoothing >= 0 && o.smoothing <= 1))
        slope_fail(function, "label smoothing is %g; expected a number from 0 to 1",
                   (double)o.smoothing);
    if (o.reduction > LOSS_NONE)
        slope_fail(function, "the reduction is %u; expected LOSS_MEAN, LOSS_SUM or LOSS_NONE",
                   (unsigned)o.reduction);
    for (ptrdiff_t i = 0; i < labels->count; i++)
        cross_entropy_check_label(labels->data[i], i, x, o.ignore_index, function);
    if (o.weight)
        cross_entropy_check_weights(o.weight, x.dim[1], function);
}

/* The labels as a constant on the tape, in which an ignored row has label -1. */
static Var *cross_entropy_classes(const Labels *labels, int32_t ignore_index)
{
    Var *classes = var_empty(SHAPE(labels->count));
    real *p = tensor_write(classes->value);
    for (ptrdiff_t i = 0; i < labels->count; i++)
        p[i] = labels->data[i] == ignore_index ? -1 : (real)labels->data[i];
    return classes;
}

static Var *cross_entropy_copy_weights(const Tensor *weight)
{
    Var *c = var_empty(weight->shape);
    tensor_copy(c->value, weight);
    return c;
}

static Var *cross_entropy_apply(Var *logits, const Labels *labels, CrossEntropyOptions options,
                                const char *function)
{
    var_check(logits, function);
    if (!labels || (!labels->data && labels->count))
        slope_fail(function, "the labels are NULL");
    cross_entropy_check(var_shape(logits), labels, options, function);
    Shape p_shape = var_shape(logits);
    Shape out = options.reduction == LOSS_NONE ? SHAPE(labels->count) : SHAPE_SCALAR;
    Var *in[] = {var_contiguous(logits), cross_entropy_classes(labels, options.ignore_index),
                 options.weight ? cross_entropy_copy_weights(options.weight) : NULL};
    int n_in = options.weight ? 3 : 2;
    options.weight = NULL; /* the caller may free it */
    Var *y = var_apply_all(&op_cross_entropy, (const Shape *const[]){&out, &p_shape}, 2, in, n_in,
                           &options, sizeof options);
    var_output(y, 1)->requires_grad = false;
    return y;
}

Var *var_cross_entropy_with(Var *logits, const Labels *labels, CrossEntropyOptions options)
{
    return cross_entropy_apply(logits, labels, options, "var_cross_entropy_with");
}

Var *var_cross_entropy(Var *logits, const Labels *labels)
{
    return cross_entropy_apply(logits, labels, CROSS_ENTROPY_DEFAULTS, "var_cross_entropy");
}

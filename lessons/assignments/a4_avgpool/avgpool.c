/* Average pooling: your work. lessons/assignments/a4_avgpool/README.md says what to do, and how to
 * check it; autograd/ops/max_pool2d.c and max_pool2d_scatter.c show how another pooling is written.
 *
 * `make start A=a4_avgpool` copies this starter to lessons/work/a4_avgpool/avgpool.c. Edit that
 * copy: `make grade A=a4_avgpool` grades it.
 */
#include "avgpool.h"

/* --- sizes ------------------------------------------------------------------------------------ */

/* The sizes for x (N,C,H,W). TODO: fail, naming `function`, if an option is out of range or the
 * sizes do not fit; compute the output's sizes. */
static AvgPool avg_pool_plan(Shape x, Pool2dOptions o, bool count_include_pad, const char *function)
{
    (void)function; /* TODO: slope_fail(function, "...", ...) */
    /* TODO: what does a stride of {0, 0} mean? Store it in `o` here, for forward and backward. */
    AvgPool p = {.o = o, .count_include_pad = count_include_pad};
    p.planes = x.dim[0] * x.dim[1];
    for (int i = 0; i < 2; i++) {
        p.in[i] = x.dim[2 + i];
        p.out[i] = 1; /* TODO: equation (2) */
    }
    return p;
}

/* avg_pool2d ------------------------------------- y = the mean of each window of x
 *   shape     x (N,C,H,W) -> y (N,C,P,Q)
 *   backward  gx = ?
 *   care      ?
 */
static void avg_pool2d_forward(Var *y)
{
    tensor_fill(y->value, 0); /* TODO: use tensor_read(y->in[0]->value), y->attr */
}

static void avg_pool2d_backward(Var *y, Var *gy)
{
    (void)y, (void)gy; /* TODO: SEND(x, a call to the other op) */
}

const Op op_avg_pool2d = {
    .name = "avg_pool2d",
    .forward = avg_pool2d_forward,
    .backward = avg_pool2d_backward,
    /* TODO: .sample, which calls the pooling AVG_POOL_SAMPLE of avgpool.h */
};

Var *var_avg_pool2d(Var *x, Pool2dOptions options, bool count_include_pad)
{
    Shape s = var_shape(x);
    AvgPool p = avg_pool_plan(s, options, count_include_pad, "var_avg_pool2d");
    Shape pooled = {4, {s.dim[0], s.dim[1], p.out[0], p.out[1]}};
    return var_apply_with(&op_avg_pool2d, pooled, VARS(x), &p, sizeof p);
}

/* avg_pool2d_scatter ------- y = zeros, to which each g, divided, is added in its window
 *   shape     g (N,C,P,Q) -> y (N,C,H,W), the given shape
 *   backward  gg = ?
 */
static void avg_pool2d_scatter_forward(Var *y)
{
    tensor_fill(y->value, 0); /* TODO: add the elements of g to tensor_write(y->value) */
}

static void avg_pool2d_scatter_backward(Var *y, Var *gy)
{
    (void)y, (void)gy; /* TODO */
}

const Op op_avg_pool2d_scatter = {
    .name = "avg_pool2d_scatter",
    .forward = avg_pool2d_scatter_forward,
    .backward = avg_pool2d_scatter_backward,
    /* TODO: .sample */
};

Var *var_avg_pool2d_scatter(Var *g, Shape x, Pool2dOptions options, bool count_include_pad)
{
    AvgPool p = avg_pool_plan(x, options, count_include_pad, "var_avg_pool2d_scatter");
    /* TODO: fail if g does not have the shape of the pooled x */
    return var_apply_with(&op_avg_pool2d_scatter, x, VARS(g), &p, sizeof p);
}

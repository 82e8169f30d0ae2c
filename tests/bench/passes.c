/* tests/bench/passes.c -- PReLU and Adam: little arithmetic, one pass over much memory.
 *
 *  - prelu_fwd, prelu_bwd: 64x64x32x32 elements, one slope per channel; prelu_shared_…: one.
 *  - adam: one step of 2^24 parameters, 64 MB of floats.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/bench/bench.h"

#include <math.h>

/* --- PReLU ------------------------------------------------------------------------------------ */

enum { PRELU_N = 64, PRELU_C = 64, PRELU_PLANE = 32 * 32, PRELU_COUNT = 64 * 64 * 32 * 32 };

typedef struct PreluBench {
    size_t mark;
    Var   *x, *a, *y, *gy;
} PreluBench;

static void *prelu_make(const Bench *bench)
{
    PreluBench *p = memory_new(sizeof *p);
    Shape s = SHAPE(PRELU_N, PRELU_C, 32, 32);
    p->mark = tape_mark();
    p->x = bench_leaf(s), p->gy = bench_leaf(s);
    p->a = bench_leaf(SHAPE(bench->size[0])); /* about half of them are negative */
    p->y = var_prelu(p->x, p->a);
    return p;
}

static void prelu_forward_run(void *state)
{
    PreluBench *p = state;
    size_t mark = tape_mark();
    var_prelu(p->x, p->a);
    tape_rewind(mark);
}

static void prelu_backward_run(void *state)
{
    PreluBench *p = state;
    size_t mark = tape_mark();
    Var *grads[2];
    var_grad_with(p->y, p->gy, VARS(p->x, p->a), GRAD_ONLY, grads);
    tape_rewind(mark);
}

/* The slope's index for element i. */
static ptrdiff_t prelu_slope(const PreluBench *p, ptrdiff_t i)
{
    return tensor_count(p->a->value) == 1 ? 0 : i / PRELU_PLANE % PRELU_C;
}

static void prelu_forward_check(void *state)
{
    PreluBench *p = state;
    const real *x = tensor_read(p->x->value), *a = tensor_read(p->a->value);
    for (ptrdiff_t i = 0; i < PRELU_COUNT; i += 9973) {
        double slope = x[i] > 0 ? 1 : (double)a[prelu_slope(p, i)];
        bench_expect("prelu_fwd: an element", (double)tensor_read(p->y->value)[i],
                     slope * (double)x[i], fabs((double)x[i]));
    }
}

static void prelu_backward_check(void *state)
{
    PreluBench *p = state;
    Var *grads[2];
    var_grad_with(p->y, p->gy, VARS(p->x, p->a), GRAD_ONLY, grads);
    const real *x = tensor_read(p->x->value), *a = tensor_read(p->a->value);
    const real *g = tensor_read(p->gy->value), *gx = tensor_read(grads[0]->value);
    double ga[PRELU_C] = {0}, size[PRELU_C] = {0};
    for (ptrdiff_t i = 0; i < PRELU_COUNT; i++) {
        ptrdiff_t c = prelu_slope(p, i);
        double slope = x[i] > 0 ? 1 : (double)a[c], term = (double)x[i] * (double)g[i];
        if (i % 9973 == 0)
            bench_expect("prelu_bwd: an element of gx", (double)gx[i], slope * (double)g[i], 1);
        if (!(x[i] > 0))
            ga[c] += term, size[c] += fabs(term);
    }
    for (ptrdiff_t c = 0; c < tensor_count(p->a->value); c++)
        bench_expect("prelu_bwd: a slope's gradient", (double)tensor_read(grads[1]->value)[c],
                     ga[c], size[c]);
}

static void prelu_drop(void *state)
{
    PreluBench *p = state;
    tape_rewind(p->mark);
    memory_free(p);
}

/* Forward reads x and writes y, with one multiplication per element; backward reads x and gy and
 * writes gx, with two multiplications and an addition. */
static void prelu_add(const char *forward, const char *backward, ptrdiff_t slopes)
{
    const double n = PRELU_COUNT, bytes = sizeof(real);
    Bench b = {.size = {slopes}, .make = prelu_make, .drop = prelu_drop};
    snprintf(b.name, sizeof b.name, "%s", forward);
    b.work = (Work){n, 2 * n * bytes};
    b.run = prelu_forward_run, b.check = prelu_forward_check;
    bench_add(b);
    snprintf(b.name, sizeof b.name, "%s", backward);
    b.work = (Work){3 * n, 3 * n * bytes};
    b.run = prelu_backward_run, b.check = prelu_backward_check;
    bench_add(b);
}

/* --- Adam ------------------------------------------------------------------------------------- */

enum { ADAM_COUNT = 1 << 24 };

typedef struct AdamBench {
    Module    *net; /* with one parameter, w */
    Var       *w;
    Optimizer *adam;
    Tensor    *before; /* some of w's initial elements */
    int        steps;
} AdamBench;

/* The gradient is computed by one backward pass and stays the same. */
static void *adam_make(const Bench *bench)
{
    static const ModuleType type = {"Weights", NULL, NULL};
    (void)bench;
    AdamBench *a = memory_new(sizeof *a);
    a->net = module_new(sizeof *a->net, &type);
    a->w = module_add_param(a->net, "w", bench_normal(SHAPE(ADAM_COUNT)));
    Tensor *some = tensor_slice(a->w->value, 0, 0, ADAM_COUNT, 1 << 14);
    a->before = tensor_clone(some);
    a->adam = adam_new(a->net, (real)1e-3);
    size_t mark = tape_mark();
    Tensor *g = bench_normal(SHAPE(ADAM_COUNT));
    var_backward_with(var_scale(a->w, 1), var_const(g));
    tape_rewind(mark);
    tensor_free(g), tensor_free(some);
    return a;
}

static void adam_run(void *state)
{
    AdamBench *a = state;
    optimizer_step(a->adam);
    a->steps++;
}

/* With the same gradient in every step m' = g and v' = g^2, so a step moves w by lr against g. */
static void adam_check(void *state)
{
    AdamBench *a = state;
    const real *w = tensor_read(a->w->value), *g = tensor_read(a->w->grad);
    for (ptrdiff_t i = 0; i < tensor_count(a->before); i++) {
        double step = g[i << 14] > 0 ? 1e-3 : -1e-3;
        bench_expect("adam: a parameter", (double)w[i << 14],
                     (double)tensor_read(a->before)[i] - step * a->steps, 1 + 1e-2 * a->steps);
    }
}

static void adam_drop(void *state)
{
    AdamBench *a = state;
    optimizer_free(a->adam), module_free(a->net);
    tensor_free(a->before);
    memory_free(a);
}

/* Adam reads p, g, m, v and writes p, m, v; as written in optim/adam.c it takes 13 operations. */
void passes_add(void)
{
    prelu_add("prelu_fwd", "prelu_bwd", PRELU_C);
    prelu_add("prelu_shared_fwd", "prelu_shared_bwd", 1);
    bench_add((Bench){.name = "adam", .work = {13.0 * ADAM_COUNT, 7.0 * ADAM_COUNT * sizeof(real)},
                      .make = adam_make, .run = adam_run, .check = adam_check, .drop = adam_drop});
}

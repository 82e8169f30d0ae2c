/* tests/bench/networks.c -- whole training steps of the two networks of lessons/kit/networks.h.
 *
 *  - mlp_step_B: PReLUNetwork, 784-256-256-10; cnn_step_B: ConvNetPReLU on 3x32x32, in training
 *    mode, so with dropout and batch statistics. B is the batch size.
 *  - A step is optimizer_zero_grad, forward, cross-entropy, var_backward, optimizer_step (Adam).
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/networks.h"
#include "tests/bench/bench.h"

#include <math.h>
#include <stdlib.h>

typedef struct StepBench {
    Module    *net;
    Optimizer *adam;
    Tensor    *x;
    Labels     labels;
    double     first, last; /* losses */
    int        steps;
} StepBench;

/* The learning rate is so small that the loss, and with it every gradient, stays well above 0
 * however many steps are timed: values that decay to denormals would distort the time. */
static StepBench *step_make(Module *net, Shape x)
{
    StepBench *s = memory_new(sizeof *s);
    s->net = net;
    s->adam = adam_new(net, (real)1e-5);
    s->x = bench_normal(x);
    s->labels = (Labels){memory_new_array((size_t)x.dim[0], sizeof(int32_t)), x.dim[0]};
    for (ptrdiff_t i = 0; i < x.dim[0]; i++)
        s->labels.data[i] = (int32_t)(i % 10);
    return s;
}

static void *step_make_mlp(const Bench *b)
{
    return step_make(prelu_network_new(784, 256, 10, SLOPES_PER_CHANNEL), SHAPE(b->size[0], 784));
}

static void *step_make_cnn(const Bench *b)
{
    return step_make(conv_net_prelu_new(3, 10), SHAPE(b->size[0], 3, 32, 32));
}

static void step_run(void *state)
{
    StepBench *s = state;
    size_t mark = tape_mark();
    optimizer_zero_grad(s->adam);
    Var *loss = var_cross_entropy(module_forward(s->net, var_const(s->x)), &s->labels);
    var_backward(loss);
    optimizer_step(s->adam);
    s->last = (double)var_item(loss);
    if (s->steps++ == 0)
        s->first = s->last;
    tape_rewind(mark);
}

/* A new network knows nothing, so its first loss is about ln 10; the steps do not raise the loss by
 * more than the noise of dropout; and every parameter has a gradient. */
static void step_check(void *state)
{
    StepBench *s = state;
    bench_expect("a training step: the first loss", s->first, log(10), 1e4);
    bench_expect("a training step: the last loss", fmax(s->last, s->first), s->first, 2e3);
    Parameters p = module_parameters(s->net);
    for (int i = 0; i < p.count; i++) {
        Stats g = tensor_stats(p.item[i].var->grad);
        if (!(g.max > g.min && isfinite(g.mean))) {
            fprintf(stderr, "bench: the gradient of %s ranges from %g to %g: the step is wrong\n",
                    p.item[i].name, g.min, g.max);
            exit(1);
        }
    }
    parameters_free(&p);
}

static void step_drop(void *state)
{
    StepBench *s = state;
    optimizer_free(s->adam), module_free(s->net);
    tensor_free(s->x), memory_free(s->labels.data);
    memory_free(s);
}

static void step_add(const char *name, ptrdiff_t batch, void *(*make)(const Bench *b), Work work,
                     bool scaling)
{
    Bench b = {.work = work, .size = {batch}, .make = make, .run = step_run, .check = step_check,
               .drop = step_drop, .scaling = scaling};
    snprintf(b.name, sizeof b.name, "%s_%td", name, batch);
    bench_add(b);
}

void networks_add(void)
{
    for (ptrdiff_t n = 32; n <= 256; n *= 2)
        step_add("mlp_step", n, step_make_mlp, cost_of_prelu_network((double)n).total, true);
    for (ptrdiff_t n = 32; n <= 128; n *= 2)
        step_add("cnn_step", n, step_make_cnn, cost_of_conv_net_prelu((double)n).total, n == 64);
}

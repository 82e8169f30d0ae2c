/* tests/golden/accuracy.c -- ops computed on random inputs; accuracy.py measures their errors.
 *
 *  - `accuracy FILE` writes a safetensors file with the inputs and the results of all cases. A
 *    tensor is named "case|tensor"; a case's name begins with the name of its op, for which
 *    accuracy.py has a function.
 *
 * SPDX-License-Identifier: MIT
 */
#include "slope.h"

#include <stdlib.h>

/* --- cases ------------------------------------------------------------------------------------ */

typedef struct Case {
    Safetensors *out;
    const char  *name;
    uint64_t     stream; /* of the next random tensor */
} Case;

static void case_put(const Case *c, const char *tensor, const Tensor *x)
{
    char name[128];
    snprintf(name, sizeof name, "%s|%s", c->name, tensor);
    safetensors_add_tensor(c->out, name, x);
}

static Tensor *case_random(Case *c, Shape shape, double mean, double std)
{
    Rng rng = rng_new(13, c->stream++);
    Tensor *x = tensor_new(shape);
    tensor_fill_normal(x, &rng, (real)mean, (real)std);
    return x;
}

/* Adds x to the file and returns it as a leaf; frees x. */
static Var *case_input(Case *c, const char *tensor, Tensor *x)
{
    Var *leaf = var_leaf(x);
    tensor_free(x);
    case_put(c, tensor, leaf->value);
    return leaf;
}

static Var *case_normal(Case *c, const char *tensor, Shape shape, double mean, double std)
{
    return case_input(c, tensor, case_random(c, shape, mean, std));
}

/* Adds y and, for a random gradient "gy", the gradients of n inputs, each named by one letter. */
static void case_results(Case *c, Var *y, const char *names, Var *const *in, int n)
{
    Var *g[4], *gy = case_normal(c, "gy", var_shape(y), 0.5, 1);
    var_grad_with(y, gy, in, n, GRAD_ONLY, g);
    case_put(c, "y", y->value);
    for (int i = 0; i < n; i++)
        case_put(c, (const char[]){'g', names[i], '\0'}, g[i]->value);
}

/* --- batch normalisation ---------------------------------------------------------------------- */

typedef struct NormCase {
    const char *name;
    Shape       shape;
    double      mean, std;
    ptrdiff_t   odd_count; /* this many elements at the start have the value `odd` */
    double      odd;
} NormCase;

static void accuracy_norm(Safetensors *out, const NormCase *n)
{
    Case c = {.out = out, .name = n->name};
    Shape channels = SHAPE(n->shape.dim[1]);
    Var *w = case_normal(&c, "w", channels, 1, 0.5), *b = case_normal(&c, "b", channels, 0, 1);
    Tensor *values = case_random(&c, n->shape, n->mean, n->std);
    for (ptrdiff_t i = 0; i < n->odd_count; i++)
        tensor_write(values)[i] = (real)n->odd;
    Var *x = case_input(&c, "x", values), *y = var_batch_norm(x, w, b, (real)1e-5);
    case_results(&c, y, "xwb", VARS(x, w, b));
    case_put(&c, "mean", var_output(y, 1)->value);
    case_put(&c, "var", var_output(y, 2)->value);
}

static void accuracy_norms(Safetensors *out)
{
    const Shape plane = SHAPE(16, 4, 28, 28), image = SHAPE(128, 1, 112, 112);
    const NormCase cases[] = {
        {"batch_norm offset 0", plane, 0, 1, 0, 0},
        {"batch_norm offset 1e2", plane, 1e2, 1, 0, 0},
        {"batch_norm offset 1e4", plane, 1e4, 1, 0, 0},
        {"batch_norm offset 1e6", plane, 1e6, 1, 0, 0},
        {"batch_norm (N,C) offset 1e4", SHAPE(4096, 16), 1e4, 1, 0, 0},
        {"batch_norm (N,C) offset 1e6", SHAPE(4096, 16), 1e6, 1, 0, 0},
        {"batch_norm black corner", image, 1000, 1, 16, 0},
        {"batch_norm outlier", SHAPE(128, 1, 28, 28), 1000, 1, 1, 1e6},
        {"batch_norm constant", SHAPE(16, 1, 28, 28), 0.1, 0, 0, 0},
        {"batch_norm n = 8", SHAPE(8, 64), 1e4, 1, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        accuracy_norm(out, &cases[i]);
}

/* --- softmax and cross-entropy ---------------------------------------------------------------- */

static void accuracy_softmax(Safetensors *out, const char *name, Var *(*op)(Var *, int),
                             ptrdiff_t K, double std)
{
    Case c = {.out = out, .name = name};
    Var *x = case_normal(&c, "x", SHAPE(10000 / K * 10, K), 0, std);
    case_results(&c, op(x, 1), "x", VARS(x));
}

static void accuracy_cross_entropy(Safetensors *out, const char *name, double std)
{
    enum { N = 1000, K = 10 };
    Case c = {.out = out, .name = name};
    Var *x = case_normal(&c, "x", SHAPE(N, K), 0, std);
    int32_t label[N];
    for (int i = 0; i < N; i++)
        label[i] = i % K; /* as accuracy.py assumes */
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    o.reduction = LOSS_NONE;
    Var *y = var_cross_entropy_with(x, &(Labels){.data = label, .count = N}, o);
    case_results(&c, y, "x", VARS(x));
}

/* --- sums and products ------------------------------------------------------------------------ */

static void accuracy_sum(Safetensors *out, const char *name, Shape shape, Axes axes, double mean)
{
    Case c = {.out = out, .name = name};
    Var *x = case_normal(&c, "x", shape, mean, 1);
    case_put(&c, "y", var_sum(x, axes, false)->value);
}

static void accuracy_matmul(Safetensors *out)
{
    Case c = {.out = out, .name = "matmul 256x784x128"};
    Var *a = case_normal(&c, "a", SHAPE(256, 784), 0, 1);
    Var *b = case_normal(&c, "b", SHAPE(784, 128), 0, 1);
    case_results(&c, var_matmul(a, b), "ab", VARS(a, b));
}

static void accuracy_conv(Safetensors *out)
{
    Case c = {.out = out, .name = "conv2d 64 to 128 at 16x16"};
    Var *x = case_normal(&c, "x", SHAPE(4, 64, 16, 16), 0, 1);
    Var *w = case_normal(&c, "w", SHAPE(128, 64, 3, 3), 0, 0.05);
    Conv2dOptions o = CONV2D_DEFAULTS;
    o.padding[0] = o.padding[1] = 1;
    case_results(&c, var_conv2d(x, w, NULL, o), "xw", VARS(x, w));
}

/* --- Adam ------------------------------------------------------------------------------------- */

/* The gradient of step i is row i of g. */
static void accuracy_adam(Safetensors *out)
{
    enum { STEPS = 100, COUNT = 1000 };
    static const ModuleType type = {"Weights", NULL, NULL};
    Case c = {.out = out, .name = "adam 100 steps"};
    Var *w = case_normal(&c, "w", SHAPE(COUNT), 0, 1);
    Var *g = case_normal(&c, "g", SHAPE(STEPS, COUNT), 0.2, 1);
    Module *net = module_new(sizeof *net, &type);
    Var *param = module_add_param(net, "w", tensor_clone(w->value));
    Optimizer *adam = adam_new(net, (real)1e-3);
    for (int i = 0; i < STEPS; i++) {
        optimizer_zero_grad(adam);
        var_backward_with(var_scale(param, 1), var_select(g, 0, i));
        optimizer_step(adam);
    }
    case_put(&c, "y", param->value);
    optimizer_free(adam);
    module_free(net);
}

/* --- all of them ------------------------------------------------------------------------------ */

static void accuracy_softmaxes(Safetensors *out)
{
    accuracy_softmax(out, "log_softmax K = 10", var_log_softmax, 10, 1);
    accuracy_softmax(out, "log_softmax K = 10, N(0,5)", var_log_softmax, 10, 5);
    accuracy_softmax(out, "log_softmax K = 1000", var_log_softmax, 1000, 1);
    accuracy_softmax(out, "softmax K = 10", var_softmax, 10, 1);
    accuracy_softmax(out, "softmax K = 10, N(0,5)", var_softmax, 10, 5);
    accuracy_softmax(out, "softmax K = 1000", var_softmax, 1000, 1);
    accuracy_cross_entropy(out, "cross_entropy K = 10", 1);
    accuracy_cross_entropy(out, "cross_entropy K = 10, N(0,5)", 5);
}

static void accuracy_sums(Safetensors *out)
{
    const Shape shape = SHAPE(1000, 10000);
    accuracy_sum(out, "sum axis 0", shape, AXES(0), 1);
    accuracy_sum(out, "sum axis 0, mean 0", shape, AXES(0), 0);
    accuracy_sum(out, "sum axis 1", shape, AXES(1), 1);
    accuracy_sum(out, "sum all", shape, ALL_AXES, 1);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: accuracy FILE\n");
        return 2;
    }
    Error err;
    Safetensors *out = safetensors_new();
    accuracy_norms(out);
    accuracy_softmaxes(out);
    accuracy_sums(out);
    accuracy_matmul(out);
    accuracy_conv(out);
    accuracy_adam(out);
    bool ok = safetensors_write(out, argv[1], &err);
    if (!ok)
        error_print(stderr, &err);
    safetensors_free(out);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

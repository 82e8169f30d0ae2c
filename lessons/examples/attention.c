/* lessons/examples/attention.c -- attention: a module whose forward takes several Vars.
 *
 * Scaled dot-product attention returns, for each query, a weighted mean of the values, in which a
 * value weighs more the better its key matches the query (Vaswani et al., "Attention is all you
 * need", 2017, equation 1):
 *
 *     q = query Wq' + bq    k = key Wk' + bk    v = value Wv' + bv    y = softmax(q k' / sqrt(d)) v
 *
 * where ' denotes the transpose and d is the number of elements in a row of k.
 *
 * The task: each of T tokens holds its position, a pointer to a token, and a number. For each
 * token, the network must return the number in the token that it points to. So training must find
 * queries that read the pointer, keys that read the position, and values that read the number.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "slope.h"

enum { T = 4, FEATURES = 2 * T + 1, STEPS = 200 };

typedef struct Attention {
    Module  base;
    Module *query, *key, *value;
} Attention;

/* query (N,S,in), key and value (N,T,in) -> (N,S,out) */
static Var *attention(Module *self, Var *query, Var *key, Var *value)
{
    Attention *a = (Attention *)self;
    Var *q = module_forward(a->query, query), *k = module_forward(a->key, key);
    Var *v = module_forward(a->value, value);
    real scale = (real)(1 / sqrt((double)var_shape(k).dim[2]));
    Var *scores = var_scale(var_matmul(q, var_transpose(k, 1, 2)), scale); /* (N,S,T) */
    return var_matmul(var_softmax(scores, -1), v);
}

/* The forward function of the ModuleType takes one Var: this is self-attention. */
static Var *attention_forward(Module *self, Var *x) { return attention(self, x, x, x); }

static Module *attention_new(ptrdiff_t in, ptrdiff_t width, ptrdiff_t out)
{
    static const ModuleType type = {"Attention", attention_forward, NULL};
    Attention *a = module_new(sizeof *a, &type);
    a->query = module_add_child(&a->base, "query", linear_new(in, width));
    a->key = module_add_child(&a->base, "key", linear_new(in, width));
    a->value = module_add_child(&a->base, "value", linear_new(in, out));
    return &a->base;
}

/* The mean squared error on n new sequences of T tokens. A token consists of its position and its
 * pointer, both one-hot, and its number. */
static Var *loss_of(Module *net, Rng *rng, int n)
{
    Var *x = var_full(SHAPE(n, T, FEATURES), 0), *target = var_empty(SHAPE(n, T, 1));
    real(*token)[T][FEATURES] = (void *)tensor_write(x->value);
    real(*number)[T] = (void *)tensor_write(target->value);
    for (int s = 0; s < n; s++)
        for (int i = 0; i < T; i++) {
            token[s][i][i] = token[s][i][T + rng_below(rng, T)] = 1;
            token[s][i][2 * T] = 2 * rng_uniform(rng) - 1;
        }
    for (int s = 0; s < n; s++)
        for (int i = 0; i < T; i++)
            for (int j = 0; j < T; j++)
                if (token[s][i][T + j] > 0)
                    number[s][i] = token[s][j][2 * T];
    return var_mse(module_forward(net, x), target);
}

static Var *attention_of_three(Var **in, void *net) { return attention(net, in[0], in[1], in[2]); }

int main(void)
{
    random_seed(0);
    Rng rng = random_stream();
    Module *net = attention_new(FEATURES, 8, 1);
    Optimizer *adam = adam_new(net, (real)0.03);
    Var *in[3]; /* a query, keys and values that all differ */
    for (int i = 0; i < 3; i++) {
        in[i] = var_leaf(var_empty(SHAPE(2, i ? T : 1, FEATURES))->value);
        tensor_fill_normal(in[i]->value, &rng, 0, 1);
    }
    GradReport report = gradcheck(attention_of_three, net, in, 3, GRADCHECK_DEFAULTS);
    double before = (double)var_item(loss_of(net, &rng, 256));
    for (int step = 0; step < STEPS; step++) {
        size_t mark = tape_mark();
        optimizer_zero_grad(adam);
        var_backward(loss_of(net, &rng, 64));
        optimizer_step(adam);
        tape_rewind(mark);
    }
    double after = (double)var_item(loss_of(net, &rng, 256));
    printf("gradients: %s\nloss on new sequences: %.4f before training, %.4f after\n",
           report.message, before, after);
    tape_rewind(0);
    optimizer_free(adam), module_free(net);
    return report.verdict == GRAD_PASS && after < before / 200 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* RReLU: your work. lessons/assignments/a6_rrelu/README.md says what to do, and how to check it;
 * autograd/ops/dropout.c and the end of nn/norm.c contain another random op and its module.
 *
 * `make start A=a6_rrelu` copies this starter to lessons/work/a6_rrelu/rrelu.c. Edit that copy:
 * `make grade A=a6_rrelu` grades it.
 */
#include "rrelu.h"

/* rrelu ------------------------------ y = x if x > 0, else a x; a uniform in lower ... upper
 *   shape     y (...) = x (...), with one slope per element
 *   backward  gx = ?
 *   care      ?
 */
typedef struct RReLUAttr {
    real lower, upper; /* TODO: what else must backward know to use the same slopes? */
} RReLUAttr;

static void rrelu_forward(Var *y)
{
    tensor_fill(y->value, 0); /* TODO: use y->in[0]->value, and the RReLUAttr to which y->attr
                               * points. See MAP2 in tensor/map.h and tensor/random.h. */
}

static void rrelu_backward(Var *y, Var *gy)
{
    (void)y, (void)gy; /* TODO: SEND(x, an expression made of var_... calls) */
}

const Op op_rrelu = {
    .name = "rrelu",
    .forward = rrelu_forward,
    .backward = rrelu_backward,
    /* TODO: .branch_hash and .sample */
};

Var *var_rrelu(Var *x, real lower, real upper, Rng rng)
{
    RReLUAttr attr = {lower, upper};
    (void)rng; /* TODO */
    return var_apply_with(&op_rrelu, var_shape(x), VARS(x), &attr, sizeof attr);
}

/* --- the module ------------------------------------------------------------------------------- */

typedef struct RReLU {
    Module base;
    real   lower, upper;
    /* TODO: the random stream. See dropout_new in nn/norm.c. */
} RReLU;

static Var *rrelu_forward_module(Module *self, Var *x)
{
    (void)self; /* TODO: self->training says whether the module is in training. */
    return x;
}

Module *rrelu_new(real lower, real upper)
{
    static const ModuleType type = {"RReLU", rrelu_forward_module, NULL};
    RReLU *r = module_new(sizeof *r, &type); /* TODO: first refuse invalid limits */
    r->lower = lower, r->upper = upper;
    return &r->base;
}

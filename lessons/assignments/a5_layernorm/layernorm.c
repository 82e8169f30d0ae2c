/* Layer normalisation: your work. lessons/assignments/a5_layernorm/README.md says what to do, and
 * how to check it; autograd/ops/batch_norm.c and nn/norm.c show something similar.
 *
 * `make start A=a5_layernorm` copies this starter to lessons/work/a5_layernorm/layernorm.c. Edit
 * that copy: `make grade A=a5_layernorm` grades it.
 */
#include "layernorm.h"

/* layer_norm --- y = (x - mean) rstd w + b, rstd = 1/sqrt(var + eps), for each row
 *   shape     y (...,D) = x (...,D), w and b (D) or both absent; D may be several axes
 *   backward  gx = ?, gw = ?, gb = ?
 *   care      ?
 */

/* What the op's functions find at y->attr. */
typedef struct LayerNormAttr {
    ptrdiff_t n; /* elements in a row */
    real      eps;
} LayerNormAttr;

static void layer_norm_forward(Var *y)
{
    tensor_fill(y->value, 0); /* TODO: row after row, use y->in[0]->value and, if y->n_in is 3,
                               * y->in[1]->value (w) and y->in[2]->value (b). */
}

static void layer_norm_backward(Var *y, Var *gy)
{
    (void)y, (void)gy; /* TODO: allocate the gradients that are wanted (var_needs_grad) with
                        * var_empty, fill them row after row, and send them (var_send). */
}

/* The inputs are x, w and b, with two normalised axes. */
static Var *layer_norm_sample(Var **in)
{
    return var_layer_norm(in[0], SHAPE(2, 3), in[1], in[2], (real)0.1);
}

const Op op_layer_norm = {
    .name = "layer_norm",
    .forward = layer_norm_forward,
    .backward = layer_norm_backward,
    /* TODO: what must an op say whose rule is not made of ops? See autograd/op.h. */
    .sample = {.call = layer_norm_sample, .n_in = 3,
               .in = {{.shape = {3, {4, 2, 3}}, .low = -2, .high = 2},
                      {.shape = {2, {2, 3}}, .low = (real)0.5, .high = 2},
                      {.shape = {2, {2, 3}}, .low = -2, .high = 2}}},
};

Var *var_layer_norm(Var *x, Shape normalised, Var *weight, Var *bias, real eps)
{
    /* TODO: refuse what does not fit. Which inputs must be made contiguous for your loops? */
    LayerNormAttr attr = {shape_count(normalised), eps};
    return var_apply_with(&op_layer_norm, var_shape(x), (Var *[]){x, weight, bias}, weight ? 3 : 1,
                          &attr, sizeof attr);
}

/* --- the module ------------------------------------------------------------------------------- */

typedef struct LayerNorm {
    Module base;
    Shape  normalised;
    real   eps;
    Var   *weight, *bias; /* of the shape `normalised`, or NULL */
} LayerNorm;

static Var *layer_norm_forward_module(Module *self, Var *x)
{
    return (void)self, var_scale(x, 0); /* TODO */
}

Module *layer_norm_new(Shape normalised, real eps, bool affine)
{
    static const ModuleType type = {"LayerNorm", layer_norm_forward_module, NULL};
    LayerNorm *m = module_new(sizeof *m, &type);
    (void)normalised, (void)eps, (void)affine; /* TODO: refuse, store, and add the parameters */
    return &m->base;
}

/* autograd/var.h -- a value that remembers how it was computed.
 *
 *  - A Var is a tensor, its gradient, the op that computed it and that op's inputs.
 *  - What a var_… function returns belongs to this thread's tape and lives until the tape is
 *    rewound past it; what var_param_new returns is yours until var_param_free.
 *  - Expressions nest, and nothing leaks:
 *
 *      size_t mark = tape_mark();
 *      Var *loss = var_mean(var_mul(x, x), ALL_AXES, false);
 *      var_backward(loss);               // x->grad now holds 2x/n
 *      tape_rewind(mark);
 *
 *  - Every built-in op is listed in autograd/ops.def with its formula.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_VAR_H
#define SLOPE_AUTOGRAD_VAR_H

#include "tensor/kernels/options.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

SLOPE_C_BEGIN

typedef struct Var Var;
typedef struct Op Op;

typedef struct ScopeKind ScopeKind; /* autograd/record.h */

/* What var_grad knows about a Var before its sweep, from least to most. */
typedef enum SlotMark {
    SLOT_UNMARKED, /* nothing; var_backward marks no Var, since it needs every gradient */
    SLOT_MET,      /* y depends on it */
    SLOT_NEEDED,   /* and it depends on a requested Var, so a gradient flows through it */
    SLOT_WANTED,   /* its own gradient was requested */
} SlotMark;

/* Programs read value, grad and name; an op's functions also read in, n_in and attr. The rest is
 * internal. */
struct Var {
    /* Still readable after the Var has been rewound, so that a stale use can be reported. */
    Var      *next_free;  /* autograd/tape.c: the queue of rewound Vars */
    const Op *op;         /* what computed it; NULL for a leaf or a constant */
    size_t    index;      /* its position on the tape */
    uint32_t  generation; /* even while it is alive, odd once it is rewound or freed */

    bool requires_grad;    /* does a gradient flow through it? false for a frozen parameter */
    bool retains_grad;
    bool is_param;         /* not on the tape */
    bool grad_stale;       /* does ->grad still include a gradient that a step has used? */
    int  out_index, n_out; /* which of its op's outputs this is; they are neighbours on the tape */
    int  n_in;

    Tensor     *value; /* NULL for an output that was not requested */
    Tensor     *grad;  /* of a leaf, or of an interior Var that retains it; NULL if none */
    Var       **in;    /* its inputs */
    unsigned   *in_version; /* the versions of the inputs' storages when the op ran, … */
    unsigned    version;    /* … and of its own value after it had run */
    unsigned    grad_used;  /* var_grad_mark at the last step that used ->grad; 0 if none did */
    const void *attr;       /* the op's constants: an axis, an exponent … */
    void       *block;      /* holds in, in_version and attr */
    size_t      block_bytes;
    char        name[96]; /* "fc1.weight"; "" for most */

    struct { /* its gradient during a backward pass: see autograd/backward.c */
        uint64_t pass; /* the pass that the rest belongs to; in any other the slot is empty */
        SlotMark mark;
        Tensor  *sum; /* the sum of what was sent so far, … */
        Var     *var; /* … or the same as a Var when the pass is recorded */
        Var     *next_leaf;
    } slot;

    struct { /* of a Var that opens a scope: see autograd/tape.c */
        const ScopeKind *kind;    /* NULL if it opens none */
        bool             records; /* do results inside it require gradients? */
        Var             *outer;
    } scope;
};

/* --- leaves ----------------------------------------------------------------------------------- */

/* A parameter: it requires a gradient and is not on the tape. Takes ownership of `value` (a strided
 * view is copied). Change its elements through tensor_write(param->value); do not replace the
 * tensor. `name` may be NULL. */
Var *var_param_new(Tensor *value, const char *name);
void var_param_free(Var *param);

/* A constant on the tape, with a reference to (not a copy of) `value`. */
Var *var_const(const Tensor *value);
Var *var_scalar(real value); /* shape () */
Var *var_full(Shape shape, real value);

/* A leaf on the tape. It requires a gradient, which is in ->grad until the rewind. */
Var *var_leaf(const Tensor *value);

/* A constant and a leaf whose elements are copied from `values`, in row-major order. */
Var *var_const_from(Shape shape, const real *values);
Var *var_leaf_from(Shape shape, const real *values);

/* A contiguous, uninitialised constant for a kernel to fill through ->value. */
Var *var_empty(Shape shape);

/* --- inspection ------------------------------------------------------------------------------- */

Shape var_shape(const Var *x);
real var_item(const Var *x); /* the value of a Var with one element */

/* "'fc1.weight' (256, 784)" or "relu #12 (128, 256)", for messages. */
enum { VAR_TEXT_SIZE = 320 };
const char *var_text(const Var *x, char text[VAR_TEXT_SIZE]);
#define VAR_TEXT(x) var_text((x), SLOPE_TEXT(VAR_TEXT_SIZE))

/* --- ->grad ----------------------------------------------------------------------------------- */

/* Makes var_backward also store the gradient of an interior Var, in its ->grad. */
void var_retain_grad(Var *x);

/* Frees ->grad and sets it to NULL. */
void var_zero_grad(Var *x);

/* --- functions made of ops, and constants ----------------------------------------------------- */

/* Arithmetic with a Var and a number. The order of the arguments is that of the formula:
 * var_scalar_sub(1, x) is 1 - x. For x - c, add -c; for x / c, scale by 1 / c. */
Var *var_scale(Var *x, real c);      /* c x */
Var *var_add_scalar(Var *x, real c); /* x + c */
Var *var_scalar_sub(real c, Var *x); /* c - x */
Var *var_scalar_div(real c, Var *x); /* c / x */

Var *var_square(Var *x);
Var *var_dot(Var *x, Var *y); /* the sum over all elements of x y, shape () */

/* Output k of an op with several outputs, given the first. */
Var *var_output(const Var *first, int k);

/* Losses, each the mean over all elements, shape (); the two shapes must be equal. var_mse is the
 * mean of (x - target)^2. var_bce_with_logits is the mean of var_logistic_loss(x, target), the
 * binary cross-entropy of a prediction sigmoid(x) and a target from 0 to 1; it is PyTorch's
 * BCEWithLogitsLoss, but fails if a target is not from 0 to 1. */
Var *var_mse(Var *x, Var *target);
Var *var_bce_with_logits(Var *x, Var *target);

/* A constant: 1 where x > 0, else 0. */
Var *var_is_positive(const Var *x);

/* The same value, detached from what computed it: no gradient flows back. */
Var *var_detach(Var *x);

/* --- ops -------------------------------------------------------------------------------------- */

/* The options of var_cross_entropy_with are a copy of CROSS_ENTROPY_DEFAULTS, changed where needed;
 * others are refused, since an ignore_index that was left out would be 0, a class:
 *     CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
 *     o.smoothing = (real)0.1;
 * With class weights, the target of class k is multiplied by the weight of k, and the mean is the
 * total divided by the sum of the weights of the rows' labels, as in PyTorch. So the mean is not
 * finite if every row of the batch is ignored or has a label of weight 0. The weights are copied,
 * so they may be freed at once. */
typedef enum LossReduction { LOSS_MEAN, LOSS_SUM, LOSS_NONE } LossReduction;
typedef struct CrossEntropyOptions {
    int32_t       ignore_index; /* rows with this label are ignored */
    real          smoothing;    /* the target is (1-s) one-hot + s/K */
    LossReduction reduction;
    const Tensor *weight; /* class weights (K), each 0 or more; NULL if all are 1 */
    bool          from_defaults; /* set in CROSS_ENTROPY_DEFAULTS */
} CrossEntropyOptions;
extern const CrossEntropyOptions CROSS_ENTROPY_DEFAULTS; /* ignore_index -100, the mean */

#define OP(name, parameters, formula) Var *var_##name parameters;
#include "autograd/ops.def"
#undef OP

/* var_cross_entropy with options other than the defaults. */
Var *var_cross_entropy_with(Var *logits, const Labels *labels, CrossEntropyOptions options);

SLOPE_C_END

#endif

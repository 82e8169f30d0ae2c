/* autograd/op.h -- what an op is made of, and how to write one.
 *
 *  - An op is one constant Op and one function var_NAME that calls var_apply with it.
 *  - Its backward rule is written in ops, so a gradient can itself be differentiated.
 *  - Its sample says how to call it and with which inputs; the checker needs no more than that.
 *  - An op may live anywhere: in autograd/ops/, in a lesson, in a program outside the tree.
 *
 *      static inline real cube(real x) { return x * x * x; }
 *      MAP1(cube_map, cube)
 *
 *      static void cube_forward(Var *y)
 *      {
 *          cube_map(y->value, y->in[0]->value);
 *      }
 *
 *      static void cube_backward(Var *y, Var *gy)   // gx = 3 x^2 gy
 *      {
 *          Var *x = y->in[0];
 *          SEND(x, var_mul(gy, var_scale(var_square(x), 3)));
 *      }
 *
 *      static Var *cube_sample(Var **in) { return var_cube(in[0]); }
 *
 *      const Op op_cube = {
 *          .name = "cube", .forward = cube_forward, .backward = cube_backward,
 *          .sample = {.call = cube_sample, .n_in = 1, .any_shape = true,
 *                     .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2}}},
 *      };
 *
 *      Var *var_cube(Var *x) { return var_apply_like(&op_cube, x); }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_OP_H
#define SLOPE_AUTOGRAD_OP_H

#include "autograd/var.h"

enum { OP_SAMPLE_INPUTS = 3, OP_OUTPUTS = 3 };

/* One input of a sample: uniform in low … high or, with both_signs, low <= |number| <= high,
 * which keeps it clear of a kink at 0. */
typedef struct OpSampleInput {
    Shape shape;
    real  low, high;
    bool  both_signs;
} OpSampleInput;

/* How the tests call an op. */
typedef struct OpSample {
    Var *(*call)(Var **in); /* one Var from the inputs; several outputs are combined in one */
    int       n_in;
    OpSampleInput in[OP_SAMPLE_INPUTS];
    bool      any_shape; /* works for any shape that all inputs share: scalars, size 0 … */
} OpSample;

struct Op {
    const char *name;

    /* Computes y->value (and var_output(y, k)->value, where there are several) from y->in and
     * y->attr. A view op has `view` instead, which returns a header over its input's storage. */
    void (*forward)(Var *y);
    Tensor *(*view)(const Var *y);

    /* Sends every input its gradient, given the gradient gy of the result. An op with several
     * outputs has backward_all: gy[k] is the gradient of output k, or NULL where there is none. */
    void (*backward)(Var *y, Var *gy);
    void (*backward_all)(Var *y, Var *const *gy);

    /* Folds the discrete choices of the forward (the side of a kink at which each input lies)
     * into a number. Ops with kinks have it; by it the checker knows that a step crossed one. */
    uint64_t (*branch_hash)(const Var *y);

    bool once; /* the rule cannot be recorded: a gradient of the gradient fails by name */
    OpSample sample;
};

/* --- applying --------------------------------------------------------------------------------- */

/* Records op on the tape with a result of shape `out` and runs its forward. The inputs must be
 * alive. attr (attr_bytes long) is copied to the tape and found as y->attr. */
Var *var_apply(const Op *op, Shape out, Var *const *in, int n_in);
Var *var_apply_with(const Op *op, Shape out, Var *const *in, int n_in, const void *attr,
                    size_t attr_bytes);

/* The same for an op of one input whose result has its shape. */
Var *var_apply_like(const Op *op, Var *x);

/* The same with up to OP_OUTPUTS outputs; the first is returned, var_output finds the others. A
 * NULL shape makes an output without a value: one that is not wanted. */
Var *var_apply_all(const Op *op, const Shape *const *out, int n_out, Var *const *in, int n_in,
                   const void *attr, size_t attr_bytes);

/* VARS(a, b) is the array of inputs and its length, for var_apply. */
#define VARS(...)                                                                            \
    (Var *const[]){__VA_ARGS__}, (int)(sizeof((Var *const[]){__VA_ARGS__}) / sizeof(Var *))

/* Fails in the name of `function` if x is NULL or was rewound; var_apply does it for its inputs. */
void var_check(const Var *x, const char *function);

/* The shape two operands broadcast to; fails in the name of `function`. */
Shape var_broadcast(const Var *a, const Var *b, const char *function);

/* --- in a backward rule ----------------------------------------------------------------------- */

/* Is a gradient of x wanted in this pass? */
bool var_needs_grad(const Var *x);

/* Adds g to x's gradient, summed over the axes along which x was stretched. */
void var_send(Var *x, Var *g);

/* May a rule write its input's gradient into gy's own storage? Yes while nothing is recorded, if gy
 * is contiguous and nobody else holds its storage. The largest gradients of a network then need
 * one buffer and not two. */
bool var_may_overwrite(const Var *gy);

/* Evaluates `expr` only where x's gradient is wanted. */
#define SEND(x, expr)                  \
    do {                               \
        if (var_needs_grad(x))         \
            var_send((x), (expr));     \
    } while (0)

/* --- for `branch_hash` ------------------------------------------------------------------------ */

/* Fold into a hash, which starts from 0, which elements of x are positive, or exceed those of b. */
uint64_t op_branch_of_signs(uint64_t hash, const Tensor *x);
uint64_t op_branch_of_order(uint64_t hash, const Tensor *a, const Tensor *b);

/* Whole functions for it: the signs of input 0; the order of inputs 0 and 1, broadcast to y. */
uint64_t op_branch_by_sign(const Var *y);
uint64_t op_branch_by_order(const Var *y);

/* --- the list --------------------------------------------------------------------------------- */

typedef struct OpEntry {
    const Op   *op;
    const char *formula;
} OpEntry;

/* Every op of ops.def, ended by a NULL op. */
extern const OpEntry op_table[];

#define OP(name, parameters, formula) extern const Op op_##name;
#include "autograd/ops.def"
#undef OP

#endif

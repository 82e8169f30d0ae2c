/* autograd/op.h -- what an op is made of, and how to write one.
 *
 *  - An op is a constant Op and a function var_NAME that calls var_apply with it.
 *  - Its backward rule is written in ops, so a gradient can itself be differentiated.
 *  - Its sample says how to call it and on which inputs, which is all that the checker needs.
 *  - An op may be defined anywhere: in autograd/ops/, in a lesson, in a program outside the tree.
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
 *      Var *var_cube(Var *x);
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

SLOPE_C_BEGIN

enum { OP_SAMPLE_INPUTS = 3, OP_OUTPUTS = 4 };

/* One input of a sample. Its elements are uniform in low … high or, with both_signs,
 * low <= |x| <= high, which keeps them away from a kink at 0. */
typedef struct OpSampleInput {
    Shape shape;
    real  low, high;
    bool  both_signs;
} OpSampleInput;

/* How the tests call an op. */
typedef struct OpSample {
    Var *(*call)(Var **in); /* one Var from the inputs; several outputs are combined into one */
    int       n_in;
    OpSampleInput in[OP_SAMPLE_INPUTS];
    bool      any_shape; /* works for any shape that all inputs share: scalars, size 0 … */
} OpSample;

struct Op {
    const char *name;

    /* Computes y->value (and var_output(y, k)->value, if there are several outputs) from y->in and
     * y->attr. A view op has `view` instead, which returns a Tensor over its input's storage. */
    void (*forward)(Var *y);
    Tensor *(*view)(const Var *y);

    /* Given gy, the gradient of the result, sends each input its gradient. An op with several
     * outputs has backward_all instead: gy[k] is the gradient of output k, or NULL if there is
     * none. */
    void (*backward)(Var *y, Var *gy);
    void (*backward_all)(Var *y, Var *const *gy);

    /* Hashes the discrete choices of forward, such as the side of a kink on which each element
     * lies. Ops with kinks have it; it tells the checker when a step has crossed one. */
    uint64_t (*branch_hash)(const Var *y);

    bool once; /* the rule cannot be recorded: CREATE_GRAPH fails, naming the op */
    OpSample sample;
};

/* --- applying --------------------------------------------------------------------------------- */

/* Appends a result of shape `out` to the tape, runs the op's forward and returns the result. The
 * inputs must be alive. attr (attr_bytes bytes) is copied to the tape, where it is y->attr. */
Var *var_apply(const Op *op, Shape out, Var *const *in, int n_in);
Var *var_apply_with(const Op *op, Shape out, Var *const *in, int n_in, const void *attr,
                    size_t attr_bytes);

/* The same for an op of one input whose result has that input's shape. */
Var *var_apply_like(const Op *op, Var *x);

/* The same with up to OP_OUTPUTS outputs; returns the first, and var_output finds the others. An
 * output whose shape is NULL is not wanted and gets no value. */
Var *var_apply_all(const Op *op, const Shape *const *out, int n_out, Var *const *in, int n_in,
                   const void *attr, size_t attr_bytes);

/* VARS(a, b) expands to the array of inputs and its length, for var_apply. */
#define VARS(...) SLOPE_LIST(Var *, __VA_ARGS__), SLOPE_COUNT(Var *, __VA_ARGS__)

/* Fails, naming `function`, if x is NULL, was rewound, is on another thread's tape or has no value.
 * var_apply calls it for its inputs. */
void var_check(const Var *x, const char *function);

/* The shape to which two operands broadcast; fails, naming `function`, if they do not. */
Shape var_broadcast(const Var *a, const Var *b, const char *function);

/* --- in a backward rule ----------------------------------------------------------------------- */

/* Is a gradient of x wanted in this pass? */
bool var_needs_grad(const Var *x);

/* Adds g to x's gradient, after summing it over the axes along which x was broadcast. */
void var_send(Var *x, Var *g);

/* May a rule write its input's gradient into gy's own storage? Yes, if the rule is not being
 * recorded, anomaly mode is off, and gy is contiguous and the sole owner of its storage. The
 * largest gradients of a network then need one buffer instead of two. */
bool var_may_overwrite(const Var *gy);

/* Sends x the gradient `expr`, which is evaluated only if x's gradient is wanted. */
#define SEND(x, expr)                  \
    do {                               \
        if (var_needs_grad(x))         \
            var_send((x), (expr));     \
    } while (0)

/* --- for `branch_hash` ------------------------------------------------------------------------ */

/* Folds into a hash, initially 0, which elements of x are positive. */
uint64_t op_branch_of_signs(uint64_t hash, const Tensor *x);

/* Ready-made hash functions: of the signs of input 0; of the order of inputs 0 and 1, broadcast to
 * y. */
uint64_t op_branch_by_sign(const Var *y);
uint64_t op_branch_by_order(const Var *y);

/* --- the list --------------------------------------------------------------------------------- */

typedef struct OpEntry {
    const Op   *op;
    const char *formula;
} OpEntry;

/* Every op in ops.def, followed by an entry whose op is NULL. */
extern const OpEntry op_table[];

#define OP(name, parameters, formula) extern const Op op_##name;
#include "autograd/ops.def"
#undef OP

SLOPE_C_END

#endif

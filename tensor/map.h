/* tensor/map.h -- applies a scalar function to whole tensors in one pass.
 *
 *  - MAP1, MAP2, MAP3 turn a `static inline real f(real, …)` into a static kernel `name(Tensor
 *    *out, const Tensor *a, …)`. The loop is compiled in the file that defines f, so the compiler
 *    can inline f and vectorise the loop.
 *  - The inputs stretch to out's shape (NumPy broadcasting) and may have any strides. out must not
 *    be expanded, and must not overlap an input unless it is that input itself.
 *  - MAP1C is for an f with a second, constant argument: `real f(real, real c)`.
 *
 *      static inline real square(real x) { return x * x; }
 *      MAP1(square_map, square)
 *      …
 *      square_map(y, x);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_MAP_H
#define SLOPE_TENSOR_MAP_H

#include "tensor/tensor.h"

SLOPE_C_BEGIN

enum { MAP_INPUTS = 3 };

/* A run along the last axis: element i of input k is x[k][i * step[k]], and element i of the result
 * is y[i * y_step]. */
typedef struct MapRow {
    ptrdiff_t   n;
    real       *y;
    ptrdiff_t   y_step;
    const real *x[MAP_INPUTS];
    ptrdiff_t   step[MAP_INPUTS];
    real        c;
} MapRow;

typedef void (*MapRowFn)(const MapRow *row);

/* Calls fn, in parallel, on rows that together cover every element of out exactly once. Messages
 * name `function`. */
void tensor_map(MapRowFn fn, real c, Tensor *out, int n_in, const Tensor *const *in,
                const char *function);

/* --- parts of the MAP macros ------------------------------------------------------------------ */

#define MAP_OPEN                              \
    const ptrdiff_t n = r->n, ys = r->y_step; \
    const ptrdiff_t *s = r->step;             \
    const real c = r->c;                      \
    real *y = r->y;                           \
    (void)c;

/* y = value for the whole row; `value` is an expression in p, q, w and i. */
#define MAP_STORE(y_step, value)      \
    for (ptrdiff_t i = 0; i < n; i++) \
        y[i * (y_step)] = (value);

/* The usual strides have their own loops, because only these vectorise. A stretched operand is read
 * once, before the loop: otherwise the compiler must assume that a store to y changes it. */
#define MAP_LOOPS1(F)                                 \
    MAP_OPEN                                          \
    const real *p = r->x[0];                          \
    if (ys == 1 && s[0] == 1)                         \
        MAP_STORE(1, F(p[i]))                         \
    else                                              \
        MAP_STORE(ys, F(p[i * s[0]]))

#define MAP_LOOPS2(F)                                 \
    MAP_OPEN                                          \
    const real *p = r->x[0], *q = r->x[1];            \
    const real p0 = *p, q0 = *q;                      \
    if (ys == 1 && s[0] == 1 && s[1] == 1)            \
        MAP_STORE(1, F(p[i], q[i]))                   \
    else if (ys == 1 && s[0] == 1 && s[1] == 0)       \
        MAP_STORE(1, F(p[i], q0))                     \
    else if (ys == 1 && s[0] == 0 && s[1] == 1)       \
        MAP_STORE(1, F(p0, q[i]))                     \
    else                                              \
        MAP_STORE(ys, F(p[i * s[0]], q[i * s[1]]))

#define MAP_LOOPS3(F)                                           \
    MAP_OPEN                                                    \
    const real *p = r->x[0], *q = r->x[1], *w = r->x[2];        \
    if (ys == 1 && s[0] == 1 && s[1] == 1 && s[2] == 1)         \
        MAP_STORE(1, F(p[i], q[i], w[i]))                       \
    else                                                        \
        MAP_STORE(ys, F(p[i * s[0]], q[i * s[1]], w[i * s[2]]))

/* --- kernels from functions ------------------------------------------------------------------- */

/* MAP1, MAP2 and MAP1C with a linkage: `static`, or nothing for a kernel that other files call. */
#define MAP_KERNEL1(linkage, name, f)                             \
    static void name##_row(const MapRow *r) { MAP_LOOPS1(f) }     \
    linkage void name(Tensor *out, const Tensor *a)               \
    {                                                             \
        const Tensor *in[] = {a};                                 \
        tensor_map(name##_row, 0, out, 1, in, #name);             \
    }

#define MAP_KERNEL2(linkage, name, f)                                     \
    static void name##_row(const MapRow *r) { MAP_LOOPS2(f) }             \
    linkage void name(Tensor *out, const Tensor *a, const Tensor *b)      \
    {                                                                     \
        const Tensor *in[] = {a, b};                                      \
        tensor_map(name##_row, 0, out, 2, in, #name);                     \
    }

#define MAP_KERNEL1C(linkage, name, f)                            \
    static void name##_row(const MapRow *r)                       \
    {                                                             \
        MAP_OPEN                                                  \
        const real *p = r->x[0];                                  \
        if (ys == 1 && s[0] == 1)                                 \
            MAP_STORE(1, f(p[i], c))                              \
        else                                                      \
            MAP_STORE(ys, f(p[i * s[0]], c))                      \
    }                                                             \
    linkage void name(Tensor *out, const Tensor *a, real c)       \
    {                                                             \
        const Tensor *in[] = {a};                                 \
        tensor_map(name##_row, c, out, 1, in, #name);             \
    }

/* static void name(Tensor *out, const Tensor *a): out = f(a) */
#define MAP1(name, f) MAP_KERNEL1(static, name, f)

/* static void name(Tensor *out, const Tensor *a, const Tensor *b): out = f(a, b) */
#define MAP2(name, f) MAP_KERNEL2(static, name, f)

/* static void name(Tensor *out, a, b, d): out = f(a, b, d) */
#define MAP3(name, f)                                                                     \
    static void name##_row(const MapRow *r) { MAP_LOOPS3(f) }                             \
    static void name(Tensor *out, const Tensor *a, const Tensor *b, const Tensor *d)      \
    {                                                                                     \
        const Tensor *in[] = {a, b, d};                                                   \
        tensor_map(name##_row, 0, out, 3, in, #name);                                     \
    }

/* static void name(Tensor *out, const Tensor *a, real c): out = f(a, c), with c constant */
#define MAP1C(name, f) MAP_KERNEL1C(static, name, f)

SLOPE_C_END

#endif

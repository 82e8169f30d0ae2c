/* lessons/assignments/a4_avgpool/avgpool.h -- what the assignment asks for. Do not change this
 * file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_AVGPOOL_H
#define SLOPE_LESSONS_ASSIGNMENTS_AVGPOOL_H

#include "slope.h"

/* The sizes and options of an average pooling. Both ops keep them: y->attr points to an AvgPool. In
 * each pair, index 0 is the height and index 1 the width. */
typedef struct AvgPool {
    Pool2dOptions o; /* kernel, stride, padding */
    bool          count_include_pad;
    ptrdiff_t     planes, in[2], out[2]; /* N C, (H,W), (P,Q) */
} AvgPool;

/* The backward rule of each calls the other. */
extern const Op op_avg_pool2d, op_avg_pool2d_scatter;

/* Returns y (N,C,P,Q), the mean of each window of x (N,C,H,W): the sum of the window's elements in
 * the plane, divided by the kernel's area if count_include_pad, else by the number of those
 * elements.
 *
 * A stride of {0, 0} means the kernel's size. P = (H + 2 padding - kernel) / stride + 1, rounded
 * down, and Q likewise. x may have any strides, and N or C may be 0.
 *
 * Fails with a sentence that names var_avg_pool2d if
 *  - x does not have four axes, or H or W is 0; the sentence contains x's shape;
 *  - a kernel or a stride is below 1, or a padding below 0; the sentence contains that number;
 *  - a padding is more than half the kernel, rounded down; the sentence contains both;
 *  - a kernel is larger than the padded input; the sentence contains the kernel and the size of x
 *    (without padding) along that axis. */
Var *var_avg_pool2d(Var *x, Pool2dOptions options, bool count_include_pad);

/* The adjoint: y has the given shape x (N,C,H,W). Each element of g (N,C,P,Q) is divided as above
 * and added to every element of its window; elements in no window are 0. g may have any strides.
 *
 * Fails like var_avg_pool2d, but naming var_avg_pool2d_scatter, and also if g does not have the
 * shape to which x is pooled; the sentence contains both shapes. */
Var *var_avg_pool2d_scatter(Var *g, Shape x, Pool2dOptions options, bool count_include_pad);

/* What the samples of both ops call: a pooling of x (2,2,5,4), so g has shape (2,2,3,3). SHAPE is a
 * function call, which cannot initialize an Op: there, write .shape = {4, {2, 2, 5, 4}} for x. */
#define AVG_POOL_SAMPLE ((Pool2dOptions){.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}})
#define AVG_POOL_SAMPLE_SHAPE SHAPE(2, 2, 5, 4)
#define AVG_POOL_SAMPLE_COUNT_INCLUDE_PAD false

#endif

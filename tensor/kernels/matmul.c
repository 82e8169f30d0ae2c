/* tensor/kernels/matmul.c -- maps products of tensors to products of matrices: shapes, batches and
 * broadcasting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/matmul.h"

#include "tensor/kernels/gemm.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

/* The axes before the last two. */
static Shape matmul_batch(Shape s)
{
    s.ndim -= 2;
    return s;
}

Shape tensor_matmul_shape(Shape a, Shape b, const char *function)
{
    if (a.ndim < 2 || b.ndim < 2)
        slope_fail(function, "shapes %s and %s: a matrix product needs two axes or more on both "
                   "sides; reshape a vector to (1,n) or (n,1)", SHAPE_TEXT(a), SHAPE_TEXT(b));
    if (a.dim[a.ndim - 1] != b.dim[b.ndim - 2])
        slope_fail(function, "shapes %s and %s do not multiply: the left has %td columns, the "
                   "right %td rows; is one of them transposed?", SHAPE_TEXT(a), SHAPE_TEXT(b),
                   a.dim[a.ndim - 1], b.dim[b.ndim - 2]);
    Shape out;
    if (!shape_broadcast(matmul_batch(a), matmul_batch(b), &out, function))
        slope_fail(function, "shapes %s and %s: the axes before the last two do not broadcast",
                   SHAPE_TEXT(a), SHAPE_TEXT(b));
    if (out.ndim + 2 > MAX_DIMS)
        slope_fail(function, "the product would have %d axes; expected at most %d", out.ndim + 2,
                   MAX_DIMS);
    out.dim[out.ndim++] = a.dim[a.ndim - 2];
    out.dim[out.ndim++] = b.dim[b.ndim - 1];
    shape_check(out, function); /* fails if there are too many elements */
    return out;
}

/* A product of more than one matrix. */
typedef struct Matmul {
    Tensor       *out;
    const Tensor *a, *b;
    real         *c, *workspace; /* GEMM_WORKSPACE elements per worker */
} Matmul;

/* The matrix of x that belongs to matrix `index` of out, counted over its batch axes. */
static Matrix matmul_operand(const Tensor *x, Shape out, ptrdiff_t index)
{
    int last = x->shape.ndim - 1;
    Matrix m = {.p = tensor_read(x), .row = x->stride[last - 1], .col = x->stride[last]};
    for (int d = out.ndim - 3, i = last - 2; i >= 0; d--, i--) {
        if (x->shape.dim[i] > 1)
            m.p += index % out.dim[d] * x->stride[i];
        index /= out.dim[d];
    }
    return m;
}

/* Task: one matrix of out. */
static void matmul_batches(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Matmul *m = ctx;
    Shape out = m->out->shape;
    ptrdiff_t M = out.dim[out.ndim - 2], N = out.dim[out.ndim - 1];
    ptrdiff_t K = m->a->shape.dim[m->a->shape.ndim - 1];
    real *workspace = m->workspace + (ptrdiff_t)parallel_worker() * GEMM_WORKSPACE;
    for (ptrdiff_t i = begin; i < end; i++)
        tensor_gemm_in_workspace(workspace, M, N, K, matmul_operand(m->a, out, i),
                                 matmul_operand(m->b, out, i),
                                 (GemmOut){.p = m->c + i * M * N, .row = N});
}

void tensor_matmul(Tensor *out, const Tensor *a, const Tensor *b)
{
    tensor_check(out, "tensor_matmul");
    tensor_check(a, "tensor_matmul"), tensor_check(b, "tensor_matmul");
    Shape shape = tensor_matmul_shape(a->shape, b->shape, "tensor_matmul");
    if (!shape_equal(out->shape, shape) || !tensor_is_contiguous(out))
        slope_fail("tensor_matmul", "out must be contiguous and of shape %s, not %s",
                   SHAPE_TEXT(shape), SHAPE_TEXT(out->shape));
    Matmul m = {.out = out, .a = a, .b = b, .c = tensor_write(out)};
    ptrdiff_t batch = shape_count(matmul_batch(shape));
    if (tensor_count(out) == 0)
        return;
    if (batch == 1) {
        tensor_gemm(shape.dim[shape.ndim - 2], shape.dim[shape.ndim - 1],
                    a->shape.dim[a->shape.ndim - 1], matmul_operand(a, shape, 0),
                    matmul_operand(b, shape, 0),
                    (GemmOut){.p = m.c, .row = shape.dim[shape.ndim - 1]});
        return;
    }
    int workers = parallel_threads();
    size_t bytes = (size_t)workers * GEMM_WORKSPACE * sizeof(real);
    m.workspace = memory_take(bytes);
    parallel_for_workers(workers, batch, 1, matmul_batches, &m);
    memory_give(m.workspace, bytes);
}

void tensor_linear(Tensor *y, const Tensor *x, const Tensor *w, const Tensor *b)
{
    tensor_check(y, "tensor_linear");
    tensor_check(x, "tensor_linear"), tensor_check(w, "tensor_linear");
    ptrdiff_t O = w->shape.dim[0], D = w->shape.dim[1], M = O ? tensor_count(y) / O : 0;
    tensor_gemm(M, O, D, (Matrix){tensor_read(x), D, 1}, (Matrix){tensor_read(w), 1, D},
                (GemmOut){.p = tensor_write(y), .row = O, .col_bias = b ? tensor_read(b) : NULL});
}

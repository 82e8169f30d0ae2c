/* tensor/map.c -- traverses several strided tensors together, row by row, in parallel.
 *
 * Neighbouring axes that can be traversed as one in all operands are merged first, so contiguous
 * operands of any shape are one long row, and the traversal costs nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/map.h"

#include "tensor/parallel.h"

/* Elements per block: enough to justify waking a thread, and few enough for the blocks of a
 * 64x64x32x32 activation to be divided evenly. */
enum { MAP_BLOCK = 16384, MAP_OPERANDS = 1 + MAP_INPUTS };

/* The loop nest: `ndim` axes, and the strides of each operand (operand 0 is out). */
typedef struct MapLoop {
    MapRowFn  fn;
    int       ndim, operands;
    ptrdiff_t dim[MAX_DIMS];
    ptrdiff_t stride[MAP_OPERANDS][MAX_DIMS];
    MapRow    row; /* pointers to the first elements; n and steps of a whole row */
} MapLoop;

/* True if an axis of size dim with these strides continues axis `outer` without a jump, for every
 * operand. */
static bool map_axes_merge(const MapLoop *m, int outer, ptrdiff_t dim, const ptrdiff_t *stride)
{
    for (int k = 0; k < m->operands; k++)
        if (m->stride[k][outer] != stride[k] * dim)
            return false;
    return true;
}

static void map_add_axis(MapLoop *m, ptrdiff_t dim, const ptrdiff_t *stride)
{
    if (dim == 1)
        return;
    int at = m->ndim;
    if (at > 0 && map_axes_merge(m, at - 1, dim, stride))
        m->dim[--at] *= dim;
    else
        m->dim[at] = dim;
    for (int k = 0; k < m->operands; k++)
        m->stride[k][at] = stride[k];
    m->ndim = at + 1;
}

/* The stride of x along axis d of a shape with `ndim` axes that x stretches to. */
static ptrdiff_t map_stride(const Tensor *x, int ndim, int d)
{
    int i = d - (ndim - x->shape.ndim);
    return i < 0 || x->shape.dim[i] == 1 ? 0 : x->stride[i];
}

static MapLoop map_loop(MapRowFn fn, real c, Tensor *out, int n_in, const Tensor *const *in)
{
    MapLoop m = {.fn = fn, .operands = 1 + n_in, .row = {.y = tensor_write(out), .c = c}};
    for (int k = 0; k < n_in; k++)
        m.row.x[k] = tensor_read(in[k]);
    for (int d = 0; d < out->shape.ndim; d++) {
        ptrdiff_t stride[MAP_OPERANDS] = {out->stride[d]};
        for (int k = 0; k < n_in; k++)
            stride[1 + k] = map_stride(in[k], out->shape.ndim, d);
        map_add_axis(&m, out->shape.dim[d], stride);
    }
    if (m.ndim == 0) /* a single element: a row of one */
        m.dim[m.ndim++] = 1;
    m.row.n = m.dim[m.ndim - 1];
    m.row.y_step = m.stride[0][m.ndim - 1];
    for (int k = 0; k < n_in; k++)
        m.row.step[k] = m.stride[1 + k][m.ndim - 1];
    return m;
}

static void map_advance(MapRow *row, const MapLoop *m, int axis, ptrdiff_t by)
{
    row->y += by * m->stride[0][axis];
    for (int k = 0; k + 1 < m->operands; k++)
        row->x[k] += by * m->stride[1 + k][axis];
}

/* Part of the only row: elements [begin, end). */
static void map_run_elements(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const MapLoop *m = ctx;
    MapRow row = m->row;
    map_advance(&row, m, 0, begin);
    row.n = end - begin;
    m->fn(&row);
}

/* Whole rows [begin, end), counted in row-major order over the outer axes. */
static void map_run_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const MapLoop *m = ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        MapRow row = m->row;
        ptrdiff_t rest = i; /* one division per axis serves all operands */
        for (int d = m->ndim - 2; d >= 0; d--) {
            map_advance(&row, m, d, rest % m->dim[d]);
            rest /= m->dim[d];
        }
        m->fn(&row);
    }
}

void tensor_map(MapRowFn fn, real c, Tensor *out, int n_in, const Tensor *const *in,
                const char *function)
{
    tensor_check_out(out, function);
    for (int k = 0; k < n_in; k++) {
        tensor_check(in[k], function);
        if (!shape_stretches_to(in[k]->shape, out->shape))
            slope_fail(function, "operand %d has shape %s, which does not stretch to the "
                       "result's %s", k + 1, SHAPE_TEXT(in[k]->shape), SHAPE_TEXT(out->shape));
    }
    if (tensor_count(out) == 0)
        return;
    MapLoop m = map_loop(fn, c, out, n_in, in);
    ptrdiff_t rows = tensor_count(out) / m.row.n;
    if (m.ndim == 1)
        parallel_for(m.row.n, MAP_BLOCK, map_run_elements, &m);
    else
        parallel_for(rows, m.row.n < MAP_BLOCK ? MAP_BLOCK / m.row.n : 1, map_run_rows, &m);
}

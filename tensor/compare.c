/* tensor/compare.c -- compares tensors, finds NaNs and maxima, and computes statistics.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "tensor/tensor.h"

static void compare_check(const Tensor *a, const Tensor *b, const char *function)
{
    tensor_check(a, function);
    tensor_check(b, function);
}

bool tensor_same_bits(const Tensor *a, const Tensor *b)
{
    compare_check(a, b, "tensor_same_bits");
    if (!shape_equal(a->shape, b->shape))
        return false;
    const real *p = tensor_read(a), *q = tensor_read(b);
    for (ptrdiff_t i = 0, n = tensor_count(a); i < n; i++)
        if (memcmp(p + tensor_locate(a, i), q + tensor_locate(b, i), sizeof(real)) != 0)
            return false;
    return true;
}

static bool compare_close(double x, double y, double atol, double rtol)
{
    if (isnan(x) || isnan(y))
        return isnan(x) && isnan(y);
    if (isinf(x) || isinf(y))
        return x == y;
    return fabs(x - y) <= atol + rtol * fabs(y);
}

bool tensor_all_close(const Tensor *a, const Tensor *b, double atol, double rtol)
{
    compare_check(a, b, "tensor_all_close");
    if (!shape_equal(a->shape, b->shape))
        return false;
    const real *p = tensor_read(a), *q = tensor_read(b);
    for (ptrdiff_t i = 0, n = tensor_count(a); i < n; i++) {
        double x = (double)p[tensor_locate(a, i)], y = (double)q[tensor_locate(b, i)];
        if (!compare_close(x, y, atol, rtol))
            return false;
    }
    return true;
}

double tensor_max_difference(const Tensor *a, const Tensor *b)
{
    compare_check(a, b, "tensor_max_difference");
    if (!shape_equal(a->shape, b->shape))
        slope_fail("tensor_max_difference", "shapes %s and %s differ", SHAPE_TEXT(a->shape),
                   SHAPE_TEXT(b->shape));
    double max = 0;
    const real *p = tensor_read(a), *q = tensor_read(b);
    for (ptrdiff_t i = 0, n = tensor_count(a); i < n; i++) {
        double x = (double)p[tensor_locate(a, i)], y = (double)q[tensor_locate(b, i)];
        double difference = x == y ? 0 : fabs(x - y); /* Inf - Inf would be NaN */
        if (!(difference <= max))
            max = difference;
        if (isnan(max))
            break;
    }
    return max;
}

ptrdiff_t tensor_find_nonfinite(const Tensor *x)
{
    tensor_check(x, "tensor_find_nonfinite");
    const real *p = tensor_read(x);
    for (ptrdiff_t i = 0, n = tensor_count(x); i < n; i++)
        if (!isfinite(p[tensor_locate(x, i)]))
            return i;
    return -1;
}

/* Is a larger than b? A NaN is larger than every number, so that it does not go unnoticed. */
static bool compare_beats(real a, real b)
{
    return a > b || (isnan(a) && !isnan(b));
}

void tensor_argmax_rows(int32_t *place, const Tensor *x)
{
    tensor_check(x, "tensor_argmax_rows");
    if (!place)
        slope_fail("tensor_argmax_rows", "place is NULL; expected an array with one element per "
                   "row");
    if (x->shape.ndim != 2 || x->shape.dim[1] == 0)
        slope_fail("tensor_argmax_rows", "expected a matrix (N,D) with D > 0, found shape %s",
                   SHAPE_TEXT(x->shape));
    for (ptrdiff_t i = 0; i < x->shape.dim[0]; i++) {
        const real *row = tensor_read(x) + i * x->stride[0];
        ptrdiff_t best = 0;
        for (ptrdiff_t j = 1; j < x->shape.dim[1]; j++)
            if (compare_beats(row[j * x->stride[1]], row[best * x->stride[1]]))
                best = j;
        place[i] = (int32_t)best;
    }
}

Stats tensor_stats(const Tensor *x)
{
    tensor_check(x, "tensor_stats");
    ptrdiff_t n = tensor_count(x);
    const double none = (double)NAN;
    Stats s = {.count = n, .mean = none, .std = none, .min = none, .max = none};
    const real *p = tensor_read(x);
    double sum = 0, squares = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        double v = (double)p[tensor_locate(x, i)];
        sum += v;
        s.min = i == 0 || v < s.min || isnan(v) ? v : s.min;
        s.max = i == 0 || v > s.max || isnan(v) ? v : s.max;
    }
    if (n > 0)
        s.mean = sum / (double)n;
    for (ptrdiff_t i = 0; i < n; i++) {
        double d = (double)p[tensor_locate(x, i)] - s.mean;
        squares += d * d;
    }
    if (n > 1)
        s.std = sqrt(squares / (double)(n - 1));
    return s;
}

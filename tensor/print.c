/* tensor/print.c -- prints tensors with aligned columns, eliding the middle of long axes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "tensor/tensor.h"

enum {
    PRINT_WHOLE = 1000, /* a tensor with more elements is elided, as in NumPy */
    PRINT_EDGE = 3,     /* elements kept at each end of an elided axis */
    PRINT_CELL = 32,
};

/* The format of all elements of a tensor. */
typedef struct PrintStyle {
    bool elide, scientific, whole;
    int  width;
} PrintStyle;

static void print_cell(char cell[PRINT_CELL], const PrintStyle *style, double v)
{
    if (!isfinite(v))
        snprintf(cell, PRINT_CELL, "%s", isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
    else if (style->scientific)
        snprintf(cell, PRINT_CELL, "%.4e", v);
    else
        snprintf(cell, PRINT_CELL, style->whole ? "%.0f." : "%.4f", v);
}

/* Chooses a style that suits all elements. NumPy's rule: scientific notation if the range of values
 * would otherwise hide digits. */
static PrintStyle print_style(const Tensor *x)
{
    ptrdiff_t n = tensor_count(x);
    PrintStyle s = {.elide = n > PRINT_WHOLE, .whole = true};
    double largest = 0, smallest = HUGE_VAL;
    for (ptrdiff_t i = 0; i < n; i++) {
        double v = fabs((double)tensor_read(x)[tensor_locate(x, i)]);
        if (!isfinite(v))
            continue;
        s.whole = s.whole && v == floor(v);
        largest = v > largest ? v : largest;
        smallest = v > 0 && v < smallest ? v : smallest;
    }
    s.scientific = largest >= 1e8 || (largest > 0 && smallest < 1e-4) || largest / smallest > 1e4;
    s.scientific = s.scientific && !(s.whole && largest < 1e8);
    for (ptrdiff_t i = 0; i < n; i++) {
        char cell[PRINT_CELL];
        print_cell(cell, &s, (double)tensor_read(x)[tensor_locate(x, i)]);
        s.width = (int)strlen(cell) > s.width ? (int)strlen(cell) : s.width;
    }
    return s;
}

/* Between two elements of the last axis: a space. Between two parts along another axis: a line
 * break, a blank line for each further axis inside, and the indentation that aligns the next part
 * with the first. */
static void print_separator(FILE *out, int axis, int ndim)
{
    if (axis + 1 == ndim) {
        fprintf(out, " ");
        return;
    }
    for (int d = axis + 1; d < ndim; d++)
        fprintf(out, "\n");
    fprintf(out, "%*s", (int)strlen("tensor(") + axis + 1, "");
}

static void print_axis(FILE *out, const Tensor *x, const PrintStyle *style, int axis, const real *p)
{
    if (axis == x->shape.ndim) {
        char cell[PRINT_CELL];
        print_cell(cell, style, (double)*p);
        fprintf(out, "%*s", style->width, cell);
        return;
    }
    ptrdiff_t n = x->shape.dim[axis];
    bool elide = style->elide && n > 2 * PRINT_EDGE;
    fprintf(out, "[");
    for (ptrdiff_t i = 0; i < n; i++) {
        if (i > 0)
            print_separator(out, axis, x->shape.ndim);
        if (elide && i == PRINT_EDGE) {
            fprintf(out, "...");
            i = n - PRINT_EDGE - 1;
        } else {
            print_axis(out, x, style, axis + 1, p + i * x->stride[axis]);
        }
    }
    fprintf(out, "]");
}

static void print_tensor(FILE *out, const Tensor *x, const char *function)
{
    tensor_check(x, function);
    PrintStyle style = print_style(x);
    fprintf(out, "tensor(");
    if (tensor_count(x) == 0)
        fprintf(out, "[]");
    else
        print_axis(out, x, &style, 0, tensor_read(x));
    fprintf(out, ", shape=%s)\n", SHAPE_TEXT(x->shape));
}

void tensor_fprint(FILE *out, const Tensor *x)
{
    print_tensor(out, x, "tensor_fprint");
}

void tensor_print(const Tensor *x)
{
    print_tensor(stdout, x, "tensor_print");
}

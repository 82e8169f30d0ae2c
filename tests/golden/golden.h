/* tests/golden/golden.h -- reads the files of tests/golden/, and compares tensors with them.
 *
 *  - golden_each(file, fn) calls fn for every case of a file; fn finds the case's tensors by name.
 *    The format is described in tests/golden/make_golden.py.
 *  - The files are read from tests/golden under the current folder, or from the folder named by
 *    SLOPE_GOLDEN.
 *  - A tensor agrees if max |difference| <= tolerance * max |reference|; NaN and Inf must be in
 *    the same places. All disagreements are printed before golden_each fails.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_GOLDEN_GOLDEN_H
#define SLOPE_TESTS_GOLDEN_GOLDEN_H

#include <math.h>
#include <string.h>

#include "autograd/var.h"
#include "tests/testing.h"

#ifdef SLOPE_DOUBLE
static const double golden_tolerance = 1e-10, golden_training_tolerance = 1e-10;
#else
static const double golden_tolerance = 1e-5, golden_training_tolerance = 1e-4;
#endif

/* --- reading ---------------------------------------------------------------------------------- */

enum { GOLDEN_TENSORS = 256, GOLDEN_COUNT = 100000 };

typedef struct GoldenTensor {
    char    name[64];
    Shape   shape;
    double *value;
} GoldenTensor;

typedef struct Golden {
    char call[32], variant[64];
    GoldenTensor tensor[GOLDEN_TENSORS];
    int n;
    int differences; /* found so far */
} Golden;

static inline FILE *golden_open(const char *name)
{
    const char *folder = getenv("SLOPE_GOLDEN");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "tests/golden", name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: not found; run from the repository's root or set SLOPE_GOLDEN",
                  path);
    return file;
}

static inline ptrdiff_t golden_read_size(FILE *file)
{
    int size = -1;
    ck_assert_int_eq(fscanf(file, "%d", &size), 1);
    ck_assert_int_ge(size, 0);
    ck_assert_int_le(size, GOLDEN_COUNT);
    return size;
}

static inline void golden_read_tensor(FILE *file, GoldenTensor *t)
{
    ptrdiff_t dim[MAX_DIMS] = {0}, count = 1;
    ck_assert_int_eq(fscanf(file, "%63s", t->name), 1);
    int ndim = (int)golden_read_size(file);
    ck_assert_int_le(ndim, MAX_DIMS);
    for (int i = 0; i < ndim; i++) {
        count *= dim[i] = golden_read_size(file);
        ck_assert_int_le(count, GOLDEN_COUNT);
    }
    t->shape = shape_new(ndim, dim);
    t->value = malloc((size_t)(count + 1) * sizeof(double));
    ck_assert_ptr_nonnull(t->value);
    for (ptrdiff_t i = 0; i < count; i++)
        ck_assert_int_eq(fscanf(file, "%lf", &t->value[i]), 1);
}

/* The next case, or NULL at the end of the file. Free it with golden_free. */
static inline Golden *golden_read(FILE *file)
{
    char word[32];
    if (fscanf(file, "%31s", word) != 1)
        return NULL;
    ck_assert_str_eq(word, "case");
    Golden *g = calloc(1, sizeof *g);
    ck_assert_ptr_nonnull(g);
    ck_assert_int_eq(fscanf(file, "%31s %63s", g->call, g->variant), 2);
    while (fscanf(file, "%31s", word) == 1 && strcmp(word, "end") != 0) {
        ck_assert_str_eq(word, "tensor");
        ck_assert_int_lt(g->n, GOLDEN_TENSORS);
        golden_read_tensor(file, &g->tensor[g->n++]);
    }
    ck_assert_str_eq(word, "end");
    return g;
}

static inline void golden_free(Golden *g)
{
    for (int i = 0; i < g->n; i++)
        free(g->tensor[i].value);
    free(g);
}

static inline const GoldenTensor *golden_find(const Golden *g, const char *name)
{
    for (int i = 0; i < g->n; i++)
        if (strcmp(g->tensor[i].name, name) == 0)
            return &g->tensor[i];
    return NULL;
}

static inline const GoldenTensor *golden_get(const Golden *g, const char *name)
{
    const GoldenTensor *t = golden_find(g, name);
    ck_assert_msg(t != NULL, "%s %s has no tensor %s", g->call, g->variant, name);
    return t;
}

/* "g" and 2 give "g2", in one of two buffers that are used in turn. */
static inline const char *golden_name(const char *stem, int number)
{
    static char text[2][32];
    static int turn;
    turn = 1 - turn;
    snprintf(text[turn], sizeof text[turn], "%s%d", stem, number);
    return text[turn];
}

static inline Tensor *golden_tensor(const GoldenTensor *t)
{
    Tensor *x = tensor_new(t->shape);
    real *p = tensor_write(x);
    for (ptrdiff_t i = 0, n = tensor_count(x); i < n; i++)
        p[i] = (real)t->value[i];
    return x;
}

/* A constant on the tape. */
static inline Var *golden_const(const GoldenTensor *t)
{
    Tensor *x = golden_tensor(t);
    Var *v = var_const(x);
    tensor_free(x);
    return v;
}

static inline Var *golden_leaf(const GoldenTensor *t)
{
    Var *v = golden_const(t);
    v->requires_grad = true;
    return v;
}

/* The class labels of the case; free their data. */
static inline Labels golden_labels(const Golden *g)
{
    const GoldenTensor *t = golden_get(g, "c0");
    Labels labels = {.count = t->shape.dim[0]};
    labels.data = malloc((size_t)labels.count * sizeof *labels.data);
    ck_assert_ptr_nonnull(labels.data);
    for (ptrdiff_t i = 0; i < labels.count; i++)
        labels.data[i] = (int32_t)t->value[i];
    return labels;
}

/* --- comparing -------------------------------------------------------------------------------- */

static inline double golden_scale(const GoldenTensor *t)
{
    double scale = 0;
    for (ptrdiff_t i = 0, n = shape_count(t->shape); i < n; i++)
        if (isfinite(t->value[i]))
            scale = fmax(scale, fabs(t->value[i]));
    return scale;
}

/* x = NULL, no gradient, is compared as zeros. */
static inline void golden_compare(Golden *g, const char *name, const Tensor *x, double tolerance)
{
    const GoldenTensor *t = golden_get(g, name);
    bool same_shape = !x || shape_equal(x->shape, t->shape);
    if (!same_shape)
        fprintf(stderr, "%s %s: %s has shape %s, expected %s\n", g->call, g->variant, name,
                SHAPE_TEXT(x->shape), SHAPE_TEXT(t->shape));
    g->differences += !same_shape;
    double allowed = tolerance * golden_scale(t);
    for (ptrdiff_t i = 0, n = same_shape ? shape_count(t->shape) : 0; i < n; i++) {
        double found = x ? (double)tensor_read(x)[tensor_locate(x, i)] : 0;
        if (testing_close(found, t->value[i], allowed))
            continue;
        fprintf(stderr, "%s %s: %s, element %td, is %.9g, expected %.9g +- %.2g\n", g->call,
                g->variant, name, i, found, t->value[i], allowed);
        g->differences++;
    }
}

static inline void golden_compare_var(Golden *g, const char *name, const Var *x, double tolerance)
{
    golden_compare(g, name, x ? x->value : NULL, tolerance);
}

/* Calls fn for every case of a file; returns the number of cases. */
static inline int golden_each(const char *file_name, void (*fn)(Golden *g))
{
    FILE *file = golden_open(file_name);
    int cases = 0, differences = 0;
    for (Golden *g; (g = golden_read(file)); cases++) {
        fn(g);
        differences += g->differences;
        golden_free(g);
    }
    fclose(file);
    ck_assert_msg(differences == 0, "%d values of %s differ from PyTorch's", differences,
                  file_name);
    return cases;
}

#endif

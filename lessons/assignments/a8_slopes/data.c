/* lessons/assignments/a8_slopes/data.c -- the data sets that a submission gets; included by rows.c.
 *
 *  - A Task is a set to train on and a set to classify, whose labels stay in the judge.
 *  - mixture draws clusters of points, several per class; spirals_task, turned spirals. No linear
 *    classifier does well on either.
 *  - Everything is on the judge's tape and lasts until the end of the test.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lessons/assignments/judge/judge.h"

typedef struct Task {
    int       classes;
    ptrdiff_t n, m;         /* examples to train on, and to classify */
    Shape     sample;
    Var      *train, *test; /* (n, sample), (m, sample) */
    Var      *label, *truth; /* (n), (m): classes as numbers */
} Task;

/* --- examples --------------------------------------------------------------------------------- */

static real *elements(const Var *x)
{
    return tensor_write(x->value);
}

static Shape batch_shape(ptrdiff_t count, Shape sample)
{
    Shape s = {.ndim = sample.ndim + 1, .dim = {count}};
    for (int d = 0; d < sample.ndim; d++)
        s.dim[d + 1] = sample.dim[d];
    return s;
}

static Task task_new(ptrdiff_t n, ptrdiff_t m, Shape sample, int classes)
{
    Task t = {.classes = classes, .n = n, .m = m, .sample = sample};
    t.train = var_empty(batch_shape(n, sample)), t.label = var_empty(SHAPE(n));
    t.test = var_empty(batch_shape(m, sample)), t.truth = var_empty(SHAPE(m));
    return t;
}

/* The features and the label of example i, of which the first n are those to train on. */
static real *task_example(const Task *t, ptrdiff_t i)
{
    ptrdiff_t features = shape_count(t->sample);
    return i < t->n ? elements(t->train) + i * features : elements(t->test) + (i - t->n) * features;
}

static real *task_label(const Task *t, ptrdiff_t i)
{
    return i < t->n ? elements(t->label) + i : elements(t->truth) + (i - t->n);
}

/* --- mixtures --------------------------------------------------------------------------------- */

static double least_distance(const real *center, int n, ptrdiff_t features)
{
    double least = HUGE_VAL;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            double sum = 0;
            for (ptrdiff_t d = 0; d < features; d++)
                sum += pow((double)(center[i * features + d] - center[j * features + d]), 2);
            least = fmin(least, sqrt(sum));
        }
    return least;
}

/* n random centers (n, features), and the same mirrored at 0 after them. */
static real *draw_pairs(int n, ptrdiff_t features)
{
    real *center = elements(judge_input(SHAPE(2 * n, features), -1, 1));
    for (ptrdiff_t i = 0; i < n * features; i++)
        center[n * features + i] = -center[i];
    return center;
}

/* Of several draws, the one whose centers are farthest apart. */
static const real *draw_centers(int n, ptrdiff_t features)
{
    const real *best = draw_pairs(n, features);
    for (int i = 0; i < 200; i++) {
        const real *center = draw_pairs(n, features);
        if (least_distance(center, 2 * n, features) > least_distance(best, 2 * n, features))
            best = center;
    }
    return best;
}

/* Normal clusters, of which each class has two, on opposite sides of 0: a linear classifier gets at
 * most three of four right. The closest are `apart` standard deviations apart: 8 makes them easy to
 * tell. The first examples have classes 0, 1 ... in turn, the others
 * random ones. */
static Task mixture(ptrdiff_t n, ptrdiff_t m, Shape sample, int classes, double apart)
{
    Task t = task_new(n, m, sample, classes);
    ptrdiff_t features = shape_count(sample);
    const real *center = draw_centers(classes, features);
    double std = least_distance(center, 2 * classes, features) / apart;
    for (ptrdiff_t i = 0; i < n + m; i++) {
        int cluster = (int)(i < 2 * classes ? (uint64_t)i
                                            : rng_below(judge_rng(), 2 * (uint64_t)classes));
        real *x = task_example(&t, i);
        for (ptrdiff_t d = 0; d < features; d++)
            x[d] = center[cluster * features + d] + (real)std * rng_normal(judge_rng());
        *task_label(&t, i) = (real)(cluster % classes);
    }
    return t;
}

/* --- spirals ---------------------------------------------------------------------------------- */

/* Spirals that are turned by a random angle, mirrored or not, in random order. */
static Task spirals_task(ptrdiff_t n, ptrdiff_t m, int arms, double noise)
{
    Task t = task_new(n, m, SHAPE(2), arms);
    Dataset *data = spirals_new(n + m, arms, (real)noise, rng_next(judge_rng()));
    Var *order = var_empty(SHAPE(n + m)); /* as int32_t */
    int32_t *from = (int32_t *)(void *)elements(order);
    rng_permutation(judge_rng(), n + m, from);
    double angle = 6.28 * (double)rng_uniform(judge_rng()), c = cos(angle), s = sin(angle);
    double mirror = rng_below(judge_rng(), 2) ? 1 : -1;
    for (ptrdiff_t i = 0; i < n + m; i++) {
        const real *p = data->features + 2 * from[i];
        real *x = task_example(&t, i);
        x[0] = (real)(mirror * (c * (double)p[0] - s * (double)p[1]));
        x[1] = (real)(s * (double)p[0] + c * (double)p[1]);
        *task_label(&t, i) = (real)data->labels.data[from[i]];
    }
    dataset_free(data);
    return t;
}

/* --- changes ---------------------------------------------------------------------------------- */

static void swap_examples(const Task *t, ptrdiff_t i, ptrdiff_t j)
{
    real *x = task_example(t, i), *y = task_example(t, j), *a = task_label(t, i), old = *a;
    for (ptrdiff_t d = 0; d < shape_count(t->sample); d++) {
        real z = x[d];
        x[d] = y[d], y[d] = z;
    }
    *a = *task_label(t, j), *task_label(t, j) = old;
}

/* Sorts the examples to train on by class. */
static void sort_classes(const Task *t)
{
    ptrdiff_t sorted = 0;
    for (int k = 0; k < t->classes; k++)
        for (ptrdiff_t i = sorted; i < t->n; i++)
            if (*task_label(t, i) == (real)k)
                swap_examples(t, i, sorted++);
}

/* Puts each feature d on a scale of its own: x becomes factor[d] (x + offset[d]). The last one
 * becomes 0 everywhere. */
static void rescale(const Task *t)
{
    ptrdiff_t features = shape_count(t->sample);
    Var *power = judge_input(SHAPE(features), 2, 4), *offset = judge_input(SHAPE(features), 2, 4);
    for (ptrdiff_t i = 0; i < t->n + t->m; i++) {
        real *x = task_example(t, i);
        for (ptrdiff_t d = 0; d < features; d++)
            x[d] = (x[d] + elements(offset)[d]) *
                   (real)pow(10, (d % 2 ? 1 : -1) * (double)elements(power)[d]);
        x[features - 1] = 0;
    }
}

/* The same examples to train on and, of those to classify, the ones whose first feature is above 0,
 * each twice and in reverse order; from[i] is the index in t of the new example i. */
static Task biased(const Task *t, ptrdiff_t *from)
{
    ptrdiff_t m = 0;
    for (ptrdiff_t i = t->m - 1; i >= 0; i--)
        if (*task_example(t, t->n + i) > 0)
            from[m] = from[m + 1] = i, m += 2;
    Task b = task_new(t->n, m, t->sample, t->classes);
    b.train = t->train, b.label = t->label;
    size_t bytes = (size_t)shape_count(t->sample) * sizeof(real);
    for (ptrdiff_t i = 0; i < m; i++) {
        memcpy(task_example(&b, b.n + i), task_example(t, t->n + from[i]), bytes);
        *task_label(&b, b.n + i) = *task_label(t, t->n + from[i]);
    }
    return b;
}

/* lessons/kit/filters.c -- drawing the filters of a convolution, and what they do to an image.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/filters.h"

#include <math.h>

#include "tensor/memory.h"

/* A convolution's filters and their slopes, sorted by slope. */
typedef struct Filters {
    int count, height, width;
    int *order;     /* (count): the channel at each position */
    double *slope;  /* (count) */
    double *weight; /* (count, height, width): mean over the input channels */
} Filters;

static int filters_most(const double *slope, const int *order, int n, double limit)
{
    while (n > 0 && slope[order[n - 1]] > limit)
        n--;
    return n;
}

/* Insertion sort, so that equal slopes keep the order of their channels. */
static void filters_sort(const double *slope, int *order, int count)
{
    for (int i = 0; i < count; i++) {
        int place = filters_most(slope, order, i, slope[i]);
        for (int k = i; k > place; k--)
            order[k] = order[k - 1];
        order[place] = i;
    }
}

static Filters filters_new(const Module *conv, const Module *prelu)
{
    const Tensor *w = module_param(conv, "weight")->value;
    const Tensor *a = module_param(prelu, "weight")->value;
    ptrdiff_t channels = w->shape.dim[1], area = w->shape.dim[2] * w->shape.dim[3];
    Filters f = {.count = (int)w->shape.dim[0],
                 .height = (int)w->shape.dim[2],
                 .width = (int)w->shape.dim[3]};
    size_t count = (size_t)f.count;
    f.order = memory_new_array(count, sizeof *f.order);
    f.slope = memory_new_array(count, sizeof *f.slope);
    f.weight = memory_new_array(count * (size_t)area, sizeof *f.weight);
    double *unsorted = memory_new_array(count, sizeof *unsorted);
    for (int i = 0; i < f.count; i++)
        unsorted[i] = (double)tensor_read(a)[i];
    filters_sort(unsorted, f.order, f.count);
    for (int i = 0; i < f.count; i++) {
        f.slope[i] = unsorted[f.order[i]];
        for (ptrdiff_t k = 0; k < channels * area; k++)
            f.weight[i * area + k % area] += (double)tensor_read(
                                                 w)[f.order[i] * channels * area + k] /
                                             (double)channels;
    }
    memory_free(unsorted);
    return f;
}

static void filters_free(Filters *f)
{
    memory_free(f->order), memory_free(f->slope), memory_free(f->weight);
}

static double filters_largest(const double *values, int n)
{
    double most = 0;
    for (int i = 0; i < n; i++)
        most = fmax(most, fabs(values[i]));
    return most > 0 ? most : 1;
}

void draw_filters(const Lesson *lesson, const char *name, const char *title, Module *conv,
                  Module *prelu, int columns)
{
    Filters f = filters_new(conv, prelu);
    double most = filters_largest(f.weight, f.count * f.height * f.width);
    Plot *p = plot_new(lesson, name, title, 1, 1);
    plot_size(p, 760, 820);
    plot_panel(p, "",
               "black: negative weights; grey: 0; white: positive. Sorted by slope", "");
    plot_no_axes(p);
    plot_set(p, "set xlabel offset 0,-1");
    for (int i = 0; i < f.count; i++)
        plot_centered(p, i % columns * (f.width + 1) + (f.width - 1) / 2.0,
                      i / columns * (f.height + 1) + f.height, "%.2f", f.slope[i]);
    plot_grey_range(p, -most, most);
    plot_tiles(p, f.count / columns, columns, f.height, f.width, f.weight);
    plot_draw(p);
    filters_free(&f);
}

static void filters_panel(Plot *p, const char *title, int height, int width, const double *values,
                          double most)
{
    plot_panel(p, title, "", "");
    plot_no_axes(p);
    plot_grey_range(p, -most, most);
    plot_image(p, height, width, values);
}

/* Channel `channel` of the image y before and after PReLU, on the same grey scale. */
static void filters_answers(Plot *p, const Tensor *y, const Tensor *after, int channel)
{
    int height = (int)y->shape.dim[2], width = (int)y->shape.dim[3], area = height * width;
    double *plane = memory_new_array((size_t)area, sizeof *plane), most = 0;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < area; i++)
            plane[i] = (double)tensor_read(k ? after : y)[channel * area + i];
        most = k ? most : filters_largest(plane, area);
        filters_panel(p, k ? "after PReLU" : "its output: white +, black -", height, width,
                      plane, most);
    }
    memory_free(plane);
}

void draw_responses(const Lesson *lesson, const char *name, const char *title, Module *conv,
                    Module *prelu, const Tensor *image)
{
    size_t mark = tape_mark();
    Filters f = filters_new(conv, prelu);
    Var *y = module_forward(conv, var_const(image)), *after = module_forward(prelu, y);
    Plot *p = plot_new(lesson, name, title, 3, 3);
    plot_size(p, 900, 980);
    for (int row = 0; row < 3; row++) {
        int i = row * (f.count - 1) / 2, area = f.height * f.width;
        char text[64];
        snprintf(text, sizeof text, "filter %d, slope %.2f", f.order[i], f.slope[i]);
        filters_panel(p, text, f.height, f.width, f.weight + i * area,
                      filters_largest(f.weight + i * area, area));
        filters_answers(p, y->value, after->value, f.order[i]);
    }
    plot_draw(p);
    filters_free(&f);
    tape_rewind(mark);
}

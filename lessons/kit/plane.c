/* lessons/kit/plane.c -- a network's output on a square of the plane, and how it changes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/plane.h"

#include <math.h>

void plane_read(Module *net, double *plane)
{
    size_t mark = tape_mark();
    no_grad_begin();
    Var *x = var_empty(SHAPE(PLANE * PLANE, 2));
    real *at = tensor_write(x->value);
    for (int i = 0; i < PLANE * PLANE; i++) {
        at[2 * i] = (real)(PLANE_EDGE * (2.0 * (i % PLANE) / (PLANE - 1) - 1));
        at[2 * i + 1] = (real)(PLANE_EDGE * (1 - 2.0 * (i / PLANE) / (PLANE - 1)));
    }
    Var *p = var_softmax(module_forward(net, x), 1);
    for (int i = 0; i < PLANE * PLANE; i++)
        plane[i] = (double)tensor_read(p->value)[2 * i];
    no_grad_end();
    tape_rewind(mark);
}

/* The picture's column for an x1; for an x2, plane_pixel(-x2) is the row. */
static double plane_pixel(double v) { return (v + PLANE_EDGE) / (2 * PLANE_EDGE) * (PLANE - 1); }

static void plot_class(Plot *p, const Dataset *data, int class, const char *legend)
{
    double *x = memory_new_array((size_t)data->count, sizeof *x),
           *y = memory_new_array((size_t)data->count, sizeof *y);
    int n = 0;
    for (ptrdiff_t i = 0; i < data->count; i++) {
        if (data->labels.data[i] != class)
            continue;
        x[n] = plane_pixel((double)data->features[2 * i]);
        y[n++] = plane_pixel(-(double)data->features[2 * i + 1]);
    }
    plot_points(p, legend, n, x, y);
    memory_free(x), memory_free(y);
}

void plot_plane(Plot *p, const double *plane, const Dataset *data)
{
    char tics[96];
    double low = plane_pixel(-1), high = plane_pixel(1);
    plot_image(p, PLANE, PLANE, plane);
    plot_set(p, "set palette defined (0 '#f0a070', 0.499 '#fbeee4', 0.501 '#e6f1f8', 1 '#78b4dc')");
    plot_grey_range(p, 0, 1);
    snprintf(tics, sizeof tics, "set xtics ('-1' %g, '0' %d, '1' %g)", low, PLANE / 2, high);
    plot_set(p, tics);
    snprintf(tics, sizeof tics, "set ytics ('1' %g, '0' %d, '-1' %g)", low, PLANE / 2, high);
    plot_set(p, tics);
    plot_set(p, "set pointsize 0.5");
    plot_class(p, data, 0, "class 0"), plot_class(p, data, 1, "class 1");
}

/* --- a film ----------------------------------------------------------------------------------- */

static void film_shoot(Film *film, Module *net, int64_t step)
{
    if (film->n > FILM_FRAMES || (double)step < film->steps * pow(film->n / (double)FILM_FRAMES, 2))
        return;
    film->step[film->n] = (double)step;
    plane_read(net, film->plane + film->n++ * PLANE * PLANE);
}

Film *film_new(Module *net, int steps)
{
    Film *film = memory_new(sizeof *film);
    *film = (Film){.steps = steps};
    film->plane = memory_new_array((FILM_FRAMES + 1) * PLANE * PLANE, sizeof *film->plane);
    film_shoot(film, net, 0);
    return film;
}

void film_free(Film *film)
{
    memory_free(film->plane);
    memory_free(film);
}

void film_step(const Trainer *t, int64_t step, void *film) { film_shoot(film, t->net, step); }

void plot_film(const Lesson *lesson, const char *name, const char *title, const Film *film,
               const Dataset *data)
{
    Plot *p = plot_new(lesson, name, title, 1, 1);
    plot_as_gif(p, 25), plot_size(p, 480, 500);
    for (int i = 0; i < film->n; i++) {
        char moment[48];
        snprintf(moment, sizeof moment, "after step %.0f", film->step[i]);
        plot_panel(p, moment, "x1", "x2");
        plot_plane(p, film->plane + i * PLANE * PLANE, data);
    }
    plot_draw(p);
}

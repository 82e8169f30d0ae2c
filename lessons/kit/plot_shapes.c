/* lessons/kit/plot_shapes.c -- diagrams of boxes and arrows, matrices, images.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "lessons/kit/plot_script.h"

/* --- diagrams --------------------------------------------------------------------------------- */

void plot_no_axes(Plot *p)
{
    fprintf(p->script, "unset border\nunset xtics\nunset ytics\nunset grid\n");
    p->has_shapes |= p->panels == 1;
}

static void plot_place(Plot *p, double x, double y, const char *format, va_list args)
{
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    slope_plot_tell(p, "; %s", text);
    fprintf(p->script, "set label '%s' at first %.9g, first %.9g center front\n",
            slope_plot_text(text), x, y);
}

void plot_centered(Plot *p, double x, double y, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    plot_place(p, x, y, format, args);
    va_end(args);
}

void plot_box(Plot *p, double x, double y, double width, double height, const char *format, ...)
{
    fprintf(p->script,
            "set object rectangle center first %.9g, first %.9g size first %.9g, first %.9g "
            "fillstyle empty border linecolor rgb '#888888'\n",
            x, y, width, height);
    va_list args;
    va_start(args, format);
    plot_place(p, x, y, format, args);
    va_end(args);
}

/* A curve of many straight pieces; an arrow along the last piece draws the head. */
void plot_arc(Plot *p, int style, const char *legend, double x, double bulge, double from,
              double to)
{
    enum { ARC = 40 };
    double u[ARC], v[ARC];
    for (int i = 0; i < ARC; i++) {
        double angle = acos(-1) * i / (ARC - 1);
        u[i] = x + bulge * sin(angle);
        v[i] = from + (to - from) * (1 - cos(angle)) / 2;
    }
    char text[96];
    snprintf(text, sizeof text, "lines linetype %d", style);
    slope_plot_xy(p, text, legend, ARC, u, v);
    fprintf(p->script,
            "set arrow from first %.9g, %.9g to first %.9g, %.9g head filled size screen 0.012, 20 "
            "fixed linetype %d dashtype 1\n",
            u[ARC - 2], v[ARC - 2], u[ARC - 1], v[ARC - 1], style);
}

/* --- matrices and images ---------------------------------------------------------------------- */

/* Writes rows x columns values as a matrix block; returns its index. */
static int plot_matrix_block(Plot *p, int rows, int columns, const double *values)
{
    fprintf(p->data, "%s# %d: %d x %d\n", p->blocks ? "\n\n" : "", p->blocks, rows, columns);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            fprintf(p->data, "%.6g%c", values[i * columns + j], j + 1 < columns ? ' ' : '\n');
    return p->blocks++;
}

static void plot_names(Plot *p, const char *axis, int n, const char *const *names)
{
    fprintf(p->script, "set %stics (", axis);
    for (int i = 0; i < n; i++)
        fprintf(p->script, "%s'%s' %d", i ? ", " : "", names ? slope_plot_text(names[i]) : "", i);
    fprintf(p->script, ") scale 0\n");
}

static void plot_cells(Plot *p, int rows, int columns)
{
    p->has_shapes |= p->panels == 1;
    plot_key(p, "off");
    plot_x_range(p, -0.5, columns - 0.5);
    plot_y_range(p, rows - 0.5, -0.5);
    fprintf(p->script, "unset grid\nset size ratio %.4g\n", (double)rows / columns);
}

/* In a PNG, there would be seams between rectangles. */
static void plot_pixels(Plot *p, int block)
{
    slope_plot_append(p, "'%s.dat' index %d matrix with %s notitle", p->name, block,
                      p->png ? "image" : "image pixels");
}

static double plot_largest(int n, const double *values)
{
    double largest = values[0];
    for (int i = 1; i < n; i++)
        largest = values[i] > largest ? values[i] : largest;
    return largest;
}

/* Writes the value in each cell, in white on the darker half of the colours. */
static void plot_cell_texts(Plot *p, int block, double largest)
{
    slope_plot_append(p, ", \\\n     '' index %d matrix using 1:2:(sprintf('%%g', $3)):", block);
    slope_plot_append(p, "($3 > %.6g ? 0xffffff : 0x000000) ", largest / 2);
    slope_plot_append(p, "with labels font ',12' textcolor rgb variable notitle");
}

void plot_matrix(Plot *p, int rows, int columns, const double *values, const char *const *row_names,
                 const char *const *column_names)
{
    bool texts = rows <= PLOT_CELLS && columns <= PLOT_CELLS;
    int block = plot_matrix_block(p, rows, columns, values);
    plot_cells(p, rows, columns);
    slope_plot_tell(p, "; a table of %d x %d values; darker cells are larger", rows, columns);
    if (texts) {
        plot_names(p, "y", rows, row_names);
        plot_names(p, "x", columns, column_names);
    }
    fprintf(p->script, "set xtics rotate by 40 right\nunset colorbox\n"
            "set palette defined (0 '#ffffff', 1 '#9ecae1', 2 '#0072b2')\n");
    plot_pixels(p, block);
    if (texts)
        plot_cell_texts(p, block, plot_largest(rows * columns, values));
}

static void plot_grey(Plot *p, int height, int width, const double *values)
{
    int block = plot_matrix_block(p, height, width, values);
    plot_cells(p, height, width);
    fprintf(p->script, "unset xtics\nunset ytics\nunset colorbox\nset palette gray\n");
    plot_pixels(p, block);
}

void plot_image(Plot *p, int height, int width, const double *values)
{
    slope_plot_tell(p, "; an image of %d x %d pixels", height, width);
    plot_grey(p, height, width, values);
}

void plot_tiles(Plot *p, int rows, int columns, int height, int width, const double *values)
{
    slope_plot_tell(p, "; %d x %d grey tiles", rows, columns);
    int H = rows * (height + 1) - 1, W = columns * (width + 1) - 1;
    double *all = memory_new_array((size_t)H * (size_t)W, sizeof *all);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            int r = y / (height + 1), i = y % (height + 1);
            int c = x / (width + 1), j = x % (width + 1);
            bool gap = i == height || j == width; /* gnuplot does not draw NaN */
            all[y * W + x] = gap ? (double)NAN
                                 : values[((r * columns + c) * height + i) * width + j];
        }
    plot_grey(p, H, W, all);
    memory_free(all);
}

void plot_grey_range(Plot *p, double black, double white)
{
    fprintf(p->script, "set cbrange [%.9g:%.9g]\n", black, white);
}

/* lessons/kit/plot_series.c -- lines, points, bands and histograms.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lessons/kit/plot_script.h"

int slope_plot_block(Plot *p, const char *legend, int n, const double *const *column, int columns)
{
    fprintf(p->data, "%s# %d: %s\n", p->blocks ? "\n\n" : "", p->blocks, legend);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < columns; c++)
            fprintf(p->data, "%.9g%c", column[c][i], c + 1 < columns ? ' ' : '\n');
    return p->blocks++;
}

/* The style of a reference line. */
static const char plot_dashed[] = "lines linewidth 1.6 dashtype 2 linecolor rgb '#444444'";

void slope_plot_key(Plot *p, const char *style, const char *legend)
{
    char title[300];
    size_t n = strlen(p->key);
    snprintf(title, sizeof title, " title '%s'", slope_plot_text(legend));
    if (!p->shared_key || !legend[0] || strstr(p->key, title))
        return;
    int more = snprintf(p->key + n, sizeof p->key - n, "%sNaN with %s%s", n ? ", \\\n     " : "",
                        style, title);
    if (n + (size_t)more >= sizeof p->key)
        slope_fail("plot_shared_key", "picture '%s' has too many legends", p->name);
}

/* Adds "FILE index K using U with STYLE title T" to the panel's plot command. */
static void plot_series(Plot *p, int block, const char *using, const char *style,
                        const char *legend)
{
    slope_plot_append(p, "%s'%s.dat' index %d using %s with %s", p->series[0] ? ", \\\n     " : "",
                      p->name, block, using, style);
    if (legend[0])
        slope_plot_append(p, " title '%s'", slope_plot_text(legend));
    else
        slope_plot_append(p, " notitle");
    slope_plot_key(p, style, legend);
    slope_plot_tell_series(p, style, legend);
}

/* The style with the panel's next line type. */
static const char *plot_next_style(Plot *p, const char *style, char text[96])
{
    snprintf(text, 96, "%s linetype %d", style, p->styles++ % PLOT_STYLES + 1);
    return text;
}

void slope_plot_xy(Plot *p, const char *style, const char *legend, int n, const double *x,
                   const double *y)
{
    int block = slope_plot_block(p, legend, n, (const double *[]){x, y}, 2);
    plot_series(p, block, "1:2", style, legend);
}

void plot_line(Plot *p, const char *legend, int n, const double *x, const double *y)
{
    slope_plot_xy(p, plot_next_style(p, "lines", (char[96]){0}), legend, n, x, y);
    slope_plot_tell_ends(p, n, y);
}

void plot_points(Plot *p, const char *legend, int n, const double *x, const double *y)
{
    slope_plot_xy(p, plot_next_style(p, "points", (char[96]){0}), legend, n, x, y);
}

void plot_line_points(Plot *p, const char *legend, int n, const double *x, const double *y)
{
    slope_plot_xy(p, plot_next_style(p, "linespoints", (char[96]){0}), legend, n, x, y);
    slope_plot_tell_ends(p, n, y);
}

static double *plot_doubles(const Tensor *x)
{
    ptrdiff_t n = tensor_count(x);
    double *v = memory_new_array((size_t)n, sizeof *v);
    for (ptrdiff_t i = 0; i < n; i++)
        v[i] = (double)tensor_read(x)[tensor_locate(x, i)];
    return v;
}

void plot_tensors(Plot *p, const char *legend, const Tensor *x, const Tensor *y)
{
    double *xs = plot_doubles(x), *ys = plot_doubles(y);
    plot_line(p, legend, (int)tensor_count(y), xs, ys);
    memory_free(xs), memory_free(ys);
}

/* An open dot is a white dot with a black rim, so that no line shows through. */
void plot_dots(Plot *p, const char *legend, bool filled, int n, const double *x, const double *y)
{
    if (!filled)
        slope_plot_xy(p, "points pointtype 7 pointsize 1 linecolor rgb '#ffffff'", "", n, x, y);
    slope_plot_xy(p, filled ? "points pointtype 7 pointsize 1 linecolor rgb '#000000'"
                      : "points pointtype 6 pointsize 1 linewidth 1.6 linecolor rgb '#000000'",
            legend, n, x, y);
}

void plot_thin_line(Plot *p, const char *legend, int n, const double *x, const double *y)
{
    slope_plot_xy(p, "lines linewidth 0.8 dashtype 1 linecolor rgb '#888888'", legend, n, x, y);
}

void plot_band(Plot *p, const char *legend, int n, const double *x, const double *low,
               const double *high)
{
    char style[96];
    int block = slope_plot_block(p, legend, n, (const double *[]){x, low, high}, 3);
    snprintf(style, sizeof style,
             "filledcurves fillstyle transparent solid %.2f linecolor rgb '#0072b2'",
             p->bands++ ? 0.30 : 0.18);
    p->has_shapes |= p->panels == 1;
    plot_series(p, block, "1:2:3", style, legend);
}

void plot_errors(Plot *p, const char *legend, int n, const double *x, const double *y,
                 const double *e)
{
    char style[96];
    int block = slope_plot_block(p, legend, n, (const double *[]){x, y, e}, 3);
    plot_next_style(p, "yerrorbars dashtype 1", style); /* a short bar shows no dashes */
    plot_series(p, block, "1:2:3", style, legend);
}

void plot_histogram(Plot *p, const char *legend, int n, const double *values, int bins, double low,
                    double high)
{
    double width = (high - low) / bins;
    double *x = memory_new_array((size_t)bins, sizeof *x),
           *count = memory_new_array((size_t)bins, sizeof *count);
    for (int b = 0; b < bins; b++)
        x[b] = low + (b + 0.5) * width;
    for (int i = 0; i < n; i++) {
        if (!(values[i] >= low && values[i] <= high))
            continue;
        int b = (int)((values[i] - low) / width);
        count[b < bins ? b : bins - 1]++; /* the last bin includes `high` */
    }
    fprintf(p->script, "set boxwidth %.9g\n", width);
    slope_plot_xy(p, plot_next_style(p, "boxes", (char[96]){0}), legend, bins, x, count);
    memory_free(x);
    memory_free(count);
}

void plot_bars(Plot *p, const char *legend, int n, const double *x, const double *y, double width)
{
    char style[96];
    fprintf(p->script, "set boxwidth %.9g\n", width);
    slope_plot_xy(p, plot_next_style(p, "boxes fillstyle solid 0.45 border", style), legend, n, x,
                  y);
}

void plot_horizontal(Plot *p, const char *legend, double y)
{
    slope_plot_append(p, "%s%.9g with %s title '%s'", p->series[0] ? ", \\\n     " : "", y,
                      plot_dashed, slope_plot_text(legend));
    slope_plot_key(p, plot_dashed, legend);
    slope_plot_tell(p, "; a dashed line at %.4g: %s", y, legend);
    p->alt_kind = "";
}

/* A line from the bottom to the top of the panel, and an empty series for the legend. */
void plot_vertical(Plot *p, const char *legend, double x)
{
    fprintf(p->script, "set arrow from first %.9g, graph 0 to first %.9g, graph 1 nohead %s\n", x,
            x, plot_dashed + strlen("lines "));
    slope_plot_append(p, "%sNaN with %s title '%s'", p->series[0] ? ", \\\n     " : "", plot_dashed,
                      slope_plot_text(legend));
    slope_plot_key(p, plot_dashed, legend);
    slope_plot_tell(p, "; a vertical line at %.4g: %s", x, legend);
    p->alt_kind = "";
}

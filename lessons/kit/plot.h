/* lessons/kit/plot.h -- pictures drawn by gnuplot, each with its script and its data.
 *
 *  - A Plot is one picture of one or more panels; each panel contains series.
 *  - plot_draw writes NAME.gp and NAME.dat to the lesson's folder and runs gnuplot, which writes
 *    NAME.svg (or .png or .gif). `gnuplot -d NAME.gp` in that folder redraws it after an edit.
 *  - Without gnuplot the script and the data are still written, and the lesson says how to install
 *    gnuplot.
 *  - The colours are Okabe and Ito's, which colour-blind readers can tell apart; lines also differ
 *    in their dashes.
 *  - A program that is not a lesson begins with lesson_here (lesson.h).
 *
 *      Plot *p = plot_new(&lesson, "family", "PReLU for several slopes", 1, 1);
 *      plot_panel(p, "", "input x", "output y");
 *      plot_line(p, "a = 0.25", n, x, y);
 *      plot_draw(p);                       // frees p
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_PLOT_H
#define SLOPE_LESSONS_KIT_PLOT_H

#include "lessons/kit/lesson.h"

SLOPE_C_BEGIN

typedef struct Plot Plot;

/* A picture of rows x columns panels, named NAME.svg. Texts must not contain a single quote. Fails
 * if the name cannot be a file's name without its extension, or begins with < | $ or -, which mean
 * something else to gnuplot. */
Plot *plot_new(const Lesson *lesson, const char *name, const char *title, int rows, int columns);

/* Draws and frees the picture; prints where it is. Fails if the picture is empty. */
void plot_draw(Plot *p);

/* Options, to be set before the first panel. */
void plot_as_png(Plot *p);                          /* for pictures with very many points */
void plot_size(Plot *p, int width, int height);     /* pixels; default 720 x 480 per panel */
void plot_as_gif(Plot *p, int centiseconds);        /* every panel becomes a frame; the last one is
                                                     * held for two more seconds */
void plot_shared_key(Plot *p);                      /* one key below the title, for all panels */

/* --- panels ----------------------------------------------------------------------------------- */

/* Begins a panel; the calls that follow apply to it. */
void plot_panel(Plot *p, const char *title, const char *x_label, const char *y_label);
void plot_x_range(Plot *p, double low, double high);
void plot_y_range(Plot *p, double low, double high);
void plot_log_x(Plot *p);
void plot_log_y(Plot *p);
void plot_equal_axes(Plot *p);              /* a unit is as long on x as on y */
void plot_key(Plot *p, const char *where);  /* gnuplot's: "top left", "outside right", "off" … */

/* Adds a gnuplot command to the panel, before its plot command: "set xtics 1". */
void plot_set(Plot *p, const char *command);

/* --- series: n points each; the legend may be "" ---------------------------------------------- */

void plot_line(Plot *p, const char *legend, int n, const double *x, const double *y);
void plot_points(Plot *p, const char *legend, int n, const double *x, const double *y);
void plot_line_points(Plot *p, const char *legend, int n, const double *x, const double *y);

/* A line through the points given by two tensors of equal size; a NaN in y interrupts it. */
void plot_tensors(Plot *p, const char *legend, const Tensor *x, const Tensor *y);

/* Black dots at a jump: filled at the value that the function takes, open at the other. */
void plot_dots(Plot *p, const char *legend, bool filled, int n, const double *x, const double *y);

/* A thin grey line, for one of many. */
void plot_thin_line(Plot *p, const char *legend, int n, const double *x, const double *y);

/* The area between two lines, in a pale colour. */
void plot_band(Plot *p, const char *legend, int n, const double *x, const double *low,
               const double *high);

/* Points with error bars of +-e. */
void plot_errors(Plot *p, const char *legend, int n, const double *x, const double *y,
                 const double *e);

/* Outlined boxes of this width from the bottom of the panel, even on a log axis, up to y. */
void plot_bars(Plot *p, const char *legend, int n, const double *x, const double *y, double width);

/* A histogram of n values in `bins` equal bins from low to high. */
void plot_histogram(Plot *p, const char *legend, int n, const double *values, int bins, double low,
                    double high);

/* Dashed reference lines across the panel, with a legend. */
void plot_horizontal(Plot *p, const char *legend, double y);
void plot_vertical(Plot *p, const char *legend, double x);

/* A text that begins at (x, y). */
void plot_label(Plot *p, const char *text, double x, double y);

/* For a diagram: a panel without axes; a printf-like text centred at (x, y), bare or in a box; and
 * a half ellipse with an arrowhead from height `from` to height `to`, which bulges from the
 * vertical line at x (to the left if bulge < 0). Arrows of one style (1 ... 8) look alike: give
 * only one of them a legend. */
void plot_no_axes(Plot *p);
void plot_centered(Plot *p, double x, double y, const char *format, ...) SLOPE_PRINTF(4, 5);
void plot_box(Plot *p, double x, double y, double width, double height, const char *format, ...)
    SLOPE_PRINTF(6, 7);
void plot_arc(Plot *p, int style, const char *legend, double x, double bulge, double from,
              double to);

/* A matrix (rows x columns) as coloured cells, row 0 at the top, with the value in each; the names
 * may be NULL. One with more than PLOT_CELLS rows or columns has numbers on its axes instead of
 * names, and no values in its cells. */
enum { PLOT_CELLS = 26 };
void plot_matrix(Plot *p, int rows, int columns, const double *values, const char *const *row_names,
                 const char *const *column_names);

/* An image (height x width) of grey values 0 … 1, row 0 at the top. */
void plot_image(Plot *p, int height, int width, const double *values);

/* rows x columns such images with white gaps between them: values (rows columns, height, width).
 * Tile (r, c) begins at x = c (width + 1), y = r (height + 1), for labels. */
void plot_tiles(Plot *p, int rows, int columns, int height, int width, const double *values);

/* The values drawn in black and in white; call it before plot_image or plot_tiles. */
void plot_grey_range(Plot *p, double black, double white);

SLOPE_C_END

#endif

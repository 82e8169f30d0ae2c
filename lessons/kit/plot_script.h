/* lessons/kit/plot_script.h -- a Plot from inside: the script and the data under way.
 *
 *  - For the plot_*.c files only; lessons call what plot.h declares.
 *  - The script is written while the lesson calls. A panel's plot command is known only when the
 *    panel ends, so it gathers in `series` until then.
 *  - The data go into one file, a block ("index" to gnuplot) a series.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_PLOT_SCRIPT_H
#define SLOPE_LESSONS_KIT_PLOT_SCRIPT_H

#include "lessons/kit/plot.h"

enum { PLOT_STYLES = 8, PLOT_TEXT = 16384 };

struct Plot {
    const Lesson *lesson;
    char  name[64], title[256];
    int   rows, columns, width, height;
    bool  png;
    int   gif_delay;  /* 0: not a GIF */
    FILE *script, *data;
    int   blocks;     /* data blocks written */
    int   panels, styles, bands; /* line styles and bands used in this panel */
    char  series[PLOT_TEXT]; /* the plot command of this panel, as far as it is known */
    bool  has_shapes; /* the first panel is a matrix, an image, a diagram or has a filled band:
                         nothing for a preview in characters */
    char        alt[1600]; /* the picture in words, as far as it is drawn */
    size_t      alt_first; /* an animation: the length of the first frame's words */
    const char *alt_kind;  /* of the last series told */
};

/* Appends to the panel's plot command. */
void plot_append(Plot *p, const char *format, ...) SLOPE_PRINTF(2, 3);

/* The text itself, after a check that single quotes can carry it: inside those gnuplot neither
 * expands nor executes anything. */
const char *plot_text(const char *text);

/* Writes n rows of `columns` numbers as a block of data, returns its number. */
int plot_block(Plot *p, const char *legend, int n, const double *const *column, int columns);

/* Adds a series of two columns, drawn in a gnuplot style, to the panel. */
void plot_xy(Plot *p, const char *style, const char *legend, int n, const double *x,
             const double *y);

/* Runs gnuplot in the lesson's folder on a script of that name, or on `input` if it is "-". */
bool plot_gnuplot(const Lesson *lesson, const char *script, FILE *input, FILE *output, FILE *log);

/* The picture in characters, where --preview asks for it and nothing was shown before. */
void plot_preview(const Plot *p);

/* Add words to the picture's alt text. */
void plot_tell(Plot *p, const char *format, ...) SLOPE_PRINTF(2, 3);
void plot_tell_panel(Plot *p, const char *title, const char *x_label, const char *y_label);
void plot_tell_series(Plot *p, const char *style, const char *legend);
void plot_tell_ends(Plot *p, int n, const double *y);

#endif

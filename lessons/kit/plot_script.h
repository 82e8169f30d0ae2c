/* lessons/kit/plot_script.h -- the internals of a Plot: the script and the data being written.
 *
 *  - For the plot_*.c files only; lessons call the functions in plot.h.
 *  - The script is written as the lesson calls those functions. A panel's plot command is complete
 *    only when the panel ends, so it is collected in `series` until then.
 *  - The data go into one file, one block (gnuplot's "index") per series.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_PLOT_SCRIPT_H
#define SLOPE_LESSONS_KIT_PLOT_SCRIPT_H

#include "lessons/kit/plot.h"

enum {
    PLOT_STYLES = 8,
    PLOT_TEXT = 16384,
    PLOT_NAME = 64,
    PLOT_TITLE = 256,
    PLOT_HOLD = 200, /* how long an animation holds its last frame, in centiseconds */
};

struct Plot {
    const Lesson *lesson;
    char  name[PLOT_NAME], title[PLOT_TITLE];
    int   rows, columns, width, height;
    bool  png;
    int   gif_delay;  /* 0: not a GIF */
    FILE *script, *data;
    int   blocks;     /* data blocks written */
    int   panels, styles, bands; /* line styles and bands used in this panel */
    char  series[PLOT_TEXT]; /* the plot command of this panel so far */
    bool  has_series; /* is there anything to draw in the panels that have ended? */
    bool  shared_key; /* one key for all panels, … */
    char  key[2048];  /* … whose entries are the series "NaN with STYLE title 'LEGEND'" */
    bool  has_shapes; /* the first panel is a matrix, an image or a diagram, or has a filled band,
                         so it is not suitable for a preview in characters */
    char        alt[1600]; /* the description of the picture so far */
    size_t      alt_first; /* in an animation, the length of the first frame's description */
    const char *alt_kind;  /* the kind of the last series described */
};

/* Fails, naming `function`, if plot_new would. */
void slope_plot_check(const Lesson *lesson, const char *name, const char *title,
                      const char *function);

/* Appends to the panel's plot command. */
void slope_plot_append(Plot *p, const char *format, ...) SLOPE_PRINTF(2, 3);

/* Returns the text after checking that it can be put in single quotes, inside which gnuplot neither
 * expands nor executes anything. */
const char *slope_plot_text(const char *text);

/* Writes to the script a tic of an axis: a text, which is checked, and its position. */
void slope_plot_tic(Plot *p, const char *text, double position);

/* Writes n rows of `columns` values as a block of data; returns the index of the block. */
int slope_plot_block(Plot *p, const char *legend, int n, const double *const *column, int columns);

/* Adds to the panel a series of two columns, drawn in a gnuplot style. */
void slope_plot_xy(Plot *p, const char *style, const char *legend, int n, const double *x,
                   const double *y);

/* Adds an entry to the shared key, if there is one and it does not have this legend yet. */
void slope_plot_key(Plot *p, const char *style, const char *legend);

/* Runs gnuplot in the lesson's folder on the file `script`, or on `input` if that is "-". */
bool slope_plot_gnuplot(const Lesson *lesson, const char *script, FILE *input, FILE *output,
                        FILE *log);

/* Draws the picture in characters if a preview is requested and none has been shown yet. */
void slope_plot_preview(const Plot *p);

/* These add to the description of the picture, its alt text. */
void slope_plot_tell(Plot *p, const char *format, ...) SLOPE_PRINTF(2, 3);
void slope_plot_tell_panel(Plot *p, const char *title, const char *x_label, const char *y_label);
void slope_plot_tell_series(Plot *p, const char *style, const char *legend);
void slope_plot_tell_ends(Plot *p, int n, const double *y);

#endif

/* lessons/kit/slopes_draw.c -- recorded slopes as bands, and as a film of histograms.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "lessons/kit/plot_script.h"
#include "lessons/kit/slopes.h"
#include "tensor/memory.h"

enum {
    SLOPE_SINGLES = 16, /* single channels in a panel */
    SLOPE_MOMENTS = 400, /* points of a line: more could not be distinguished */
    SLOPE_BINS = 60,     /* of a histogram */
    SLOPE_FRAMES = 36,
    SLOPE_DELAY = 12, /* centiseconds per frame */
};

/* --- the bands of one layer ------------------------------------------------------------------- */

enum { SLOPE_QUANTILES = 5, SLOPE_LINES = SLOPE_QUANTILES + SLOPE_SINGLES };

/* The lines of a panel, as rows of one block: quantiles, then single channels. */
typedef struct SlopeBands {
    int     n, singles; /* points of a line; single channels */
    double *step;       /* (n) */
    double *line[SLOPE_LINES]; /* (n) each */
} SlopeBands;

/* The moment of point i of n, which are evenly spaced if there are more moments than points. */
static int slope_moment(const SlopeLog *log, int i, int n)
{
    return n > 1 ? (int)((int64_t)i * (log->moments - 1) / (n - 1)) : 0;
}

static SlopeBands slope_bands_new(const SlopeLog *log, int layer)
{
    static const double q[SLOPE_QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95};
    int channels = log->layer[layer].channels;
    SlopeBands b = {.n = log->moments < SLOPE_MOMENTS ? log->moments : SLOPE_MOMENTS,
                    .singles = channels == 1              ? 0
                               : channels < SLOPE_SINGLES ? channels
                                                          : SLOPE_SINGLES};
    b.step = memory_new_array((size_t)b.n * (1 + SLOPE_LINES), sizeof *b.step);
    for (int k = 0; k < SLOPE_LINES; k++)
        b.line[k] = b.step + (k + 1) * b.n;
    for (int i = 0; i < b.n; i++) {
        int moment = slope_moment(log, i, b.n);
        const double *values = slope_log_values(log, layer, moment);
        double quantile[SLOPE_QUANTILES];
        slope_quantiles(values, channels, q, SLOPE_QUANTILES, quantile);
        b.step[i] = log->step[moment];
        for (int k = 0; k < SLOPE_QUANTILES; k++)
            b.line[k][i] = quantile[k];
        for (int k = 0; k < b.singles; k++)
            b.line[SLOPE_QUANTILES + k][i] = values[(int64_t)k * channels / b.singles];
    }
    return b;
}

static void slope_bands_free(SlopeBands *b)
{
    memory_free(b->step);
}

static void plot_slope_lines(Plot *p, const SlopeBands *b)
{
    if (b->singles) {
        plot_band(p, "9 of 10 channels", b->n, b->step, b->line[0], b->line[4]);
        plot_band(p, "the middle half", b->n, b->step, b->line[1], b->line[3]);
    }
    for (int k = 0; k < b->singles; k++)
        plot_thin_line(p, k ? "" : "single channels", b->n, b->step, b->line[SLOPE_QUANTILES + k]);
    plot_line(p, b->singles ? "median" : "shared slope", b->n, b->step, b->line[2]);
}

void plot_slope_bands(Plot *p, const SlopeLog *log, int layer)
{
    if (!p)
        slope_fail("plot_slope_bands", "the plot is NULL");
    slope_log_values(log, layer, 0); /* checks log and layer */
    SlopeBands b = slope_bands_new(log, layer);
    plot_slope_lines(p, &b);
    slope_bands_free(&b);
}

/* --- which layers, and their range ------------------------------------------------------------ */

static int slope_rows(const SlopeLog *log)
{
    return log->n_layers < SLOPE_SHOWN ? log->n_layers : SLOPE_SHOWN;
}

/* The layer in row r. */
static int slope_row(const SlopeLog *log, int r)
{
    int rows = slope_rows(log);
    return rows > 1 ? r * (log->n_layers - 1) / (rows - 1) : 0;
}

static const char *slope_title(const SlopeLog *log, const char *title, char text[256])
{
    if (log->n_layers > SLOPE_SHOWN)
        snprintf(text, 256, "%.200s (%d of %d PReLUs, first to last)", title, SLOPE_SHOWN,
                 log->n_layers);
    else
        snprintf(text, 256, "%s", title);
    return text;
}

/* "prelu1"; the PReLU that a sequence calls "1" is "PReLU 1". */
static const char *slope_name(const SlopeLayer *layer, char text[MODULE_PATH])
{
    bool digit = layer->name[0] >= '0' && layer->name[0] <= '9';
    snprintf(text, MODULE_PATH, "%s%.200s", digit ? "PReLU " : "", layer->name);
    return slope_plot_text(text);
}

typedef struct SlopeRange {
    double low, high;
    double start; /* the value with which all slopes started; NaN if they differed */
} SlopeRange;

static const SlopeRange slope_nothing = {.low = HUGE_VAL, .high = -HUGE_VAL};

static void slope_stretch(SlopeRange *range, const double *values, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        if (isfinite(values[i])) {
            range->low = fmin(range->low, values[i]);
            range->high = fmax(range->high, values[i]);
        }
}

static void slope_stretch_layer(SlopeRange *range, const SlopeLog *log, int r, int moments)
{
    const SlopeLayer *layer = &log->layer[slope_row(log, r)];
    slope_stretch(range, layer->values, (ptrdiff_t)moments * layer->channels);
}

/* The range of all slopes that are shown, and their start; fails if there is nothing to draw. */
static SlopeRange slope_range(const Lesson *lesson, const SlopeLog *log, const char *title,
                              const char *function)
{
    if (!lesson || !log || !title)
        slope_fail(function, "the %s is NULL", !lesson ? "lesson" : !log ? "log" : "title");
    SlopeRange first = slope_nothing, all = slope_nothing;
    for (int r = 0; r < slope_rows(log); r++) {
        slope_stretch_layer(&first, log, r, 1);
        slope_stretch_layer(&all, log, r, log->moments);
    }
    if (all.low > all.high)
        slope_fail(function, "no slope is finite at any moment");
    bool known = log->step[0] == 0 && first.low == first.high;
    all.start = known ? first.low : (double)NAN;
    return all;
}

static SlopeRange slope_with_margin(SlopeRange range)
{
    double margin = range.high > range.low ? 0.04 * (range.high - range.low) : 0.1;
    return (SlopeRange){range.low - margin, range.high + margin, range.start};
}

/* The log of a resumed run that had already ended has one moment. A picture of it would show
 * nothing, and would replace one that shows the whole run. */
static bool slope_moves(const SlopeLog *log, const char *name)
{
    if (log->moments < 2)
        say("  no picture '%s': only one moment was recorded\n", name);
    return log->moments >= 2;
}

/* --- the bands of all layers ------------------------------------------------------------------ */

/* The distance between tics: 1, 2 or 5 times a power of 10, with at most five tics up to `last`. */
static double slope_tics(double last)
{
    double tics = 1;
    for (int i = 0; last / tics > 5; i++)
        tics *= i % 3 == 1 ? 2.5 : 2;
    return tics;
}

static void slope_panel(Plot *p, const SlopeLog *log, int r, const SlopeBands *bands,
                        SlopeRange range)
{
    char text[MODULE_PATH + 32], name[MODULE_PATH];
    const SlopeLayer *layer = &log->layer[slope_row(log, r)];
    slope_name(layer, name);
    if (layer->channels == 1)
        snprintf(text, sizeof text, "%s, one slope", name);
    else
        snprintf(text, sizeof text, "%s, %d channels", name, layer->channels);
    plot_panel(p, text, "training step", "slope a");
    double last = log->step[log->moments - 1];
    plot_x_range(p, 0, last > 0 ? last : 1), plot_y_range(p, range.low, range.high);
    plot_set(p, "set lmargin 11; set bmargin 3.5; set tmargin 2"); /* panels of the same size */
    snprintf(text, sizeof text, "set xtics %g", slope_tics(last));
    plot_set(p, text);
    plot_slope_lines(p, bands);
    if (!isnan(range.start)) {
        snprintf(text, sizeof text, "start, a = %.4g", range.start);
        plot_horizontal(p, text, range.start);
    }
}

static Plot *slope_page(const Lesson *lesson, const char *name, const char *title, int panels)
{
    static const int columns[SLOPE_SHOWN + 1] = {1, 1, 2, 3, 2, 3, 3, 3, 3, 3, 4, 4, 4};
    int across = columns[panels], down = (panels + across - 1) / across;
    Plot *p = plot_new(lesson, name, title, down, across);
    plot_size(p, 1440, 90 + down * (down == 1 ? 460 : 260)); /* the key fits into one line */
    plot_shared_key(p);
    return p;
}

void draw_slope_bands(const Lesson *lesson, const char *name, const char *title,
                      const SlopeLog *log)
{
    SlopeRange all = slope_range(lesson, log, title, "draw_slope_bands"), drawn = slope_nothing;
    SlopeBands bands[SLOPE_SHOWN];
    char text[256];
    if (!slope_moves(log, name))
        return;
    Plot *p = slope_page(lesson, name, slope_title(log, title, text), slope_rows(log));
    for (int r = 0; r < slope_rows(log); r++) {
        bands[r] = slope_bands_new(log, slope_row(log, r));
        slope_stretch(&drawn, bands[r].line[0],
                      (ptrdiff_t)bands[r].n * (SLOPE_QUANTILES + bands[r].singles));
    }
    if (drawn.low <= drawn.high) /* the outermost channels are not always drawn */
        all.low = drawn.low, all.high = drawn.high;
    for (int r = 0; r < slope_rows(log); r++) {
        slope_panel(p, log, r, &bands[r], slope_with_margin(all));
        slope_bands_free(&bands[r]);
    }
    plot_draw(p);
}

/* --- a film of all layers --------------------------------------------------------------------- */

/* The last moment that was recorded by the time of a frame. */
static int slope_frame_moment(const SlopeLog *log, int frame, int frames)
{
    double first = log->step[0], last = log->step[log->moments - 1];
    double now = first + (last - first) * frame / (frames - 1);
    int moment = 0;
    while (moment + 1 < log->moments && log->step[moment + 1] <= now)
        moment++;
    return moment;
}

/* How many of the n values are in each bin, as fractions of the number in the fullest bin. */
static void slope_bins(const double *values, int n, SlopeRange range, double bin[SLOPE_BINS])
{
    double most = 0;
    memset(bin, 0, SLOPE_BINS * sizeof *bin);
    for (int i = 0; i < n; i++)
        if (isfinite(values[i])) {
            int b = (int)((values[i] - range.low) / (range.high - range.low) * SLOPE_BINS);
            most = fmax(most, ++bin[b]); /* the margin keeps b below SLOPE_BINS */
        }
    for (int b = 0; b < SLOPE_BINS && most > 0; b++)
        bin[b] /= most;
}

/* A histogram on the base line y, as a polygon with two points for each bin. */
static void plot_slope_ridge(Plot *p, const double *values, int n, SlopeRange range, double y,
                             const char *legend)
{
    double bin[SLOPE_BINS], x[2 * SLOPE_BINS + 2], top[2 * SLOPE_BINS + 2];
    double width = (range.high - range.low) / SLOPE_BINS;
    slope_bins(values, n, range, bin);
    for (int k = 0; k < 2 * SLOPE_BINS; k++) {
        x[k] = range.low + (k / 2 + k % 2) * width;
        top[k] = y + 0.85 * bin[k / 2];
    }
    x[2 * SLOPE_BINS] = range.high, x[2 * SLOPE_BINS + 1] = range.low;
    top[2 * SLOPE_BINS] = top[2 * SLOPE_BINS + 1] = y;
    slope_plot_xy(p, "filledcurves closed linecolor rgb '#0072b2' fillstyle solid 0.3 border",
                  legend, 2 * SLOPE_BINS + 2, x, top);
}

/* The layer of row r as a ridge on its base line, with its name on the axis; returns its median. */
static double plot_slope_row(Plot *p, const SlopeLog *log, int r, int moment, SlopeRange range)
{
    char name[MODULE_PATH], tics[MODULE_PATH + 64];
    const SlopeLayer *layer = &log->layer[slope_row(log, r)];
    const double *values = slope_log_values(log, slope_row(log, r), moment);
    double y = slope_rows(log) - 1 - r;
    snprintf(tics, sizeof tics, "set ytics %s('%s' %g)", r ? "add " : "", slope_name(layer, name),
             y);
    plot_set(p, tics);
    plot_slope_ridge(p, values, layer->channels, range, y, r ? "" : "slopes");
    return slope_quantile(values, layer->channels, 0.5);
}

static void slope_frame(Plot *p, const SlopeLog *log, int moment, SlopeRange range)
{
    char text[64], name[MODULE_PATH];
    double median[SLOPE_SHOWN] = {0}, y[SLOPE_SHOWN] = {0};
    int rows = slope_rows(log);
    snprintf(text, sizeof text, "after step %.0f", log->step[moment]);
    plot_panel(p, text, "slope a (each histogram is scaled to its tallest bin)", "");
    plot_x_range(p, range.low, range.high), plot_y_range(p, -0.1, rows);
    plot_key(p, "tmargin horizontal");
    for (int r = 0; r < rows; r++) {
        median[r] = plot_slope_row(p, log, r, moment, range);
        y[r] = rows - 1 - r;
    }
    plot_dots(p, "median", true, rows, median, y);
    for (int r = 0; r < rows; r++)
        slope_plot_tell(p, "%s %s %.3g", r ? "," : ":",
                        slope_name(&log->layer[slope_row(log, r)], name), median[r]);
    if (!isnan(range.start)) {
        snprintf(text, sizeof text, "start, a = %.4g", range.start);
        plot_vertical(p, text, range.start);
    }
}

void draw_slope_film(const Lesson *lesson, const char *name, const char *title,
                     const SlopeLog *log)
{
    SlopeRange range = slope_with_margin(slope_range(lesson, log, title, "draw_slope_film"));
    int rows = slope_rows(log), frames = log->moments < SLOPE_FRAMES ? log->moments : SLOPE_FRAMES;
    char text[256];
    if (!slope_moves(log, name))
        return;
    Plot *p = plot_new(lesson, name, slope_title(log, title, text), 1, 1);
    plot_as_gif(p, SLOPE_DELAY), plot_size(p, 720, 160 + (rows < 3 ? 150 : 60) * (rows + 1));
    for (int frame = 0; frame < frames; frame++)
        slope_frame(p, log, slope_frame_moment(log, frame, frames), range);
    plot_draw(p);
}

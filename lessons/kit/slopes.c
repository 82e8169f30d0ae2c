/* lessons/kit/slopes.c -- recording learned slopes while a network trains.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/slopes.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/memory.h"

enum { SLOPE_FIRST_STEPS = 100, SLOPE_THEN_EVERY = 10, SLOPE_SINGLES = 16 };

/* --- recording -------------------------------------------------------------------------------- */

static void slope_add_layer(const char *name, const Tensor *slopes, void *ctx)
{
    SlopeLog *log = ctx;
    if (log->n_layers == SLOPE_LAYERS)
        slope_fail("slope_log_new", "the network has more than %d PReLU layers", SLOPE_LAYERS);
    SlopeLayer *layer = &log->layer[log->n_layers++];
    layer->channels = (int)tensor_count(slopes);
    snprintf(layer->name, sizeof layer->name, "%s%s", log->prefix, name);
}

static double *slope_grow(double *old, int moments, int capacity, int width)
{
    double *bigger = memory_new_array((size_t)capacity * (size_t)width, sizeof *bigger);
    if (old)
        memcpy(bigger, old, (size_t)moments * (size_t)width * sizeof *bigger);
    memory_free(old);
    return bigger;
}

static void slope_log_grow(SlopeLog *log)
{
    if (log->moments < log->capacity)
        return;
    log->capacity = log->capacity ? 2 * log->capacity : 256;
    log->step = slope_grow(log->step, log->moments, log->capacity, 1);
    for (int i = 0; i < log->n_layers; i++)
        log->layer[i].values = slope_grow(log->layer[i].values, log->moments, log->capacity,
                                          log->layer[i].channels);
}

/* The position in a walk over the network's PReLU layers. */
typedef struct SlopeNote {
    SlopeLog *log;
    int       layer;
} SlopeNote;

static void slope_note_layer(const char *name, const Tensor *slopes, void *ctx)
{
    (void)name;
    SlopeNote *note = ctx;
    SlopeLayer *layer = &note->log->layer[note->layer++];
    for (int c = 0; c < layer->channels; c++)
        layer->values[note->log->moments * layer->channels + c] = (double)tensor_read(slopes)[c];
}

static void slope_note(SlopeLog *log, Module *net, int64_t step)
{
    SlopeNote note = {.log = log};
    slope_log_grow(log);
    prelu_each(net, slope_note_layer, &note);
    log->step[log->moments++] = (double)step;
}

SlopeLog *slope_log_new(Module *net, const char *prefix)
{
    SlopeLog *log = memory_new(sizeof *log);
    log->prefix = prefix;
    prelu_each(net, slope_add_layer, log);
    slope_note(log, net, 0);
    return log;
}

void slope_log_free(SlopeLog *log)
{
    for (int i = 0; i < log->n_layers; i++)
        memory_free(log->layer[i].values);
    memory_free(log->step);
    memory_free(log);
}

void slope_log_step(const Trainer *t, int64_t step, void *log)
{
    if (step <= SLOPE_FIRST_STEPS || step % SLOPE_THEN_EVERY == 0)
        slope_note(log, t->net, step);
}

void slope_log_finish(SlopeLog *log, const Trainer *t)
{
    if (log->step[log->moments - 1] < (double)t->step)
        slope_note(log, t->net, t->step);
}

const double *slope_log_values(const SlopeLog *log, int layer, int moment)
{
    const SlopeLayer *l = &log->layer[layer];
    return l->values + (moment < 0 ? log->moments + moment : moment) * l->channels;
}

/* --- writing ---------------------------------------------------------------------------------- */

void slope_log_write(FILE *f, const SlopeLog *log)
{
    for (int m = 0; m < log->moments; m++)
        for (int i = 0; i < log->n_layers; i++)
            for (int c = 0; c < log->layer[i].channels; c++)
                fprintf(f, "%.0f,%s,%d,%.9g\n", log->step[m], log->layer[i].name, c,
                        slope_log_values(log, i, m)[c]);
}

typedef struct SlopeStatsFile {
    FILE       *f;
    const char *prefix;
} SlopeStatsFile;

static void slope_write_layer_stats(const char *name, const Tensor *slopes, void *ctx)
{
    const SlopeStatsFile *file = ctx;
    Stats s = tensor_stats(slopes);
    fprintf(file->f, "%s%s,%td,%.6f,", file->prefix, name, s.count, s.mean);
    fprintf(file->f, s.count > 1 ? "%.6f" : "nan", s.std);
    fprintf(file->f, ",%.6f,%.6f\n", s.min, s.max);
}

void slope_write_stats(FILE *f, Module *net, const char *prefix)
{
    SlopeStatsFile file = {f, prefix};
    prelu_each(net, slope_write_layer_stats, &file);
}

/* --- bands ------------------------------------------------------------------------------------ */

static int slope_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double quantile(const double *values, int n, double q)
{
    double *sorted = memory_new_array((size_t)n, sizeof *sorted), place = q * (n - 1);
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, slope_compare);
    int i = (int)place;
    double next = i + 1 < n ? sorted[i + 1] : sorted[i];
    double result = sorted[i] + (place - i) * (next - sorted[i]);
    memory_free(sorted);
    return result;
}

/* One quantile at every moment; the caller frees the array. */
static double *slope_quantile_line(const SlopeLog *log, int layer, double q)
{
    double *line = memory_new_array((size_t)log->moments, sizeof *line);
    for (int m = 0; m < log->moments; m++)
        line[m] = quantile(slope_log_values(log, layer, m), log->layer[layer].channels, q);
    return line;
}

static void plot_slope_band(Plot *p, const SlopeLog *log, int layer, double q, const char *legend)
{
    double *low = slope_quantile_line(log, layer, q),
           *high = slope_quantile_line(log, layer, 1 - q);
    plot_band(p, legend, log->moments, log->step, low, high);
    memory_free(low), memory_free(high);
}

static void plot_slope_single(Plot *p, const SlopeLog *log, int layer, int channel,
                              const char *legend)
{
    double *line = memory_new_array((size_t)log->moments, sizeof *line);
    for (int m = 0; m < log->moments; m++)
        line[m] = slope_log_values(log, layer, m)[channel];
    plot_thin_line(p, legend, log->moments, log->step, line);
    memory_free(line);
}

void plot_slope_bands(Plot *p, const SlopeLog *log, int layer)
{
    int channels = log->layer[layer].channels;
    int singles = channels < SLOPE_SINGLES ? channels : SLOPE_SINGLES;
    plot_slope_band(p, log, layer, 0.05, "9 of 10 channels (5 to 95 %)");
    plot_slope_band(p, log, layer, 0.25, "the middle half (25 to 75 %)");
    for (int i = 0; i < singles; i++)
        plot_slope_single(p, log, layer, i * channels / singles, i ? "" : "single channels");
    double *median = slope_quantile_line(log, layer, 0.5);
    plot_line(p, "median", log->moments, log->step, median);
    memory_free(median);
}

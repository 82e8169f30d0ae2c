/* lessons/kit/slopes.c -- recording learned slopes while a network trains.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/slopes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/memory.h"

/* --- recording -------------------------------------------------------------------------------- */

/* The position in a walk over the network's PReLU layers. */
typedef struct SlopeWalk {
    SlopeLog   *log;
    const char *prefix;
    int         layer;
    bool        changed; /* does the network differ from that in slope_log_new? */
} SlopeWalk;

static void slope_count_layer(const char *name, const Tensor *slopes, void *ctx)
{
    (void)name, (void)slopes;
    ((SlopeWalk *)ctx)->layer++;
}

static void slope_add_layer(const char *name, const Tensor *slopes, void *ctx)
{
    SlopeWalk *walk = ctx;
    SlopeLayer *layer = &walk->log->layer[walk->layer++];
    layer->channels = (int)tensor_count(slopes);
    snprintf(layer->name, sizeof layer->name, "%s%s", walk->prefix, name);
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

static void slope_note_layer(const char *name, const Tensor *slopes, void *ctx)
{
    (void)name;
    SlopeWalk *walk = ctx;
    const SlopeLog *log = walk->log;
    const SlopeLayer *layer = &log->layer[walk->layer++];
    walk->changed |= walk->layer > log->n_layers || tensor_count(slopes) != layer->channels;
    if (walk->changed)
        return;
    double *values = layer->values + (ptrdiff_t)log->moments * layer->channels;
    for (int c = 0; c < layer->channels; c++)
        values[c] = (double)tensor_read(slopes)[c];
}

static void slope_note(SlopeLog *log, int64_t step)
{
    SlopeWalk walk = {.log = log};
    slope_log_grow(log);
    prelu_each(log->net, slope_note_layer, &walk);
    if (walk.changed || walk.layer != log->n_layers)
        slope_fail("slope_log_record", "the network has %d PReLUs; expected %d, of the same sizes "
                   "as in slope_log_new", walk.layer, log->n_layers);
    log->step[log->moments++] = (double)step;
}

SlopeLog *slope_log_new(Module *net, const char *prefix)
{
    SlopeWalk walk = {.prefix = prefix ? prefix : ""};
    if (!net)
        slope_fail("slope_log_new", "the network is NULL");
    prelu_each(net, slope_count_layer, &walk);
    if (walk.layer == 0)
        slope_fail("slope_log_new", "the network has no PReLU, so there are no slopes to record");
    SlopeLog *log = memory_new(sizeof *log);
    log->net = net;
    log->n_layers = walk.layer;
    log->layer = memory_new_array((size_t)walk.layer, sizeof *log->layer);
    walk.log = log, walk.layer = 0;
    prelu_each(net, slope_add_layer, &walk);
    slope_note(log, 0);
    return log;
}

void slope_log_free(SlopeLog *log)
{
    if (!log)
        return;
    for (int i = 0; i < log->n_layers; i++)
        memory_free(log->layer[i].values);
    memory_free(log->layer), memory_free(log->step);
    memory_free(log);
}

/* Is the moment after this step kept, once there is a later one? */
static bool slope_log_keeps(double step)
{
    double every = step > 100 ? 10 : 1;
    while (step > 1000 * every)
        every *= 10;
    return fmod(step, every) == 0;
}

void slope_log_record(SlopeLog *log, int64_t step)
{
    if (!log || step < 1)
        slope_fail("slope_log_record", log ? "the step is %lld; expected 1 or more"
                                           : "the log is NULL", (long long)step);
    while (log->moments > 0 && (log->step[log->moments - 1] >= (double)step ||
                                !slope_log_keeps(log->step[log->moments - 1])))
        log->moments--; /* step 0, if it is in the log, is kept */
    slope_note(log, step);
}

/* A resumed trainer does not continue from the slopes that a new log recorded as step 0. */
void slope_log_step(const Trainer *t, int64_t step, void *ctx)
{
    SlopeLog *log = ctx;
    (void)t;
    if (log && log->moments == 1 && log->step[0] == 0 && step > 1)
        log->moments = 0;
    slope_log_record(log, step);
}

const double *slope_log_values(const SlopeLog *log, int layer, int moment)
{
    if (!log)
        slope_fail("slope_log_values", "the log is NULL");
    if (layer < 0 || layer >= log->n_layers)
        slope_fail("slope_log_values", "layer is %d; expected 0 to %d", layer, log->n_layers - 1);
    if (moment < -log->moments || moment >= log->moments)
        slope_fail("slope_log_values", "moment is %d; expected %d to %d", moment, -log->moments,
                   log->moments - 1);
    const SlopeLayer *l = &log->layer[layer];
    return l->values + (ptrdiff_t)(moment < 0 ? log->moments + moment : moment) * l->channels;
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

/* --- quantiles -------------------------------------------------------------------------------- */

/* NaN comes last. */
static int slope_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return isnan(x) || isnan(y) ? isnan(x) - isnan(y) : (x > y) - (x < y);
}

void slope_quantiles(const double *values, int n, const double *q, int count, double *result)
{
    double *sorted = memory_new_array((size_t)n, sizeof *sorted);
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, slope_compare);
    for (int k = 0; k < count; k++) {
        double place = q[k] * (n - 1);
        int i = (int)place;
        double next = i + 1 < n ? sorted[i + 1] : sorted[i];
        result[k] = sorted[i] + (place - i) * (next - sorted[i]);
    }
    memory_free(sorted);
}

double slope_quantile(const double *values, int n, double q)
{
    double result;
    if (!values || n < 1 || !(q >= 0 && q <= 1))
        slope_fail("slope_quantile", "%d values and q = %g; expected at least one, and 0 <= q <= 1",
                   values ? n : 0, q);
    slope_quantiles(values, n, &q, 1, &result);
    return result;
}

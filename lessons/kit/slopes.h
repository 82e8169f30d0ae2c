/* lessons/kit/slopes.h -- recording learned slopes while a network trains.
 *
 *  - A SlopeLog records every slope of every PReLU: at the start (step 0), after each of the first
 *    100 steps, and after every 10th step from then on. Each recording is a moment.
 *  - slope_log_step is a StepFn: set it and the log in a Trainer.
 *  - slope_log_values returns a layer's values at one moment; quantiles summarise them as a band.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_SLOPES_H
#define SLOPE_LESSONS_KIT_SLOPES_H

#include "lessons/kit/plot.h"

SLOPE_C_BEGIN

enum { SLOPE_LAYERS = 8 };

typedef struct SlopeLayer {
    char    name[64]; /* "prelu1", preceded by the log's prefix */
    int     channels;
    double *values; /* (moments, channels) */
} SlopeLayer;

typedef struct SlopeLog {
    const char *prefix;
    int         n_layers, moments, capacity;
    double     *step; /* (moments) */
    SlopeLayer  layer[SLOPE_LAYERS];
} SlopeLog;

/* Records the current slopes as step 0. `prefix` is put before every layer's name. */
SlopeLog *slope_log_new(Module *net, const char *prefix);
void slope_log_free(SlopeLog *log);
void slope_log_step(const Trainer *t, int64_t step, void *log);

/* Records the slopes after the last step, unless slope_log_step has already done so. */
void slope_log_finish(SlopeLog *log, const Trainer *t);

/* The slopes of a layer's channels at a moment (-1: the last). */
const double *slope_log_values(const SlopeLog *log, int layer, int moment);

/* Write rows "step,layer,channel,slope" and "layer,count,mean,std,min,max", without headers. */
void slope_log_write(FILE *f, const SlopeLog *log);
void slope_write_stats(FILE *f, Module *net, const char *prefix);

/* The q-quantile (0 <= q <= 1) of n values, linearly interpolated between neighbours. */
double quantile(const double *values, int n, double q);

/* Draws, in the current panel, bands from 5 to 95 and from 25 to 75 percent, the median, and up to
 * 16 single channels. */
void plot_slope_bands(Plot *p, const SlopeLog *log, int layer);

SLOPE_C_END

#endif

/* lessons/kit/slopes.h -- watching learned slopes while a network trains.
 *
 *  - A SlopeLog notes every slope of every PReLU: at the start (step 0), after each of the first
 *    100 steps, and after every 10th from then on.
 *  - slope_log_step is a StepFn: put it and the log into a Trainer.
 *  - A layer's values at one moment are slope_log_values; quantiles turn 256 of them into a band.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_SLOPES_H
#define SLOPE_LESSONS_KIT_SLOPES_H

#include "lessons/kit/plot.h"

enum { SLOPE_LAYERS = 8 };

typedef struct SlopeLayer {
    char    name[64]; /* "prelu1", with the log's prefix in front */
    int     channels;
    double *values; /* (moments, channels) */
} SlopeLayer;

typedef struct SlopeLog {
    const char *prefix;
    int         n_layers, moments, capacity;
    double     *step; /* (moments) */
    SlopeLayer  layer[SLOPE_LAYERS];
} SlopeLog;

/* Notes the slopes as they are now as step 0. `prefix` goes in front of every layer's name. */
SlopeLog *slope_log_new(Module *net, const char *prefix);
void slope_log_free(SlopeLog *log);
void slope_log_step(const Trainer *t, int64_t step, void *log);

/* Notes the slopes after the last step, if that step was not noted anyway. */
void slope_log_finish(SlopeLog *log, const Trainer *t);

/* The channels' slopes of a layer at a moment (-1: the last). */
const double *slope_log_values(const SlopeLog *log, int layer, int moment);

/* Rows "step,layer,channel,slope" without the header; "layer,count,mean,std,min,max" likewise. */
void slope_log_write(FILE *f, const SlopeLog *log);
void slope_write_stats(FILE *f, Module *net, const char *prefix);

/* The q-quantile (0 … 1) of n numbers, between neighbours by linear interpolation. */
double quantile(const double *values, int n, double q);

/* Into the current panel: bands from 5 to 95 and 25 to 75 percent, the median, up to 16
 * channels. */
void plot_slope_bands(Plot *p, const SlopeLog *log, int layer);

#endif

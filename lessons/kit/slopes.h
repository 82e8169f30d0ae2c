/* lessons/kit/slopes.h -- the slopes of a network: recorded while it trains, drawn, animated.
 *
 *  - A SlopeLog records every slope of every PReLU in a network: at the start (step 0), after each
 *    of the first 100 steps, after every 10th step up to 10,000, every 100th up to 100,000 and so
 *    on, and after the last step. Each recording is a moment.
 *  - slope_log_step is a StepFn: set it and the log in a Trainer. In a training loop of your own,
 *    call slope_log_record.
 *  - draw_slope_bands draws all layers in one picture; draw_slope_film animates them.
 *  - slope_log_values returns a layer's values at one moment; quantiles summarise them as a band.
 *
 *      SlopeLog *log = slope_log_new(net, "");
 *      Trainer trainer = {.net = net, …, .on_step = slope_log_step, .ctx = log};
 *      trainer_fit(&trainer);
 *      draw_slope_bands(&here, "slopes", "Slopes during training", log);
 *      draw_slope_film(&here, "slopes_moving", "Slopes during training", log);
 *      slope_log_free(log);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_SLOPES_H
#define SLOPE_LESSONS_KIT_SLOPES_H

#include "lessons/kit/plot.h"

SLOPE_C_BEGIN

typedef struct SlopeLayer {
    char    name[MODULE_PATH]; /* "prelu1", preceded by the log's prefix */
    int     channels;          /* 1 if all channels share one slope */
    double *values;            /* (moments, channels) */
} SlopeLayer;

typedef struct SlopeLog {
    Module     *net; /* borrowed */
    int         n_layers, moments, capacity;
    double     *step;  /* (moments) */
    SlopeLayer *layer; /* (n_layers) */
} SlopeLog;

/* Records the current slopes as step 0. `prefix` is put before every layer's name. Fails if the
 * network has no PReLU. */
SlopeLog *slope_log_new(Module *net, const char *prefix);
void slope_log_free(SlopeLog *log); /* log may be NULL */

/* A checkpoint does not contain the log. If training is resumed from one, the log therefore begins
 * with the first step after the resumption, and step 0 is dropped. */
void slope_log_step(const Trainer *t, int64_t step, void *log);

/* Records the slopes after a step; steps are counted from 1. If training has gone back to an
 * earlier step (trainer_load), the moments from that step on are replaced. */
void slope_log_record(SlopeLog *log, int64_t step);

/* The slopes of a layer's channels at a moment (-1: the last). */
const double *slope_log_values(const SlopeLog *log, int layer, int moment);

/* Write rows "step,layer,channel,slope" and "layer,count,mean,std,min,max", without headers. */
void slope_log_write(FILE *f, const SlopeLog *log);
void slope_write_stats(FILE *f, Module *net, const char *prefix);

/* The q-quantile (0 <= q <= 1) of n values, linearly interpolated between neighbours. */
double slope_quantile(const double *values, int n, double q);

/* Several at once: result[k] is the q[k]-quantile. */
void slope_quantiles(const double *values, int n, const double *q, int count, double *result);

/* --- pictures: slopes_draw.c ------------------------------------------------------------------ */

/* Draws, in the current panel, bands from 5 to 95 and from 25 to 75 percent, the median, and up to
 * 16 single channels. For a layer with one shared slope, it draws only a line. */
void plot_slope_bands(Plot *p, const SlopeLog *log, int layer);

enum { SLOPE_SHOWN = 12 };

/* If only one moment has been recorded, both functions draw nothing and say so.
 *
 * Both show every layer. Of more than SLOPE_SHOWN layers, they show SLOPE_SHOWN, evenly spaced from
 * the first to the last, and the title says so.
 *
 * draw_slope_bands draws the bands of each layer in a panel of NAME.svg; all panels have the same
 * axes. */
void draw_slope_bands(const Lesson *lesson, const char *name, const char *title,
                      const SlopeLog *log);

/* Draws NAME.gif: one row per layer, with a histogram of its slopes, scaled to its tallest bin,
 * and their median. The frames are evenly spaced in time, that is, in training steps, and all have
 * the same axes; the last one is held. */
void draw_slope_film(const Lesson *lesson, const char *name, const char *title,
                     const SlopeLog *log);

SLOPE_C_END

#endif

/* lessons/kit/plane.h -- what a network of two inputs thinks of every point of a square.
 *
 *  - plane_read asks a network of two classes at PLANE x PLANE points; plot_plane draws the answers
 *    in two colours, which meet where both classes have probability 1/2, and a dataset's points.
 *  - A Film does so again and again while a network trains: film_step is a StepFn; plot_film draws
 *    an animated GIF. Moments are close together at first, when most happens.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_PLANE_H
#define SLOPE_LESSONS_KIT_PLANE_H

#include "lessons/kit/plot.h"

enum { PLANE = 101, FILM_FRAMES = 24 };
#define PLANE_EDGE 1.25 /* the square reaches from -PLANE_EDGE to PLANE_EDGE */

/* The probability of class 0 at each point, row 0 at the top: (PLANE, PLANE) numbers. */
void plane_read(Module *net, double *plane);

/* Into the current panel: a plane, and the examples (2) of a dataset of two classes. */
void plot_plane(Plot *p, const double *plane, const Dataset *data);

typedef struct Film {
    int n, steps; /* frames so far; of the whole training */
    double step[FILM_FRAMES + 1];
    double *plane; /* (FILM_FRAMES + 1, PLANE, PLANE) */
} Film;

/* Begins with the network as it is now. */
Film *film_new(Module *net, int steps);
void film_free(Film *film);
void film_step(const Trainer *t, int64_t step, void *film);
void plot_film(const Lesson *lesson, const char *name, const char *title, const Film *film,
               const Dataset *data);

#endif

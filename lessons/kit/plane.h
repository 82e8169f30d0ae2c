/* lessons/kit/plane.h -- the output of a network with two inputs at every point of a square.
 *
 *  - plane_read evaluates a network with two classes at PLANE x PLANE points; plot_plane draws the
 *    result in two colours, which meet where both classes have probability 1/2, and the points of a
 *    dataset.
 *  - A Film records this repeatedly while a network trains: film_step is a StepFn; plot_film draws
 *    an animated GIF. Frames are closer together in the beginning, when most happens.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_PLANE_H
#define SLOPE_LESSONS_KIT_PLANE_H

#include "lessons/kit/plot.h"

SLOPE_C_BEGIN

enum { PLANE = 101, FILM_FRAMES = 24 };
#define PLANE_EDGE 1.25 /* the square extends from -PLANE_EDGE to PLANE_EDGE */

/* Writes the probability of class 0 at each point, (PLANE, PLANE) values, row 0 at the top. */
void plane_read(Module *net, double *plane);

/* Draws, in the current panel, a plane and the points (2) of a dataset with two classes. */
void plot_plane(Plot *p, const double *plane, const Dataset *data);

typedef struct Film {
    int n, steps; /* frames so far; steps of the whole training run */
    double step[FILM_FRAMES + 1];
    double *plane; /* (FILM_FRAMES + 1, PLANE, PLANE) */
} Film;

/* The first frame shows the network as it is now. */
Film *film_new(Module *net, int steps);
void film_free(Film *film);
void film_step(const Trainer *t, int64_t step, void *film);
void plot_film(const Lesson *lesson, const char *name, const char *title, const Film *film,
               const Dataset *data);

SLOPE_C_END

#endif

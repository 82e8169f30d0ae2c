/* lessons/assignments/a8_slopes/run.c -- compares two sides over ten seeds, with a picture.
 *
 *  - A side is one layer of one setting. Compare two layers of one setting or, with -DSETTINGS,
 *    one layer of two settings.
 *  - Both sides of a pair get the same data and the same seed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/kit/plot.h"
#include "slopes.h"

enum { SEEDS = 10, EXAMPLES = 600, MOMENTS = 256 };

typedef void Experiment(const Dataset *train, const Dataset *test, FILE *out, uint64_t seed);

typedef struct Side {
    const char *name;
    Experiment *experiment;
    int         layer;
} Side;

#ifdef SETTINGS /* slopes.c is compiled twice, as experiment_a and as experiment_b */
Experiment experiment_a, experiment_b;
static const Side sides[2] = {{"A", experiment_a, 1}, {"B", experiment_b, 1}};
#else
static const Side sides[2] = {{"layer 0", experiment, 0}, {"layer 1", experiment, 1}};
#endif

/* What one run wrote: the layer's mean slope at each recorded step, and how many predictions were
 * right. */
typedef struct Result {
    int    moments, right;
    double step[MOMENTS], mean[MOMENTS], count[MOMENTS];
} Result;

static Result results[2][SEEDS];

static void read_slope(Result *r, double step, double a)
{
    int m = r->moments - 1;
    if (m < 0 || r->step[m] != step) {
        if (r->moments == MOMENTS)
            slope_fail("run", "more than %d steps are recorded", MOMENTS);
        m = r->moments++, r->step[m] = step;
    }
    r->mean[m] += (a - r->mean[m]) / ++r->count[m];
}

static Result run_side(const Side *side, uint64_t seed)
{
    char line[256];
    Result r = {0};
    double step, a;
    int layer, channel, i, class;
    Dataset *train = spirals_new(EXAMPLES, 3, (real)0.03, 2 * seed);
    Dataset *valid = spirals_new(EXAMPLES, 3, (real)0.03, 2 * seed + 1);
    FILE *f = tmpfile();
    if (!f)
        slope_fail("run", "cannot create a temporary file");
    side->experiment(train, valid, f, seed);
    rewind(f);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "slope,%lf,%d,%d,%lf", &step, &layer, &channel, &a) == 4 &&
            layer == side->layer)
            read_slope(&r, step, a);
        if (sscanf(line, "prediction,%d,%d", &i, &class) == 2)
            r.right += valid->labels.data[i] == class;
    }
    fclose(f), dataset_free(train), dataset_free(valid);
    return r;
}

/* The mean of n numbers, and its standard error: equations (4) and (5). */
static double mean_of(int n, const double *x, double *error)
{
    double mean = 0, sum = 0;
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    *error = sqrt(sum / (n - 1) / n);
    return mean;
}

/* The mean slope of a side at each step, over the seeds, with bars of two standard errors. */
static void draw_side(Plot *p, const Result *r, const char *name)
{
    double y[MOMENTS], bar[MOMENTS], x[SEEDS], error;
    for (int m = 0; m < r->moments; m++) {
        for (int s = 0; s < SEEDS; s++)
            x[s] = r[s].mean[m];
        y[m] = mean_of(SEEDS, x, &error), bar[m] = 2 * error;
    }
    plot_errors(p, name, r->moments, r->step, y, bar);
}

static void draw(const Lesson *lesson, const double *d)
{
    double seed[SEEDS];
    for (int s = 0; s < SEEDS; s++)
        seed[s] = s + 1;
    Plot *p = plot_new(lesson, "slopes", "Mean slopes, 10 seeds", 1, 2);
    plot_panel(p, "mean over the seeds, and two standard errors", "update", "slope");
    plot_key(p, "top right");
    draw_side(p, results[0], sides[0].name);
    draw_side(p, results[1], sides[1].name);
    plot_panel(p, "second side minus first", "seed", "difference");
    plot_x_range(p, 0, SEEDS + 1);
    plot_points(p, "one run", SEEDS, seed, d);
    plot_horizontal(p, "no difference", 0);
    plot_draw(p);
}

/* Runs both sides with this seed, prints a row, and returns the difference (3). */
static double compare(int seed)
{
    double accuracy[2], slope[2];
    for (int k = 0; k < 2; k++) {
        Result *r = &results[k][seed - 1];
        *r = run_side(&sides[k], (uint64_t)seed);
        if (r->moments == 0)
            slope_fail("run", "no slopes of layer %d are recorded", sides[k].layer);
        accuracy[k] = (double)r->right / EXAMPLES, slope[k] = r->mean[r->moments - 1];
    }
    printf("%4d  %8.3f  %7.3f  %8.3f  %7.3f  %10.3f\n", seed, accuracy[0], slope[0], accuracy[1],
           slope[1], slope[1] - slope[0]);
    return slope[1] - slope[0];
}

int main(int argc, char **argv)
{
    double d[SEEDS], error;
    Lesson lesson = lesson_begin(argc, argv, "a8", "Learned slopes, compared", 0);
    printf("seed  accuracy  %7s  accuracy  %7s  difference\n", sides[0].name, sides[1].name);
    for (int s = 0; s < SEEDS; s++)
        d[s] = compare(s + 1);
    double mean = mean_of(SEEDS, d, &error);
    printf("mean difference %.3f, standard error %.3f, t = %.1f\n", mean, error, mean / error);
    draw(&lesson, d);
    return lesson_end(&lesson);
}

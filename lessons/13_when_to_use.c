/* Lesson 13: when to use PReLU. An experiment for every piece of advice.
 *
 * You will see  what a text recommends and warns of, put to the test: five activations on a small,
 *               a middling and a large set of images, seven fixed slopes against the learned ones;
 *               each piece of advice found true, true only if, or not so here; and how much of a
 *               difference in accuracy is nothing but the seed.
 * You need      lessons 08 and 09; what a standard deviation is.
 *
 * Two activations A and B, each trained from seeds 1 ... n, have accuracies A_s and B_s. The seed
 * decides on the images, their order and the first weights; both get the same. What seed s does to
 * both drops out of their difference:
 *
 *      d_s = A_s - B_s,    Var[d] = Var[A] + Var[B] - 2 Cov[A, B]                          (1)
 *
 * and the more A and B move together, the less noise is left. The mean of n such differences has
 * the standard error
 *
 *      e = sd(d) / sqrt(n),    sd(d)^2 = sum of (d_s - mean)^2 / (n - 1)                   (2)
 *
 * and 0 lies outside its 95 % interval if |mean| > t e, with Student's t: 4.3 for 3 seeds, 2.8 for
 * 5, 2.3 for 10. Only then a difference is called clear; where there is none, that still happens
 * one time in twenty. A standard deviation, too, is found only to about
 *
 *      sd(sd) = sd / sqrt(2 (n - 1)),                                                      (3)
 *
 * a third of itself for 5 seeds. All this says nothing of other data or other networks: here they
 * are clothes and 784-128-128-10, five epochs of Adam for the large set.
 *
 * Run   make lesson-13          (a minute and a half; with ARGS="--quick" a few seconds)
 * It prints, among other things, on Fashion-MNIST:
 *
 *      60000 samples, 5 seeds, 5 epochs: mean +- standard error
 *                         test accuracy     minus ReLU         training loss  mean slopes
 *      ReLU               0.8751 +- 0.0024  +0.0000 +- 0.0000  0.2781         +0.000 +0.000
 *      LeakyReLU .01      0.8768 +- 0.0020  +0.0017 +- 0.0011  0.2782         +0.010 +0.010
 *      LeakyReLU .25      0.8705 +- 0.0025  -0.0046 +- 0.0016  0.3009         +0.250 +0.250
 *      PReLU shared       0.8753 +- 0.0030  +0.0002 +- 0.0017  0.2799         -0.061 +0.009
 *      PReLU per channel  0.8736 +- 0.0024  -0.0015 +- 0.0014  0.2891         +0.115 +0.168
 *      fixed at -.25      0.8758 +- 0.0032  +0.0007 +- 0.0010  0.2747         -0.250 -0.250
 *      fixed at .1        0.8741 +- 0.0027  -0.0010 +- 0.0013  0.2835         +0.100 +0.100
 *      fixed at .5        0.8604 +- 0.0012  -0.0147 +- 0.0019  0.3406         +0.500 +0.500
 *      fixed at 1         0.8368 +- 0.0011  -0.0383 +- 0.0019  0.4216         +1.000 +1.000
 *
 * The findings of that run:
 *
 *      consistently helps images, outperforms ReLU     not here against ReLU: 0 of 6 comparisons
 *      ... and Leaky ReLU                              true only for a slope of .25, not of .01
 *      when the best slope is unknown                  true only if you would have guessed badly
 *      benefits from larger datasets                   true
 *      overfitting on very small ones is negligible    true
 *      learned slopes add variation                    true of slopes, not shown of accuracy
 *      per channel gives the best results              not here
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/kit/plot.h"
#include "lessons/kit/trials.h"

/* --- the experiment --------------------------------------------------------------------------- */

enum { SMALL, MIDDLE, LARGE, SIZES };
enum { RELU, LEAKY_01, LEAKY_25, SHARED, CHANNEL, MINUS_25, AT_1, AT_5, LINEAR, KINDS };
enum { FIVE = CHANNEL + 1 }; /* the rest only for the grid of slopes */
static const TrialKind kind[KINDS] = {{"ReLU", 0, 0},
                                      {"LeakyReLU .01", 0.01, 0},
                                      {"LeakyReLU .25", 0.25, 0},
                                      {"PReLU shared", 0.25, 1},
                                      {"PReLU per channel", 0.25, TRIAL_WIDTH},
                                      {"fixed at -.25", -0.25, 0},
                                      {"fixed at .1", 0.1, 0},
                                      {"fixed at .5", 0.5, 0},
                                      {"fixed at 1", 1, 0}};

enum { GRID = 7 }; /* all fixed slopes, in order */
static const int grid[GRID] = {MINUS_25, RELU, LEAKY_01, AT_1, LEAKY_25, AT_5, LINEAR};

static Mean gain(const Trials *t, int size, int k, int over)
{
    return trials_difference(t, ACCURACY, size, k, over);
}

static void say_gain(const Trials *t, int size, int k, int over)
{
    Mean m = gain(t, size, k, over);
    say("  %6td samples: %s minus %s: %+.4f +- %.4f%s\n", t->size[size].samples, kind[k].name,
        kind[over].name, m.mean, m.error, m.clear ? ", clear" : "");
}

static void finding(const char *verdict, const char *why)
{
    say("\n  Finding: %s: %s\n\n", verdict, why);
}

static void say_table(const Trials *t, int size)
{
    say("\n%td samples, %d seeds, %d epochs: mean +- standard error\n", t->size[size].samples,
        t->size[size].seeds, t->size[size].epochs);
    say("                   test accuracy     minus ReLU         training loss  mean slopes\n");
    for (int k = 0; k < t->size[size].kinds; k++) {
        Mean a = trials_value(t, ACCURACY, size, k), d = gain(t, size, k, RELU);
        say("%-17s  %.4f +- %.4f  %+.4f +- %.4f  %.4f         %+.3f %+.3f\n", kind[k].name, a.mean,
            a.error, k == RELU ? 0 : d.mean, k == RELU ? 0 : d.error,
            trials_value(t, TRAIN_LOSS, size, k).mean, trials_value(t, SLOPE_1, size, k).mean,
            trials_value(t, SLOPE_2, size, k).mean);
    }
}

/* Small sets vary more and cost less: more seeds, more epochs. */
static void run(const Lesson *lesson, Trials *t, const LessonData *data)
{
    static const int part[SIZES] = {120, 12, 1}, epochs[SIZES] = {20, 4, 1},
                     seeds[SIZES] = {10, 8, 5};
    for (int size = 0; size < SIZES; size++) {
        t->size[size] = (TrialSize){
            .samples = data->train->count / part[size],
            .seeds = lesson->quick ? 3 : seeds[size],
            .epochs = epochs[size] * (lesson->quick ? (lesson->epochs + 1) / 2 : lesson->epochs),
            .kinds = size == LARGE ? KINDS : FIVE};
        for (int s = 0; s < t->size[size].seeds; s++)
            for (int k = 0; k < t->size[size].kinds; k++)
                trials_train(lesson, t, data, size, k, s);
        say_table(t, size);
    }
}

/* One training once more. */
static void same_again(const Lesson *lesson, Trials *t, const LessonData *data)
{
    double before[TRIAL_FIELDS];
    bool same = true;
    for (int field = 0; field < TRIAL_FIELDS; field++)
        before[field] = t->value[field][SMALL][CHANNEL][0];
    trials_train(lesson, t, data, SMALL, CHANNEL, 0);
    for (int field = 0; field < TRIAL_FIELDS; field++)
        same = same && before[field] == t->value[field][SMALL][CHANNEL][0];
    claim(same, "trained again from the same seed: the same accuracy, loss and slopes to the bit");
}

/* --- the claims ------------------------------------------------------------------------------- */

static void data_matter_most(const Trials *t, bool enough)
{
    section("First, what matters");
    for (int size = SMALL; size < LARGE; size++) {
        double low = 1, high = 0, next = 0;
        for (int k = 0; k < FIVE; k++) {
            double a = trials_value(t, ACCURACY, size, k).mean;
            low = fmin(low, a), high = fmax(high, a);
            next += trials_value(t, ACCURACY, size + 1, k).mean / FIVE;
        }
        say("  from %td samples to %td: %.3f better; from the worst of five activations to the "
            "best: %.3f\n",
            t->size[size].samples, t->size[size + 1].samples, next - high, high - low);
        if (enough)
            claim(next - high > high - low, "so data matter more than the activation");
    }
}

static void consistently_helps(const Trials *t, bool full)
{
    section("\"Image classification: it consistently helps\", \"often outperforming both ReLU and "
            "Leaky ReLU\"");
    int gains = 0, losses = 0;
    double best = -1;
    for (int size = 0; size < SIZES; size++)
        for (int k = SHARED; k <= CHANNEL; k++) {
            Mean m = gain(t, size, k, RELU);
            say_gain(t, size, k, RELU);
            gains += m.clear && m.mean > 0, losses += m.clear && m.mean < 0;
            best = fmax(best, m.mean);
        }
    say("  Of these six, %d are clear gains and %d clear losses.\n", gains, losses);
    finding(gains == 6 ? "true against ReLU"
            : gains    ? "true against ReLU only at some sizes"
            : losses   ? "not here against ReLU"
                       : "not clear from these seeds",
            "six comparisons, seed by seed.");
    for (int k = SHARED; k <= CHANNEL; k++)
        say_gain(t, LARGE, k, LEAKY_01), say_gain(t, LARGE, k, LEAKY_25);
    bool over_25 = gain(t, LARGE, SHARED, LEAKY_25).clear &&
                   gain(t, LARGE, SHARED, LEAKY_25).mean > 0;
    finding(over_25 ? "against Leaky ReLU true only for a slope of .25"
                    : "not clear from these seeds",
            "one of .01 is ReLU in all but name.");
    if (full) {
        claim(best < 0.01, "no PReLU beats ReLU by a point at any size: %+.4f at best", best);
        claim(trials_difference(t, TRAIN_LOSS, LARGE, CHANNEL, LEAKY_25).mean < 0 &&
                  trials_difference(t, TRAIN_LOSS, LARGE, SHARED, LEAKY_25).mean < 0,
              "either has a lower training loss than the fixed .25 from which it starts");
    }
}

static void slope_unknown(const Trials *t, bool enough, bool full)
{
    section("\"When Leaky ReLU helps but the optimal slope is unknown\"");
    int best = RELU;
    for (int i = 0; i < GRID; i++)
        if (trials_value(t, ACCURACY, LARGE, grid[i]).mean >
            trials_value(t, ACCURACY, LARGE, best).mean)
            best = grid[i];
    int beaten = 0, better = 0;
    for (int i = 0; i < GRID; i++) {
        Mean m = gain(t, LARGE, SHARED, grid[i]);
        beaten += m.clear && m.mean > 0, better += m.clear && m.mean < 0;
        say_gain(t, LARGE, SHARED, grid[i]);
    }
    int help = 0;
    for (int i = 2; i < GRID; i++)
        help += gain(t, LARGE, grid[i], RELU).clear && gain(t, LARGE, grid[i], RELU).mean > 0;
    say("  The best of the grid is %s. Of its %d slopes above 0, %d are clearly better than 0.\n",
        kind[best].name, GRID - 2, help);
    say("  The learned slope is clearly better than %d of the %d fixed ones.\n", beaten, GRID);
    finding(beaten == GRID ? "true" : beaten ? "true only if you would have guessed badly"
                                             : "not clear from these seeds",
            better ? "and some fixed slope is clearly better than the learned one."
                   : "no fixed slope is clearly better than the learned one.");
    if (enough)
        claim(trials_difference(t, TRAIN_LOSS, LARGE, LINEAR, RELU).mean > 0,
              "a bad guess costs: a = 1, a linear network, has a higher training loss than ReLU");
    if (!full)
        return;
    for (int k = SHARED; k <= CHANNEL; k++)
        claim(gain(t, LARGE, k, AT_5).mean > 0 && gain(t, LARGE, k, LINEAR).mean > 0,
              "%s beats the guesses .5 and 1, by %.4f and %.4f", kind[k].name,
              gain(t, LARGE, k, AT_5).mean, gain(t, LARGE, k, LINEAR).mean);
    claim(gain(t, LARGE, AT_5, RELU).mean < 0 &&
              trials_difference(t, TRAIN_LOSS, LARGE, LEAKY_25, RELU).mean > 0,
          "a slope fixed at .5 loses to 0 by %.4f; one of .25 has a higher training loss",
          -gain(t, LARGE, AT_5, RELU).mean);
}

static void data_needed(const Trials *t, bool full)
{
    section("\"Sufficient training data: it benefits from larger datasets\"");
    for (int size = 0; size < SIZES; size++)
        for (int k = SHARED; k <= CHANNEL; k++)
            say_gain(t, size, k, LEAKY_25);
    Mean small = gain(t, SMALL, SHARED, LEAKY_25), large = gain(t, LARGE, SHARED, LEAKY_25);
    finding(large.clear && large.mean > small.mean ? "true" : "not clear from these seeds",
            "this is what learning adds to the slope it starts from.\n"
            "  But a large set is also more steps, of about .001 for a slope.");
    double moved[2] = {fabs(trials_value(t, SLOPE_1, SMALL, SHARED).mean - 0.25),
                       fabs(trials_value(t, SLOPE_1, LARGE, SHARED).mean - 0.25)};
    if (full)
        claim(moved[1] > moved[0], "the first layer's shared slope moved by %.3f, on the small set "
              "by %.3f", moved[1], moved[0]);
}

static void small_sets(const Trials *t, bool full)
{
    section("\"Very small datasets: overfitting, though usually negligible\"");
    Mean m = gain(t, SMALL, CHANNEL, LEAKY_25);
    say_gain(t, SMALL, CHANNEL, LEAKY_25);
    finding(fabs(m.mean) < 0.01 ? "true" : "not here",
            "this is what the extra slopes do on the smallest set.");
    claim(fabs(m.mean) < 0.01, "%d slopes more or less: %.4f of accuracy, on %td samples",
          2 * TRIAL_WIDTH, fabs(m.mean), t->size[SMALL].samples);
    say("\n  Xu, Wang, Chen and Li (arXiv:1505.00853) found PReLU's training error the lowest, its "
        "test\n  error not. The lowest training loss here:\n");
    for (int size = 0; size < SIZES; size++) {
        int best = 0;
        for (int k = 1; k < FIVE; k++)
            if (trials_value(t, TRAIN_LOSS, size, k).mean <
                trials_value(t, TRAIN_LOSS, size, best).mean)
                best = k;
        say("  %6td samples: %.4f with %s\n", t->size[size].samples,
            trials_value(t, TRAIN_LOSS, size, best).mean, kind[best].name);
    }
    if (full)
        claim(trials_difference(t, TRAIN_LOSS, LARGE, CHANNEL, RELU).mean > 0,
              "not so: on %td samples ReLU's is lower than that of PReLU per channel",
              t->size[LARGE].samples);
}

static void variation(const Trials *t)
{
    section("\"Learned slopes add training-dependent variation\"");
    static const double f95[TRIAL_SEEDS + 1] = {0, 0, 648, 39, 15.4, 9.6, 7.15, 5.82, 4.99, 4.43,
                                                4.03};
    int wider = 0;
    say("Standard deviation over the seeds, itself known to about 1/sqrt(2(n-1)):\n\n"
        "samples        accuracy with                             mean slope of layer 1\n"
        "               ReLU    L. .01  L. .25  shared  channel   shared  channel\n");
    for (int size = 0; size < SIZES; size++) {
        int n = t->size[size].seeds;
        double relu = trials_value(t, ACCURACY, size, RELU).sd;
        say("%6td +-%2.0f %%  ", t->size[size].samples, 100 / sqrt(2.0 * (n - 1)));
        for (int k = 0; k < FIVE; k++)
            say(" %.4f ", trials_value(t, ACCURACY, size, k).sd);
        say("   %.4f  %.4f\n", trials_value(t, SLOPE_1, size, SHARED).sd,
            trials_value(t, SLOPE_1, size, CHANNEL).sd);
        for (int k = SHARED; k <= CHANNEL; k++)
            wider += pow(trials_value(t, ACCURACY, size, k).sd, 2) > f95[n] * relu * relu;
    }
    finding(wider ? "true of the slopes, and of the accuracy at some size"
                  : "true of the slopes, not shown of the accuracy",
            "ReLU's varies with the seed too.");
    claim(trials_value(t, SLOPE_1, LARGE, SHARED).sd > 0 &&
              trials_value(t, SLOPE_1, LARGE, CHANNEL).sd > 0,
          "slopes differ from seed to seed");
}

static void per_channel_best(const Trials *t, bool full)
{
    section("\"Use per-channel mode for best results\"");
    int better = 0, worse = 0;
    double best = -1;
    for (int size = 0; size < SIZES; size++) {
        Mean m = gain(t, size, CHANNEL, SHARED);
        say_gain(t, size, CHANNEL, SHARED);
        better += m.clear && m.mean > 0, worse += m.clear && m.mean < 0;
        best = fmax(best, m.mean);
    }
    finding(better == SIZES   ? "true"
            : better          ? "true only at some sizes"
            : worse           ? "not here"
                              : "not clear from these seeds",
            "three sizes, seed by seed.");
    if (!full)
        return;
    claim(best < 0.005, "one slope per channel beats one per layer by half a point at no size");
    double shared = trials_value(t, SLOPE_1, LARGE, SHARED).mean,
           channels = trials_value(t, SLOPE_1, LARGE, CHANNEL).mean;
    claim(fabs(shared - 0.25) > fabs(channels - 0.25),
          "a likely reason: one slope for all goes further, to %.3f; the channels' mean is %.3f",
          shared, channels);
}

/* --- pictures --------------------------------------------------------------------------------- */

/* In percent; side by side, so that bars do not cover one another. */
static void draw_sizes(const Lesson *lesson, const Trials *t, const char *data)
{
    char title[128];
    snprintf(title, sizeof title, "Five activations on %s, with standard errors over seeds", data);
    Plot *p = plot_new(lesson, "sizes", title, 1, 2);
    plot_size(p, 1300, 620);
    for (int panel = 0; panel < 2; panel++) {
        plot_panel(p, panel ? "The same, minus ReLU with the same seed" : "Test accuracy",
                   "training samples, log axis",
                   panel ? "percentage points above ReLU" : "percent right");
        plot_log_x(p), plot_set(p, "set format x '%g'; set xlabel offset 0, 0.6");
        plot_set(p, "set key height 1.5; set bars 0.5");
        plot_key(p, "outside bottom center horizontal");
        char tics[64];
        snprintf(tics, sizeof tics, "set xtics (%td, %td, %td)", t->size[SMALL].samples,
                 t->size[MIDDLE].samples, t->size[LARGE].samples);
        plot_set(p, tics);
        plot_x_range(p, 0.5 * (double)t->size[SMALL].samples, 2 * (double)t->size[LARGE].samples);
        for (int k = 0; k < FIVE; k++) {
            double x[SIZES], y[SIZES], error[SIZES];
            for (int size = 0; size < SIZES; size++) {
                Mean m = panel ? gain(t, size, k, RELU) : trials_value(t, ACCURACY, size, k);
                x[size] = (double)t->size[size].samples * pow(1.17, k - 2);
                y[size] = panel && k == RELU ? 0 : 100 * m.mean;
                error[size] = panel && k == RELU ? 0 : 100 * m.error;
            }
            plot_errors(p, kind[k].name, SIZES, x, y, error);
        }
        if (panel)
            plot_horizontal(p, "", 0);
    }
    plot_draw(p);
}

/* A learned slope stands at the mean of its two layers. */
static void draw_grid(const Lesson *lesson, const Trials *t)
{
    char title[128];
    snprintf(title, sizeof title, "Fixed slopes and learned ones, %td samples",
             t->size[LARGE].samples);
    Plot *p = plot_new(lesson, "grid", title, 1, 2);
    plot_size(p, 1300, 600);
    for (int field = ACCURACY; field <= TRAIN_LOSS; field++) {
        double scale = field == ACCURACY ? 100 : 1, x[GRID], y[GRID], error[GRID];
        plot_panel(p, field == ACCURACY ? "Test accuracy" : "Training loss, last epoch",
                   "slope a; a learned one: mean of both layers",
                   field == ACCURACY ? "percent right" : "cross-entropy [nats per image]");
        plot_x_range(p, -0.35, 1.1), plot_key(p, "outside bottom center horizontal");
        plot_set(p, "set xlabel offset 0, 0.6; set key height 1.5");
        for (int i = 0; i < GRID; i++) {
            Mean m = trials_value(t, field, LARGE, grid[i]);
            x[i] = kind[grid[i]].slope, y[i] = scale * m.mean, error[i] = scale * m.error;
        }
        plot_thin_line(p, "", GRID, x, y);
        plot_errors(p, "fixed", GRID, x, y, error);
        for (int k = SHARED; k <= CHANNEL; k++) {
            Mean m = trials_value(t, field, LARGE, k);
            double at = (trials_value(t, SLOPE_1, LARGE, k).mean +
                         trials_value(t, SLOPE_2, LARGE, k).mean) / 2;
            plot_errors(p, kind[k].name, 1, &at, &(double){scale * m.mean},
                        &(double){scale * m.error});
        }
    }
    plot_draw(p);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "13", "When to use PReLU", 5);
    LessonData data = lesson_load(&lesson);
    static Trials t = {.kind = kind};
    run(&lesson, &t, &data);
    bool enough = lesson.epochs >= 5;                 /* with fewer, too little is learned, */
    bool full = lesson.epochs == 5 && !lesson.quick;  /* and this is the run that was tried out */
    data_matter_most(&t, enough);
    consistently_helps(&t, full);
    slope_unknown(&t, enough, full);
    data_needed(&t, full);
    small_sets(&t, full);
    variation(&t);
    same_again(&lesson, &t, &data);
    per_channel_best(&t, full);
    section("Pictures");
    draw_sizes(&lesson, &t, data.real_images ? "Fashion-MNIST" : "glyphs");
    draw_grid(&lesson, &t);
    trials_write(&lesson, &t);
    lesson_unload(&data);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. Give the slopes ten times the learning rate (optimizer_split, lesson 08, exercise 2). Does a
 *    small set now teach them anything? Does the accuracy change?
 * 2. Let learned slopes start at 0 instead of .25. Which findings change?
 * 3. The best fixed slope here is 0 or below. Extend the grid to -1. Where is the best, and what
 *    does such an activation look like?
 * 4. Half a point of accuracy is 50 of 10,000 test images. How many seeds would you need to tell a
 *    difference of a tenth of a point, if the difference varies by .3 points from seed to seed?
 * 5. Put batch_norm1d_new before each activation in lessons/kit/trials.c. Which findings survive?
 * 6. This is one kind of image and one kind of network. Lesson 11 has a convolutional one: plan
 *    the trials that would tell whether "consistently helps" holds there, and count their cost.
 */

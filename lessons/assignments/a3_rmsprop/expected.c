/* lessons/assignments/a3_rmsprop/expected.c -- the rule, right and with known mistakes, and the
 * trainings that the solver is asked for. Included by tests.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "lessons/assignments/judge/judge.h"

/* --- the rule, right and wrong ---------------------------------------------------------------- */

/* In the order in which services.c reads them. */
typedef struct Settings {
    double lr, alpha, eps, decay, momentum, centered;
} Settings;
enum { SETTINGS = sizeof(Settings) / sizeof(double) };

/* For tests that compare the submission with itself. Those that compare values with the rule's use
 * eps 0, unless they test eps, so that a misplaced eps costs no other points. */
static const Settings plain = {.lr = 0.1, .alpha = 0.9, .eps = 1e-8};

typedef enum Fault {
    NO_FAULT, UPHILL, NO_ROOT, EPS_INSIDE, NO_SHARE, EXCHANGED, CORRECTED, STARTS_AT_SQUARE,
    LATE, DEFAULTS, FIRST, EPS_FIXED, NO_DECAY, DECAY_ADDED, DECAY_APART, DECAY_NOT_IN_V,
    DECAY_NOT_IN_MEANS, NO_MOMENTUM, MOMENTUM_OF_G, MOMENTUM_SHARE, RATE_IN_BUFFER, NO_CENTER,
    NOT_SQUARED, NUMERATOR, NO_MEAN_SHARE, DEVIATION, ROOT_FIRST, BY_SLOT, SGD, FAULTS
} Fault;

static const char *const fault_hint[FAULTS] = {
    [UPHILL] = "the sign is flipped: a step goes against the gradient",
    [NO_ROOT] = "g is divided by v, not by its root",
    [EPS_INSIDE] = "eps is inside the root: add it to sqrt(v), not to v",
    [NO_SHARE] = "v is a sum, not a mean: multiply g^2 by 1 - alpha",
    [EXCHANGED] = "alpha and 1 - alpha are exchanged: multiply the old v by alpha",
    [CORRECTED] = "v is divided by 1 - alpha^t, as in Adam: RMSprop has no correction",
    [STARTS_AT_SQUARE] = "v starts at g^2, not at 0: the first v must be (1 - alpha) g^2",
    [LATE] = "the step uses the old v: update v first",
    [DEFAULTS] = "the settings have no effect: read them from the group that update gets",
    [FIRST] = "every step uses the settings of the first: in every call, read them from the group "
              "that update gets",
    [EPS_FIXED] = "eps is always 1e-8: read it from the group that update gets",
    [NO_DECAY] = "weight_decay is not used",
    [DECAY_ADDED] = "weight decay pulls theta away from 0: add weight_decay theta to g",
    [DECAY_APART] = "the decay is decoupled, as in AdamW: add weight_decay theta to g before "
                    "everything else",
    [DECAY_NOT_IN_V] = "v is computed from g without the decay: add weight_decay theta to g first",
    [DECAY_NOT_IN_MEANS] = "v and m are computed from g without the decay: add weight_decay theta "
                           "to g first",
    [NO_MOMENTUM] = "momentum is not used: read it from the group, and let `needs` return 2",
    [MOMENTUM_OF_G] = "the buffer accumulates g: divide by the root first, and accumulate "
                      "the quotients",
    [MOMENTUM_SHARE] = "d is multiplied by 1 - momentum: the buffer is a sum, not a mean",
    [RATE_IN_BUFFER] = "lr is inside the buffer: b <- momentum b + d, theta <- theta - lr b. The "
                       "two differ as soon as lr changes",
    [NO_CENTER] = "centring has no effect: read its setting from group->own, and let `needs` "
                  "return 3, even if momentum is 0",
    [NOT_SQUARED] = "m is subtracted from v, not m^2",
    [NUMERATOR] = "centring changes only the divisor: the numerator is g, not g - m",
    [NO_MEAN_SHARE] = "m is a sum, not a mean: multiply g by 1 - alpha",
    [DEVIATION] = "v is the mean of (g - m)^2: take the mean of g^2, and subtract m^2 from it",
    [ROOT_FIRST] = "sqrt(v) - m: subtract m^2 from v before the root is taken",
    [BY_SLOT] = "centring continues after it was switched off: check the settings, not whether the "
                "slot exists",
    [SGD] = "g is not divided by anything: this is SGD",
};

/* The state of one element. */
typedef struct Element {
    double theta, v, b, m;
    int    t; /* steps so far */
    bool   was_centered;
} Element;

static double mean(double alpha, double old, double x)
{
    return alpha * old + (1 - alpha) * x;
}

/* Updates m with g, and v with its square; `raw` is g without the decay. */
static void element_means(Element *e, const Settings *s, Fault f, double g, double raw)
{
    bool neither = f == DECAY_NOT_IN_MEANS;
    double of_m = neither ? raw : g, of_v = neither || f == DECAY_NOT_IN_V ? raw : g;
    double a = f == EXCHANGED ? 1 - s->alpha : s->alpha;
    e->was_centered |= s->centered != 0;
    if (s->centered != 0 || (f == BY_SLOT && e->was_centered))
        e->m = f == NO_MEAN_SHARE ? a * e->m + of_m : mean(a, e->m, of_m);
    double off = f == DEVIATION && s->centered != 0 ? of_v - e->m : of_v;
    e->v = f == NO_SHARE                         ? a * e->v + off * off
           : f == STARTS_AT_SQUARE && e->t == 1 ? off * off
                                                : mean(a, e->v, off * off);
}

/* The divisor of g. `v` is the mean to use, which may contain Adam's correction. */
static double element_divisor(const Element *e, const Settings *s, Fault f, double v)
{
    bool centered = (s->centered != 0 && f != NO_CENTER && f != DEVIATION) ||
                    (f == BY_SLOT && e->was_centered);
    if (f == SGD)
        return 1;
    if (centered && f == ROOT_FIRST)
        return sqrt(v) - e->m + s->eps;
    v = centered ? fmax(v - (f == NOT_SQUARED ? e->m : e->m * e->m), 0) : v;
    return f == NO_ROOT ? v + s->eps : f == EPS_INSIDE ? sqrt(v + s->eps) : sqrt(v) + s->eps;
}

/* The step of theta, in units of -lr. */
static double element_move(Element *e, const Settings *s, Fault f, double g, double divisor)
{
    double mu = f == NO_MOMENTUM ? 0 : s->momentum;
    if (mu == 0)
        return g / divisor;
    double d = f == MOMENTUM_OF_G ? g : g / divisor;
    d *= f == MOMENTUM_SHARE ? 1 - mu : f == RATE_IN_BUFFER ? s->lr : 1;
    e->b = mu * e->b + d;
    return f == MOMENTUM_OF_G ? e->b / divisor : f == RATE_IN_BUFFER ? e->b / s->lr : e->b;
}

static void element_step(Element *e, const Settings *settings, Fault f, double gradient)
{
    Settings s = *settings;
    if (f == DEFAULTS)
        s.alpha = 0.99, s.eps = 1e-8, s.decay = s.momentum = s.centered = 0;
    if (f == EPS_FIXED)
        s.eps = 1e-8;
    double decay = s.decay * e->theta, raw = gradient, before = e->v;
    double g = f == NO_DECAY || f == DECAY_APART ? raw : f == DECAY_ADDED ? raw - decay
                                                                          : raw + decay;
    e->t++;
    element_means(e, &s, f, g, raw);
    double v = f == CORRECTED ? e->v / (1 - pow(s.alpha, e->t)) : f == LATE ? before : e->v;
    double move = element_move(e, &s, f, f == NUMERATOR && s.centered != 0 ? g - e->m : g,
                               element_divisor(e, &s, f, v));
    if (f == DECAY_APART)
        move += decay;
    e->theta -= (f == UPHILL ? -1 : 1) * s.lr * move;
}

/* --- trainings -------------------------------------------------------------------------------- */

/* A segment of a training: this many steps with these settings. */
typedef struct Segment {
    int      steps;
    Settings s;
} Segment;

enum { SEGMENTS = 8 };
typedef struct Training {
    Var    *theta, *g; /* any shape of n elements; (steps,n) */
    int     segments;
    Segment segment[SEGMENTS];
} Training;

static ptrdiff_t training_size(const Training *t)
{
    return var_shape(t->g).dim[1];
}

/* theta after every step, (steps,n). */
static Var *training_path(const Training *t, Fault f)
{
    Var *path = var_empty(var_shape(t->g));
    const real *theta = tensor_read(t->theta->value), *g = tensor_read(t->g->value);
    real *to = tensor_write(path->value);
    ptrdiff_t n = training_size(t);
    for (ptrdiff_t i = 0; i < n; i++) {
        Element e = {.theta = (double)theta[i]};
        ptrdiff_t step = 0;
        for (int k = 0; k < t->segments; k++)
            for (int j = 0; j < t->segment[k].steps; j++, step++) {
                element_step(&e, &t->segment[f == FIRST ? 0 : k].s, f, (double)g[step * n + i]);
                to[step * n + i] = (real)e.theta;
            }
    }
    return path;
}

/* Gradients on both sides of 0, but not near it, where eps would matter. */
static Var *random_gradients(ptrdiff_t steps, ptrdiff_t n)
{
    Var *g = judge_input(SHAPE(steps, n), -1.5, 1.5);
    real *x = tensor_write(g->value);
    for (ptrdiff_t i = 0; i < steps * n; i++)
        x[i] += x[i] < 0 ? -(real)0.5 : (real)0.5;
    return g;
}

static Training training_of(int steps, ptrdiff_t n, Settings s)
{
    return (Training){judge_input(SHAPE(n), -2, 2), random_gradients(steps, n), 1, {{steps, s}}};
}

static int put_settings(double *number, const Settings *s)
{
    const double all[SETTINGS] = {s->lr, s->alpha, s->eps, s->decay, s->momentum, s->centered};
    memcpy(number, all, sizeof all);
    return SETTINGS;
}

#define MISSING_SLOT                                                                           \
    "does the rule use a slot that is NULL? Only slots 0 to needs - 1 exist: momentum needs 2 " \
    "slots; centring needs 3, even without momentum"

/* Trains, and returns the path. `slot` holds the slots after earlier steps, or is NULL. */
static Var *train_from(const Training *t, int steps_before, Var *const slot[OPTIMIZER_SLOTS])
{
    double number[WIRE_NUMBERS] = {steps_before};
    int n = 1;
    for (int k = 0; k < t->segments; k++) {
        number[n++] = t->segment[k].steps;
        n += put_settings(&number[n], &t->segment[k].s);
    }
    judge_suspect(MISSING_SLOT);
    Var *path = slot ? judge_ask("train", VARS(t->theta, t->g, slot[0], slot[1], slot[2]), number,
                                 n)
                     : judge_ask("train", VARS(t->theta, t->g), number, n);
    if (!path || !shape_equal(var_shape(path), var_shape(t->g)))
        judge_fail("", "theta was not returned");
    return path;
}

static Var *train(const Training *t)
{
    return train_from(t, 0, NULL);
}

/* Do they agree to about as many digits as a float has? theta may come close to 0. */
static bool paths_agree(const Var *a, const Var *b)
{
    const real *x = tensor_read(a->value), *y = tensor_read(b->value);
    for (ptrdiff_t i = 0, n = tensor_count(a->value); i < n; i++)
        if (!(fabs((double)(x[i] - y[i])) <= 1e-6 * (1 + fabs((double)y[i]))))
            return false;
    return true;
}

#define IN_FLOAT                                                                              \
    "right to about seven digits, as if computed in float: use real, and functions of " \
    "<tgmath.h>, instead of float, sqrtf ..."

static void compare_paths(const Var *got, const Training *t, Tolerance tolerance)
{
    Mistake mistake[FAULTS];
    Var *right = training_path(t, NO_FAULT);
    for (Fault f = NO_FAULT + 1; f < FAULTS; f++)
        mistake[f - 1] = (Mistake){training_path(t, f), fault_hint[f]};
    mistake[FAULTS - 1] = (Mistake){paths_agree(got, right) ? got : NULL, IN_FLOAT};
    judge_compare("theta[step, element]", got, right, tolerance, mistake, FAULTS);
}

static void check_training(const Training *t)
{
    judge_restart(); /* forget static variables, which cost points elsewhere */
    compare_paths(train(t), t, (Tolerance){1e-8, 1e-10});
}

static void check_settings(int steps, Settings s)
{
    Training t = training_of(steps, 7, s);
    check_training(&t);
}

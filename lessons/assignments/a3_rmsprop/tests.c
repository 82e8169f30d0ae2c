/* lessons/assignments/a3_rmsprop/tests.c -- what RMSprop must do; points.txt assigns the points.
 *
 * Values are compared with those of a rule computed in expected.c, which with a Fault yields the
 * values of a known mistake. The tests of state, groups and runs compare the submission with
 * itself: with what it computes for one parameter alone, in a solver of its own. So a wrong formula
 * costs its own points and no more. But what it computes must be RMSprop, or RMSprop with a known
 * mistake: any other rule earns nothing in those tests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "expected.c"

/* --- 1: the rule ------------------------------------------------------------------------------ */

START_TEST(two_steps)
{
    Settings s = {.lr = 0.1, .alpha = 0.75};
    Training t = {var_leaf_from(SHAPE(3), (real[]){1, 1, -2}),
                  var_leaf_from(SHAPE(2, 3), (real[]){2, -4, 1, 1, 2, -3}), 1, {{2, s}}};
    check_training(&t);
}
END_TEST

START_TEST(fifty_steps)
{
    static const double alpha[] = {0.5, 0.9, 0.99, 0};
    for (int i = 0; i < 4; i++)
        check_settings(50, (Settings){.lr = 0.1, .alpha = alpha[i]});
}
END_TEST

START_TEST(outside_root)
{
    static const double eps[] = {1, 0.1, 1e-3};
    for (int i = 0; i < 3; i++)
        check_settings(20, (Settings){.lr = 0.1, .alpha = 0.9, .eps = eps[i]});
}
END_TEST

/* --- 2: settings ------------------------------------------------------------------------------ */

/* Reads the name that begins at *at in the answer to "defaults". */
static void read_name(const Message *answer, int *at, char name[16])
{
    int n = 0;
    while (*at < answer->numbers && n < 15) {
        char c = (char)answer->number[(*at)++];
        name[n++] = c;
        if (c == 0)
            return;
    }
    name[n] = 0;
}

static void check_name(const Message *answer, int *at, const char *expected)
{
    char name[16];
    read_name(answer, at, name);
    if (strcmp(name, expected) != 0)
        judge_fail("list the settings in .own, in the order of rmsprop.h: a checkpoint saves them "
                   "under their names", "the rule declares '%s' where '%s' is expected", name,
                   expected);
}

START_TEST(defaults)
{
    static const char *const name[SETTINGS] = {"lr", "alpha", "eps", "weight_decay", "momentum",
                                               "centered"};
    double expected[SETTINGS] = {(double)rng_uniform(judge_rng()), 0.99, 1e-8};
    judge_ask("defaults", VARS(judge_input(SHAPE(2), -1, 1)), NUMBERS(expected[0]));
    const Message *answer = judge_answer();
    int at = SETTINGS;
    if (answer->numbers < SETTINGS)
        judge_fail("", "no settings were returned");
    check_name(answer, &at, "alpha");
    check_name(answer, &at, "centered");
    check_name(answer, &at, "");
    for (int i = 0; i < SETTINGS; i++)
        if (answer->number[i] != expected[i])
            judge_fail("rmsprop.h lists the defaults; pass lr and eps to optimizer_new_with",
                       "rmsprop_new sets %s to %g; expected %g", name[i], answer->number[i],
                       expected[i]);
}
END_TEST

START_TEST(decay)
{
    check_settings(30, (Settings){.lr = 0.1, .alpha = 0.9, .decay = 0.5});
    check_settings(30, (Settings){.lr = 0.01, .alpha = 0.5, .decay = 2});
}
END_TEST

START_TEST(momentum)
{
    check_settings(30, (Settings){.lr = 0.1, .alpha = 0.9, .momentum = 0.9});
    check_settings(30, (Settings){.lr = 0.01, .alpha = 0.5, .momentum = 0.5});
}
END_TEST

START_TEST(centered)
{
    check_settings(50, (Settings){.lr = 0.1, .alpha = 0.9, .centered = 1});
    check_settings(50, (Settings){.lr = 0.01, .alpha = 0.99, .centered = 1});
}
END_TEST

/* --- 3: state --------------------------------------------------------------------------------- */

#define SHARED                                                                                  \
    "it is updated differently when trained alone: keep nothing in static variables, which all " \
    "parameters and all optimizers share"

/* The path of one parameter, trained alone in a new solver. */
static Var *alone(Training t)
{
    judge_restart();
    t.theta = var_reshape(t.theta, SHAPE(training_size(&t)));
    Var *path = train(&t);
    for (Fault f = NO_FAULT; f < SGD; f++)
        if (paths_agree(path, training_path(&t, f)))
            return path;
    judge_fail("first make the tests of values pass: what this one looks for shows only with a "
               "rule that is nearly right", "this rule is not RMSprop");
}

/* `got` must have the bits of `expected`; `hint` explains it if it has the values of `wrong`. */
static void check_same(const char *what, const Var *got, const Var *expected, const char *hint,
                       const Var *wrong)
{
    judge_compare(what, got, expected, (Tolerance){0, 0}, MISTAKES({wrong, hint}, {got, SHARED}));
}

START_TEST(slots)
{
    static const char *const name[OPTIMIZER_SLOTS] = {"RMSPROP_V", "RMSPROP_BUFFER",
                                                      "RMSPROP_MEAN"};
    for (int i = 0; i < 4; i++) {
        Settings s = plain;
        s.momentum = i % 2 ? 0.5 : 0, s.centered = i / 2;
        int needed = s.centered != 0 ? 3 : s.momentum != 0 ? 2 : 1;
        Training t = training_of(2, 3, s);
        alone(t);
        for (int k = 0; k < OPTIMIZER_SLOTS; k++)
            if ((judge_answer_var(1 + k) != NULL) != (k < needed))
                judge_fail("`needs` returns 3 if centring is on, otherwise 2 if momentum is not "
                           "0, otherwise 1", "with momentum %g and centring %s, slot %s is %s",
                           s.momentum, s.centered != 0 ? "on" : "off", name[k],
                           k < needed ? "missing" : "allocated, but not needed");
        if (judge_answer()->numbers < 1 || judge_answer()->number[0] != OPTIMIZER_SLOTS)
            judge_fail(".slots is the most that any settings need; a checkpoint saves no others",
                       ".slots is %g; expected 3",
                       judge_answer()->numbers > 0 ? judge_answer()->number[0] : 0);
    }
}
END_TEST

/* The last answer's slots, as a checkpoint would restore them. Returns how many it restores. */
static int saved_slots(Var *slot[OPTIMIZER_SLOTS])
{
    int n = 0;
    double declared = judge_answer()->numbers > 0 ? judge_answer()->number[0] : 0;
    for (int k = 0; k < OPTIMIZER_SLOTS; k++) {
        Var *x = k < declared ? judge_answer_var(1 + k) : NULL;
        slot[k] = x ? x : var_empty(SHAPE(0));
        n += x != NULL;
    }
    return n;
}

/* Rows first ... last - 1. */
static Var *rows(const Var *x, ptrdiff_t first, ptrdiff_t last)
{
    ptrdiff_t n = var_shape(x).dim[1];
    return var_const_from(SHAPE(last - first, n), tensor_read(x->value) + first * n);
}

/* Repeats the second half of a training in another solver, from theta and the slots at the end of
 * the first half. Each of these slots must matter. */
static void check_resume(Settings s)
{
    enum { HALF = 10, ALL = 2 * HALF, N = 5 };
    Training all = training_of(ALL, N, s), first = all, second = all;
    Var *slot[OPTIMIZER_SLOTS];
    Var *end = rows(alone(all), HALF, ALL);
    first.g = rows(all.g, 0, HALF), second.g = rows(all.g, HALF, ALL);
    first.segment[0].steps = second.segment[0].steps = HALF;
    judge_restart();
    Var *path = train(&first);
    int saved = saved_slots(slot);
    second.theta = var_reshape(rows(path, HALF - 1, HALF), SHAPE(N));
    judge_restart();
    Var *resumed_path = train_from(&second, HALF, slot);
    check_same("theta after each resumed step", resumed_path, end,
               "some state is missing from the checkpoint: keep all of it in slots, and let .slots "
               "and .needs count them", resumed_path);
    for (int k = 0; k < OPTIMIZER_SLOTS && saved > 0; k++) {
        Var *kept = slot[k];
        bool used = k == 0 || (k == 1 && s.momentum != 0) || (k == 2 && s.centered != 0);
        if (!used)
            continue;
        slot[k] = var_scale(kept, (real)0.5);
        if (tensor_same_bits(train_from(&second, HALF, slot)->value, end->value))
            judge_fail("keep the state of each element in slots, as rmsprop.h describes",
                       "slot %d has no influence on the steps that follow", k);
        slot[k] = kept;
    }
    if (saved == 0)
        judge_fail("keep v in slot RMSPROP_V, and declare it with .slots and .needs",
                   "there is no slot to save");
}

START_TEST(resumed)
{
    check_resume(plain);
}
END_TEST

START_TEST(two)
{
    double number[2 * SETTINGS];
    Training a = training_of(10, 4, plain), b = training_of(10, 4, plain);
    b.segment[0].s.alpha = 0.5, b.segment[0].s.lr = 0.05;
    put_settings(number, &a.segment[0].s);
    put_settings(&number[SETTINGS], &b.segment[0].s);
    Var *alone_a = alone(a), *alone_b = alone(b);
    judge_restart();
    Var *path_a = judge_ask("two", VARS(a.theta, a.g, b.theta, b.g), number, 2 * SETTINGS);
    Var *path_b = judge_answer_var(1);
    check_same("theta of the first optimizer", path_a, alone_a, "", NULL);
    check_same("theta of the second optimizer", path_b, alone_b, "", NULL);
}
END_TEST

/* --- 4: groups -------------------------------------------------------------------------------- */

enum { PARAMS = 3 };

/* The trainings of 0.weight (3,2), 0.bias (3) and 1.weight (3), the slopes. */
static void network_trainings(Training t[PARAMS], int steps, Settings s, Settings slopes)
{
    for (int i = 0; i < PARAMS; i++)
        t[i] = training_of(steps, i == 0 ? 6 : 3, i == 2 ? slopes : s);
    t[0].theta = var_reshape(t[0].theta, SHAPE(3, 2));
}

static void network_train(const Training t[PARAMS], const double *number, int n, Var *path[PARAMS])
{
    judge_ask("network", VARS(t[0].theta, t[0].g, t[1].theta, t[1].g, t[2].theta, t[2].g), number,
              n);
    for (int i = 0; i < PARAMS; i++)
        path[i] = judge_answer_var(i);
}

/* The bias has a gradient only in every second step. */
START_TEST(skipped)
{
    enum { STEPS = 8, N = 3 };
    double number[SETTINGS];
    Training t[PARAMS];
    Var *path[PARAMS];
    network_trainings(t, STEPS, plain, plain);
    Training bias = t[1];
    real *g = tensor_write(t[1].g->value);
    bias.g = var_const_from(SHAPE(STEPS / 2, N), g);
    bias.segment[0].steps = STEPS / 2;
    for (ptrdiff_t step = STEPS - 1; step >= 0; step--)
        for (ptrdiff_t i = 0; i < N; i++)
            g[step * N + i] = step % 2 ? (real)NAN : g[step / 2 * N + i];
    network_train(t, number, put_settings(number, &plain), path);
    Var *half = alone(bias), *expected = var_empty(SHAPE(STEPS, N));
    for (ptrdiff_t i = 0; i < STEPS * N; i++)
        tensor_write(expected->value)[i] = tensor_read(half->value)[i / (2 * N) * N + i % N];
    judge_compare("the bias, which has a gradient in every second step", path[1], expected,
                  (Tolerance){0, 0}, MISTAKES({path[1], SHARED}));
}
END_TEST

/* The library divides large parameters into runs; each piece must be updated as it is alone. */
START_TEST(large)
{
    enum { STEPS = 3, N = 40000, PIECE = 900 };
    Training t = training_of(STEPS, N, plain);
    Var *path = train(&t);
    for (ptrdiff_t first = 0; first < N; first += 13000) {
        Training piece = t;
        piece.theta = var_contiguous(var_slice(t.theta, 0, first, first + PIECE, 1));
        piece.g = var_contiguous(var_slice(t.g, 1, first, first + PIECE, 1));
        Var *got = var_contiguous(var_slice(path, 1, first, first + PIECE, 1)), *own = alone(piece);
        judge_compare("a piece of a large parameter", got, own, (Tolerance){0, 0},
                      MISTAKES({got, "a run is a part of a parameter, with its elements 0 to "
                                     "run->n - 1 in run->theta, run->g and run->slot"}));
    }
}
END_TEST

START_TEST(slopes)
{
    double number[SETTINGS];
    Training t[PARAMS];
    Var *path[PARAMS];
    Settings decays = plain;
    decays.decay = 0.5;
    network_trainings(t, 10, decays, plain);
    network_train(t, number, put_settings(number, &decays), path);
    Training wrong = t[2];
    wrong.segment[0].s = decays;
    Var *weight = alone(t[0]), *kept = alone(t[2]), *decayed = alone(wrong);
    if (tensor_same_bits(kept->value, decayed->value))
        judge_fail(fault_hint[NO_DECAY], "weight_decay has no effect");
    check_same("the group of slopes", path[2], kept, "the slopes decay: read weight_decay from the "
               "group that update gets, in every call", decayed);
    check_same("the weight", path[0], weight, "", NULL);
}
END_TEST

START_TEST(refused)
{
    Training t = training_of(1, 2, plain);
    double number[1 + 1 + SETTINGS] = {0, 1};
    put_settings(&number[2], &t.segment[0].s);
    number[2] = -1 - (double)rng_uniform(judge_rng());
    char expected[128];
    snprintf(expected, sizeof expected, "rmsprop_new: the learning rate is %g; ", number[2]);
    const char *sentence = judge_refusal("train", VARS(t.theta, t.g), number, 2 + SETTINGS);
    if (!sentence || !strstr(sentence, expected))
        judge_fail("the last argument of optimizer_new_with is the name of the function that "
                   "messages begin with", "a learning rate of %g %s%s", number[2],
                   sentence ? "is refused with: " : "is not refused", sentence ? sentence : "");
}
END_TEST

/* --- the list --------------------------------------------------------------------------------- */

#if __has_include("hidden.c")
#include "hidden.c"
#else
static void hidden_tests(void) {}
#endif

void judge_tests(void)
{
    JUDGE_TEST(two_steps);
    JUDGE_TEST(fifty_steps);
    JUDGE_TEST(outside_root);
    JUDGE_TEST(defaults);
    JUDGE_TEST(decay);
    JUDGE_TEST(momentum);
    JUDGE_TEST(centered);
    JUDGE_TEST(slots);
    JUDGE_TEST(resumed);
    JUDGE_TEST(two);
    JUDGE_TEST(skipped);
    JUDGE_TEST(large);
    JUDGE_TEST(slopes);
    JUDGE_TEST(refused);
    hidden_tests();
}

/* lessons/assignments/a8_slopes/rows.c -- what a submission has written: reads the rows and checks
 * them; included by tests.c.
 *
 *  - run sends a Task and reads the rows. Any byte may come back, so a row counts only if it has
 *    exactly the form that slopes.h gives.
 *  - A row that nobody understands fails every test; a row that is merely wrong, those about it.
 *  - check_accuracy is part of every test: nothing earns points but a network that has learned.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data.c"

enum { ROWS_BYTES = 1000000, ROWS_SLOPES = 1 << 17, ROWS_LAYERS = 16, ROWS_TESTS = 2048 };

typedef struct SlopeRow {
    double step, layer, channel, value;
} SlopeRow;

typedef struct Output {
    Var      *bytes; /* (count), as numbers */
    int       predicted[ROWS_TESTS], predictions[ROWS_TESTS]; /* the class; the number of rows */
    bool      stray; /* a prediction for an example, or of a class, that does not exist */
    int       layers, slopes;
    double    layer[ROWS_LAYERS][3]; /* LAYER, UNITS, SLOPES */
    SlopeRow  slope[ROWS_SLOPES]; /* in the order of step, layer, channel */
} Output;

static Output first, second; /* of the current test */

/* --- reading ---------------------------------------------------------------------------------- */

_Noreturn static void bad_row(int number, const char *line)
{
    char text[64];
    snprintf(text, sizeof text, "%.60s", line);
    for (char *p = text; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    judge_fail("the rows must have exactly the form that slopes.h gives; print other things to "
               "stderr", "line %d is not a row: '%s'", number, text);
}

/* "WORD,a,b,c" with n numbers; false if the line is anything else. Infinity and NaN are numbers. */
static bool read_row(const char *line, const char *word, double *number, int n)
{
    size_t length = strlen(word);
    if (strncmp(line, word, length) != 0)
        return false;
    line += length;
    for (int i = 0; i < n; i++) {
        char *end;
        if (line[0] != ',' || !line[1] || !strchr("+-.0123456789in", line[1]))
            return false;
        number[i] = strtod(line + 1, &end);
        if (end == line + 1)
            return false;
        line = end;
    }
    return *line == '\0';
}

static bool is_index(double x, double below)
{
    return x >= 0 && x < below && x == floor(x);
}

static void read_line(Output *o, const Task *t, int number, const char *line)
{
    double x[4];
    if (read_row(line, "prediction", x, 2)) {
        if (!is_index(x[0], (double)t->m) || !is_index(x[1], t->classes))
            o->stray = true;
        else
            o->predicted[(int)x[0]] = (int)x[1], o->predictions[(int)x[0]]++;
    } else if (read_row(line, "slope", x, 4) && o->slopes < ROWS_SLOPES && is_index(x[0], 1e9) &&
               is_index(x[1], ROWS_LAYERS) && is_index(x[2], 1e6)) {
        o->slope[o->slopes++] = (SlopeRow){x[0], x[1], x[2], x[3]};
    } else if (read_row(line, "layer", x, 3) && o->layers < ROWS_LAYERS &&
               is_index(x[0], ROWS_LAYERS) && is_index(x[1] - 1, 1e6) && is_index(x[2] - 1, 1e6)) {
        memcpy(o->layer[o->layers++], x, sizeof o->layer[0]);
    } else {
        bad_row(number, line);
    }
}

/* The bytes as text; its end is at text[count]. */
static const char *read_bytes(const Var *bytes)
{
    static char text[ROWS_BYTES + 1];
    ptrdiff_t n = bytes && var_shape(bytes).ndim == 1 ? var_shape(bytes).dim[0] : -1;
    if (n < 0 || n > ROWS_BYTES)
        judge_fail("", "what arrived is not the output of an experiment");
    for (ptrdiff_t i = 0; i < n; i++) {
        double x = (double)tensor_read(bytes->value)[tensor_locate(bytes->value, i)];
        text[i] = is_index(x, 256) && x > 0 ? (char)(int)x : '?';
    }
    text[n] = '\0';
    return text;
}

static int compare_slopes(const void *a, const void *b)
{
    const SlopeRow *x = a, *y = b;
    double sign = x->step != y->step     ? x->step - y->step
                  : x->layer != y->layer ? x->layer - y->layer
                                         : x->channel - y->channel;
    return (sign > 0) - (sign < 0);
}

static void run(Output *o, const Task *t, uint64_t seed)
{
    memset(o, 0, sizeof *o);
    judge_suspect("if it is too slow, train less: one call of experiment may take three seconds on "
                  "this machine; if it crashes, build check.c with -g -fsanitize=address");
    o->bytes = judge_ask("experiment", VARS(t->train, t->label, t->test),
                         NUMBERS(t->classes, (double)seed));
    const char *from = read_bytes(o->bytes);
    for (int number = 1; *from; number++) {
        char line[256];
        size_t n = strcspn(from, "\n");
        snprintf(line, sizeof line, "%.*s", n < sizeof line ? (int)n : (int)sizeof line, from);
        if (n >= sizeof line || from[n] != '\n')
            bad_row(number, line);
        read_line(o, t, number, line);
        from += n + 1;
    }
    qsort(o->slope, (size_t)o->slopes, sizeof *o->slope, compare_slopes);
}

/* --- predictions ------------------------------------------------------------------------------ */

/* The share of test examples with one prediction, which is right. */
static double accuracy(const Output *o, const Task *t)
{
    double right = 0;
    for (ptrdiff_t i = 0; i < t->m; i++)
        right += o->predictions[i] == 1 && o->predicted[i] == (int)elements(t->truth)[i];
    return right / (double)t->m;
}

static const char *accuracy_hint(const Output *o, const Task *t, double got, const char *hint)
{
    static char text[160];
    text[0] = '\0';
    ptrdiff_t predicted[16] = {0}, occurs[16] = {0}, off = 0, rows = o->stray;
    bool twice = false;
    for (ptrdiff_t i = 0; i < t->m; rows += o->predictions[i], twice |= o->predictions[i++] > 1)
        predicted[o->predicted[i]]++, occurs[(int)elements(t->truth)[i]]++;
    if (rows == 0)
        return "there are no `prediction` rows";
    for (int k = 0; k < t->classes; k++) {
        off = labs(predicted[k] - occurs[k]) > off ? labs(predicted[k] - occurs[k]) : off;
        if (predicted[k] == t->m)
            return "every example gets the same class: is the network trained, on scaled "
                   "features and with the labels of `train`?";
        if (predicted[k] == 0)
            snprintf(text, sizeof text, "class %d of %d is never predicted: does the network have "
                     "an output for it, are the features scaled, and is the order of the examples "
                     "random?", k, t->classes);
    }
    if (twice)
        return "some examples have more than one prediction";
    if (o->stray)
        return "indices and classes are counted from 0: some rows are for an example or a class "
               "that does not exist";
    if (text[0])
        return text;
    if (10 * off < t->m && got < 1.3 / t->classes)
        return "each class is predicted about as often as it occurs, but for other examples: is "
               "INDEX the example's index in `test`?";
    return hint;
}

static void check_accuracy(const Output *o, const Task *t, double least, const char *hint)
{
    double got = accuracy(o, t);
    if (got >= least)
        return;
    judge_fail(accuracy_hint(o, t, got, hint), "the accuracy on the test set is %.3g: expected at "
               "least %g", got, least);
}

static void check_predictions(const Output *o, const Task *t)
{
    if (o->stray)
        judge_fail("", "a prediction is for an example or of a class that does not exist: there "
                   "are %td examples and %d classes", t->m, t->classes);
    for (ptrdiff_t i = 0; i < t->m; i++)
        if (o->predictions[i] != 1)
            judge_fail("", "example %td has %d predictions: expected one", i, o->predictions[i]);
}

/* --- slopes ----------------------------------------------------------------------------------- */

/* The row of layer number `layer`; fails unless there is exactly one. */
static const double *find_layer(const Output *o, int layer)
{
    const double *found = NULL;
    int rows = 0;
    for (int i = 0; i < o->layers; i++)
        if (o->layer[i][0] == layer)
            found = o->layer[i], rows++;
    if (rows != 1)
        judge_fail("number the PReLUs 0, 1 ... from the input, with one row `layer` each",
                   "layer %d has %d rows", layer, rows);
    return found;
}

static void check_layers(const Output *o)
{
    if (o->layers < 2)
        judge_fail("the network needs two PReLUs or more, each with a row `layer`",
                   "there are %d layers", o->layers);
    for (int i = 0; i < o->layers; i++) {
        const double *x = find_layer(o, i);
        if (x[2] != 1 && x[2] != x[1])
            judge_fail("a PReLU has one slope per unit, or a single one",
                       "layer %d has %g units and %g slopes", i, x[1], x[2]);
    }
}

/* Rows from number `at` on are all slopes of all layers at one step. Returns the number of the row
 * after them. */
static int check_moment(const Output *o, int at)
{
    double step = at < o->slopes ? o->slope[at].step : 0;
    for (int layer = 0; layer < o->layers; layer++)
        for (double c = 0; c < find_layer(o, layer)[2]; c++, at++) {
            const SlopeRow *s = &o->slope[at];
            if (at == o->slopes || s->step != step || s->layer != layer || s->channel != c)
                judge_fail("each recorded step needs every slope once; SLOPES in the row of a "
                           "layer says how many there are", "at step %g, slope %g of layer %d is "
                           "missing, or the one before it is recorded twice", step, c, layer);
        }
    if (at < o->slopes && o->slope[at].step == step)
        judge_fail("SLOPES in the row of a layer says how many slopes it has", "at step %g, slope "
                   "%g of layer %g is recorded twice or does not exist", step,
                   o->slope[at].channel, o->slope[at].layer);
    return at;
}

/* The number of the first row of the last step. */
static int last_moment(const Output *o)
{
    int at = o->slopes;
    while (at > 0 && o->slope[at - 1].step == o->slope[o->slopes - 1].step)
        at--;
    return at;
}

/* The first rows are of step 0, before any update. */
static void check_start(const Output *o)
{
    int end = check_moment(o, 0);
    if (end == 0 || o->slope[0].step != 0)
        judge_fail("record the slopes before the first update, too", "nothing is recorded at step "
                   "0");
    for (int i = 0; i < end; i++)
        if (!(fabs(o->slope[i].value - 0.25) < 1e-6))
            judge_fail("step 0 comes before the first update, and every slope starts at 0.25; is "
                       "this value a PReLU's slope, and not a weight of another layer?",
                       "slope %g of layer %g is %g at step 0", o->slope[i].channel,
                       o->slope[i].layer, o->slope[i].value);
}

static void check_moments(const Output *o, int least)
{
    int moments = 0;
    for (int at = 0; at < o->slopes; moments++)
        at = check_moment(o, at);
    if (moments < least)
        judge_fail("an on_step callback of the trainer sees the network after every update",
                   "the slopes are recorded at %d steps: expected at least %d", moments, least);
}

/* In each layer most slopes have left 0.25 by the end. */
static void check_learned(const Output *o)
{
    double moved[ROWS_LAYERS] = {0};
    int last = last_moment(o);
    if (check_moment(o, last) == 0)
        judge_fail("", "no slopes are recorded");
    for (int i = last; i < o->slopes; i++)
        moved[(int)o->slope[i].layer] += fabs(o->slope[i].value - 0.25) > 1e-3;
    for (int i = 0; i < o->layers; i++)
        if (moved[i] < find_layer(o, i)[2] / 2)
            judge_fail("the last rows must be the slopes after the last update; does the "
                       "optimizer update them?", "at step %g, %g of %g slopes of layer %d have "
                       "moved from 0.25", o->slope[last].step, moved[i], find_layer(o, i)[2], i);
}

/* tests/assignments/a8_slopes/reference.c -- trains a network with two PReLUs and records their
 * slopes.
 *
 * The settings can be changed on the compiler's command line, -DDECAY=0.01, so that variants of the
 * experiment need no copies of this file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "slopes.h"

#ifndef WIDTH
#define WIDTH 32 /* units per layer */
#endif
#ifndef SHARED
#define SHARED 0 /* 1: one slope per layer, 0: one per unit */
#endif
#ifndef DECAY
#define DECAY 0 /* weight decay of the slopes */
#endif
#ifndef RATE
#define RATE 0.01 /* learning rate */
#endif
#ifndef UPDATES
#define UPDATES 1000 /* at least */
#endif

enum { BATCH = 32, EVERY = 50, LAYERS = 2 };

/* --- data ------------------------------------------------------------------------------------- */

/* The mean and the standard deviation of each feature of a set of examples. */
typedef struct Scale {
    ptrdiff_t features;
    real     *mean, *std;
} Scale;

static Scale scale_new(const Dataset *data)
{
    Scale s = {.features = shape_count(data->sample)};
    s.mean = calloc((size_t)s.features, sizeof *s.mean);
    s.std = calloc((size_t)s.features, sizeof *s.std);
    if (!s.mean || !s.std)
        slope_fail("scale_new", "out of memory");
    for (ptrdiff_t i = 0; i < data->count; i++)
        for (ptrdiff_t d = 0; d < s.features; d++)
            s.mean[d] += data->features[i * s.features + d] / (real)data->count;
    for (ptrdiff_t i = 0; i < data->count; i++)
        for (ptrdiff_t d = 0; d < s.features; d++) {
            real off = data->features[i * s.features + d] - s.mean[d];
            s.std[d] += off * off / (real)data->count;
        }
    for (ptrdiff_t d = 0; d < s.features; d++)
        s.std[d] = s.std[d] > 0 ? (real)sqrt((double)s.std[d]) : 1;
    return s;
}

/* The examples as points (features), each feature scaled. */
static Dataset *scaled(const Dataset *data, Scale s)
{
    Dataset *y = dataset_new(data->name, DATASET_FEATURES, data->count, SHAPE(s.features),
                             data->classes);
    for (ptrdiff_t i = 0; i < data->count; i++) {
        y->labels.data[i] = data->labels.data[i];
        for (ptrdiff_t d = 0; d < s.features; d++) {
            ptrdiff_t at = i * s.features + d;
            y->features[at] = (data->features[at] - s.mean[d]) / s.std[d];
        }
    }
    return y;
}

/* --- slopes ----------------------------------------------------------------------------------- */

/* Where the slopes are written, and the last step at which they were. */
typedef struct Record {
    FILE   *out;
    Module *net;
    int64_t step;
} Record;

static const Tensor *slopes_of(Module *net, int layer)
{
    char name[32];
    snprintf(name, sizeof name, "%d.weight", 2 * layer + 1);
    return module_param(net, name)->value;
}

static void record_slopes(Record *r, int64_t step)
{
    r->step = step;
    for (int layer = 0; layer < LAYERS; layer++) {
        const Tensor *a = slopes_of(r->net, layer);
        for (ptrdiff_t c = 0; c < tensor_count(a); c++)
            fprintf(r->out, "slope,%lld,%d,%td,%.9g\n", (long long)step, layer, c,
                    (double)tensor_read(a)[c]);
    }
}

static void record_step(const Trainer *t, int64_t step, void *ctx)
{
    (void)t;
    if (step % EVERY == 0)
        record_slopes(ctx, step);
}

/* --- training --------------------------------------------------------------------------------- */

static Module *network(ptrdiff_t features, ptrdiff_t classes)
{
    ptrdiff_t slopes = SHARED ? 1 : WIDTH;
    return SEQUENTIAL(linear_new(features, WIDTH), prelu_new(slopes, (real)0.25),
                      linear_new(WIDTH, WIDTH), prelu_new(slopes, (real)0.25),
                      linear_new(WIDTH, classes));
}

static void train_network(Module *net, const Dataset *train, Record *record, uint64_t seed)
{
    LoaderOptions options = {.batch = BATCH, .shuffle = true, .seed = seed};
    Loader *loader = loader_new(train, options);
    Optimizer *adam = adam_new(net, (real)RATE);
    optimizer_no_decay_on_slopes(adam)->weight_decay = (real)DECAY;
    Trainer t = {.net = net, .optimizer = adam, .loss = loss_cross_entropy, .train = loader,
                 .quiet = true, .on_step = record_step, .ctx = record};
    t.epochs = (int)(UPDATES / loader_batches(loader)) + 1;
    record_slopes(record, 0);
    trainer_fit(&t);
    if (record->step < t.step)
        record_slopes(record, t.step);
    trainer_clear(&t);
    optimizer_free(adam);
    loader_free(loader);
}

static void write_predictions(Module *net, const Dataset *test, FILE *out)
{
    Loader *loader = loader_new(test, (LoaderOptions){.batch = BATCH});
    int32_t *class = calloc((size_t)test->count, sizeof *class);
    if (!class)
        slope_fail("write_predictions", "out of memory");
    trainer_evaluate(net, loss_cross_entropy, loader, class);
    for (ptrdiff_t i = 0; i < test->count; i++)
        fprintf(out, "prediction,%td,%d\n", i, class[i]);
    free(class);
    loader_free(loader);
}

void experiment(const Dataset *train, const Dataset *test, FILE *out, uint64_t seed)
{
    Scale scale = scale_new(train);
    Dataset *known = scaled(train, scale), *unknown = scaled(test, scale);
    random_seed(seed);
    Module *net = network(scale.features, train->classes);
    Record record = {.out = out, .net = net};
    for (int layer = 0; layer < LAYERS; layer++)
        fprintf(out, "layer,%d,%d,%td\n", layer, WIDTH, tensor_count(slopes_of(net, layer)));
    train_network(net, known, &record, seed);
    write_predictions(net, unknown, out);
    module_free(net);
    dataset_free(known), dataset_free(unknown);
    free(scale.mean), free(scale.std);
}

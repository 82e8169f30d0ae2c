/* lessons/kit/trials.c -- the same network trained with several activations, sizes and seeds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/trials.h"

#include <math.h>
#include <string.h>

/* --- one training run ------------------------------------------------------------------------- */

static Module *trial_activation(const TrialKind *k)
{
    if (k->learned)
        return prelu_new(k->learned, (real)k->slope);
    return k->slope == 0 ? relu_new() : leaky_relu_new((real)k->slope);
}

/* A data set of `count` of the images, drawn at random. */
static Dataset *trial_samples(const Dataset *all, ptrdiff_t count, uint64_t seed)
{
    Dataset *some = dataset_take(all, count);
    ptrdiff_t pixels = shape_count(all->sample);
    int32_t *order = memory_new_array((size_t)all->count, sizeof *order);
    Rng rng = rng_new(seed, 13);
    rng_permutation(&rng, all->count, order);
    for (ptrdiff_t i = 0; i < count; i++) {
        memcpy(some->bytes + i * pixels, all->bytes + order[i] * pixels, (size_t)pixels);
        some->labels.data[i] = all->labels.data[order[i]];
    }
    memory_free(order);
    return some;
}

void trials_train(const Lesson *lesson, Trials *t, const LessonData *data, int size, int k, int s)
{
    const TrialKind *kind = &t->kind[k];
    const TrialSize *z = &t->size[size];
    uint64_t seed = lesson->seed * 1000 + (uint64_t)s;
    bool part = z->samples < data->train->count;
    Dataset *samples = part ? trial_samples(data->train, z->samples, seed) : data->train;
    random_seed(seed);
    Module *one = trial_activation(kind), *two = trial_activation(kind);
    Module *fc1 = linear_new(784, TRIAL_WIDTH), *fc2 = linear_new(TRIAL_WIDTH, TRIAL_WIDTH),
           *fc3 = linear_new(TRIAL_WIDTH, 10);
    Module *net = SEQUENTIAL(flatten_new(), fc1, one, fc2, two, fc3);
    Optimizer *adam = adam_new(net, (real)1e-3);
    Loader *train = loader_new(samples,
                               (LoaderOptions){.batch = 128, .shuffle = true, .seed = seed}),
           *test = loader_new(data->test, (LoaderOptions){.batch = 500});
    Trainer trainer = {.net = net, .optimizer = adam, .loss = loss_cross_entropy, .train = train,
                       .epochs = z->epochs, .quiet = lesson->quiet, .bar_only = true,
                       .name = kind->name};
    trainer_fit(&trainer);
    const History *h = &trainer.history;
    t->value[ACCURACY][size][k][s] = trainer_evaluate(net, loss_cross_entropy, test, NULL).accuracy;
    t->value[TRAIN_LOSS][size][k][s] = h->record[h->count - 1].train_loss;
    for (int layer = 0; layer < 2; layer++)
        t->value[SLOPE_1 + layer][size][k][s] =
            kind->learned ? tensor_stats(module_param(layer ? two : one, "weight")->value).mean
                          : kind->slope;
    trainer_clear(&trainer);
    loader_free(train), loader_free(test);
    optimizer_free(adam), module_free(net);
    if (part)
        dataset_free(samples);
}

/* --- over the seeds --------------------------------------------------------------------------- */

/* The mean of a, or of a - b; b may be NULL. */
static Mean trial_mean(int n, const double *a, const double *b)
{
    static const double t95[TRIAL_SEEDS + 1] = {0,    0,    12.71, 4.30, 3.18, 2.78,
                                                2.57, 2.45, 2.36,  2.31, 2.26};
    Mean m = {0};
    for (int s = 0; s < n; s++)
        m.mean += (a[s] - (b ? b[s] : 0)) / n;
    for (int s = 0; s < n; s++)
        m.sd += pow(a[s] - (b ? b[s] : 0) - m.mean, 2) / (n - 1);
    m.sd = sqrt(m.sd);
    m.error = m.sd / sqrt(n);
    m.clear = fabs(m.mean) > t95[n] * m.error;
    return m;
}

Mean trials_value(const Trials *t, int field, int size, int k)
{
    return trial_mean(t->size[size].seeds, t->value[field][size][k], NULL);
}

Mean trials_difference(const Trials *t, int field, int size, int k, int minus)
{
    return trial_mean(t->size[size].seeds, t->value[field][size][k], t->value[field][size][minus]);
}

void trials_write(const Lesson *lesson, const Trials *t)
{
    FILE *f = lesson_open(lesson, "runs.csv");
    fprintf(f, "samples,activation,seed,accuracy,train_loss,slope1,slope2\n");
    for (int size = 0; size < TRIAL_SIZES; size++)
        for (int k = 0; k < t->size[size].kinds; k++)
            for (int s = 0; s < t->size[size].seeds; s++) {
                fprintf(f, "%td,%s,%d", t->size[size].samples, t->kind[k].name, s);
                for (int field = 0; field < TRIAL_FIELDS; field++)
                    fprintf(f, ",%.6g", t->value[field][size][k][s]);
                fprintf(f, "\n");
            }
    lesson_close(lesson, "runs.csv", f);
}

/* lessons/work/a8_slopes/slopes.c -- my experiment on learned slopes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "slopes.h"

#ifndef WIDTH
#define WIDTH 32 /* units per layer; -DWIDTH=64 on the compiler's command line changes it */
#endif

/* TODO: a PReLU after the first linear layer, and a second layer with a PReLU of its own. The
 * examples may be images. */
static Module *network(ptrdiff_t features, ptrdiff_t classes)
{
    return SEQUENTIAL(flatten_new(), linear_new(features, WIDTH), linear_new(WIDTH, classes));
}

/* Called after every update. TODO: write rows `slope` at some of them. */
static void record_step(const Trainer *t, int64_t step, void *ctx)
{
    FILE *out = ctx;
    (void)t, (void)step, (void)out;
}

/* TODO: scaled features, more epochs, the rows `layer`, and the slopes at step 0. */
static void train_network(Module *net, const Dataset *train, FILE *out, uint64_t seed)
{
    Loader *loader = loader_new(train, (LoaderOptions){.batch = 32, .shuffle = true, .seed = seed});
    Optimizer *adam = adam_new(net, (real)0.01);
    Trainer t = {.net = net, .optimizer = adam, .loss = loss_cross_entropy, .train = loader,
                 .epochs = 1, .quiet = true, .on_step = record_step, .ctx = out};
    trainer_fit(&t);
    trainer_clear(&t);
    optimizer_free(adam);
    loader_free(loader);
}

void experiment(const Dataset *train, const Dataset *test, FILE *out, uint64_t seed)
{
    random_seed(seed);
    Module *net = network(shape_count(train->sample), train->classes);
    train_network(net, train, out, seed);
    (void)test; /* TODO: rows `prediction`; trainer_evaluate returns the classes */
    module_free(net);
}

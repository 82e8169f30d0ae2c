/* tests/optim/run.h -- a small training run: its data, network, optimizer and loaders.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_OPTIM_RUN_H
#define SLOPE_TESTS_OPTIM_RUN_H

#include "optim/trainer.h"
#include "tests/testing.h"

/* A run that a test adapts; it owns all that it points to. */
typedef struct Run {
    Dataset *data;
    Trainer  t;
} Run;

/* A run of one epoch in shuffled batches, without progress output. */
static inline Run run_of(Dataset *data, Module *net, Optimizer *opt, ptrdiff_t batch)
{
    Run r = {.data = data};
    r.t = (Trainer){.net = net, .optimizer = opt, .loss = loss_cross_entropy, .epochs = 1,
                    .quiet = true};
    r.t.train = loader_new(data, (LoaderOptions){.batch = batch, .shuffle = true, .seed = 3});
    return r;
}

static inline void run_free(Run *r)
{
    trainer_clear(&r->t);
    loader_free(r->t.train);
    loader_free(r->t.test);
    optimizer_free(r->t.optimizer);
    module_free(r->t.net);
    dataset_free(r->data);
}

static inline bool run_same_parameters(const Run *a, const Run *b)
{
    bool same = true;
    for (int i = 0; i < a->t.optimizer->n_params; i++)
        same = same && tensor_same_bits(a->t.optimizer->state[i].param.var->value,
                                        b->t.optimizer->state[i].param.var->value);
    return same;
}

/* For on_step: stores the number of allocations so far in ctx[step]. */
static inline void run_log_allocations(const Trainer *t, int64_t step, void *ctx)
{
    (void)t;
    ((uint64_t *)ctx)[step] = memory_counts().allocations;
}

#endif

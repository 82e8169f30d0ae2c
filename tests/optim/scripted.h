/* tests/optim/scripted.h -- runs whose test losses are given, so that the best epoch is known.
 *
 *  - The network holds everything that a module can hold; training is real.
 *  - The test loss of epoch number e is script[e - 1].
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_OPTIM_SCRIPTED_H
#define SLOPE_TESTS_OPTIM_SCRIPTED_H

#include "nn/checkpoint.h"
#include "tests/optim/resumed.h"

static const Trainer *scripted_trainer; /* the one that is being trained */
static const double  *scripted_losses;
static int            scripted_calls; /* of the loss function */

/* The script is used only in evaluations, which run without gradients. */
static inline Var *scripted_loss(Var *output, const Batch *batch)
{
    scripted_calls++;
    if (grad_enabled())
        return loss_cross_entropy(output, batch);
    Var *zero = var_scale(loss_cross_entropy(output, batch), 0);
    return var_add_scalar(zero, (real)scripted_losses[scripted_trainer->epoch]);
}

static inline Run scripted_run(OptimizerMaker maker, uint64_t seed)
{
    random_seed(seed);
    Module *net = SEQUENTIAL(linear_new(2, 6), batch_norm1d_new(6), prelu_new(6, (real)0.25),
                             noise_new(), dropout_new((real)0.25), linear_new(6, 2));
    Run r = run_of(xor_points(RESUME_EXAMPLES, (real)0.05), net, maker(net), RESUME_BATCH);
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = RESUME_BATCH});
    r.t.loss = scripted_loss;
    return r;
}

/* Trains for this many more epochs. */
static inline void scripted_fit(Run *r, const double *losses, int epochs)
{
    scripted_trainer = &r->t, scripted_losses = losses;
    r->t.epochs = epochs;
    trainer_fit(&r->t);
}

/* Do both networks have the same parameters, buffers and counters? */
static inline bool scripted_same_network(const Run *a, const Run *b)
{
    Error err;
    size_t size_a, size_b;
    ck_assert(module_save(a->t.net, scratch_path("net-a"), &err));
    ck_assert(module_save(b->t.net, scratch_path("net-b"), &err));
    unsigned char *bytes_a = scratch_read(scratch_path("net-a"), &size_a);
    unsigned char *bytes_b = scratch_read(scratch_path("net-b"), &size_b);
    bool same = size_a == size_b && memcmp(bytes_a, bytes_b, size_a) == 0;
    free(bytes_a), free(bytes_b);
    return same;
}

/* Asserts that the states of both are the same. */
static inline void scripted_assert_same(Run *a, Run *b)
{
    size_t size;
    unsigned char *bytes = run_bytes(a, &size);
    assert_state(b, bytes, size);
    free(bytes);
}

#endif

/* lessons/examples/finetune.c -- fine-tuning: a trained network learns a second task from few
 * examples.
 *
 * The first task, with 800 examples, is to tell which of four spiral arms a point is on. The second
 * task, with 40 examples, is to tell whether it is on one of the last two arms. Forty points are
 * too few for a new network to find the spirals. The trained network has already found them: its
 * features are frozen, and the 40 examples train only a new last layer, the head. For the second
 * task both networks are trained in the same way, with a cosine schedule and weight decay.
 *
 * SPDX-License-Identifier: MIT
 */
#include "slope.h"

enum { ARMS = 4, MANY = 800, FEW = 40, HIDDEN = 32, EPOCHS = 300 };

/* Features (child "0") and a head of one output per class (child "1"). */
static Module *network(int classes)
{
    return SEQUENTIAL(SEQUENTIAL(linear_new(2, HIDDEN), prelu_new(HIDDEN, (real)0.25),
                                 linear_new(HIDDEN, HIDDEN), prelu_new(HIDDEN, (real)0.25)),
                      linear_new(HIDDEN, classes));
}

static Dataset *arms(int count, uint64_t seed)
{
    return spirals_new(count, ARMS, (real)0.02, seed);
}

static Dataset *last_arms(int count, uint64_t seed)
{
    Dataset *data = arms(count, seed);
    data->classes = 2;
    for (int i = 0; i < count; i++)
        data->labels.data[i] /= 2;
    return data;
}

static void train(Module *net, Dataset *data)
{
    ParamGroup settings = ADAMW_DEFAULTS;
    settings.lr = (real)0.03, settings.weight_decay = (real)0.1;
    Optimizer *adamw = adamw_new_with(net, settings);
    optimizer_no_decay_on_slopes(adamw);
    Loader *loader = loader_new(data, (LoaderOptions){.batch = 50, .shuffle = true});
    Trainer trainer = {.net = net, .optimizer = adamw, .loss = loss_cross_entropy,
                       .train = loader, .epochs = EPOCHS,
                       .schedule = {.kind = SCHEDULE_COSINE, .epochs = EPOCHS, .warmup = 5},
                       .quiet = true};
    trainer_fit(&trainer);
    trainer_clear(&trainer);
    loader_free(loader), optimizer_free(adamw), dataset_free(data);
}

static double accuracy(Module *net, Dataset *data)
{
    Loader *loader = loader_new(data, (LoaderOptions){.batch = data->count});
    Evaluation e = trainer_evaluate(net, loss_cross_entropy, loader, NULL);
    loader_free(loader), dataset_free(data);
    return e.accuracy;
}

static void copy_parameters(Module *to, Module *from)
{
    Parameters p = module_parameters(to), q = module_parameters(from);
    for (int i = 0; i < p.count; i++)
        tensor_copy(p.item[i].var->value, q.item[i].var->value);
    parameters_free(&p), parameters_free(&q);
}

int main(void)
{
    random_seed(1);
    Module *first = network(ARMS), *fresh = network(2), *tuned = network(2);
    train(first, arms(MANY, 1));
    double known = accuracy(first, arms(MANY, 2));

    copy_parameters(module_child(tuned, "0"), module_child(first, "0"));
    module_freeze(module_child(tuned, "0"), NULL);
    module_summary(stdout, tuned, SHAPE(1, 2));
    train(tuned, last_arms(FEW, 3)), train(fresh, last_arms(FEW, 3));

    double with = accuracy(tuned, last_arms(MANY, 4));
    double without = accuracy(fresh, last_arms(MANY, 4));
    printf("four arms, %d examples: accuracy %.3f\n", MANY, known);
    printf("last two arms, %d examples: %.3f with frozen features, %.3f from scratch\n", FEW, with,
           without);
    module_free(first), module_free(fresh), module_free(tuned);
    return known > 0.95 && with > 0.9 && without < with - 0.2 ? 0 : 1;
}

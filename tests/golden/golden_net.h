/* tests/golden/golden_net.h -- ten training steps of a network, compared value by value with
 * PyTorch's.
 *
 *  - golden_start sets the network's parameters to the case's tensors start_NAME.
 *  - golden_train trains for GOLDEN_STEPS steps on x0 with labels c0 and compares every gradient,
 *    gradSTEP_NAME, the losses, and the final parameters, buffers and counters, end_NAME.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_GOLDEN_GOLDEN_NET_H
#define SLOPE_TESTS_GOLDEN_GOLDEN_NET_H

#include "optim/optimizer.h"
#include "tests/golden/golden.h"

enum { GOLDEN_STEPS = 10, GOLDEN_NAME = MODULE_PATH + 32 };

/* "end" and "fc.weight" give "end_fc.weight". */
static inline const char *golden_full_name(char text[GOLDEN_NAME], const char *prefix,
                                           const char *name)
{
    snprintf(text, GOLDEN_NAME, "%s_%s", prefix, name);
    return text;
}

static inline void golden_start(const Golden *g, Module *net)
{
    Parameters list = module_parameters(net);
    for (int i = 0; i < list.count; i++) {
        char text[GOLDEN_NAME];
        Tensor *start =
            golden_tensor(golden_get(g, golden_full_name(text, "start", list.item[i].name)));
        tensor_copy(list.item[i].var->value, start);
        tensor_free(start);
    }
    parameters_free(&list);
}

static inline void golden_compare_gradients(Golden *g, Module *net, int step)
{
    Parameters list = module_parameters(net);
    for (int i = 0; i < list.count; i++) {
        char text[GOLDEN_NAME];
        golden_compare(g, golden_full_name(text, golden_name("grad", step), list.item[i].name),
                       list.item[i].var->grad, golden_training_tolerance);
    }
    parameters_free(&list);
}

static inline void golden_compare_end(const char *name, const ModulePart *part, void *ctx)
{
    char text[GOLDEN_NAME];
    if (part->kind == PART_RNG)
        return;
    Tensor *x = part->kind == PART_COUNTER ? tensor_scalar((real)*part->counter)
                                           : tensor_ref(module_part_tensor(part));
    golden_compare(ctx, golden_full_name(text, "end", name), x, golden_training_tolerance);
    tensor_free(x);
}

/* One step; returns the loss before it. */
static inline real golden_train_step(Golden *g, Module *net, Optimizer *opt, const Labels *labels,
                                     int step)
{
    size_t mark = tape_mark();
    Var *x = golden_const(golden_get(g, "x0"));
    Var *loss = var_cross_entropy(module_forward(net, x), labels);
    optimizer_zero_grad(opt);
    var_backward(loss);
    golden_compare_gradients(g, net, step);
    optimizer_step(opt);
    real value = var_item(loss);
    tape_rewind(mark);
    return value;
}

static inline void golden_train(Golden *g, Module *net, Optimizer *opt)
{
    real losses[GOLDEN_STEPS];
    Labels labels = golden_labels(g);
    for (int step = 0; step < GOLDEN_STEPS; step++)
        losses[step] = golden_train_step(g, net, opt, &labels, step);
    Tensor *all = tensor_from(SHAPE(GOLDEN_STEPS), losses);
    golden_compare(g, "losses", all, golden_training_tolerance);
    module_visit(net, golden_compare_end, g);
    tensor_free(all);
    free(labels.data);
}

#endif

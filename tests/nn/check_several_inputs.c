/* tests/nn/check_several_inputs.c -- a module whose forward takes several Vars, written as
 * nn/README.md says: a recurrent cell.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "autograd/gradcheck.h"
#include "optim/optimizer.h"
#include "tests/net.h"

/* --- the cell of nn/README.md ----------------------------------------------------------------- */

typedef struct Cell { Module base; Module *from_x, *from_h; } Cell;

/* x (N,in), h (N,hidden) -> the next h (N,hidden) */
static Var *cell_step(Module *self, Var *x, Var *h)
{
    Cell *cell = (Cell *)self;
    return var_tanh(var_add(module_forward(cell->from_x, x), module_forward(cell->from_h, h)));
}

static Module *cell_new(ptrdiff_t in, ptrdiff_t hidden)
{
    static const ModuleType type = {"Cell", NULL, NULL}; /* no forward of one Var */
    Cell *cell = module_new(sizeof *cell, &type);
    cell->from_x = module_add_child(&cell->base, "from_x", linear_new(in, hidden));
    cell->from_h = module_add_child(&cell->base, "from_h", linear_new_without_bias(hidden, hidden));
    return &cell->base;
}

/* --- what the README says about it ------------------------------------------------------------ */

START_TEST(its_parameters_are_those_of_its_children)
{
    static const char *const name[] = {"from_x.weight", "from_x.bias", "from_h.weight"};
    Module *cell = cell_new(2, 3);
    Parameters list = module_parameters(cell);
    ck_assert_int_eq(list.count, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(list.item[i].name, name[i]);
    parameters_free(&list);
    module_eval(cell);
    ck_assert(!((Cell *)cell)->from_h->training);
    module_free(cell);
}
END_TEST

START_TEST(module_forward_says_that_it_has_none)
{
    Module *cell = cell_new(2, 3);
    ck_assert_fails(module_forward(cell, var_scalar(0)), "the type Cell has no forward function");
    module_free(cell);
}
END_TEST

static Var *cell_two_steps(Var **in, void *cell)
{
    return cell_step(cell, in[1], cell_step(cell, in[0], in[2]));
}

START_TEST(gradcheck_takes_each_var)
{
    Module *cell = cell_new(2, 3);
    Var *in[] = {net_random(SHAPE(4, 2), 1), net_random(SHAPE(4, 2), 2), net_random(SHAPE(4, 3), 3),
                 module_param(cell, "from_h.weight")};
    GradReport r = gradcheck(cell_two_steps, cell, in, 4, GRADCHECK_DEFAULTS);
    ck_assert_msg(r.verdict == GRAD_PASS && r.nonzero > 30, "%s", r.message);
    tape_rewind(0);
    module_free(cell);
}
END_TEST

enum { CELL_N = 32, CELL_STEPS = 5, CELL_TRAINING = 100 };

/* Which of two numbers, the first or the last of a sequence, is larger? All others are noise. */
static double cell_train_once(Module *cell, Optimizer *adam, uint64_t stream)
{
    size_t mark = tape_mark();
    Var *x[CELL_STEPS], *h = var_full(SHAPE(CELL_N, 3), 0);
    for (int t = 0; t < CELL_STEPS; t++) {
        x[t] = var_detach(net_random(SHAPE(CELL_N, 2), stream * CELL_STEPS + (uint64_t)t));
        h = cell_step(cell, x[t], h);
    }
    Var *difference = var_select(var_sub(x[0], x[CELL_STEPS - 1]), 1, 0);
    Var *loss = var_bce_with_logits(var_scale(var_select(h, 1, 0), 4), var_is_positive(difference));
    optimizer_zero_grad(adam);
    var_backward(loss);
    optimizer_step(adam);
    double value = (double)var_item(loss);
    tape_rewind(mark);
    return value;
}

START_TEST(an_optimizer_trains_it)
{
    random_seed(2);
    Module *cell = cell_new(2, 3);
    Optimizer *adam = adam_new(cell, (real)0.03);
    double first = cell_train_once(cell, adam, 0), last = 0;
    for (uint64_t step = 1; step < CELL_TRAINING; step++)
        last = cell_train_once(cell, adam, step);
    ck_assert_double_lt(last, 0.7 * first);
    optimizer_free(adam);
    module_free(cell);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("several inputs");
    testing_add(suite, "cell", 20, (const TTest *const[]){
        its_parameters_are_those_of_its_children, module_forward_says_that_it_has_none,
        gradcheck_takes_each_var, an_optimizer_trains_it, NULL});
    return testing_main(suite);
}

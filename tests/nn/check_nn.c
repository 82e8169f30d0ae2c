/* tests/nn/check_nn.c -- modules: names, counts, memory, modes, custom modules.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nn/init.h"
#include "tests/allocator.h"
#include "tests/net.h"

/* --- names, counts, memory -------------------------------------------------------------------- */

static void nn_check_names(Module *m, const char *const *names, int n)
{
    Parameters list = module_parameters(m);
    ck_assert_int_eq(list.count, n);
    for (int i = 0; i < n; i++) {
        ck_assert_str_eq(list.item[i].name, names[i]);
        ck_assert_str_eq(list.item[i].var->name, names[i]); /* as messages show it */
    }
    parameters_free(&list);
}

START_TEST(names_are_pytorchs_in_the_order_of_adding)
{
    Net *net = net_new(4, 3, 2);
    nn_check_names(&net->base, (const char *const[]){"fc1.weight", "fc1.bias", "prelu1.weight",
                   "fc2.weight", "fc2.bias", "prelu2.weight", "fc3.weight", "fc3.bias"}, 8);
    module_free(&net->base);
}
END_TEST

START_TEST(sequential_names_its_parts_by_number)
{
    static const ModuleType type = {"Holder", NULL, NULL};
    Module *m = module_new(sizeof *m, &type);
    Module *inner = SEQUENTIAL(prelu_new(1, 0));
    module_add_child(m, "classifier",
                     SEQUENTIAL(flatten_new(), linear_new_without_bias(2, 3), relu_new(), inner));
    module_add_param(m, "scale", tensor_zeros(SHAPE(1)));
    nn_check_names(m, (const char *const[]){"scale", "classifier.1.weight",
                   "classifier.3.0.weight"}, 3);
    module_free(m);
}
END_TEST

START_TEST(shapes_of_parameters_are_pytorchs)
{
    Net *net = net_new(4, 3, 2);
    Parameters list = module_parameters(&net->base);
    ck_assert(shape_equal(var_shape(list.item[0].var), SHAPE(3, 4))); /* [out, in] */
    ck_assert(shape_equal(var_shape(list.item[1].var), SHAPE(3)));
    ck_assert(shape_equal(var_shape(list.item[2].var), SHAPE(3)));
    ck_assert(shape_equal(var_shape(list.item[7].var), SHAPE(2)));
    for (int i = 0; i < list.count; i++)
        ck_assert_int_eq(parameter_is_slope(&list.item[i]), i == 2 || i == 5);
    parameters_free(&list);
    module_free(&net->base);
}
END_TEST

START_TEST(counts_are_the_document_s)
{
    Net *net = net_new(784, 256, 10);
    ck_assert_int_eq(module_count(&net->base), 269834);
    ck_assert_int_eq(module_count_slopes(&net->base), 512);
    ck_assert_int_eq(module_count(net->fc1), 200960);
    ck_assert_int_eq(module_count_slopes(net->fc1), 0);
    ck_assert_int_eq(module_count(net->prelu1), 256);
    ck_assert_int_eq(module_count_slopes(net->prelu1), 256);
    module_free(&net->base);
}
END_TEST

/* Creates a network, runs it forward and backward, and frees it. */
static void nn_live_and_die(void)
{
    size_t mark = tape_mark();
    Net *net = net_new(4, 3, 2);
    Module *other = SEQUENTIAL(flatten_new(), linear_new(12, 2), relu_new(),
                               leaky_relu_new((real)0.1));
    var_backward(var_sum(module_forward(&net->base, net_random(SHAPE(5, 4), 0)), ALL_AXES, false));
    var_backward(var_sum(module_forward(other, net_random(SHAPE(5, 3, 4), 1)), ALL_AXES, false));
    Parameters list = module_parameters(&net->base);
    parameters_free(&list);
    module_free(&net->base);
    module_free(other);
    tape_rewind(mark);
}

START_TEST(module_free_frees_all)
{
    nn_live_and_die(); /* the tape keeps its first chunk */
    uint64_t before = testing_blocks();
    ck_assert_uint_gt(before, 0);
    Module *kept = linear_new(2, 2);
    ck_assert_uint_gt(testing_blocks(), before); /* the count works */
    module_free(kept);
    module_free(NULL);
    nn_live_and_die();
    ck_assert_uint_eq(testing_blocks(), before);
}
END_TEST

START_TEST(train_and_eval_reach_every_descendant)
{
    Module *inner = linear_new(2, 2), *middle = SEQUENTIAL(inner);
    Module *outer = SEQUENTIAL(relu_new(), middle);
    ck_assert(outer->training && middle->training && inner->training);
    module_eval(outer);
    ck_assert(!outer->training && !middle->training && !inner->training);
    module_train(middle);
    ck_assert(!outer->training && middle->training && inner->training);
    module_free(outer);
}
END_TEST

START_TEST(a_module_of_ones_own_is_a_struct_that_embeds_one)
{
    Net *net = net_new(4, 3, 2);
    Var *y = module_forward(&net->base, net_random(SHAPE(5, 4), 0));
    ck_assert(shape_equal(var_shape(y), SHAPE(5, 2)));
    ck_assert(shape_equal(net->base.output, SHAPE(5, 2)));
    ck_assert(shape_equal(net->prelu1->output, SHAPE(5, 3)));
    ck_assert_tensor(net->calls, SHAPE(1), 0, 1);
    module_free(&net->base);
}
END_TEST

START_TEST(names_that_clash_or_cannot_be_are_refused)
{
    static const ModuleType type = {"Holder", NULL, NULL};
    Module *m = module_new(sizeof *m, &type), *child = relu_new();
    Tensor *t = tensor_zeros(SHAPE(1));
    module_add_child(m, "fc", relu_new());
    module_add_param(m, "scale", tensor_zeros(SHAPE(1)));
    module_add_buffer(m, "mean", tensor_zeros(SHAPE(1)));
    ck_assert_fails(module_add_child(m, "fc", child), "module_add_child: Holder already has a part "
                    "named 'fc'");
    ck_assert_fails(module_add_child(m, "scale", child), "already has a part named 'scale'");
    ck_assert_fails(module_add_param(m, "mean", t), "module_add_param: Holder already has a part");
    ck_assert_fails(module_add_buffer(m, "fc", t), "module_add_buffer: Holder already has a part");
    ck_assert_fails(module_add_counter(m, "fc"), "module_add_counter: Holder already has a part");
    ck_assert_fails(module_add_rng(m, "fc", rng_new(1, 0)), "module_add_rng: Holder already has");
    ck_assert_fails(module_add_child(m, "", child), "module_add_child: '' is not a valid name");
    ck_assert_fails(module_add_child(m, NULL, child), "'NULL' is not a valid name");
    ck_assert_fails(module_add_child(m, "a.b", child), "without a dot");
    ck_assert_fails(module_add_child(m, "a23456789b23456789c23456789d2345", child),
                    "1 to 31 characters");
    ck_assert_int_eq(m->n_parts, 3);
    module_add_child(m, "a23456789b23456789c23456789d234", child); /* 31 */
    tensor_free(t);
    module_free(m);
}
END_TEST

START_TEST(parts_are_found_by_their_names)
{
    Net *net = net_new(4, 3, 2);
    Module *m = &net->base, *outer = SEQUENTIAL(relu_new(), SEQUENTIAL(m));
    ck_assert_str_eq(module_param(m, "fc1.bias")->name, "1.0.fc1.bias");
    ck_assert_ptr_eq(module_param(m, "fc1.bias"), module_param(net->fc1, "bias"));
    ck_assert_ptr_eq(module_param(outer, "1.0.fc1.bias"), module_param(net->fc1, "bias"));
    ck_assert_ptr_eq(module_child(outer, "1.0.prelu2"), net->prelu2);
    ck_assert_ptr_eq(module_part(outer, PART_BUFFER, "1.0.calls")->buffer, net->calls);
    module_free(outer);
}
END_TEST

START_TEST(a_missing_part_is_reported_with_the_names_that_exist)
{
    Net *net = net_new(4, 3, 2);
    ck_assert_fails(module_param(net->fc1, "weigh"),
                    "module_param: Linear has no parameter 'weigh'; it has 'weight', 'bias'");
    ck_assert_fails(module_param(net->fc1, "weights"), "no parameter 'weights'");
    ck_assert_fails(module_param(&net->base, "fc1.bais"),
                    "Linear has no parameter 'bais'; it has 'weight', 'bias'");
    ck_assert_fails(module_param(&net->base, "fc.weight"),
                    "Net has no parameter 'fc.weight'; it has 'fc1.weight', 'fc1.bias', 'prelu1.we");
    ck_assert_fails(module_param(&net->base, "calls"), "Net has no parameter 'calls'");
    ck_assert_fails(module_child(&net->base, "fc4"),
                    "Net has no child 'fc4'; it has 'fc1', 'prelu1'");
    ck_assert_fails(module_param(&net->base, NULL), "module_param: the name is NULL");
    ck_assert_fails(module_param(NULL, "weight"), "module_param: the module is NULL");
    ck_assert_fails(module_child(&net->base, "fc1."), "module_child: Linear has no child ''");
    ck_assert_fails(module_part(&net->base, PART_RNG, "fc1"),
                    "module_part: Net has no random stream 'fc1'");
    module_free(&net->base);
    Module *relu = relu_new();
    ck_assert_fails(module_param(relu, "weight"),
                    "ReLU has no parameter 'weight'; it has none");
    module_free(relu);
}
END_TEST

START_TEST(null_is_refused_by_the_function_called)
{
    Module *m = sequential_new(NULL, 0), *parts[] = {m, NULL};
    ck_assert_fails(module_add_param(m, "w", NULL), "module_add_param: 'w' is NULL");
    ck_assert_fails(module_add_buffer(m, "w", NULL), "module_add_buffer: 'w' is NULL");
    ck_assert_fails(module_add_child(m, "w", NULL), "module_add_child: 'w' is NULL");
    ck_assert_fails(module_add_counter(NULL, "w"), "module_add_counter: the module is NULL");
    ck_assert_fails(sequential_new(parts + 1, 1), "sequential_new: part 0 of 1 is NULL");
    ck_assert_fails(module_forward(NULL, var_scalar(1)), "module_forward: the module is NULL");
    ck_assert_fails(module_train(NULL), "module_train: the module is NULL");
    ck_assert_fails(module_eval(NULL), "module_eval: the module is NULL");
    ck_assert_fails(module_eval_begin(NULL), "module_eval_begin: the module is NULL");
    ck_assert_fails(module_visit(NULL, NULL, NULL), "module_visit: the module is NULL");
    ck_assert_fails(module_parameters(NULL), "module_parameters: the module is NULL");
    ck_assert_fails(module_count(NULL), "module_count: the module is NULL");
    ck_assert_fails(module_count_slopes(NULL), "module_count_slopes: the module is NULL");
    ck_assert_fails(module_init_he(NULL, 0), "module_init_he: the module is NULL");
    ck_assert_fails(module_is_prelu(NULL), "module_is_prelu: the module is NULL");
    parameters_free(NULL);
    ck_assert_int_eq(m->n_parts, 0);
    module_free(m);
}
END_TEST

static Var *nn_no_result(Module *self, Var *x)
{
    (void)self, (void)x;
    return NULL;
}

START_TEST(a_forward_that_is_missing_or_returns_null_is_reported)
{
    static const ModuleType holder = {"Holder", NULL, NULL};
    static const ModuleType broken = {"Broken", nn_no_result, NULL};
    Module *m = module_new(sizeof *m, &holder);
    Module *net = SEQUENTIAL(m, module_new(sizeof(Module), &broken));
    ck_assert_fails(module_forward(m, var_scalar(1)),
                    "module_forward: the type Holder has no forward");
    ck_assert_fails(module_forward(net, var_scalar(1)), "the type Holder has no forward");
    ck_assert_fails(module_forward(module_child(net, "1"), var_scalar(1)),
                    "Broken: its forward function returned NULL");
    module_free(net);
}
END_TEST

/* --- evaluations ------------------------------------------------------------------------------ */

static Module *nn_half_frozen(void)
{
    Module *net = SEQUENTIAL(linear_new(2, 2), SEQUENTIAL(relu_new()));
    module_eval(module_child(net, "1.0"));
    return net;
}

/* Asserts the modes of the network above, of its part 0 and of its part 1.0. */
static void nn_check_modes(const Module *net, bool whole, bool first, bool last)
{
    ck_assert_int_eq(net->training, whole);
    ck_assert_int_eq(module_child(net, "0")->training, first);
    ck_assert_int_eq(module_child(net, "1.0")->training, last);
}

START_TEST(an_evaluation_restores_the_mode_of_each_module)
{
    Module *net = nn_half_frozen();
    module_eval_begin(net);
    nn_check_modes(net, false, false, false);
    module_eval_begin(module_child(net, "0"));
    module_train(net); /* module_eval_end(net) undoes this */
    module_eval_end(module_child(net, "0"));
    nn_check_modes(net, true, false, true);
    module_eval_end(net);
    nn_check_modes(net, true, true, false);
    module_free(net);
}
END_TEST

START_TEST(an_evaluation_does_not_change_whether_gradients_flow)
{
    Module *net = nn_half_frozen();
    Var *x = net_random(SHAPE(3, 2), 0);
    module_eval_begin(net);
    ck_assert(grad_enabled() && module_forward(net, x)->requires_grad);
    no_grad_begin();
    module_eval_begin(net);
    ck_assert(!grad_enabled() && !module_forward(net, x)->requires_grad);
    module_eval_end(net);
    no_grad_end();
    ck_assert(grad_enabled());
    module_eval_end(net);
    module_free(net);
}
END_TEST

static void nn_evaluate_wrongly(Module *net)
{
    module_eval_begin(net);
    no_grad_begin();
    module_eval_begin(module_child(net, "1"));
    module_forward(net, var_full(SHAPE(3, 5), 1));
}

START_TEST(a_failed_evaluation_is_undone_by_the_rewind)
{
    Module *net = nn_half_frozen();
    ck_assert_fails(nn_evaluate_wrongly(net), "Linear: expected an input");
    nn_check_modes(net, true, true, false);
    ck_assert(grad_enabled());
    module_eval_begin(net); /* the next evaluation works */
    module_eval_end(net);
    nn_check_modes(net, true, true, false);
    module_free(net);
}
END_TEST

START_TEST(evaluations_must_end_in_reverse_order)
{
    Module *net = nn_half_frozen(), *other = relu_new();
    size_t mark = tape_mark();
    ck_assert_fails(module_eval_end(net), "module_eval_end: no such scope is open");
    module_eval_begin(net);
    ck_assert_fails(no_grad_end(), "no_grad_end: the innermost open scope was opened by "
                    "module_eval_begin; close that one first");
    ck_assert_fails(module_eval_end(other), "module_eval_end: the innermost open evaluation was "
                    "begun for another module; end that one first");
    no_grad_begin();
    ck_assert_fails(module_eval_end(net), "was opened by no_grad_begin; close that one first");
    tape_rewind(mark);
    ck_assert_fails(module_eval_end(net), "no such scope is open");
    nn_check_modes(net, true, true, false);
    module_free(net), module_free(other);
}
END_TEST

START_TEST(a_freed_module_is_removed_from_its_evaluation)
{
    size_t mark = tape_mark();
    Module *net = nn_half_frozen(), *other = relu_new();
    module_eval_begin(other);
    module_eval_begin(net);
    module_free(net);
    ck_assert_fails(module_eval_end(other), "was begun for another module");
    tape_rewind(mark); /* writes to `other`, but not to the freed network */
    ck_assert(other->training);
    module_free(other);
}
END_TEST

static void nn_evaluate(Module *net, Var *x)
{
    size_t mark = tape_mark();
    module_eval_begin(net);
    module_forward(net, x);
    module_eval_end(net);
    tape_rewind(mark);
}

START_TEST(an_evaluation_that_runs_out_of_memory_changes_no_mode)
{
    Module *net = nn_half_frozen();
    var_scalar(1); /* the tape grows now, so that only the list of modes will need memory */
    memory_trim();
    watch_begin();
    watch.fail_at = 0;
    ck_assert_fails(module_eval_begin(net), "out of memory");
    watch.fail_at = -1;
    nn_check_modes(net, true, true, false);
    watch_end();
    module_free(net);
}
END_TEST

START_TEST(the_second_evaluation_allocates_nothing)
{
    Module *net = nn_half_frozen();
    Var *x = net_random(SHAPE(3, 2), 0);
    nn_evaluate(net, x);
    ck_assert_allocates_nothing(nn_evaluate(net, x));
    module_free(net);
}
END_TEST

/* --- parts ------------------------------------------------------------------------------------ */

/* Adds two parts, or what can be added of them; returns whether memory ran out. */
static bool nn_add_fails(Module *m)
{
    testing_sentence[0] = '\0';
    if (setjmp(testing_jump) == 0) {
        testing_catch();
        module_add_rng(m, "rng", rng_new(1, 0));
        module_add_counter(m, "count");
    }
    testing_release();
    return testing_sentence[0] != '\0';
}

/* Allocations: the list, the stream, the larger list, the counter. */
START_TEST(a_part_without_memory_is_not_added)
{
    for (int fail_at = 0; fail_at < 4; fail_at++) {
        Module *m = sequential_new(NULL, 0);
        watch_begin();
        watch.fail_at = fail_at;
        ck_assert(nn_add_fails(m));
        watch.fail_at = -1;
        ck_assert_int_eq(m->n_parts, fail_at / 2);
        ck_assert_int_eq(module_count(m), 0);
        if (m->n_parts == 0)
            module_add_rng(m, "rng", rng_new(1, 0));
        module_add_counter(m, "count");
        module_free(m);
        watch_end();
    }
}
END_TEST

/* Parts are added in the reverse order of their kinds, twice. */
START_TEST(parts_are_kept_by_kind_and_then_in_the_order_of_adding)
{
    static const ModuleType type = {"Holder", NULL, NULL};
    static const char *const name[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    static const char *const expected[] = {"e", "j", "d", "i", "c", "h", "b", "g", "a", "f"};
    Module *m = module_new(sizeof *m, &type);
    for (int i = 0; i < 10; i += 5) {
        module_add_child(m, name[i], relu_new());
        module_add_rng(m, name[i + 1], random_stream());
        module_add_counter(m, name[i + 2]);
        module_add_buffer(m, name[i + 3], tensor_zeros(SHAPE(1)));
        module_add_param(m, name[i + 4], tensor_zeros(SHAPE(1)));
    }
    ck_assert_int_eq(m->n_parts, 10);
    for (int i = 0; i < 10; i++) {
        ck_assert_str_eq(m->part[i].name, expected[i]);
        ck_assert_int_eq(m->part[i].kind, i / 2);
        ck_assert_ptr_eq(m->part[i].owner, m);
    }
    module_free(m);
}
END_TEST

START_TEST(many_parts_keep_their_places)
{
    enum { PARTS = 37 };
    Module *parts[PARTS];
    for (int i = 0; i < PARTS; i++)
        parts[i] = linear_new_without_bias(1, i + 1);
    Module *m = sequential_new(parts, PARTS);
    Parameters list = module_parameters(m);
    ck_assert_int_eq(list.count, PARTS);
    for (int i = 0; i < PARTS; i++) {
        ck_assert_ptr_eq(list.item[i].owner, parts[i]);
        ck_assert_int_eq(tensor_count(list.item[i].var->value), i + 1);
    }
    parameters_free(&list);
    module_free(m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nn");
    testing_add(suite, "modules", 20, (const TTest *const[]){
        names_are_pytorchs_in_the_order_of_adding, sequential_names_its_parts_by_number,
        shapes_of_parameters_are_pytorchs, counts_are_the_document_s, module_free_frees_all,
        train_and_eval_reach_every_descendant, a_module_of_ones_own_is_a_struct_that_embeds_one,
        names_that_clash_or_cannot_be_are_refused, parts_are_found_by_their_names,
        a_missing_part_is_reported_with_the_names_that_exist, a_part_without_memory_is_not_added,
        parts_are_kept_by_kind_and_then_in_the_order_of_adding, many_parts_keep_their_places,
        null_is_refused_by_the_function_called,
        a_forward_that_is_missing_or_returns_null_is_reported, NULL});
    testing_add(suite, "evaluations", 20, (const TTest *const[]){
        an_evaluation_restores_the_mode_of_each_module,
        an_evaluation_does_not_change_whether_gradients_flow,
        a_failed_evaluation_is_undone_by_the_rewind, evaluations_must_end_in_reverse_order,
        a_freed_module_is_removed_from_its_evaluation,
        an_evaluation_that_runs_out_of_memory_changes_no_mode,
        the_second_evaluation_allocates_nothing, NULL});
    return testing_main(suite);
}

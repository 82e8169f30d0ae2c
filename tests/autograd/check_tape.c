/* tests/autograd/check_tape.c -- what the tape owns, when it releases it, and what a failure leaves
 * behind.
 *
 * Blocks are counted at the allocator: those allocated and not released, after this thread's pool
 * has been trimmed. A failure in the middle of a step, whether a mistake in a rule or a failed
 * allocation, must leave that count unchanged.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "autograd/backward.h"
#include "autograd/graph.h"
#include "tensor/poison.h"
#include "tests/allocator.h"
#include "tests/testing.h"

/* --- a step of training ----------------------------------------------------------------------- */

/* Two layers with a PReLU between them. */
enum { LAYERS_PARAMS = 4 };
typedef struct Layers {
    Var *param[LAYERS_PARAMS]; /* weights (3,5), bias (5), slopes (5), weights (5,2) */
} Layers;

static Layers layers_new(real offset)
{
    const Shape shape[LAYERS_PARAMS] = {SHAPE(3, 5), SHAPE(5), SHAPE(5), SHAPE(5, 2)};
    Layers net;
    for (int k = 0; k < LAYERS_PARAMS; k++) {
        Tensor *t = tensor_new(shape[k]);
        real *p = tensor_write(t);
        for (ptrdiff_t i = 0; i < tensor_count(t); i++)
            p[i] = (real)((i * 7 + k * 3) % 11) / 11 - (real)0.45 + offset;
        net.param[k] = var_param_new(t, NULL);
    }
    return net;
}

static void layers_free(Layers *net)
{
    for (int k = 0; k < LAYERS_PARAMS; k++)
        var_param_free(net->param[k]);
}

static void layers_zero_grad(const Layers *net)
{
    for (int k = 0; k < LAYERS_PARAMS; k++)
        var_zero_grad(net->param[k]);
}

/* A loss that uses ops of every kind: views, copies, broadcasts, several outputs, one tensor in two
 * places, slots that are added to, batched products. */
static Var *layers_loss(const Layers *net)
{
    Labels labels = {.data = (int32_t[]){0, 1, 1, 0}, .count = 4};
    Var *x = var_full(SHAPE(4, 3), (real)0.5);
    tensor_write(x->value)[4] = -1;
    Var *h = var_add(var_matmul(x, net->param[0]), net->param[1]);
    Var *y = var_prelu(h, net->param[2]);
    Var *both = var_concat((Var *const[]){y, var_transpose(var_transpose(h, 0, 1), 0, 1)}, 2, 0);
    Var *logits = var_matmul(both, net->param[3]);
    Var *loss = var_cross_entropy(var_slice(logits, 0, 0, 8, 2), &labels);
    Var *batch = var_matmul(var_reshape(y, SHAPE(2, 2, 5)), net->param[3]);
    var_retain_grad(y);
    return var_add(loss, var_mean(var_square(batch), ALL_AXES, false));
}

static void layers_step(const Layers *net)
{
    size_t mark = tape_mark();
    layers_zero_grad(net);
    Var *loss = layers_loss(net);
    for (int call = 0; call < 2; call++) /* the second finds gradients to add to */
        var_backward(loss);
    tape_rewind(mark);
}

/* A step whose loss contains a gradient: two passes, the first of them recorded. */
static void layers_penalty_step(const Layers *net)
{
    Var *g[LAYERS_PARAMS];
    size_t mark = tape_mark();
    layers_zero_grad(net);
    Var *loss = layers_loss(net);
    var_grad(loss, net->param, LAYERS_PARAMS, CREATE_GRAPH, g);
    no_grad_begin();
    var_exp(g[0]);
    no_grad_end();
    var_backward(var_add(loss, var_dot(g[0], g[0])));
    tape_rewind(mark);
}

/* --- rewinding -------------------------------------------------------------------------------- */

START_TEST(a_rewind_frees_what_was_recorded)
{
    Layers net = layers_new(0);
    layers_step(&net); /* the tape itself has grown */
    layers_zero_grad(&net);
    uint64_t live = testing_blocks();
    size_t mark = tape_mark();
    Var *loss = layers_loss(&net);
    ck_assert_uint_gt(testing_blocks(), live + 20);
    var_backward(loss);
    tape_rewind(mark);
    ck_assert_uint_eq(testing_blocks(), live + 3 * LAYERS_PARAMS); /* the gradients */
    layers_zero_grad(&net);
    ck_assert_uint_eq(testing_blocks(), live);
    layers_penalty_step(&net);
    layers_zero_grad(&net);
    ck_assert_uint_eq(testing_blocks(), live);
    layers_free(&net);
    ck_assert_uint_eq(testing_blocks(), live - 4 * LAYERS_PARAMS);
}
END_TEST

/* Backward releases what a rule recorded as soon as the rule is done. */
START_TEST(backward_leaves_nothing_but_gradients)
{
    Layers net = layers_new(0);
    layers_step(&net);
    layers_zero_grad(&net);
    Var *loss = layers_loss(&net), *g[LAYERS_PARAMS];
    size_t mark = tape_mark();
    uint64_t live = testing_blocks();
    var_backward(loss);
    ck_assert_uint_eq(tape_mark(), mark);
    /* One interior retains its own. */
    ck_assert_uint_eq(testing_blocks(), live + 3 * (LAYERS_PARAMS + 1));
    var_grad(loss, net.param, LAYERS_PARAMS, GRAD_ONLY, g);
    ck_assert_uint_eq(tape_mark(), mark + LAYERS_PARAMS);
    tape_rewind(0);
    layers_free(&net);
}
END_TEST

START_TEST(values_stay_readable_until_the_rewind)
{
    Var *x = var_leaf(var_full(SHAPE(3), 2)->value), *y = var_exp(var_square(x));
    Tensor *kept = tensor_ref(y->value);
    real before = tensor_read(y->value)[0];
    var_backward(var_sum(y, ALL_AXES, false));
    ck_assert(tensor_read(y->value)[0] == before);
    tape_rewind(0);
    ck_assert(tensor_read(kept)[0] == before); /* this reference outlives the rewind */
    tensor_free(kept);
}
END_TEST

START_TEST(the_second_step_allocates_nothing)
{
    void (*const steps[])(const Layers *) = {layers_step, layers_penalty_step};
    for (int i = 0; i < 2; i++) {
        Layers net = layers_new(0);
        steps[i](&net);
        for (int k = 0; k < 5; k++)
            ck_assert_allocates_nothing(steps[i](&net));
        layers_free(&net);
    }
}
END_TEST

START_TEST(marks_and_places_beyond_the_end_are_refused)
{
    var_scalar(1);
    size_t end = tape_mark();
    ck_assert_fails(tape_rewind(end + 1), "is beyond the tape's end");
    ck_assert_fails(tape_at(end), "is beyond the tape's end");
    ck_assert_ptr_eq(tape_at(end - 1)->op, NULL);
    tape_rewind(end);
    ck_assert_uint_eq(tape_mark(), end);
}
END_TEST

/* As promised in autograd/tape.h. */
#ifdef SLOPE_DEBUG
enum { TAPE_PROMISED = 65536 };
#else
enum { TAPE_PROMISED = 512 };
#endif

START_TEST(a_rewound_var_is_named)
{
    size_t mark = tape_mark();
    Var *stale = var_exp(var_scalar(1)), *x = NULL;
    char number[32];
    snprintf(number, sizeof number, "it was exp #%zu", stale->index);
    tape_rewind(mark);
    ck_assert_fails(var_tanh(stale), number);
    ck_assert_fails(var_backward(stale), number);
    ck_assert_fails(var_shape(stale), number);
    for (int i = 0; i < TAPE_PROMISED; i++) /* its slot is not reused before that */
        x = var_scalar(2);
    ck_assert_fails(var_add(x, stale), number);
    tape_rewind(mark);
}
END_TEST

#if !defined(MEMORY_ASAN) && !defined(SLOPE_NO_POOL) /* ASan and valgrind report it themselves */
START_TEST(a_freed_parameter_is_reported)
{
    Var *param = var_param_new(tensor_scalar(1), "w"), *x = var_scalar(2);
    var_param_free(param);
    ck_assert_fails(var_mul(x, param), "mul: an input is a parameter that has been freed");
    ck_assert_fails(var_zero_grad(param), "freed");
    ck_assert_fails(var_param_free(param), "var_param_free: the parameter was freed already");
    tape_rewind(0);
}
END_TEST
#endif

/* --- scopes ----------------------------------------------------------------------------------- */

static bool tape_flows(Var *x)
{
    return var_exp(x)->requires_grad;
}

START_TEST(no_grad_scopes_nest)
{
    Var *x = var_leaf(var_scalar(1)->value);
    ck_assert(grad_enabled() && tape_flows(x));
    no_grad_begin();
    ck_assert(!grad_enabled() && !tape_flows(x));
    no_grad_begin();
    ck_assert(!grad_enabled());
    no_grad_end();
    ck_assert(!grad_enabled() && !tape_flows(x));
    no_grad_end();
    ck_assert(grad_enabled() && tape_flows(x));
    ck_assert_fails(no_grad_end(), "no_grad_end: no such scope");
}
END_TEST

START_TEST(a_rewind_closes_the_scopes_it_passes)
{
    size_t outside = tape_mark();
    no_grad_begin();
    size_t inside = tape_mark();
    no_grad_begin();
    var_scalar(1);
    tape_rewind(inside);
    ck_assert(!grad_enabled()); /* the outer one is still open */
    no_grad_begin();
    tape_rewind(outside);
    ck_assert(grad_enabled());
    no_grad_begin();
    no_grad_end();
    tape_rewind(outside); /* already closed: nothing to do */
    ck_assert(grad_enabled());
}
END_TEST

static void tape_fail_in_scope(void)
{
    no_grad_begin();
    no_grad_begin();
    var_add(var_full(SHAPE(2), 1), var_full(SHAPE(3), 1));
}

START_TEST(a_failure_in_a_scope_closes_it)
{
    ck_assert_fails(tape_fail_in_scope(), "do not broadcast");
    ck_assert(grad_enabled());
}
END_TEST

START_TEST(backward_works_in_a_no_grad_scope)
{
    Var *x = var_leaf(var_scalar(3)->value), *y = var_square(x), *g[1];
    no_grad_begin();
    var_backward(y);
    var_grad(y, VARS(x), CREATE_GRAPH, g);
    ck_assert(!grad_enabled());
    no_grad_end();
    ck_assert_close(tensor_item(x->grad), 6, 0);
    ck_assert(g[0]->requires_grad);
    ck_assert_fails(var_backward(var_detach(y)), "no_grad_begin");
}
END_TEST

/* --- a failure in a rule ---------------------------------------------------------------------- */

/* The identity; its rule records something and then fails. */
static void brittle_forward(Var *y)
{
    tensor_copy(y->value, y->in[0]->value);
}

static void brittle_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_scale(gy, 2));
    no_grad_begin();
    var_add(var_full(SHAPE(2), 1), var_full(SHAPE(3), 1));
}

static const Op brittle = {
    .name = "brittle", .forward = brittle_forward, .backward = brittle_backward};

static Var *tape_brittle_loss(const Layers *net)
{
    Var *early = var_sum(var_apply(&brittle, SHAPE(5), VARS(net->param[1])), ALL_AXES, false);
    return var_add(early, layers_loss(net)); /* the brittle rule runs last */
}

static void tape_brittle_backward(const Layers *net)
{
    var_backward(tape_brittle_loss(net));
}

static void tape_brittle_grad(const Layers *net)
{
    Var *g[LAYERS_PARAMS];
    var_grad(tape_brittle_loss(net), net->param, LAYERS_PARAMS, CREATE_GRAPH, g);
}

START_TEST(a_rewind_abandons_a_half_done_pass)
{
    Layers net = layers_new(0);
    layers_penalty_step(&net);
    Tensor *expected = tensor_clone(net.param[1]->grad);
    layers_zero_grad(&net);
    uint64_t live = testing_blocks();
    ck_assert_fails(tape_brittle_backward(&net), "do not broadcast");
    ck_assert_uint_eq(testing_blocks(), live);
    ck_assert_fails(tape_brittle_grad(&net), "do not broadcast");
    ck_assert_uint_eq(testing_blocks(), live);
    ck_assert(grad_enabled());
    for (int k = 0; k < LAYERS_PARAMS; k++)
        ck_assert_ptr_null(net.param[k]->grad);
    layers_penalty_step(&net); /* and training continues as if nothing had happened */
    ck_assert(tensor_same_bits(net.param[1]->grad, expected));
    tensor_free(expected);
    layers_free(&net);
}
END_TEST

/* --- out of memory ---------------------------------------------------------------------------- */

typedef struct Attempt {
    jmp_buf jump;
    char    sentence[256];
    int     fail_at;
    void  (*step)(const Layers *net);
    const Layers *net;
    bool    failed, enabled;
} Attempt;

static void attempt_on_fail(const char *sentence, void *ctx)
{
    Attempt *a = ctx;
    snprintf(a->sentence, sizeof a->sentence, "%s", sentence);
    longjmp(a->jump, 1);
}

/* A new thread starts with an empty tape and pool, so their growth can fail too. */
static void *attempt_main(void *ctx)
{
    Attempt *a = ctx;
    slope_on_fail(attempt_on_fail, a);
    watch.calls = 0;
    watch.fail_at = a->fail_at;
    if (setjmp(a->jump) == 0)
        a->step(a->net);
    else
        a->failed = true;
    watch.fail_at = -1;
    tape_rewind(0);
    a->enabled = grad_enabled();
    return NULL;
}

static Attempt attempt_run(void (*step)(const Layers *), const Layers *net, int fail_at)
{
    pthread_t thread;
    Attempt a = {.fail_at = fail_at, .step = step, .net = net};
    ck_assert_int_eq(pthread_create(&thread, NULL, attempt_main, &a), 0);
    pthread_join(thread, NULL);
    return a;
}

/* Makes each allocation of the step fail in turn, until the step succeeds. */
static void attempt_every_failure(void (*step)(const Layers *), bool stays_empty)
{
    watch_begin();
    watch.once = !stays_empty;
    Layers net = layers_new(0);
    attempt_run(step, &net, -1); /* also starts the helper threads */
    layers_zero_grad(&net);
    uint64_t live = testing_blocks();
    int k = 0;
    for (;; k++) {
        Attempt a = attempt_run(step, &net, k);
        layers_zero_grad(&net);
        ck_assert_msg(testing_blocks() == live, "allocation %d failed and left %d blocks", k,
                      (int)(testing_blocks() - live));
        ck_assert(a.enabled);
        if (!a.failed)
            break;
        ck_assert_msg(strstr(a.sentence, "out of memory"), "%s", a.sentence);
    }
    ck_assert_int_ge(k, 50);
    layers_free(&net);
    watch_end();
}

START_TEST(a_step_may_run_out_of_memory_anywhere)
{
    attempt_every_failure(layers_step, false);
    attempt_every_failure(layers_step, true);
}
END_TEST

START_TEST(a_recorded_gradient_may_run_out_of_memory_anywhere)
{
    attempt_every_failure(layers_penalty_step, false);
}
END_TEST

/* --- two threads ------------------------------------------------------------------------------ */

typedef struct Training {
    Layers net;
    int steps;
} Training;

static void *training_main(void *ctx)
{
    Training *t = ctx;
    for (int i = 0; i < t->steps; i++) {
        layers_step(&t->net);
        for (int k = 0; k < LAYERS_PARAMS; k++) {
            Var *p = t->net.param[k];
            tensor_scale(p->grad, p->grad, -(real)0.1);
            tensor_add(p->value, p->value, p->grad);
        }
    }
    return NULL;
}

START_TEST(two_threads_train_as_one_after_the_other_would)
{
    enum { STEPS = 300 };
    Training alone[2], together[2];
    pthread_t thread[2];
    for (int i = 0; i < 2; i++) {
        alone[i] = together[i] = (Training){.steps = STEPS};
        alone[i].net = layers_new((real)(i * 0.125));
        together[i].net = layers_new((real)(i * 0.125));
        training_main(&alone[i]);
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, training_main, &together[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    ck_assert(!tensor_same_bits(alone[0].net.param[0]->value, alone[1].net.param[0]->value));
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < LAYERS_PARAMS; k++)
            ck_assert(
                tensor_same_bits(alone[i].net.param[k]->value, together[i].net.param[k]->value));
    for (int i = 0; i < 2; i++)
        layers_free(&alone[i].net), layers_free(&together[i].net);
}
END_TEST

/* Runs on a second thread, which has its own tape with as many Vars on it. */
static void *tape_use_another_thread_s(void *shared)
{
    Var *x = shared, *mine = var_leaf(var_scalar(1)->value), *g[1];
    Tensor *value = tensor_ref(x->value);
    ck_assert_fails(var_mul(mine, x), "leaf #1 (), is on the tape of another thread");
    ck_assert_fails(var_backward(x), "is on the tape of another thread");
    ck_assert_fails(var_grad(var_exp(mine), VARS(x), GRAD_ONLY, g), "tape of another thread");
    ck_assert_fails(var_output(x, 0), "var_output: an input, leaf #1");
    ck_assert_fails(var_detach(x), "var_const or var_leaf");
    ck_assert_close(var_item(x), 3, 0); /* reading is allowed */
    ck_assert_close(var_item(var_mul(mine, var_const(value))), 3, 0);
    tensor_free(value);
    return NULL;
}

START_TEST(a_var_of_another_thread_is_refused)
{
    pthread_t thread;
    tape_rewind(0); /* so that x has the same index here as a Var of the other thread */
    Var *x = var_leaf(var_scalar(3)->value);
    ck_assert_int_eq(pthread_create(&thread, NULL, tape_use_another_thread_s, x), 0);
    pthread_join(thread, NULL);
    tape_rewind(0);
}
END_TEST

static void *tape_leave_open(void *unused)
{
    (void)unused;
    var_exp(var_full(SHAPE(100), 1));
    no_grad_begin();
    return NULL;
}

START_TEST(a_thread_takes_its_tape_and_pool_with_it)
{
    uint64_t live = testing_blocks();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, tape_leave_open, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(testing_blocks(), live);
    ck_assert(grad_enabled());
}
END_TEST

/* --- pictures --------------------------------------------------------------------------------- */

static const char *tape_print(void (*print)(FILE *, Var *), Var *y)
{
    static char text[2000];
    FILE *file = tmpfile();
    print(file, y);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

START_TEST(a_graph_prints_as_text_and_as_a_picture)
{
    Var *w = var_param_new(tensor_full(SHAPE(3), 1), "w \"1\"");
    var_scalar(9); /* not part of y's graph */
    Var *x = var_leaf(var_full(SHAPE(2, 3), 2)->value);
    Var *y = var_sum(var_scale(var_mul(x, w), 3), ALL_AXES, false);
    ck_assert_str_eq(tape_print(graph_print, y),
                     "  v0   parameter    (3,)            'w \"1\"'\n"
                     "  v1   leaf         (2, 3)        \n"
                     "  v2   mul          (2, 3)         <- v1, v0\n"
                     "  v3   constant     = 3           \n"
                     "  v4   mul          (2, 3)         <- v2, v3\n"
                     "  v5   sum          = 36           <- v4\n");
    ck_assert_str_eq(tape_print(graph_print_dot, y),
                     "digraph tape {\n"
                     "  node [fontname=\"sans-serif\"];\n"
                     "  v0 [shape=box, label=\"parameter w \\\"1\\\"\\n(3,)\"];\n"
                     "  v1 [shape=box, label=\"leaf\\n(2, 3)\"];\n"
                     "  v2 [shape=ellipse, label=\"mul\\n(2, 3)\"];\n"
                     "  v1 -> v2;\n"
                     "  v0 -> v2;\n"
                     "  v3 [shape=box, label=\"constant\\n= 3\"];\n"
                     "  v4 [shape=ellipse, label=\"mul\\n(2, 3)\"];\n"
                     "  v2 -> v4;\n"
                     "  v3 -> v4;\n"
                     "  v5 [shape=ellipse, label=\"sum\\n= 36\"];\n"
                     "  v4 -> v5;\n"
                     "}\n");
    ck_assert_str_eq(tape_print(graph_print, w), "  v0   parameter    (3,)            'w \"1\"'\n");
    tape_rewind(0);
    var_param_free(w);
}
END_TEST

/* The processor time that it takes to print n multiplications, each by a parameter of its own. */
static double tape_printing_time(int n)
{
    Var **param = malloc((size_t)n * sizeof *param), *y = var_leaf(var_full(SHAPE(1), 1)->value);
    for (int i = 0; i < n; i++)
        y = var_mul(y, param[i] = var_param_new(tensor_full(SHAPE(1), 1), NULL));
    FILE *file = tmpfile();
    clock_t began = clock();
    graph_print(file, y);
    graph_print_dot(file, y);
    double time = (double)(clock() - began);
    fclose(file);
    tape_rewind(0);
    for (int i = 0; i < n; i++)
        var_param_free(param[i]);
    free(param);
    return time;
}

/* 8 times the length takes about 8 times as long, not 8 * 8 times. */
START_TEST(the_time_to_print_a_graph_grows_with_its_length)
{
    double shorter = tape_printing_time(1000), longer = tape_printing_time(8 * 1000);
    ck_assert_msg(longer < 4 * 8 * shorter, "8 times the length takes %.0f times as long",
                  longer / shorter);
}
END_TEST

int main(void)
{
    const TTest *const rewinding[] = {
        a_rewind_frees_what_was_recorded, backward_leaves_nothing_but_gradients,
        values_stay_readable_until_the_rewind, marks_and_places_beyond_the_end_are_refused,
        a_rewound_var_is_named,
#if !defined(MEMORY_ASAN) && !defined(SLOPE_NO_POOL)
        a_freed_parameter_is_reported,
#endif
        the_second_step_allocates_nothing, NULL};
    const TTest *const scopes[] = {no_grad_scopes_nest, a_rewind_closes_the_scopes_it_passes,
                                   a_failure_in_a_scope_closes_it,
                                   backward_works_in_a_no_grad_scope, NULL};
    const TTest *const failures[] = {a_rewind_abandons_a_half_done_pass,
                                     a_step_may_run_out_of_memory_anywhere,
                                     a_recorded_gradient_may_run_out_of_memory_anywhere, NULL};
    const TTest *const threads[] = {two_threads_train_as_one_after_the_other_would,
                                    a_var_of_another_thread_is_refused,
                                    a_thread_takes_its_tape_and_pool_with_it, NULL};
    const TTest *const pictures[] = {a_graph_prints_as_text_and_as_a_picture,
                                     the_time_to_print_a_graph_grows_with_its_length, NULL};

    Suite *suite = suite_create("tape");
    testing_add(suite, "rewinding", 30, rewinding);
    testing_add(suite, "scopes", 10, scopes);
    testing_add(suite, "failures", 60, failures);
    testing_add(suite, "threads", 60, threads);
    testing_add(suite, "pictures", 60, pictures);
    return testing_main(suite);
}

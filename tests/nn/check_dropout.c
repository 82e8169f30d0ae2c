/* tests/nn/check_dropout.c -- the mask: the share of zeros, the scale, which random numbers it uses
 * and when.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "tensor/parallel.h"
#include "tests/net.h"

enum { DROPOUT_COUNT = 100001 }; /* odd, and several blocks long */

static const real dropout_quarter = (real)0.25;

static Var *dropout_ones(ptrdiff_t n) { return var_full(SHAPE(n), 1); }

static Rng *dropout_rng(const Module *m) { return module_part(m, PART_RNG, "rng")->rng; }
static uint64_t dropout_position(const Module *m) { return dropout_rng(m)->position; }

/* --- statistics ------------------------------------------------------------------------------- */

/* The share is p, within five standard deviations of sqrt(p (1-p) / n). */
START_TEST(the_share_of_zeros_is_p)
{
    static const double share[] = {0.0625, 0.25, 0.5, 0.9};
    for (int i = 0; i < 4; i++) {
        Var *y = var_dropout(dropout_ones(DROPOUT_COUNT), (real)share[i], rng_new(5, (uint64_t)i));
        double zeros = 0, n = DROPOUT_COUNT, p = share[i];
        for (ptrdiff_t k = 0; k < DROPOUT_COUNT; k++)
            zeros += tensor_read(y->value)[k] == 0;
        ck_assert_close(zeros / n, p, 5 * sqrt(p * (1 - p) / n));
    }
}
END_TEST

START_TEST(what_is_kept_is_scaled_by_1_over_1_minus_p)
{
    Var *x = net_random(SHAPE(7, 11), 0), *y = var_dropout(x, dropout_quarter, rng_new(5, 0));
    const real *from = tensor_read(x->value), *to = tensor_read(y->value);
    int kept = 0;
    for (int i = 0; i < 77; i++) {
        ck_assert(to[i] == 0 || to[i] == from[i] * (1 / (1 - dropout_quarter)));
        kept += to[i] != 0;
    }
    ck_assert(kept > 40 && kept < 75);
}
END_TEST

/* For ones: mean 1, variance p / (1 - p), and standard deviation of the mean sqrt(var / n). */
START_TEST(the_mean_stays_and_the_variance_is_p_over_1_minus_p)
{
    Var *y = var_dropout(dropout_ones(DROPOUT_COUNT), dropout_quarter, rng_new(6, 0));
    Stats s = tensor_stats(y->value);
    double variance = 0.25 / 0.75, deviation = sqrt(variance / DROPOUT_COUNT);
    ck_assert_close(s.mean, 1, 5 * deviation);
    ck_assert_close(s.std * s.std, variance, 0.02 * variance);
}
END_TEST

/* Two neighbours share a random word. If they are independent, both are zero with probability
 * p^2. */
START_TEST(neighbours_are_independent)
{
    Var *y = var_dropout(dropout_ones(DROPOUT_COUNT), (real)0.5, rng_new(7, 0));
    const real *mask = tensor_read(y->value);
    double within = 0, across = 0, n = DROPOUT_COUNT / 2;
    for (ptrdiff_t i = 0; i + 2 < DROPOUT_COUNT; i += 2) {
        within += mask[i] == 0 && mask[i + 1] == 0;
        across += mask[i + 1] == 0 && mask[i + 2] == 0;
    }
    ck_assert_close(within / n, 0.25, 5 * sqrt(0.25 * 0.75 / n));
    ck_assert_close(across / n, 0.25, 5 * sqrt(0.25 * 0.75 / n));
}
END_TEST

/* --- limits ----------------------------------------------------------------------------------- */

START_TEST(p_0_keeps_all_and_p_1_nothing)
{
    Var *x = net_random(SHAPE(9), 0), *gy = net_random(SHAPE(9), 1), *g;
    ck_assert(tensor_same_bits(var_dropout(x, 0, rng_new(1, 0))->value, x->value));
    Var *none = var_dropout(x, 1, rng_new(1, 0));
    ck_assert_tensor(none->value, SHAPE(9), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    var_grad_with(none, gy, &x, 1, GRAD_ONLY, &g);
    ck_assert_tensor(g->value, SHAPE(9), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}
END_TEST

/* 0, not inf x 0. */
START_TEST(what_is_dropped_is_0_even_if_it_was_infinite)
{
    Var *x = var_full(SHAPE(64), (real)INFINITY), *y = var_dropout(x, (real)0.5, rng_new(1, 0));
    for (int i = 0; i < 64; i++)
        ck_assert(tensor_read(y->value)[i] == 0 || isinf(tensor_read(y->value)[i]));
    y = var_dropout(x, 1, rng_new(1, 0));
    ck_assert_int_eq(tensor_find_nonfinite(y->value), -1);
}
END_TEST

static void dropout_check_refused(real p)
{
    ck_assert_fails(dropout_new(p), "expected a number from 0 to 1");
    ck_assert_fails(var_dropout(dropout_ones(3), p, rng_new(1, 0)), "a number from 0 to 1");
}

START_TEST(a_probability_is_from_0_to_1)
{
    dropout_check_refused(-(real)0.125);
    dropout_check_refused((real)1.5);
    dropout_check_refused((real)NAN);
}
END_TEST

START_TEST(any_shape_and_layout_will_do)
{
    Var *x = net_random(SHAPE(5, 7), 0), *turned = var_transpose(x, 0, 1);
    Var *direct = var_dropout(turned, (real)0.5, rng_new(3, 0));
    Var *copied = var_dropout(var_contiguous(turned), (real)0.5, rng_new(3, 0));
    ck_assert(tensor_same_bits(direct->value, copied->value));
    Var *empty = var_dropout(dropout_ones(0), (real)0.5, rng_new(3, 0));
    ck_assert_int_eq(tensor_count(empty->value), 0);
    ck_assert_int_eq(var_shape(var_dropout(var_scalar(1), (real)0.5, rng_new(3, 0))).ndim, 0);
}
END_TEST

/* --- where the mask comes from ---------------------------------------------------------------- */

START_TEST(the_number_of_threads_changes_no_bit)
{
    Var *x = net_random(SHAPE(DROPOUT_COUNT), 0);
    Tensor *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        parallel_set_threads(threads);
        random_seed(11);
        Module *m = dropout_new((real)0.3);
        Var *y = module_forward(m, x);
        ck_assert(!first || tensor_same_bits(first, y->value));
        tensor_free(first);
        first = tensor_clone(y->value);
        module_free(m);
    }
    tensor_free(first);
    parallel_set_threads(0);
}
END_TEST

/* Two elements per word, the lower half first, also for an odd position and an odd count. */
START_TEST(a_mask_is_the_halves_of_the_words)
{
    const ptrdiff_t counts[] = {1, 2, 255, 256, 257, 511, 4097};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (uint64_t position = 6; position < 8; position++) {
            Rng rng = {.seed = 3, .stream = 9, .position = position};
            Var *y = var_dropout(var_full(SHAPE(counts[i]), 3), (real)0.25, rng);
            for (ptrdiff_t k = 0; k < counts[i]; k++) {
                uint64_t word = rng_word(3, 9, position + (uint64_t)k / 2);
                bool kept = (k % 2 ? word >> 32 : word & 0xFFFFFFFF) >= (uint64_t)1 << 30;
                ck_assert(tensor_read(y->value)[k] == (kept ? 3 * (1 / (1 - (real)0.25)) : 0));
            }
        }
}
END_TEST

/* The mask of n elements is the beginning of the mask of more. */
START_TEST(an_element_s_fate_depends_on_its_place_alone)
{
    Var *many = var_dropout(dropout_ones(20), (real)0.5, rng_new(2, 0));
    for (ptrdiff_t n = 0; n <= 20; n++) {
        Var *few = var_dropout(dropout_ones(n), (real)0.5, rng_new(2, 0));
        ck_assert(tensor_same_bits(few->value, var_contiguous(var_slice(many, 0, 0, n, 1))->value));
    }
}
END_TEST

START_TEST(every_module_and_every_seed_has_its_own)
{
    Var *x = dropout_ones(64), *y[3];
    random_seed(1);
    Module *a = dropout_new((real)0.5), *b = dropout_new((real)0.5);
    random_seed(2);
    Module *c = dropout_new((real)0.5), *all[] = {a, b, c};
    for (int i = 0; i < 3; i++)
        y[i] = module_forward(all[i], x);
    ck_assert(!tensor_same_bits(y[0]->value, y[1]->value));
    ck_assert(!tensor_same_bits(y[0]->value, y[2]->value));
    ck_assert(!tensor_same_bits(y[1]->value, y[2]->value));
    module_free(a), module_free(b), module_free(c);
}
END_TEST

/* Two elements per word; an odd count uses half of its last word. */
START_TEST(the_stream_advances_past_what_was_used)
{
    Module *m = dropout_new((real)0.5);
    Var *first = module_forward(m, dropout_ones(63));
    ck_assert_uint_eq(dropout_position(m), 32);
    Var *second = module_forward(m, dropout_ones(63));
    ck_assert_uint_eq(dropout_position(m), 64);
    ck_assert(!tensor_same_bits(first->value, second->value));
    dropout_rng(m)->position = 0;
    ck_assert(tensor_same_bits(module_forward(m, dropout_ones(63))->value, first->value));
    module_free(m);
}
END_TEST

START_TEST(evaluation_is_the_identity_and_uses_nothing)
{
    Module *m = dropout_new((real)0.5), *none = dropout_new(0);
    Var *x = net_random(SHAPE(8), 0);
    module_eval(m);
    ck_assert(tensor_same_bits(module_forward(m, x)->value, x->value));
    ck_assert(tensor_same_bits(module_forward(none, x)->value, x->value)); /* in training */
    ck_assert_uint_eq(dropout_position(m) + dropout_position(none), 0);
    module_train(m);
    ck_assert(!tensor_same_bits(module_forward(m, x)->value, x->value));
    module_free(m), module_free(none);
}
END_TEST

/* --- gradients -------------------------------------------------------------------------------- */

START_TEST(the_gradient_has_the_same_mask)
{
    Module *m = dropout_new(dropout_quarter);
    Var *x = net_random(SHAPE(501), 0), *gy = net_random(SHAPE(501), 1), *g;
    module_forward(m, x); /* so that the mask of y is not the stream's first */
    Var *y = module_forward(m, x);
    module_forward(m, x); /* ... nor where the stream is now */
    var_grad_with(y, gy, &x, 1, GRAD_ONLY, &g);
    for (int i = 0; i < 501; i++) {
        bool dropped = tensor_read(y->value)[i] == 0;
        real kept = tensor_read(gy->value)[i] * (1 / (1 - dropout_quarter));
        ck_assert(tensor_read(g->value)[i] == (dropped ? 0 : kept));
    }
    module_free(m);
}
END_TEST

/* <v, gx> is linear in gy: its gradient is v under the mask. */
START_TEST(the_gradient_of_the_gradient_too)
{
    Var *x = net_random(SHAPE(51), 0), *gy = net_random(SHAPE(51), 1), *g, *h;
    Var *v = net_random(SHAPE(51), 2);
    Rng rng = rng_new(4, 0);
    var_grad_with(var_dropout(x, dropout_quarter, rng), gy, &x, 1, CREATE_GRAPH, &g);
    var_grad(var_dot(g, v), &gy, 1, GRAD_ONLY, &h);
    ck_assert(tensor_same_bits(h->value, var_dropout(v, dropout_quarter, rng)->value));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dropout");
    testing_add(suite, "statistics", 20, (const TTest *const[]){
        the_share_of_zeros_is_p, what_is_kept_is_scaled_by_1_over_1_minus_p,
        the_mean_stays_and_the_variance_is_p_over_1_minus_p, neighbours_are_independent, NULL});
    testing_add(suite, "ends", 20, (const TTest *const[]){
        p_0_keeps_all_and_p_1_nothing, what_is_dropped_is_0_even_if_it_was_infinite,
        a_probability_is_from_0_to_1, any_shape_and_layout_will_do, NULL});
    testing_add(suite, "mask", 20, (const TTest *const[]){
        the_number_of_threads_changes_no_bit, a_mask_is_the_halves_of_the_words,
        an_element_s_fate_depends_on_its_place_alone,
        every_module_and_every_seed_has_its_own, the_stream_advances_past_what_was_used,
        evaluation_is_the_identity_and_uses_nothing, NULL});
    testing_add(suite, "gradients", 20, (const TTest *const[]){
        the_gradient_has_the_same_mask, the_gradient_of_the_gradient_too, NULL});
    return testing_main(suite);
}

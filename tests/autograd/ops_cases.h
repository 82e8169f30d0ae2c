/* tests/autograd/ops_cases.h -- calls of ops that no sample makes: other axes, shapes and options.
 *
 *  - check_ops walks ops_cases as it walks the samples. To add one, write a function and a line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_AUTOGRAD_OPS_CASES_H
#define SLOPE_TESTS_AUTOGRAD_OPS_CASES_H

#include "autograd/op.h"

/* A call that no sample makes, with inputs of these shapes. */
typedef struct OpsCase {
    const char *what;
    Var *(*call)(Var **in);
    int   n_in;
    Shape shape[OP_SAMPLE_INPUTS];
} OpsCase;

static Var *ops_matmul(Var **in) { return var_matmul(in[0], in[1]); }
static Var *ops_matmul_self(Var **in) { return var_matmul(in[0], in[0]); }
static Var *ops_matmul_gram(Var **in) { return var_matmul(var_transpose(in[0], 0, 1), in[0]); }
static Var *ops_prelu(Var **in) { return var_prelu(in[0], in[1]); }
static Var *ops_prelu_self(Var **in) { return var_prelu(in[0], in[0]); }
static Var *ops_prelu_g(Var **in)
{
    return var_output(var_prelu_backward(in[0], in[1], in[2], true, false), 0);
}
static Var *ops_prelu_ga(Var **in)
{
    return var_output(var_prelu_backward(in[0], in[1], in[2], false, true), 1);
}
static Var *ops_prelu_x_is_g(Var **in)
{
    Var *y = var_prelu_backward(in[0], in[1], in[0], true, true);
    return var_add(var_sum(var_output(y, 0), AXES(0, 2), false), var_output(y, 1));
}
static Var *ops_sum_all(Var **in) { return var_sum(in[0], ALL_AXES, false); }
static Var *ops_sum_none(Var **in) { return var_sum(in[0], (Axes){.n = 0}, false); }
static Var *ops_sum_keep(Var **in) { return var_sum(in[0], AXES(1), true); }
static Var *ops_mean_all(Var **in) { return var_mean(in[0], ALL_AXES, false); }
static Var *ops_mean_last(Var **in) { return var_mean(in[0], AXES(-1, 0), false); }
static Var *ops_max_all(Var **in) { return var_max(in[0], ALL_AXES, true); }
static Var *ops_max_first(Var **in) { return var_max(in[0], AXES(0), false); }
static Var *ops_sum_to_scalar(Var **in) { return var_sum_to(in[0], SHAPE_SCALAR); }
static Var *ops_sum_to_same(Var **in) { return var_sum_to(in[0], var_shape(in[0])); }
static Var *ops_softmax_0(Var **in) { return var_softmax(in[0], 0); }
static Var *ops_softmax_last(Var **in) { return var_softmax(in[0], -1); }
static Var *ops_log_softmax_0(Var **in) { return var_log_softmax(in[0], 0); }
static Var *ops_log_softmax_last(Var **in) { return var_log_softmax(in[0], -1); }
static Var *ops_slice_first(Var **in) { return var_slice(in[0], 0, 0, 2, 1); }
static Var *ops_slice_twice(Var **in)
{
    return var_slice(var_slice(in[0], 0, 1, 3, 1), 1, 0, 4, 3);
}
static Var *ops_overlap(Var **in)
{
    return var_mul(var_slice(in[0], 0, 0, 2, 1), var_slice(in[0], 0, 1, 3, 1));
}
static Var *ops_scatter(Var **in) { return var_slice_scatter(in[0], SHAPE(9, 4), 0, 2, 3); }
static Var *ops_select_0(Var **in) { return var_select(in[0], -2, 0); }
static Var *ops_concat_0(Var **in) { return var_concat((Var *const[]){in[1], in[0]}, 2, 0); }
static Var *ops_concat_last(Var **in)
{
    return var_concat((Var *const[]){in[0], in[1], in[0]}, 3, -1);
}
static Var *ops_permute_4(Var **in) { return var_permute(in[0], (const int[]){1, -1, 0, 2}); }
static Var *ops_reshape_t(Var **in) { return var_reshape(var_transpose(in[0], 0, 1), SHAPE(2, 6)); }
static Var *ops_expand_up(Var **in) { return var_expand(in[0], SHAPE(2, 3, 2, 4)); }
static Var *ops_pow_2(Var **in) { return var_pow(in[0], 2); }
static Var *ops_pow_minus(Var **in) { return var_pow(in[0], -1); }
static Var *ops_pow_1(Var **in) { return var_pow(in[0], 1); }
static Var *ops_leaky_minus(Var **in) { return var_leaky_relu(in[0], (real)-0.5); }
static Var *ops_mse(Var **in) { return var_mse(in[0], in[1]); }

static Var *ops_cross_entropy(Var **in, real smoothing, LossReduction reduction)
{
    Labels labels = {.data = (int32_t[]){1, 255, 2, 0}, .count = 4};
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    o.ignore_index = 255, o.smoothing = smoothing, o.reduction = reduction;
    return var_cross_entropy_with(in[0], &labels, o);
}
static Var *ops_weighted(Var **in, real smoothing, LossReduction reduction)
{
    Labels labels = {.data = (int32_t[]){1, -100, 2, 0}, .count = 4};
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    o.smoothing = smoothing, o.reduction = reduction;
    o.weight = var_const_from(SHAPE(3), (const real[]){3, (real)0.5, 0})->value;
    return var_cross_entropy_with(in[0], &labels, o);
}
static Var *ops_cew_mean(Var **in) { return ops_weighted(in, 0, LOSS_MEAN); }
static Var *ops_cew_smooth(Var **in) { return ops_weighted(in, (real)0.3, LOSS_MEAN); }
static Var *ops_cew_sum(Var **in) { return ops_weighted(in, 1, LOSS_SUM); }
static Var *ops_cew_none(Var **in) { return ops_weighted(in, (real)0.3, LOSS_NONE); }
static Var *ops_bce(Var **in)
{
    return var_bce_with_logits(in[0], var_sigmoid(in[1])); /* targets from 0 to 1 */
}
static Var *ops_scalar_sub(Var **in) { return var_scalar_sub(3, in[0]); }
static Var *ops_scalar_div(Var **in) { return var_scalar_div(3, in[0]); }
static Var *ops_squeeze_last(Var **in) { return var_squeeze(in[0], -1); }
static Var *ops_squeeze_strided(Var **in)
{
    return var_squeeze(var_transpose(var_slice(in[0], 0, 0, 3, 2), 0, 2), 1);
}
static Var *ops_unsqueeze_first(Var **in) { return var_unsqueeze(in[0], 0); }
static Var *ops_unsqueeze_last(Var **in) { return var_unsqueeze(in[0], -1); }
static Var *ops_unsqueeze_strided(Var **in)
{
    return var_unsqueeze(var_transpose(in[0], 0, 1), -2);
}
static Var *ops_ce_sum(Var **in) { return ops_cross_entropy(in, 0, LOSS_SUM); }
static Var *ops_ce_none(Var **in) { return ops_cross_entropy(in, (real)0.3, LOSS_NONE); }
static Var *ops_ce_uniform(Var **in) { return ops_cross_entropy(in, 1, LOSS_MEAN); }

#define OPS_CASE(f, n, ...) {#f, f, n, {__VA_ARGS__}}
#define S0       {0}
#define S1(a)    {1, {a}}
#define S2(a, b) {2, {a, b}}
#define S3(...)  {3, {__VA_ARGS__}}
#define S4(...)  {4, {__VA_ARGS__}}
#define S5(...)  {5, {__VA_ARGS__}}

static const OpsCase ops_cases[] = {
    OPS_CASE(ops_matmul, 2, S2(3, 4), S3(2, 4, 2)),
    OPS_CASE(ops_matmul, 2, S4(2, 1, 2, 3), S3(3, 3, 2)),
    OPS_CASE(ops_matmul, 2, S2(1, 5), S2(5, 1)),
    OPS_CASE(ops_matmul, 2, S2(9, 17), S2(17, 11)), /* more than one tile */
    OPS_CASE(ops_matmul_self, 1, S2(3, 3)),
    OPS_CASE(ops_matmul_gram, 1, S2(4, 3)),
    OPS_CASE(ops_prelu, 2, S2(5, 3), S1(3)),
    OPS_CASE(ops_prelu, 2, S4(2, 3, 2, 2), S1(3)),
    OPS_CASE(ops_prelu, 2, S5(2, 2, 2, 1, 2), S1(2)),
    OPS_CASE(ops_prelu, 2, S4(2, 3, 2, 2), S1(1)),
    OPS_CASE(ops_prelu, 2, S3(1, 2, 37), S1(2)), /* more than a row of lanes */
    OPS_CASE(ops_prelu, 2, S2(37, 2), S1(2)),    /* more than a block of rows */
    OPS_CASE(ops_prelu, 2, S1(5), S1(1)),
    OPS_CASE(ops_prelu, 2, S0, S1(1)),
    OPS_CASE(ops_prelu, 2, S3(2, 3, 4), S0),
    OPS_CASE(ops_prelu, 2, S0, S0),
    OPS_CASE(ops_prelu, 2, S2(3, 1), S1(1)),
    OPS_CASE(ops_prelu_self, 1, S1(1)),
    OPS_CASE(ops_prelu_g, 3, S2(4, 3), S1(3), S2(4, 3)),
    OPS_CASE(ops_prelu_ga, 3, S2(4, 3), S1(3), S2(4, 3)),
    OPS_CASE(ops_prelu_ga, 3, S3(2, 2, 3), S1(1), S3(2, 2, 3)),
    OPS_CASE(ops_prelu_g, 3, S2(4, 3), S0, S2(4, 3)),
    OPS_CASE(ops_prelu_ga, 3, S2(4, 3), S0, S2(4, 3)),
    OPS_CASE(ops_prelu_x_is_g, 2, S3(2, 3, 2), S1(3)),
    OPS_CASE(ops_sum_all, 1, S3(2, 3, 2)),
    OPS_CASE(ops_sum_all, 1, S0),
    OPS_CASE(ops_sum_none, 1, S2(2, 3)),
    OPS_CASE(ops_sum_keep, 1, S4(2, 3, 2, 2)),
    OPS_CASE(ops_mean_all, 1, S2(4, 5)),
    OPS_CASE(ops_mean_last, 1, S3(2, 3, 4)),
    OPS_CASE(ops_max_all, 1, S2(3, 4)),
    OPS_CASE(ops_max_first, 1, S3(3, 2, 2)),
    OPS_CASE(ops_sum_to_scalar, 1, S3(2, 3, 2)),
    OPS_CASE(ops_sum_to_same, 1, S2(2, 3)),
    OPS_CASE(ops_softmax_0, 1, S2(4, 3)),
    OPS_CASE(ops_softmax_last, 1, S3(2, 2, 4)),
    OPS_CASE(ops_log_softmax_0, 1, S2(4, 3)),
    OPS_CASE(ops_log_softmax_last, 1, S3(2, 2, 4)),
    OPS_CASE(ops_slice_first, 1, S2(3, 2)),
    OPS_CASE(ops_slice_twice, 1, S2(4, 5)),
    OPS_CASE(ops_overlap, 1, S2(3, 2)),
    OPS_CASE(ops_scatter, 1, S2(3, 4)),
    OPS_CASE(ops_select_0, 1, S3(2, 3, 4)),
    OPS_CASE(ops_concat_0, 2, S2(2, 3), S2(1, 3)),
    OPS_CASE(ops_concat_last, 2, S3(2, 1, 2), S3(2, 1, 3)),
    OPS_CASE(ops_permute_4, 1, S4(2, 3, 1, 2)),
    OPS_CASE(ops_reshape_t, 1, S2(3, 4)),
    OPS_CASE(ops_expand_up, 1, S4(1, 3, 1, 4)),
    OPS_CASE(ops_expand_up, 1, S0),
    OPS_CASE(ops_pow_2, 1, S2(2, 3)),
    OPS_CASE(ops_pow_minus, 1, S2(2, 3)),
    OPS_CASE(ops_pow_1, 1, S2(2, 3)),
    OPS_CASE(ops_leaky_minus, 1, S2(4, 3)),
    OPS_CASE(ops_mse, 2, S2(4, 3), S2(4, 3)),
    OPS_CASE(ops_ce_sum, 1, S2(4, 3)),
    OPS_CASE(ops_ce_none, 1, S2(4, 3)),
    OPS_CASE(ops_ce_uniform, 1, S2(4, 3)),
    OPS_CASE(ops_cew_mean, 1, S2(4, 3)),
    OPS_CASE(ops_cew_smooth, 1, S2(4, 3)),
    OPS_CASE(ops_cew_sum, 1, S2(4, 3)),
    OPS_CASE(ops_cew_none, 1, S2(4, 3)),
    OPS_CASE(ops_bce, 2, S2(4, 3), S2(4, 3)),
    OPS_CASE(ops_scalar_sub, 1, S2(2, 3)),
    OPS_CASE(ops_scalar_div, 1, S2(2, 3)),
    OPS_CASE(ops_squeeze_last, 1, S3(2, 3, 1)),
    OPS_CASE(ops_squeeze_last, 1, S1(1)),
    OPS_CASE(ops_squeeze_strided, 1, S3(3, 1, 2)),
    OPS_CASE(ops_unsqueeze_first, 1, S0),
    OPS_CASE(ops_unsqueeze_last, 1, S2(2, 3)),
    OPS_CASE(ops_unsqueeze_strided, 1, S2(2, 3)),
};

#endif

/* lessons/assignments/a5_layernorm/tests.c -- what a layer norm must do; points.txt assigns the
 * points.
 *
 * Each test checks one thing, so that one mistake costs its own points and no more. Tests of values
 * and gradients compare them with formulas, which expected.c computes in two passes. Tests of other
 * things, such as strides, compare the submission's results with one another, provided that they
 * are those of a layer norm or of a known mistake: LayerOwn holds the 1/sqrt(var + eps) that the
 * submission uses, and its gradient must be in a list of right and wrong ones. Inputs are so large,
 * and eps so small, that a wrong eps shows only where eps is tested.
 *
 * SPDX-License-Identifier: MIT
 */
#include "expected.c"

/* --- 1: forward ------------------------------------------------------------------------------- */

static void check_values(const Layer *c)
{
    Var *d = layer_deviation(c), *rstd = layer_rstd(c, d), *xhat = var_mul(d, rstd);
    double n = (double)shape_count(c->normalised);
    judge_compare("y", layer_value(c), layer_affine(c, xhat), close_y, MISTAKES(
        {layer_affine(c, var_scale(xhat, (real)sqrt((n - 1) / n))),
         "the variance has the divisor n - 1: a layer norm divides by n"},
        {layer_affine(c, var_mul(layer_matrix(c, c->x), rstd)), "the mean is not subtracted"},
        {layer_affine(c, var_div(d, layer_variance(d))), "the root of the variance is missing"},
        {layer_affine(c, layer_over_all(c)),
         "mean and variance are those of the whole tensor: each row has its own"},
        {layer_affine(c, layer_over_batch(c)),
         "mean and variance are computed over the batch, as in a batch norm: each row has its own"},
        {var_mul(var_reshape(xhat, var_shape(c->x)), c->w), "the bias is missing"},
        {var_add(var_reshape(xhat, var_shape(c->x)), c->b), "the weight is missing"},
        {var_add(var_mul(var_reshape(xhat, var_shape(c->x)), c->b), c->w),
         "weight and bias are exchanged"}));
}

START_TEST(layer_values)
{
    Layer c = {.x = var_leaf_from(SHAPE(2, 4), (real[]){9300, 9900, 10100, 10700, 700, 100,
                                                   -100, -700}),
               .w = var_leaf_from(SHAPE(4), (real[]){1, 2, -1, (real)0.5}),
               .b = var_leaf_from(SHAPE(4), (real[]){0, 1, 2, -3}),
               .normalised = SHAPE(4), .eps = TINY};
    check_values(&c);
    static const double golden[] = {-1.4, 0.6, 1.8, -2.3, 1.4, 1.4, 2.2, -3.7};
    Var *expected = var_empty(SHAPE(2, 4));
    for (int i = 0; i < 8; i++)
        tensor_write(expected->value)[i] = (real)golden[i];
    judge_compare("y", layer_value(&c), expected, close_y, NULL, 0);
    c = layer_input(SHAPE(5, 17), 1);
    check_values(&c);
}
END_TEST

/* A layer norm over several axes is one over a single axis of as many elements. */
static void check_axes(Shape x, int normalised_axes)
{
    static const char hint[] = "only the last axis is normalised: a row consists of all "
        "normalised axes";
    char what[64];
    Layer c = layer_input(x, normalised_axes), last = c, start;
    Layer flat = {layer_matrix(&c, c.x), layer_flat(&c, c.w), layer_flat(&c, c.b),
                  SHAPE(shape_count(c.normalised)), c.eps};
    layer_own(&flat);
    Var *expected = layer_value(&flat);
    last.normalised = SHAPE(x.dim[x.ndim - 1]);
    last.w = var_full(last.normalised, 1), last.b = var_full(last.normalised, 0);
    start = last; /* the same mistake, using only the first weights */
    start.w = var_slice(flat.w, 0, 0, x.dim[x.ndim - 1], 1);
    start.b = var_slice(flat.b, 0, 0, x.dim[x.ndim - 1], 1);
    snprintf(what, sizeof what, "y with %d normalised axes", normalised_axes);
    judge_compare(what, layer_value(&c), var_reshape(expected, x), close_y, MISTAKES(
        {layer_affine(&c, layer_value(&last)), hint}, {layer_value(&start), hint}));
}

START_TEST(layer_axes)
{
    check_axes(SHAPE(2, 3, 4, 5), 1);
    check_axes(SHAPE(2, 3, 4, 5), 2);
    check_axes(SHAPE(2, 3, 4, 5), 3);
    check_axes(SHAPE(3, 5), 2);
}
END_TEST

/* y for a tiny eps yields the submission's own variance, to which eps must be added. The mean of y
 * is not compared. */
static void check_eps(double eps)
{
    Var *one = var_full(SHAPE(6), 1);
    Layer c = {judge_input(SHAPE(4, 6), -1, 1), one, one, SHAPE(6), 1e-12};
    LayerOwn own = layer_own(&c);
    Var *var = var_pow(own.rstd, -2), *sd = var_pow(own.rstd, -1);
    Var *inside = var_pow(var_add_scalar(var, (real)eps), -(real)0.5);
    Var *outside = var_pow(var_add_scalar(sd, (real)eps), -1);
    Var *squared = var_pow(var_add_scalar(var, (real)(eps * eps)), -(real)0.5);
    c.eps = eps;
    judge_compare("y - E[y]", layer_centred(layer_value(&c)), var_mul(own.d, inside), close_y,
                  MISTAKES(
        {own.xhat, "eps is ignored: use the argument, not a fixed value"},
        {var_mul(own.d, outside),
         "eps is added to the root: use sqrt(var + eps), not sqrt(var) + eps"},
        {var_mul(own.d, squared), "eps is squared: add it to the variance as it is"}));
}

START_TEST(layer_eps)
{
    check_eps(0.5);
    check_eps(2);
    check_eps(1e-3);
}
END_TEST

/* The elements of x have few digits, so that adding a million is exact. */
static Layer offset_input(void)
{
    Layer c = layer_input(SHAPE(8, 24), 1);
    real *x = tensor_write(c.x->value);
    for (ptrdiff_t i = 0; i < tensor_count(c.x->value); i++)
        x[i] = (real)(round((double)x[i]) / 512);
    c.eps = 1e-5;
    return c;
}

static const char offset_hint[] = "not accurate: E[x^2] - E[x]^2 cancels if the mean is large. "
    "First subtract the mean, then square";

START_TEST(layer_offset)
{
    Layer c = offset_input();
    LayerOwn own = layer_own(&c);
    for (int sign = -1; sign <= 1; sign += 2) {
        Layer far = c;
        real offset = (real)(sign * 1e6);
        far.x = var_add_scalar(c.x, offset);
        Var *y = layer_value(&c), *got = layer_value(&far);
        Var *carried = var_mul(var_scale(own.rstd, offset), c.w);
        bool kept = tensor_all_close(got->value, var_add(y, carried)->value, 1e-2, 1e-6);
        layer_compare("y at an offset of a million", got, y, (Tolerance){0, 1e-7},
                      kept ? "the mean is not subtracted" : offset_hint);
    }
}
END_TEST

/* In a row of equal elements, y is the bias. */
static void check_constant(Var *x, const char *what, const char *nan_hint)
{
    Layer c = {.x = x, .normalised = SHAPE(var_shape(x).dim[1]), .eps = 1e-5};
    c.w = judge_input(c.normalised, -2, 3), c.b = judge_input(c.normalised, -3, 2);
    Var *y = layer_value(&c), *expected = var_add(c.b, var_scale(c.x, 0));
    bool undefined = tensor_find_nonfinite(y->value) >= 0;
    judge_compare(what, y, expected, (Tolerance){0, 1e-9}, MISTAKES(
        {undefined ? y : NULL, nan_hint},
        {var_add(var_mul(c.x, var_scale(c.w, (real)sqrt(1e5))), c.b),
         "the mean is not subtracted"}));
}

/* The first row of a batch must not depend on the others. */
static void check_one_row(void)
{
    Layer c = layer_input(SHAPE(3, 5), 1), one = c, bare = c;
    layer_own(&c);
    Var *y = layer_value(&c), *first = var_slice(y, 0, 0, 1, 1);
    one.x = var_slice(c.x, 0, 0, 1, 1);
    bare.x = var_reshape(one.x, SHAPE(5));
    static const char hint[] = "a row must not depend on the other rows";
    layer_compare("y of a batch of one", layer_value(&one), first, close_y, hint);
    layer_compare("y of a row without a batch", layer_value(&bare),
                  var_reshape(first, SHAPE(5)), close_y, hint);
    c.x = var_slice(c.x, 0, 0, 0, 1);
    layer_value(&c); /* of shape (0, 5) */
}

START_TEST(layer_constant)
{
    Var *row = var_leaf_from(SHAPE(3, 1), (real[]){3, 0, -7});
    check_constant(var_contiguous(var_expand(row, SHAPE(3, 4))), "y of constant rows",
                   "0 / 0: the variance is 0, and eps is missing");
    check_constant(row, "y of rows of one element", "0 / 0: is the divisor n - 1?");
    check_one_row();
}
END_TEST

/* --- 2: backward ------------------------------------------------------------------------------ */

static void check_gradient(int input, const char *what, Tolerance t)
{
    Layer c = layer_input(SHAPE(5, 3, 4), 1);
    Var *gy = judge_input(var_shape(c.x), -2, 2);
    LayerRules r = rules_of(&c, gy);
    LayerGradient own = layer_gradient("gradient", &c, gy, WANT_ALL);
    judge_compare(what, own.g[input], r.rule[input][0].value, t, r.rule[input] + 1,
                  r.n[input] - 1);
}

START_TEST(layer_gx)
{
    check_gradient(0, "gx", close_g);
}
END_TEST

START_TEST(layer_gw)
{
    check_gradient(1, "the gradient of the weight", (Tolerance){1e-8, 1e-9});
}
END_TEST

START_TEST(layer_gb)
{
    check_gradient(2, "the gradient of the bias", (Tolerance){1e-8, 1e-9});
}
END_TEST

/* Without .once, the result of a loop looks like a constant. */
START_TEST(layer_once)
{
    double number[WIRE_NUMBERS];
    Layer c = layer_input(SHAPE(5, 4), 1);
    Var *gy = judge_input(var_shape(c.x), -2, 2);
    layer_known_gradient(&c, gy);
    int n = layer_numbers(&c, WANT_ALL, number);
    const char *refusal = judge_refusal("second", VARS(c.x, gy, c.w, c.b), number, n);
    if (!refusal)
        judge_fail("set .once in op_layer_norm (see autograd/op.h): a rule in loops cannot be "
                   "recorded, so its second derivative would silently be 0",
                   "the gradient was recorded for a second derivative");
    if (!strstr(refusal, "layer_norm") || !strstr(refusal, "twice"))
        judge_fail("set .once in op_layer_norm (see autograd/op.h)",
                   "the second derivative was refused with another sentence: %s", refusal);
}
END_TEST

/* --- 3: the module ---------------------------------------------------------------------------- */

static void check_parts(bool affine, const char *expected)
{
    double number[WIRE_NUMBERS];
    Layer c = {.normalised = SHAPE(3, 4), .eps = 1e-5};
    int n = layer_numbers(&c, affine, number);
    judge_ask("parts", NONE, number, n);
    const char *found = judge_answer()->text;
    if (strcmp(found, expected) != 0)
        judge_fail("use module_add_param with the names \"weight\" and \"bias\", in this order, "
                   "if affine is true; the module has no other state",
                   "with affine %s the module has '%s'; expected '%s'",
                   affine ? "true" : "false", found, expected);
    if (!affine)
        return;
    judge_compare("the initial weight", judge_answer_var(0), var_full(SHAPE(3, 4), 1),
                  (Tolerance){0, 0}, NULL, 0);
    judge_compare("the initial bias", judge_answer_var(1), var_full(SHAPE(3, 4), 0),
                  (Tolerance){0, 0}, NULL, 0);
}

START_TEST(module_parts)
{
    check_parts(true, "parameter weight, parameter bias");
    check_parts(false, "");
}
END_TEST

/* With the same parameters, the module must do what the op does. */
START_TEST(module_value)
{
    for (int affine = 0; affine <= 1; affine++) {
        Layer c = layer_input(SHAPE(3, 2, 4), 1), usual;
        c.eps = 0.75, c.x = var_scale(c.x, (real)1e-3);
        Layer check = c;
        check.eps = TINY;
        layer_own(&check);
        if (!affine)
            c.w = c.b = NULL;
        usual = c, usual.eps = 1e-5;
        judge_compare("y of the module", layer_ask("module", &c, NULL, affine), layer_value(&c),
                      close_y, MISTAKES(
            {layer_value(&usual), "the module's eps is ignored"},
            {c.w ? layer_value(&(Layer){c.x, NULL, NULL, c.normalised, c.eps}) : NULL,
             "the module's parameters are ignored"}));
    }
}
END_TEST

/* Returns the sentence with which this call is refused; fails if it is not refused. */
static const char *refusal_of(const char *service, const Layer *c, double option,
                              const char *problem)
{
    double number[WIRE_NUMBERS];
    int n = layer_numbers(c, option, number), tensors = 0;
    Var *in[3] = {NULL};
    if (c->x)
        in[tensors++] = c->x;
    if (c->w)
        in[tensors++] = c->w;
    if (c->b)
        in[tensors++] = c->b;
    const char *sentence = judge_refusal(service, in, tensors, number, n);
    if (!sentence)
        judge_fail(isnan(c->eps) ? "eps < 0 is false for NaN: refuse eps unless eps >= 0"
                                 : "check this argument, and call slope_fail",
                   "%s is not refused", problem);
    return sentence;
}

/* The sentence must name both shapes. */
static void check_mismatch(const char *service, const Layer *c, Shape one, Shape other,
                           const char *problem)
{
    const char *sentence = refusal_of(service, c, 0, problem);
    if (!strstr(sentence, SHAPE_TEXT(one)) || !strstr(sentence, SHAPE_TEXT(other)))
        judge_fail("name what was found and what was expected", "%s: the sentence does not name "
                   "%s and %s: %s", problem, SHAPE_TEXT(one), SHAPE_TEXT(other), sentence);
}

static void check_x_mismatch(Shape x, Shape normalised)
{
    static const char problem[] = "an x that does not end with the normalised axes";
    Layer c = {.x = judge_input(x, -1, 1), .normalised = normalised, .eps = 1e-5};
    check_mismatch("value", &c, x, normalised, problem);
    check_mismatch("module", &c, x, normalised, problem);
}

static void check_parameter_mismatch(void)
{
    Layer c = layer_input(SHAPE(2, 5, 4), 2), wrong = c;
    wrong.w = judge_input(SHAPE(20), -1, 1);
    check_mismatch("value", &wrong, SHAPE(20), SHAPE(5, 4), "a weight of another shape");
    wrong = c, wrong.b = judge_input(SHAPE(4), -1, 1);
    check_mismatch("value", &wrong, SHAPE(4), SHAPE(5, 4), "a bias of another shape");
    wrong = c, wrong.b = NULL;
    refusal_of("value", &wrong, 0, "a weight without a bias");
}

static void check_constructor(Shape normalised, double eps, const char *problem)
{
    Layer c = {.normalised = normalised, .eps = eps};
    const char *sentence = refusal_of("parts", &c, 1, problem);
    if (!strstr(sentence, "layer_norm_new"))
        judge_fail("refuse it in layer_norm_new, with slope_fail(\"layer_norm_new\", ...)",
                   "%s: the sentence does not name layer_norm_new: %s", problem, sentence);
}

START_TEST(module_refusals)
{
    Layer fits = layer_input(SHAPE(2, 5, 4), 1);
    layer_own(&fits);
    check_x_mismatch(SHAPE(2, 3), SHAPE(4));
    check_x_mismatch(SHAPE(4, 3), SHAPE(4));
    check_x_mismatch(SHAPE(5, 2, 6), SHAPE(3, 4));
    check_x_mismatch(SHAPE(12), SHAPE(3, 4));
    check_x_mismatch(SHAPE(3, 8), SHAPE(4));
    check_parameter_mismatch();
    check_constructor(SHAPE_SCALAR, 1e-5, "layer_norm_new: a normalised shape without axes");
    check_constructor(SHAPE(3, 0), 1e-5, "layer_norm_new: a normalised shape without elements");
    check_constructor(SHAPE(3), -1e-5, "layer_norm_new: a negative eps");
    check_constructor(SHAPE(3), (double)NAN, "layer_norm_new: an eps that is NaN");
}
END_TEST

/* --- the list --------------------------------------------------------------------------------- */

#if __has_include("hidden.c")
#include "hidden.c"
#else
static void hidden_tests(void) {}
#endif

void judge_tests(void)
{
    JUDGE_TEST(layer_values);
    JUDGE_TEST(layer_axes);
    JUDGE_TEST(layer_eps);
    JUDGE_TEST(layer_offset);
    JUDGE_TEST(layer_constant);
    JUDGE_TEST(layer_gx);
    JUDGE_TEST(layer_gw);
    JUDGE_TEST(layer_gb);
    JUDGE_TEST(layer_once);
    JUDGE_TEST(module_parts);
    JUDGE_TEST(module_value);
    JUDGE_TEST(module_refusals);
    hidden_tests();
}

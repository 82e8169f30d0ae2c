/* lessons/assignments/a5_layernorm/hidden.c -- the hidden tests, included by tests.c. Copies for
 * students lack this file.
 *
 * SPDX-License-Identifier: MIT
 */

static const char strides_hint[] = "the strides are ignored: neighbours are not always adjacent in "
    "memory. Make the input contiguous first";

/* --- 1: forward ------------------------------------------------------------------------------- */

/* Compares y with that for contiguous copies of the inputs. */
static void check_strides(const Layer *strided, const char *what)
{
    Layer c = *strided;
    c.x = var_contiguous(c.x), c.w = var_contiguous(c.w), c.b = var_contiguous(c.b);
    layer_own(&c);
    layer_compare(what, layer_value(strided), layer_value(&c), close_y, strides_hint);
}

START_TEST(layer_strides)
{
    ptrdiff_t rows = 3 + (ptrdiff_t)rng_below(judge_rng(), 4);
    Layer c = layer_input(SHAPE(rows, 6), 1), strided = c;
    strided.x = var_transpose(judge_input(SHAPE(6, rows), -1000, 1000), 0, 1);
    check_strides(&strided, "y of a transposed x");
    strided.x = var_slice(judge_input(SHAPE(rows, 12), -1000, 1000), 1, 1, 12, 2);
    check_strides(&strided, "y of a sliced x");
    strided.x = var_expand(judge_input(SHAPE(1, 6), -1000, 1000), SHAPE(rows, 6));
    check_strides(&strided, "y of an expanded x");
    strided = c, strided.w = var_slice(judge_input(SHAPE(18), 1, 2), 0, 2, 18, 3);
    check_strides(&strided, "y with a sliced weight");
    strided = c, strided.b = var_expand(judge_input(SHAPE(1), 1, 2), SHAPE(6));
    check_strides(&strided, "y with an expanded bias");
}
END_TEST

/* --- 2: backward ------------------------------------------------------------------------------ */

static const char *const gradient_name[] = {"gx", "the gradient of the weight",
                                            "the gradient of the bias"};

/* The gradient of one input, of two of them, and of x in a layer norm without parameters; here with
 * two normalised axes. */
START_TEST(layer_wanted)
{
    static const char hint[] = "a gradient must not depend on which others are wanted: "
        "var_needs_grad says which are";
    Layer c = layer_input(SHAPE(4, 3, 2), 2);
    Var *gy = judge_input(var_shape(c.x), -2, 2);
    LayerGradient all = layer_known_gradient(&c, gy);
    for (int wanted = 1; wanted < WANT_ALL; wanted++) {
        LayerGradient some = layer_gradient("gradient", &c, gy, wanted);
        for (int i = 0; i < 3; i++)
            if (wanted >> i & 1)
                layer_compare(gradient_name[i], some.g[i], all.g[i], close_g, hint);
    }
    c.w = c.b = NULL;
    layer_known_gradient(&c, gy);
    c.x = var_slice(c.x, 0, 0, 0, 1), gy = var_slice(gy, 0, 0, 0, 1);
    LayerGradient none = layer_gradient("gradient", &c, gy, WANT_ALL);
    judge_compare("gx of no rows", none.g[0], c.x, close_g, NULL, 0);
}
END_TEST

/* gy is the gradient of the call, `copy` the same in row-major order. */
static void check_gy_strides(const Layer *c, Var *gy)
{
    Var *copy = var_contiguous(gy);
    LayerGradient own = layer_known_gradient(c, copy);
    LayerGradient strided = layer_gradient("gradient", c, gy, WANT_ALL);
    for (int i = 0; i < 3; i++)
        layer_compare(gradient_name[i], strided.g[i], own.g[i], close_g, strides_hint);
}

START_TEST(layer_gy_strides)
{
    Layer c = layer_input(SHAPE(5, 6), 1);
    check_gy_strides(&c, var_transpose(judge_input(SHAPE(6, 5), -2, 2), 0, 1));
    check_gy_strides(&c, var_slice(judge_input(SHAPE(5, 12), -2, 2), 1, 0, 12, 2));
    check_gy_strides(&c, var_expand(judge_input(SHAPE(5, 1), 1, 2), SHAPE(5, 6)));
}
END_TEST

/* In y + x, the gradient of the sum is sent to both, in one tensor. */
START_TEST(layer_network)
{
    Layer c = layer_input(SHAPE(4, 6), 1);
    Var *gy = judge_input(var_shape(c.x), -2, 2);
    LayerGradient own = layer_known_gradient(&c, gy);
    LayerGradient two = layer_gradient("two", &c, gy, WANT_ALL);
    for (int i = 0; i < 3; i++)
        layer_compare(gradient_name[i], two.g[i], own.g[i], close_g,
                      "the gradient is wrong once another layer norm has been computed: a static "
                      "variable keeps what belongs to y->attr or to an output");
    LayerGradient residual = layer_gradient("residual", &c, gy, WANT_ALL);
    layer_compare("gx of y + x", residual.g[0], var_add(own.g[0], gy), close_g,
                  "was gy overwritten? It is the gradient of others, too; var_may_overwrite says "
                  "when it is not");
}
END_TEST

START_TEST(layer_gx_offset)
{
    Layer c = offset_input(), far = c;
    Var *gy = judge_input(var_shape(c.x), -2, 2);
    LayerGradient own = layer_known_gradient(&c, gy);
    far.x = var_add_scalar(c.x, (real)1e6);
    LayerGradient got = layer_gradient("gradient", &far, gy, WANT_ALL);
    for (int i = 0; i < 3; i++)
        layer_compare(gradient_name[i], got.g[i], own.g[i], (Tolerance){0, 1e-6},
                      "not accurate at an offset of a million: the rule contains x - mean, not x, "
                      "and the variance is not E[x^2] - E[x]^2");
}
END_TEST

/* --- 3: the module ---------------------------------------------------------------------------- */

START_TEST(module_modes)
{
    double number[WIRE_NUMBERS];
    Layer c = layer_input(SHAPE(3, 6), 1);
    c.w = var_full(c.normalised, 1), c.b = var_full(c.normalised, 0);
    layer_own(&c);
    Var *y = layer_value(&c);
    int n = layer_numbers(&c, true, number);
    Var *seen = judge_input(SHAPE(4, 6), 50, 99), *again = judge_input(SHAPE(4, 6), -9, 9);
    Var *eval = judge_ask("modes", VARS(c.x, seen, again, seen), number, n);
    layer_compare("y in evaluation", eval, y, close_y,
                  "a layer norm has no running statistics: in evaluation, too, each row is "
                  "normalised by its own mean and variance");
    layer_compare("y in training", judge_answer_var(1), y, close_y,
                  "what the module has seen before must not matter");
}
END_TEST

static void hidden_tests(void)
{
    JUDGE_TEST(layer_strides);
    JUDGE_TEST(layer_wanted);
    JUDGE_TEST(layer_gy_strides);
    JUDGE_TEST(layer_network);
    JUDGE_TEST(layer_gx_offset);
    JUDGE_TEST(module_modes);
}

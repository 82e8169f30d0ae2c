/* autograd/ops/composed.c -- functions made of other ops, without rules of their own.
 *
 *   scale             c x
 *   add_scalar        x + c
 *   scalar_sub        c - x
 *   scalar_div        c / x
 *   square            x x
 *   dot               sum x y                         over all elements, shape ()
 *   mse               mean (x - target)^2             over all elements, shape ()
 *   bce_with_logits   mean logistic_loss(x, target)   over all elements, shape ()
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

Var *var_scale(Var *x, real c)
{
    var_check(x, "var_scale");
    return var_mul(x, var_scalar(c));
}

Var *var_add_scalar(Var *x, real c)
{
    var_check(x, "var_add_scalar");
    return var_add(x, var_scalar(c));
}

Var *var_scalar_sub(real c, Var *x)
{
    var_check(x, "var_scalar_sub");
    return var_sub(var_scalar(c), x);
}

Var *var_scalar_div(real c, Var *x)
{
    var_check(x, "var_scalar_div");
    return var_div(var_scalar(c), x);
}

Var *var_square(Var *x)
{
    var_check(x, "var_square");
    return var_mul(x, x);
}

Var *var_dot(Var *x, Var *y)
{
    var_check(x, "var_dot"), var_check(y, "var_dot");
    if (!shape_equal(var_shape(x), var_shape(y)))
        slope_fail("var_dot", "the factors have shapes %s and %s; they must be equal, or "
                   "broadcasting would pair each element with every other",
                   SHAPE_TEXT(var_shape(x)), SHAPE_TEXT(var_shape(y)));
    return var_sum(var_mul(x, y), ALL_AXES, false);
}

/* --- losses ----------------------------------------------------------------------------------- */

static void composed_check_target(const Var *x, const Var *target, const char *function)
{
    var_check(x, function), var_check(target, function);
    if (!shape_equal(var_shape(x), var_shape(target)))
        slope_fail(function, "the prediction has shape %s, but the target has shape %s; they must "
                   "be equal, or broadcasting would pair each prediction with every target",
                   SHAPE_TEXT(var_shape(x)), SHAPE_TEXT(var_shape(target)));
}

Var *var_mse(Var *x, Var *target)
{
    composed_check_target(x, target, "var_mse");
    return var_mean(var_square(var_sub(x, target)), ALL_AXES, false);
}

Var *var_bce_with_logits(Var *x, Var *target)
{
    composed_check_target(x, target, "var_bce_with_logits");
    target = var_contiguous(target);
    const real *t = tensor_read(target->value);
    for (ptrdiff_t i = 0, n = tensor_count(target->value); i < n; i++)
        if (!(t[i] >= 0 && t[i] <= 1))
            slope_fail("var_bce_with_logits", "element %td of the target is %g; expected a "
                       "probability from 0 to 1, such as 0 for one class and 1 for the other", i,
                       (double)t[i]);
    return var_mean(var_logistic_loss(x, target), ALL_AXES, false);
}

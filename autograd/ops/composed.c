/* autograd/ops/composed.c -- functions made of other ops, without rules of their own.
 *
 *   scale        c x
 *   add_scalar   x + c
 *   square       x x
 *   dot          sum x y                       over all elements, shape ()
 *   mse          mean (x - target)^2           over all elements, shape ()
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

Var *var_mse(Var *x, Var *target)
{
    var_check(x, "var_mse"), var_check(target, "var_mse");
    if (!shape_equal(var_shape(x), var_shape(target)))
        slope_fail("var_mse",
                   "the prediction has shape %s, but the target has shape %s; they must be equal, "
                   "or broadcasting would pair each prediction with every target",
                   SHAPE_TEXT(var_shape(x)), SHAPE_TEXT(var_shape(target)));
    return var_mean(var_square(var_sub(x, target)), ALL_AXES, false);
}

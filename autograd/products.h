/* autograd/products.h -- products with matrices of derivatives that are never built.
 *
 *  - Let y have P elements, and the inputs D elements in all. The derivatives of y with respect to
 *    the inputs form a matrix (P,D), the Jacobian J. If P = 1, the second derivatives form a matrix
 *    (D,D), the Hessian H. A product with either matrix takes a few passes over the tape; the
 *    matrix itself would take as many for every column.
 *  - var_jvp computes J v, and var_hvp computes H v. The product J' gy with the transpose of J is
 *    what var_grad_with computes. The vector v consists of one Var per input, with the shape of
 *    that input, and so does H v. Even if v depends on the inputs, it is treated as a constant.
 *  - y is computed before the call, as for var_grad, and its part of the tape is left as it is. Of
 *    what the functions compute, only the results stay on the tape, as constants: they cannot be
 *    differentiated further. No ->grad changes.
 *
 * VARS(w, b) (autograd/op.h) expands to two arguments, the array of Vars and its length n:
 *
 *      Var *loss = var_mse(var_linear(x, w, b), target), *Hv[2];
 *      var_hvp(loss, VARS(w, b), (Var *[]){v_w, v_b}, Hv);   // Hv[0] has w's shape, Hv[1] has b's
 *
 * Both fail, naming the input, if y does not depend on it, if it does not require a gradient, or if
 * its part of v has a different shape. They also fail, naming the op, if y was computed with an op
 * that cannot be differentiated twice. Second derivatives at a kink, such as PReLU's at 0, are
 * those of the side that the op chose.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_PRODUCTS_H
#define SLOPE_AUTOGRAD_PRODUCTS_H

#include "autograd/backward.h"

SLOPE_C_BEGIN

/* products[i] = the part of H v that belongs to x[i], where H holds the second derivatives of y,
 * which has one element, with respect to all n inputs. H is 0 where y is linear. H v is the
 * gradient of grad(y) . v (Pearlmutter, "Fast exact multiplication by the Hessian", 1994). The two
 * backward passes, one recorded and one through that record, take three to four times as long as
 * computing y and its gradient, for any number of inputs. */
void var_hvp(Var *y, Var *const *x, int n, Var *const *v, Var **products);

/* J v, of y's shape: how fast y changes as the inputs move in the direction v. A backward pass
 * gives J' u, which is linear in u, so J v is the derivative of (J' u) . v with respect to u. The
 * two backward passes, of which the second needs only the record of the first, take about twice as
 * long as computing y and its gradient, for any number of inputs. */
Var *var_jvp(Var *y, Var *const *x, int n, Var *const *v);

SLOPE_C_END

#endif

/* autograd/named.h -- ops whose messages name the layer that called them; not for programs.
 *
 * var_NAME_named is var_NAME, except that its messages name `function`, the type of the layer, and
 * the weight if it has a name. Nothing is formatted unless the inputs do not fit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_NAMED_H
#define SLOPE_AUTOGRAD_NAMED_H

#include "autograd/var.h"

Var *var_prelu_named(Var *x, Var *a, const char *function);
Var *var_conv2d_named(Var *x, Var *w, Var *b, Conv2dOptions options, const char *function);
Var *var_max_pool2d_named(Var *x, Pool2dOptions options, const char *function);
Var *var_batch_norm_named(Var *x, Var *w, Var *b, real eps, const char *function);

/* Return the options, with the defaults in the fields that were left out. Each fails, naming
 * `function`, if an option is out of range. */
Conv2dOptions var_conv2d_options(Conv2dOptions options, const char *function);
Pool2dOptions var_max_pool2d_options(Pool2dOptions options, const char *function);

#endif

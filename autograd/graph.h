/* autograd/graph.h -- the graph that computed a value, as text and as a picture.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_GRAPH_H
#define SLOPE_AUTOGRAD_GRAPH_H

#include <stdio.h>

#include "autograd/var.h"

SLOPE_C_BEGIN

/* Prints y and what it was computed from, one line per Var, in the order of the tape:
 *     v3   mul          (2, 3)         <- v1, v2
 * or as a Graphviz graph, with inputs above and y below. */
void graph_print(FILE *out, Var *y);
void graph_print_dot(FILE *out, Var *y);

SLOPE_C_END

#endif

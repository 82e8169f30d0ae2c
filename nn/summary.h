/* nn/summary.h -- a network as a table: its layers, its parameters, its slopes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_NN_SUMMARY_H
#define SLOPE_NN_SUMMARY_H

#include "nn/module.h"

SLOPE_C_BEGIN

/* Prints a table with one line per layer: name, output shape for an input of this shape,
 * parameters, slopes, and the slopes' overhead in percent of the preceding layer's parameters.
 * Layers with frozen parameters (module_freeze) are marked, and the last line counts the frozen
 * parameters. The network runs once on zeros, in evaluation mode; its mode is then restored. */
void module_summary(FILE *out, Module *m, Shape input);

/* Prints the statistics of the learned slopes, one line per PReLU:
 *     prelu1: mean=0.1034, std=0.0533, min=-0.0872, max=0.3402     */
void prelu_stats(FILE *out, Module *m);

/* The same as values: calls fn for every PReLU with its name ("prelu1") and slopes. */
typedef void (*PreluVisit)(const char *name, const Tensor *slopes, void *ctx);
void prelu_each(Module *m, PreluVisit fn, void *ctx);

SLOPE_C_END

#endif

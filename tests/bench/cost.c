/* tests/bench/cost.c -- the minimum work of a training step, kernel by kernel.
 *
 * The account assumes that every kernel reads each of its arrays from memory once and writes its
 * result once, that an elementwise op is one pass, and that kernels do not share passes. Batch
 * normalisation reads its input twice, first for the statistics. Products count 2 operations per
 * multiply-add; the arithmetic of the other kernels is hidden by their memory traffic and is not
 * counted. Vectors with one element per channel are too short to count.
 *
 * A step that is faster than the sum of all this keeps data in a cache from one kernel to the next,
 * or overlaps arithmetic with memory traffic.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/bench/bench.h"

/* The kernel's name lists the arrays it reads -> writes; `numbers` counts all their elements. */
static void cost_line(Cost *c, const char *layer, const char *kernel, double flops, double numbers)
{
    CostLine *l = &c->line[c->n++];
    snprintf(l->name, sizeof l->name, "%s %s", layer, kernel);
    l->work = (Work){flops, numbers * (double)sizeof(real)};
    c->total.flops += l->work.flops, c->total.bytes += l->work.bytes;
}

/* A layer that is a product, with input x, output y and weight w: three products of the same size.
 * The first layer's input gradient is not computed. The bias is added while y is written, and its
 * gradient is summed while gy is read for the weight's gradient. */
static void cost_product(Cost *c, const char *layer, bool backward, double flops, double x,
                         double w, double y, bool first)
{
    if (!backward) {
        cost_line(c, layer, "forward: x w -> y", flops, x + w + y);
        return;
    }
    cost_line(c, layer, "weight: x gy -> gw", flops, x + y + w);
    if (!first)
        cost_line(c, layer, "input: gy w -> gx", flops, y + w + x);
}

/* x (N,D) -> y (N,O) */
static void cost_linear(Cost *c, const char *layer, bool backward, double N, double D, double O,
                        bool first)
{
    cost_product(c, layer, backward, 2 * N * D * O, N * D, D * O, N * O, first);
}

/* x (N,C,H,H) -> y (N,O,H,H) with kernels of 3x3 */
static void cost_conv(Cost *c, const char *layer, bool backward, double N, double C, double H,
                      double O, bool first)
{
    double y = N * O * H * H;
    cost_product(c, layer, backward, 2 * y * C * 9, N * C * H * H, O * C * 9, y, first);
}

static void cost_prelu(Cost *c, const char *layer, bool backward, double n)
{
    if (!backward)
        cost_line(c, layer, "forward: x -> y", 0, 2 * n);
    else
        cost_line(c, layer, "backward: x gy -> gx", 0, 3 * n);
}

static void cost_batch_norm(Cost *c, const char *layer, bool backward, double n)
{
    if (!backward)
        cost_line(c, layer, "forward: x twice -> y", 0, 3 * n);
    else
        cost_line(c, layer, "backward: x gy twice -> gx", 0, 5 * n);
}

/* 2x2: of n elements n/4 win, and the place of each winner is stored. */
static void cost_max_pool(Cost *c, const char *layer, bool backward, double n)
{
    if (!backward)
        cost_line(c, layer, "forward: x -> y places", 0, n + 2 * n / 4);
    else
        cost_line(c, layer, "backward: gy places -> gx", 0, n + 2 * n / 4);
}

/* The backward pass draws the mask again; it is not stored. */
static void cost_dropout(Cost *c, const char *layer, bool backward, double n)
{
    cost_line(c, layer, backward ? "backward: gy -> gx" : "forward: x -> y", 0,
              2 * n);
}

/* n scores: log softmax, then softmax minus one-hot. */
static void cost_loss(Cost *c, bool backward, double n)
{
    cost_line(c, "loss", backward ? "backward: softmax -> gx" : "forward: x -> softmax", 0, 2 * n);
}

static void cost_adam(Cost *c, double parameters)
{
    cost_line(c, "adam", "step: p g m v -> p m v", 0, 7 * parameters);
}

/* --- the two networks ------------------------------------------------------------------------- */

static void cost_prelu_network_half(Cost *c, bool backward, double N)
{
    cost_linear(c, "fc1", backward, N, 784, 256, true);
    cost_prelu(c, "prelu1", backward, N * 256);
    cost_linear(c, "fc2", backward, N, 256, 256, false);
    cost_prelu(c, "prelu2", backward, N * 256);
    cost_linear(c, "fc3", backward, N, 256, 10, false);
    cost_loss(c, backward, N * 10);
}

Cost cost_of_prelu_network(double batch)
{
    Cost c = {0};
    cost_prelu_network_half(&c, false, batch);
    cost_prelu_network_half(&c, true, batch);
    cost_adam(&c, 784 * 256 + 256 + 256 + 256 * 256 + 256 + 256 + 256 * 10 + 10);
    return c;
}

static void cost_conv_net_half(Cost *c, bool backward, double N)
{
    double first = N * 64 * 32 * 32, second = N * 128 * 16 * 16;
    cost_conv(c, "conv1", backward, N, 3, 32, 64, true);
    cost_prelu(c, "prelu1", backward, first);
    cost_batch_norm(c, "norm1", backward, first);
    cost_max_pool(c, "pool1", backward, first);
    cost_conv(c, "conv2", backward, N, 64, 16, 128, false);
    cost_prelu(c, "prelu2", backward, second);
    cost_batch_norm(c, "norm2", backward, second);
    cost_max_pool(c, "pool2", backward, second);
    cost_linear(c, "fc1", backward, N, 128 * 8 * 8, 512, false);
    cost_prelu(c, "prelu3", backward, N * 512);
    cost_dropout(c, "dropout", backward, N * 512);
    cost_linear(c, "fc2", backward, N, 512, 10, false);
    cost_loss(c, backward, N * 10);
}

/* Weight, bias and slopes of each convolution with its batch norm, then the classifier's. */
Cost cost_of_conv_net_prelu(double batch)
{
    Cost c = {0};
    cost_conv_net_half(&c, false, batch);
    cost_conv_net_half(&c, true, batch);
    double block1 = 64 * (3 * 9 + 1 + 1 + 2), block2 = 128 * (64 * 9 + 1 + 1 + 2);
    cost_adam(&c, block1 + block2 + 512 * (128 * 8 * 8 + 1 + 1) + 10 * (512 + 1));
    return c;
}

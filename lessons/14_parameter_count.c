/* Lesson 14: what PReLU costs. Counting parameters.
 *
 * You will see  the document's table of overheads, computed from modules; where the slopes and the
 *               weights of its two networks are; and why the overhead of one slope per channel
 *               falls as a layer grows, until sharing one slope saves nothing noticeable.
 * You need      lesson 01 for the two modes, lessons 08 and 11 for the two networks.
 *
 * A layer with O output channels, each computed from n inputs, has a row of n
 * weights and a bias for each; PReLU after it has a slope for each, or one for all:
 *
 *      (1)  parameters  W = O (n + 1)
 *      (2)  slopes      S = O             per channel,         S = 1             shared
 *      (3)  overhead    S / W = 1/(n+1)   per channel,         S / W = 1/(O (n+1))
 *
 * A Linear(in, out) has n = in; a Conv2d(in, out, k) has n = in k k for every size of the
 * image, for the same kernel is used at every place. By (3) the overhead per channel depends on n
 * alone: how many layers or channels a network has does not matter, only how many inputs each of
 * them reads.
 *
 * A slope costs memory and arithmetic too, but no more: Adam keeps two numbers for it, as for any
 * parameter, and a Linear does n multiplications for an output where PReLU does one.
 *
 * Run   make lesson-14
 * It prints, among other things:
 *
 *      layer                  weights   slopes   overhead   1/(n+1)   one shared slope
 *      Conv2d(3, 64, 3)          1792       64    3.5714%   3.5714%   0.055804%
 *      Linear(256, 256)         65792      256    0.3891%   0.3891%   0.001520%
 *      Conv2d(64, 128, 3)       73856      128    0.1733%   0.1733%   0.001354%   <- document
 *      Linear(784, 256)        200960      256    0.1274%   0.1274%   0.000498%   <- document
 *      Linear(8192, 512)      4194816      512    0.0122%   0.0122%   0.000024%
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "lessons/kit/networks.h"
#include "lessons/kit/plot.h"

/* One layer of the document's table and of its networks, with what it says. */
typedef struct Row {
    const char *name;
    ptrdiff_t in, out, kernel; /* kernel 0: Linear */
    ptrdiff_t weights;         /* the document's, or the count of (1) by hand */
    double percent;            /* the document's, rounded as there; 0: not in its table */
} Row;

enum { ROWS = 5 };
static const Row row[ROWS] = {{"Conv2d(3, 64, 3)", 3, 64, 3, 1792, 0},
                              {"Linear(256, 256)", 256, 256, 0, 65792, 0},
                              {"Conv2d(64, 128, 3)", 64, 128, 3, 73856, 0.17},
                              {"Linear(784, 256)", 784, 256, 0, 200960, 0.13},
                              {"Linear(8192, 512)", 8192, 512, 0, 4194816, 0}};

static ptrdiff_t count_and_free(Module *m)
{
    ptrdiff_t n = module_count(m);
    module_free(m);
    return n;
}

static Module *layer(const Row *r)
{
    return r->kernel ? conv2d_new(r->in, r->out, r->kernel, conv2d_padding(1))
                     : linear_new(r->in, r->out);
}

static double percent(ptrdiff_t slopes, ptrdiff_t weights)
{
    return 100.0 * (double)slopes / (double)weights;
}

static void check_table(double channel[ROWS], double shared[ROWS])
{
    section("The table of the document, and the other layers of its networks");
    say("layer                  weights   slopes   overhead   1/(n+1)   one shared slope\n");
    for (int i = 0; i < ROWS; i++) {
        const Row *r = &row[i];
        ptrdiff_t n = r->kernel ? r->in * r->kernel * r->kernel : r->in;
        ptrdiff_t weights = count_and_free(layer(r));
        ptrdiff_t slopes = count_and_free(prelu_new(r->out, (real)0.25));
        channel[i] = percent(slopes, weights);
        shared[i] = percent(count_and_free(prelu_new(1, (real)0.25)), weights);
        say("%-20s %9td   %6td   %7.4f%%  %7.4f%%   %.6f%%%s\n", r->name, weights, slopes,
            channel[i], 100.0 / (double)(n + 1), shared[i], r->percent > 0 ? "   <- document" : "");
    }
    say("\n");
    for (int i = 0; i < ROWS; i++) {
        const Row *r = &row[i];
        ptrdiff_t n = r->kernel ? r->in * r->kernel * r->kernel : r->in;
        claim(count_and_free(layer(r)) == r->weights && r->weights == r->out * (n + 1),
              "%s: %td parameters, biases included, as (1) says", r->name, r->weights);
        claim_close(channel[i], 100.0 / (double)(n + 1), 1e-12, "... and an overhead of 1/(n+1)");
        if (r->percent > 0)
            claim(fabs(channel[i] - r->percent) < 0.005, "... which the document gives as %.2f %%",
                  r->percent);
    }
}

static void check_bias(void)
{
    section("Do the document's weights include the biases?");
    ptrdiff_t with = count_and_free(linear_new(784, 256)),
              without = count_and_free(linear_new_without_bias(784, 256));
    claim(with == 200960 && without == 200704,
          "yes: 784 * 256 is %td, and with 256 biases it is %td", without, with);
    claim(with - without == count_and_free(prelu_new(256, (real)0.25)),
          "one slope per channel costs just as much as one bias per channel");
}

/* A count at the size of an image, to see that it does not matter. */
static ptrdiff_t places(ptrdiff_t side)
{
    size_t mark = tape_mark();
    Module *net = SEQUENTIAL(conv2d_new(3, 64, 3, conv2d_padding(1)), prelu_new(64, (real)0.25));
    Var *y = module_forward(net, var_full(SHAPE(1, 3, side, side), 0));
    ptrdiff_t outputs = tensor_count(y->value);
    claim(module_count_slopes(net) == 64, "%tdx%td image: %td outputs, 64 slopes", side, side,
          outputs);
    tape_rewind(mark);
    module_free(net);
    return outputs;
}

static void check_sizes(void)
{
    section("The size of the image does not count");
    ptrdiff_t small = places(8), large = places(64);
    claim(large == 64 * small, "64 times as many outputs share the same 64 slopes");
}

/* A whole network: its parameters, its slopes, and what one shared slope per layer would save. */
static void check_network(const char *name, Module *net, Shape input, ptrdiff_t all,
                          ptrdiff_t slopes, double overhead, int prelus)
{
    section(name);
    module_summary(story(), net, input);
    say("\n");
    claim(module_count(net) == all, "%s has %td parameters", name, all);
    claim(module_count_slopes(net) == slopes, "%td of them are slopes", slopes);
    claim(fabs(percent(slopes, all - slopes) - overhead) < 0.03 * overhead,
          "an overhead of %.4f %%", percent(slopes, all - slopes));
    say("  One slope per layer would save %td of %td parameters: %.4f %%.\n", slopes - prelus, all,
        percent(slopes - prelus, all));
    module_free(net);
}

static void check_shared(void)
{
    section("Shared slopes");
    Module *net = prelu_network_new(784, 256, 10, SLOPES_SHARED);
    claim(module_count(net) == 269834 - 512 + 2 && module_count_slopes(net) == 2,
          "PReLUNetwork with one slope per layer has %td parameters, 2 of them slopes",
          module_count(net));
    module_free(net);
}

/* In memory, with Adam: the parameter, its gradient and two running means. */
static void check_memory(void)
{
    section("What a slope costs in memory");
    Module *net = conv_net_prelu_new(3, 10);
    Optimizer *adam = adam_new(net, (real)1e-3);
    ptrdiff_t slopes = 0, all = 0;
    for (int i = 0; i < adam->n_params; i++) {
        const ParamState *s = &adam->state[i];
        ptrdiff_t n = 2 * tensor_count(s->param.var->value); /* itself and its gradient */
        for (int k = 0; k < OPTIMIZER_SLOTS; k++)
            n += s->slot[k] ? tensor_count(s->slot[k]) : 0;
        slopes += parameter_is_slope(&s->param) ? n : 0;
        all += n;
    }
    say("  ConvNetPReLU trained with Adam: %.1f MiB, of which its slopes take %.1f KiB.\n",
        (double)all * sizeof(real) / 1048576, (double)slopes * sizeof(real) / 1024);
    claim(slopes == 4 * 704 && all == 4 * (ptrdiff_t)4276682,
          "a slope, like a weight, is four numbers: itself, its gradient, Adam's two means");
    optimizer_free(adam);
    module_free(net);
}

/* Bars upward from the axis; on a log axis a bar's height means nothing but its end does. */
static void draw_overhead(const Lesson *lesson, const double channel[ROWS],
                          const double shared[ROWS])
{
    Plot *p = plot_new(lesson, "overhead",
                       "Slopes in percent of the parameters of the layer before", 1, 1);
    plot_size(p, 1000, 540);
    plot_panel(p, "", "layer, smallest first", "overhead [%], log axis");
    plot_set(p, "set logscale y\nset format y '%g'");
    plot_x_range(p, -0.6, ROWS - 0.4), plot_y_range(p, 1e-5, 100);
    plot_key(p, "top right");
    double x[ROWS], left[ROWS];
    for (int i = 0; i < ROWS; i++) {
        char text[96];
        snprintf(text, sizeof text, "set xtics %s('%s' %d)", i ? "add " : "", row[i].name, i);
        plot_set(p, text);
        x[i] = i + 0.2, left[i] = i - 0.2;
        plot_centered(p, left[i], channel[i] * 1.6, "%.3g %%", channel[i]);
        plot_centered(p, x[i], shared[i] * 1.6, "%.2g %%", shared[i]);
    }
    plot_bars(p, "one slope per channel: 1/(n+1)", ROWS, left, channel, 0.36);
    plot_bars(p, "one slope per layer: 1/(O(n+1))", ROWS, x, shared, 0.36);
    plot_horizontal(p, "1 %", 1);
    plot_draw(p);
}

/* (3) as a line, and the layers on it. */
static void draw_law(const Lesson *lesson, const double channel[ROWS])
{
    double n[ROWS], line_n[2] = {5, 20000}, line[2];
    for (int i = 0; i < ROWS; i++)
        n[i] = (double)(row[i].kernel ? row[i].in * row[i].kernel * row[i].kernel : row[i].in);
    for (int i = 0; i < 2; i++)
        line[i] = 100 / (line_n[i] + 1);
    Plot *p = plot_new(lesson, "law", "The more inputs an output reads, the less its slope weighs",
                       1, 1);
    plot_panel(p, "", "n, inputs of one output", "overhead of its slope [%]");
    plot_log_x(p), plot_log_y(p);
    plot_set(p, "set format '%g'");
    plot_x_range(p, 5, 100000), plot_y_range(p, 0.005, 20), plot_key(p, "bottom left");
    plot_line(p, "1/(n+1)", 2, line_n, line);
    plot_dots(p, "layers of the two networks", true, ROWS, n, channel);
    for (int i = 0; i < ROWS; i++)
        plot_label(p, row[i].name, n[i] * 1.25, channel[i] * (i == 3 ? 0.88 : 1.15));
    plot_draw(p);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "14", "Parameter count", 0);
    double channel[ROWS], shared[ROWS];
    check_table(channel, shared);
    check_bias();
    check_sizes();
    check_network("PReLUNetwork", prelu_network_new(784, 256, 10, SLOPES_PER_CHANNEL),
                  SHAPE(1, 784), 269834, 512, 0.19, 2);
    check_network("ConvNetPReLU", conv_net_prelu_new(3, 10), SHAPE(1, 3, 32, 32), 4276682, 704,
                  0.016, 3);
    check_shared();
    check_memory();
    section("Pictures");
    draw_overhead(&lesson, channel, shared);
    draw_law(&lesson, channel);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. A depthwise convolution (groups = channels) reads n = 9 inputs an output. What is the
 *    overhead of PReLU after it? Add a row for Conv2d(64, 64, 3) with 64 groups and check.
 * 2. Which row has the largest overhead, and which has the most slopes? Why are they not the same?
 * 3. Give PReLU a slope for each element (channel and place) of the first convolution's output, as
 *    Keras does by default. How many slopes is that at 32x32, and what is the overhead?
 * 4. Count the multiplications of ConvNetPReLU for one image, layer by layer. What part are
 *    PReLU's?
 */

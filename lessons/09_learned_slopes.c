/* Lesson 09: which slopes does a network choose?
 *
 * You will see  the network of lesson 08, trained twice: with a slope for each of its 512 hidden
 *               features, and with one slope per layer. Every slope is recorded while it learns:
 *               how the slopes leave .25, how far they spread, how few are negative after five
 *               epochs, and how a single shared slope runs ahead of their mean to 0, where
 *               PReLU is ReLU.
 * You need      lesson 08, and lesson 02 for the slope's gradient.
 *
 * The gradient of one slope is a sum over everything that shares it,
 *
 *      dL/da = sum of  g x  over the positions with x <= 0,                                (1)
 *
 * over a batch's N rows for a channel, and over all N C numbers when a layer shares one. Adam
 * divides a running mean of the gradient by the root of a running mean of its square, so its first
 * step is
 *
 *      a <- a - lr g / (|g| + eps),  nearly  a - lr sign(g):                               (2)
 *
 * after one step with lr = .001 a slope is .249 or .251, unless its gradient was exactly 0. From
 * then on the channels differ, because (1) sums other inputs for each. On this task, after a rise
 * in the first hundred steps or so, both kinds of slope head for 0, and the shared one is there
 * before the channels' mean. A likely reason, which exercise 6 lets you test: in the larger sum
 * what differs from channel to channel cancels, so its sign is steadier, and Adam makes longer
 * steps where the sign is steady.
 *
 * Run   make lesson-09
 * It prints, among other things, on Fashion-MNIST (the last digits depend on the processor
 * for which the library was built):
 *
 *      prelu1: mean=0.1081, std=0.0515, min=-0.0578, max=0.2387
 *      prelu2: mean=0.1475, std=0.0470, min=0.0159, max=0.2611
 *        [ok] prelu1: the mean slope fell from 0.25 to 0.1081
 *        [ok] prelu1: negative slopes are rare: 5 of 256
 *        [ok] shared.prelu1: the shared slope went from 0.25 to -0.0056
 *        [ok] shared.prelu2: the shared slope went from 0.25 to 0.0006
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/kit/networks.h"
#include "lessons/kit/slopes.h"

typedef struct Run {
    Module   *net;
    SlopeLog *log;
    double    accuracy;
} Run;

static Run train(const Lesson *lesson, const LessonData *data, SlopeMode mode)
{
    random_seed(lesson->seed); /* both networks start from the same weights */
    Run run = {.net = prelu_network_new(784, 256, 10, mode)};
    run.log = slope_log_new(run.net, mode == SLOPES_SHARED ? "shared." : "");
    Loader *train_loader = loader_new(
        data->train, (LoaderOptions){.batch = 128, .shuffle = true, .seed = lesson->seed});
    Loader *test_loader = loader_new(data->test, (LoaderOptions){.batch = 500});
    Optimizer *adam = adam_new(run.net, (real)1e-3);
    Trainer trainer = {.net = run.net,
                       .optimizer = adam,
                       .loss = loss_cross_entropy,
                       .train = train_loader,
                       .epochs = lesson->epochs,
                       .quiet = lesson->quiet,
                       .on_step = slope_log_step,
                       .ctx = run.log,
                       .name = mode == SLOPES_SHARED ? "one slope per layer"
                                                     : "one slope per channel"};
    trainer_fit(&trainer);
    run.accuracy = trainer_evaluate(run.net, loss_cross_entropy, test_loader, NULL).accuracy;
    trainer_clear(&trainer);
    optimizer_free(adam);
    loader_free(train_loader), loader_free(test_loader);
    return run;
}

/* def print_prelu_stats(model):                                  the document, in PyTorch
 *     for name, module in model.named_modules():
 *         if isinstance(module, nn.PReLU):
 *             w = module.weight.data
 *             print(f"{name}: mean={w.mean():.4f}, std={w.std():.4f}, "
 *                   f"min={w.min():.4f}, max={w.max():.4f}")
 * prelu_stats(story(), net) is the same in Slope; nn/summary.c shows how. */
static void show_stats(const Run *channels, const Run *shared)
{
    section("print_prelu_stats, after training");
    say("A slope for every channel (test accuracy %.4f):\n", channels->accuracy);
    prelu_stats(story(), channels->net);
    say("\nThe document's typical output:\n"
        "prelu1: mean=0.12, std=0.08, min=-0.02, max=0.35\n"
        "prelu2: mean=0.18, std=0.06, min=0.05, max=0.31\n");
    say("\nOne slope per layer (test accuracy %.4f); one number has no standard deviation:\n",
        shared->accuracy);
    prelu_stats(story(), shared->net);
}

static Stats layer_stats(const SlopeLog *log, int layer, int moment, int *negative)
{
    const double *v = slope_log_values(log, layer, moment);
    int n = log->layer[layer].channels;
    Stats s = {.count = n, .min = slope_quantile(v, n, 0), .max = slope_quantile(v, n, 1)};
    *negative = 0;
    for (int c = 0; c < n; c++)
        s.mean += v[c] / n, *negative += v[c] < 0;
    for (int c = 0; c < n; c++)
        s.std += (v[c] - s.mean) * (v[c] - s.mean) / (n - 1);
    s.std = sqrt(s.std);
    return s;
}

static void check_first_step(const SlopeLog *log)
{
    section("The first step, equation (2)");
    int right = 0, still = 0, all = 0;
    for (int layer = 0; layer < log->n_layers; layer++)
        for (int c = 0; c < log->layer[layer].channels; c++, all++) {
            double moved = fabs(slope_log_values(log, layer, 1)[c] -
                                slope_log_values(log, layer, 0)[c]);
            still += moved < 1e-9; /* never negative in this batch: no gradient */
            right += fabs(moved - 1e-3) < 1e-4;
        }
    claim(right > 0 && right + still == all,
          "after one step %d of %d slopes have moved by lr = .001, the rest not at all", right,
          all);
}

/* Only the run that PyTorch was measured with, too, lets us claim numbers: five epochs of the full
 * Fashion-MNIST, from slopes of .25. */
static bool is_reference_run(const Lesson *lesson, const LessonData *data, const SlopeLog *log)
{
    return data->real_images && !lesson->quick && lesson->epochs == 5 &&
           slope_log_values(log, 0, 0)[0] == 0.25;
}

static void check_channels(const SlopeLog *log, bool reference)
{
    section("What the channels learned");
    static const double document[2] = {0.12, 0.18}, low[2] = {0.08, 0.12}, high[2] = {0.13, 0.18};
    for (int layer = 0; layer < 2; layer++) {
        int negative;
        Stats s = layer_stats(log, layer, -1, &negative);
        const char *name = log->layer[layer].name;
        double start = slope_log_values(log, layer, 0)[0];
        claim(s.std > 0.005 && s.min < s.max,
              "%s: different channels learned different slopes (std %.4f)", name, s.std);
        if (!reference) {
            say("  %s: the mean slope went from %g to %.4f, and %d of %td slopes are negative\n",
                name, start, s.mean, negative, s.count);
            continue;
        }
        claim(s.mean < start, "%s: the mean slope fell from %g to %.4f", name, start, s.mean);
        claim(negative <= 0.1 * (double)s.count, "%s: negative slopes are rare: %d of %td", name,
              negative, s.count);
        claim(s.mean >= low[layer] && s.mean <= high[layer],
              "%s: the mean is in %.2f ... %.2f, as PyTorch's is", name, low[layer],
              high[layer]);
        claim(fabs(s.mean - document[layer]) < 0.06,
              "%s: the document's %.2f is in the right region", name, document[layer]);
    }
}

static void check_shared(const SlopeLog *channels, const SlopeLog *shared, bool reference)
{
    section("What one shared slope learned");
    for (int layer = 0; layer < 2; layer++) {
        double start = slope_log_values(shared, layer, 0)[0],
               a = slope_log_values(shared, layer, -1)[0];
        int negative;
        double mean = layer_stats(channels, layer, -1, &negative).mean;
        if (reference)
            claim(fabs(a) < 0.05, "%s: the shared slope went from %g to %.4f",
                  shared->layer[layer].name, start, a);
        claim(a < mean, "%s: at %.4f it is ahead of the channels' mean of %.4f",
              shared->layer[layer].name, a, mean);
    }
    if (reference)
        say("\n  A shared PReLU with a slope of 0 is a ReLU. After five epochs this network, given "
            "one\n"
            "  slope a layer to choose, is within .05 of it; does it stay there? (exercise 4)\n");
}

static void draw_evolution(const Lesson *lesson, const SlopeLog *channels, const SlopeLog *shared)
{
    Plot *p = plot_new(lesson, "evolution",
                       "Slopes while the network trains: a slope for each channel, and one for all",
                       1, 2);
    plot_size(p, 1400, 560);
    plot_shared_key(p);
    for (int layer = 0; layer < 2; layer++) {
        plot_panel(p, layer ? "Second PReLU, 256 channels" : "First PReLU, 256 channels",
                   "training step", "slope a");
        plot_slope_bands(p, channels, layer);
        plot_line(p, "one slope shared by all", shared->moments, shared->step,
                  shared->layer[layer].values);
        plot_horizontal(p, "start, a = 0.25", 0.25);
    }
    plot_draw(p);
}

static void draw_histograms(const Lesson *lesson, const SlopeLog *log)
{
    static const double document[2] = {0.12, 0.18};
    Plot *p = plot_new(lesson, "histogram", "Slopes after training", 1, 2);
    for (int layer = 0; layer < 2; layer++) {
        int negative, n = log->layer[layer].channels;
        plot_panel(p, layer ? "Second PReLU" : "First PReLU", "slope a", "number of channels");
        plot_x_range(p, -0.25, 0.6);
        plot_key(p, "top right");
        plot_set(p, "set key width -4 opaque");
        plot_histogram(p, "channels", n, slope_log_values(log, layer, -1), 34, -0.25, 0.6);
        plot_vertical(p, "start, 0.25", slope_log_values(log, layer, 0)[0]);
        plot_dots(p, "mean", true, 1, &(double){layer_stats(log, layer, -1, &negative).mean},
                  &(double){0});
        plot_dots(p, "mean in the document", false, 1, &document[layer], &(double){0});
    }
    plot_draw(p);
    draw_slope_film(lesson, "histogram_moving", "Slopes while the network trains", log);
}

static void write_files(const Lesson *lesson, const Run *channels, const Run *shared)
{
    FILE *f = lesson_open(lesson, "slopes.csv");
    fprintf(f, "step,layer,channel,slope\n");
    slope_log_write(f, channels->log);
    slope_log_write(f, shared->log);
    lesson_close(lesson, "slopes.csv", f);
    f = lesson_open(lesson, "slope_stats.csv");
    fprintf(f, "layer,count,mean,std,min,max\n");
    slope_write_stats(f, channels->net, "");
    slope_write_stats(f, shared->net, "shared.");
    lesson_close(lesson, "slope_stats.csv", f);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "09", "Learned slopes", 5);
    LessonData data = lesson_load(&lesson);
    section("Training twice");
    Run channels = train(&lesson, &data, SLOPES_PER_CHANNEL),
        shared = train(&lesson, &data, SLOPES_SHARED);
    show_stats(&channels, &shared);
    check_first_step(channels.log);
    bool reference = is_reference_run(&lesson, &data, channels.log);
    check_channels(channels.log, reference);
    check_shared(channels.log, shared.log, reference);
    section("Pictures");
    write_files(&lesson, &channels, &shared);
    draw_evolution(&lesson, channels.log, shared.log);
    draw_histograms(&lesson, channels.log);
    slope_log_free(channels.log), slope_log_free(shared.log);
    module_free(channels.net), module_free(shared.net);
    lesson_unload(&data);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. Which channel's slope is the most negative? Find its row of fc1.weight and draw it as a 28x28
 *    image: what does this feature look for?
 * 2. Use adamw_new with a weight decay of .1, once with optimizer_no_decay_on_slopes and once
 *    without. Where do the slopes end?
 * 3. Start every slope at 0 (prelu_new(256, 0)). Do they stay there?
 * 4. Run make lesson-09 ARGS="--epochs 20". Where are the channels' slopes now, and how many are
 *    negative? What does that say of the "typical" slopes that the document gives?
 * 5. The slopes of a network of your own, with any number of PReLUs, are recorded, drawn and
 *    animated by slope_log_new, draw_slope_bands and draw_slope_film (lessons/kit/slopes.h). Add
 *    two hidden layers to prelu_network_new (lessons/kit/networks.c) and draw the slopes of all
 *    four PReLUs. Are the slopes in the order of depth?
 * 6. By (1) the shared gradient is the sum of the channels'. Print the ratio |mean| / std of both
 *    kinds of gradient over a hundred steps, and explain with (2) why the shared slope is faster.
 */

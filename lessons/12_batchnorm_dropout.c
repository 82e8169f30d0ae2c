/* Lesson 12: BatchNorm and Dropout, two layers that behave differently in training and evaluation.
 *
 * You will see  what batch normalisation computes in either mode, and how its running statistics
 *               find those of the data; why a bias before it learns nothing; the batch that is too
 *               small; the mask of dropout; and whether PReLU belongs before BatchNorm, as in the
 *               document's network, or after.
 * You need      lesson 08. Lesson 11 has the network in which both are used.
 *
 * In training a channel's n values (over batch, rows, columns) get mean 0 and
 * variance 1:
 *
 *      (1)  y = w (x - mean) / sqrt(var + eps) + b,     var = sum of (x - mean)^2 / n
 *
 * In evaluation an answer must not depend on what else is in the batch, so mean and var are
 * replaced by running ones, moved in training by m = .1 of the way; n / (n-1) makes the variance
 * unbiased:
 *
 *      (2)  running_mean <- (1-m) running_mean + m mean
 *           running_var  <- (1-m) running_var  + m var n / (n-1)
 *
 * They start at 0 and 1. If the data's mean is M, what is expected after t batches follows:
 *
 *      (3)  E[running_mean] = M (1 - (1-m)^t),
 *           and its standard deviation tends to  s / sqrt(n) sqrt(m / (2-m)),
 *
 * with s the data's standard deviation. A constant c added to x changes mean by c, too, but not
 * x - mean:
 *
 *      (4)  d y / d c = 0:   a bias before BatchNorm has gradient 0. BatchNorm's own b replaces it.
 *
 * Dropout makes each number 0 with probability p, and the rest larger, so that the mean stays:
 *
 *      (5)  y = 0 or x / (1-p),    E[y] = (1-p) x / (1-p) = x,    Var[y] = x^2 p / (1-p)
 *
 * Run   make lesson-12
 * It prints, among other things:
 *
 *        it stops: slope: BatchNorm1d: input (1, 3) for 'weight' has one value per channel, but
 *      training needs at least 2, because the variance of one value is 0; if this is the last
 *      batch of an epoch, set .drop_last in the loader's options or choose another batch size
 *        [ok] p = 0.5: 0.5003 of 262144 numbers are 0
 *      order                     test accuracy    mean slope
 *      conv, PReLU, BatchNorm    0.9019 +- 0.0087  0.186
 *      conv, BatchNorm, PReLU    0.8499 +- 0.0154  0.261
 *      conv, PReLU               0.7870 +- 0.0248  0.267
 *        The finding: the first minus the second is 0.0520 +- 0.0092, PReLU first is better here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "lessons/kit/losses.h"

/* --- batch normalisation ---------------------------------------------------------------------- */

enum { BATCHES = 100, N = 32, CHANNELS = 3 };
static const double data_mean[CHANNELS] = {2, 0, -1}, data_std[CHANNELS] = {1, 3, 0.5};

/* A batch (N,3) of normal numbers with these means and deviations. */
static Var *batch_of(Rng *rng)
{
    Var *x = var_empty(SHAPE(N, CHANNELS));
    for (int i = 0; i < N * CHANNELS; i++)
        tensor_write(x->value)[i] = (real)(data_mean[i % CHANNELS] +
                                           data_std[i % CHANNELS] * (double)rng_normal(rng));
    return x;
}

/* "running_mean" or "running_var" of channel c. */
static double running(const Module *norm, const char *name, int c)
{
    return (double)tensor_read(module_part(norm, PART_BUFFER, name)->buffer)[c];
}

static void mean_and_var(const Tensor *x, int c, double *mean, double *var)
{
    *mean = *var = 0;
    for (int i = 0; i < N; i++)
        *mean += (double)tensor_read(x)[i * CHANNELS + c] / N;
    for (int i = 0; i < N; i++)
        *var += pow((double)tensor_read(x)[i * CHANNELS + c] - *mean, 2) / N;
}

static void two_modes(void)
{
    section("Training and evaluation");
    size_t mark = tape_mark();
    Rng rng = rng_new(12, 0);
    Module *norm = batch_norm1d_new(CHANNELS); // nn.BatchNorm1d(3)
    Var *x = batch_of(&rng), *other = batch_of(&rng);
    memcpy(tensor_write(other->value), tensor_read(x->value), CHANNELS * sizeof(real));
    double mean, var, worst = 0; /* row 0 of both batches is the same example */
    Var *y = module_forward(norm, x), *z = module_forward(norm, other);
    for (int c = 0; c < CHANNELS; c++) {
        mean_and_var(y->value, c, &mean, &var);
        worst = fmax(worst, fmax(fabs(mean), fabs(var - 1)));
    }
    claim_close(worst, 0, 1e-4,
                "training: every channel leaves with mean 0 and variance 1, by (1)");
    claim(tensor_read(y->value)[0] != tensor_read(z->value)[0],
          "an example's answer depends on its batch: %.4f in one, %.4f in another",
          (double)tensor_read(y->value)[0], (double)tensor_read(z->value)[0]);
    module_eval(norm);
    y = module_forward(norm, x), z = module_forward(norm, other);
    claim(memcmp(tensor_read(y->value), tensor_read(z->value), CHANNELS * sizeof(real)) == 0,
          "evaluation: the same bits in any batch");
    double by_hand = ((double)tensor_read(x->value)[0] - running(norm, "running_mean", 0)) /
                     sqrt(running(norm, "running_var", 0) + 1e-5);
    claim_close((double)tensor_read(y->value)[0], by_hand, 1e-4,
                "... by (1) with the running mean and variance");
    module_free(norm);
    tape_rewind(mark);
}

static void running_statistics(const Lesson *lesson)
{
    section("Running statistics, equations (2) and (3)");
    static double t[BATCHES + 1], found[2][CHANNELS][BATCHES + 1], expected[CHANNELS][BATCHES + 1];
    Rng rng = rng_new(12, 1);
    Module *norm = batch_norm1d_new(CHANNELS);
    double worst = 0;
    for (int c = 0; c < CHANNELS; c++)
        found[1][c][0] = 1; /* running_var starts at 1 */
    for (int i = 1; i <= BATCHES; i++) {
        size_t mark = tape_mark();
        Var *x = batch_of(&rng);
        module_forward(norm, x);
        for (int c = 0; c < CHANNELS; c++) {
            double mean, var, *m = found[0][c] + i, *v = found[1][c] + i;
            mean_and_var(x->value, c, &mean, &var);
            *m = running(norm, "running_mean", c), *v = running(norm, "running_var", c);
            worst = fmax(worst, fabs(*m - (0.9 * m[-1] + 0.1 * mean)));
            worst = fmax(worst, fabs(*v - (0.9 * v[-1] + 0.1 * var * N / (N - 1))));
            expected[c][i] = data_mean[c] * (1 - pow(0.9, i));
        }
        t[i] = i;
        tape_rewind(mark);
    }
    claim_close(worst, 0, 1e-5, "(2) holds for %d numbers in %d batches", 2 * CHANNELS, BATCHES);
    for (int c = 0; c < CHANNELS; c++) {
        double noise = data_std[c] / sqrt(N) * sqrt(0.1 / 1.9);
        claim_close(found[0][c][BATCHES], data_mean[c], 4 * noise,
                    "the running mean %.3f is within 4 times its noise, %.3f, of the data's %g",
                    found[0][c][BATCHES], noise, data_mean[c]);
    }
    Plot *p = plot_new(lesson, "running", "Running statistics approach those of the data", 1, 2);
    plot_size(p, 1240, 500);
    for (int k = 0; k < 2; k++) {
        plot_panel(p, k ? "Variance: starts at 1" : "Mean: starts at 0", "batches seen",
                   k ? "running_var" : "running_mean");
        plot_y_range(p, k ? 0 : -1.6, k ? 18 : 3.8), plot_key(p, "top right");
        for (int c = 0; c < CHANNELS; c++) {
            char legend[64];
            snprintf(legend, sizeof legend, k ? "data: variance %g" : "data: mean %g",
                     k ? data_std[c] * data_std[c] : data_mean[c]);
            plot_line(p, legend, BATCHES + 1, t, found[k][c]);
        }
        for (int c = 0; c < CHANNELS && !k; c++)
            plot_thin_line(p, c ? "" : "expected, equation (3)", BATCHES + 1, t, expected[c]);
    }
    plot_draw(p);
    module_free(norm);
}

/* The largest gradient of a parameter. */
static double largest_gradient(const Module *net, const char *name)
{
    const Tensor *g = module_param(net, name)->grad;
    Stats s = tensor_stats(g);
    return fmax(fabs(s.min), fabs(s.max));
}

static void bias_before(void)
{
    section("A bias before BatchNorm, equation (4)");
    for (int prelu_between = 0; prelu_between < 2; prelu_between++) {
        size_t mark = tape_mark();
        Rng rng = rng_new(12, 2);
        Module *net = prelu_between
                          ? SEQUENTIAL(conv2d_new(2, 4, 3, conv2d_padding(1)),
                                       prelu_new(4, (real)0.25), batch_norm2d_new(4))
                          : SEQUENTIAL(conv2d_new(2, 4, 3, conv2d_padding(1)), batch_norm2d_new(4));
        Var *x = var_empty(SHAPE(8, 2, 6, 6)), *gy = var_empty(SHAPE(8, 4, 6, 6));
        tensor_fill_normal(x->value, &rng, 0, 1), tensor_fill_normal(gy->value, &rng, 0, 1);
        var_backward_with(module_forward(net, x), gy);
        double w = largest_gradient(net, "0.weight"), b = largest_gradient(net, "0.bias");
        if (prelu_between)
            claim(b > 0.01 * w,
                  "conv, PReLU, BatchNorm: it is %.1f, because the bias decides where PReLU bends",
                  b);
        else
            claim(b < 1e-5 * w, "conv, BatchNorm: the bias's gradient is %.0e, the weight's %.1f",
                  b, w);
        module_free(net);
        tape_rewind(mark);
    }
}

static void forward_one(void *norm) { module_forward(norm, var_full(SHAPE(1, CHANNELS), 5)); }

static void small_batch(void)
{
    section("A batch of one");
    char sentence[512];
    Module *norm = batch_norm1d_new(CHANNELS);
    claim(stops(forward_one, norm, sentence) && strstr(sentence, "one value per channel"),
          "in training one value per channel is an error: x - mean would always be 0");
    module_eval(norm);
    claim(!stops(forward_one, norm, sentence), "in evaluation it is not");
    module_free(norm);
}

/* --- dropout ---------------------------------------------------------------------------------- */

static void dropout(void)
{
    section("Dropout, equation (5)");
    enum { COUNT = 1 << 18 };
    size_t mark = tape_mark();
    Var *ones = var_full(SHAPE(COUNT), 1);
    for (int i = 1; i <= 3; i++) {
        double p = i == 1 ? 0.1 : i == 2 ? 0.5 : 0.8, zeros = 0, scaled = 0;
        const Tensor *y = var_dropout(ones, (real)p, rng_new(12, 3))->value;
        for (ptrdiff_t k = 0; k < COUNT; k++) {
            zeros += tensor_read(y)[k] == 0;
            scaled += fabs((double)tensor_read(y)[k] - 1 / (1 - p)) < 1e-6;
        }
        double sd = sqrt(p * (1 - p) / COUNT);
        claim_close(zeros / COUNT, p, 4 * sd, "p = %g: %.4f of %d numbers are 0", p, zeros / COUNT,
                    COUNT);
        claim(zeros + scaled == COUNT, "... and all others are x / (1-p) = %g", 1 / (1 - p));
        claim_close(tensor_stats(y).mean, 1, 4 * sd / (1 - p), "... so the mean stays: %.4f",
                    tensor_stats(y).mean);
        claim_close(pow(tensor_stats(y).std, 2), p / (1 - p), 0.03 * p / (1 - p) + 0.002,
                    "... and the variance is p / (1-p) = %.3f", p / (1 - p));
    }
    parallel_set_threads(1);
    const Tensor *one = var_dropout(ones, (real)0.5, rng_new(12, 4))->value;
    parallel_set_threads(2);
    const Tensor *two = var_dropout(ones, (real)0.5, rng_new(12, 4))->value,
                 *other = var_dropout(ones, (real)0.5, rng_new(13, 4))->value;
    parallel_set_threads(0);
    claim(tensor_same_bits(one, two), "the same seed: the same mask, on 1 thread and on 2");
    claim(!tensor_same_bits(one, other), "another seed: another mask");
    Module *layer = dropout_new((real)0.5); // nn.Dropout(0.5)
    Var *first = module_forward(layer, ones), *second = module_forward(layer, ones);
    claim(!tensor_same_bits(first->value, second->value),
          "a layer draws a new mask for every batch");
    module_eval(layer);
    claim(tensor_same_bits(module_forward(layer, ones)->value, ones->value),
          "in evaluation it changes nothing");
    module_free(layer);
    tape_rewind(mark);
}

/* A drawn digit, under two masks, and the mean over 200 masks. */
static void draw_dropout(const Lesson *lesson)
{
    enum { MASKS = 200, SIDE = 28, PIXELS = SIDE * SIDE };
    static const char *const title[4] = {"x, the picture", "one mask: 0 (black) or 2 x",
                                         "the next mask", "mean of 200 masks"};
    static double image[4][PIXELS];
    size_t mark = tape_mark();
    Dataset *digit = glyphs_new(3, 5);
    Var *x = var_empty(SHAPE(PIXELS));
    for (int i = 0; i < PIXELS; i++) /* on grey, so that a zeroed pixel shows */
        tensor_write(x->value)[i] = (real)(0.4 + 0.6 * digit->bytes[2 * PIXELS + i] / 255.0);
    for (int m = 0; m < MASKS; m++) {
        const real *y = tensor_read(var_dropout(x, (real)0.5, rng_new(12, 5 + m))->value);
        for (int i = 0; i < PIXELS; i++) {
            image[0][i] = (double)tensor_read(x->value)[i];
            image[3][i] += (double)y[i] / MASKS;
            if (m < 2)
                image[1 + m][i] = (double)y[i];
        }
    }
    Plot *p = plot_new(lesson, "dropout", "Dropout with p = .5: noisy each time, right on average",
                       1, 4);
    plot_size(p, 1240, 380);
    for (int k = 0; k < 4; k++) {
        plot_panel(p, title[k], "", "");
        plot_no_axes(p), plot_grey_range(p, 0, 2);
        plot_image(p, SIDE, SIDE, image[k]);
    }
    plot_draw(p);
    dataset_free(digit);
    tape_rewind(mark);
}

/* --- the order -------------------------------------------------------------------------------- */

enum { ORDERS = 3, SEEDS = 8, POINTS = 64 };
static const char *const order_name[ORDERS] = {"conv, PReLU, BatchNorm", "conv, BatchNorm, PReLU",
                                               "conv, PReLU"};

static Module *small_net(int order)
{
    Module *conv = conv2d_new(1, 8, 5, conv2d_stride_padding(2, 2)); /* 28x28 -> 14x14 */
    Module *prelu = prelu_new(8, (real)0.25);
    Module *pool = max_pool2d_new(2), *flat = flatten_new(), *scores = linear_new(8 * 7 * 7, 10);
    if (order == 2)
        return SEQUENTIAL(conv, prelu, pool, flat, scores);
    Module *norm = batch_norm2d_new(8);
    return SEQUENTIAL(conv, order ? norm : prelu, order ? prelu : norm, pool, flat, scores);
}

typedef struct Runs {
    int points;
    double step[POINTS], loss[ORDERS][POINTS], slope[ORDERS]; /* means over the seeds */
    double accuracy[ORDERS][SEEDS];
} Runs;

static void train(const Lesson *lesson, Runs *runs, int order, int seed, Dataset *data,
                  Dataset *test)
{
    random_seed(lesson->seed + (uint64_t)seed);
    Module *net = small_net(order);
    Optimizer *sgd = sgd_new(net, (real)0.02, 0);
    LossLog *losses = loss_log_new(8);
    Trainer t = {.net = net,
                 .optimizer = sgd,
                 .loss = loss_cross_entropy,
                 .epochs = lesson->epochs,
                 .quiet = lesson->quiet,
                 .bar_only = true,
                 .name = order_name[order],
                 .train = loader_new(data, (LoaderOptions){.batch = 32,
                                                           .shuffle = true,
                                                           .seed = lesson->seed + (uint64_t)seed}),
                 .test = loader_new(test, (LoaderOptions){.batch = 250}),
                 .on_step = loss_log_step,
                 .ctx = losses};
    trainer_fit(&t);
    runs->accuracy[order][seed] = t.history.record[t.history.count - 1].test_accuracy;
    runs->points = losses->n < POINTS ? losses->n : POINTS;
    for (int i = 0; i < runs->points; i++) {
        runs->step[i] = losses->step[i];
        runs->loss[order][i] += losses->loss[i] / SEEDS;
    }
    const Var *slopes = module_param(net, order == 1 ? "2.weight" : "1.weight");
    runs->slope[order] += tensor_stats(slopes->value).mean / SEEDS;
    loss_log_free(losses), trainer_clear(&t);
    loader_free(t.train), loader_free(t.test);
    optimizer_free(sgd), module_free(net);
}

/* Mean and standard error of the mean over the seeds, of a - b (b may be NULL). */
static void over_seeds(const double *a, const double *b, double *mean, double *error)
{
    *mean = *error = 0;
    for (int s = 0; s < SEEDS; s++)
        *mean += (a[s] - (b ? b[s] : 0)) / SEEDS;
    for (int s = 0; s < SEEDS; s++)
        *error += pow(a[s] - (b ? b[s] : 0) - *mean, 2) / (SEEDS * (SEEDS - 1));
    *error = sqrt(*error);
}

static void compare_orders(const Lesson *lesson)
{
    section("Before PReLU or after it?");
    static Runs r;
    int count = lesson->quick ? 1000 : 2000;
    Dataset *data = glyphs_new(count, 1), *test = glyphs_new(1000, 2);
    say("A small network, %d glyphs, %d epochs of SGD, %d seeds each.\n\n", count, lesson->epochs,
        SEEDS);
    for (int seed = 0; seed < SEEDS; seed++)
        for (int order = 0; order < ORDERS; order++)
            train(lesson, &r, order, seed, data, test);
    double mean[ORDERS], error[ORDERS], x[ORDERS], difference, noise;
    say("%-24s  test accuracy    mean slope\n", "order");
    for (int o = 0; o < ORDERS; o++) {
        over_seeds(r.accuracy[o], NULL, &mean[o], &error[o]);
        say("%-24s  %.4f +- %.4f  %.3f\n", order_name[o], mean[o], error[o], r.slope[o]);
        x[o] = o + 1, mean[o] *= 100, error[o] *= 100;
    }
    over_seeds(r.accuracy[0], r.accuracy[1], &difference, &noise);
    say("\n  The finding: the first minus the second is %.4f +- %.4f, %s.\n\n", difference, noise,
        fabs(difference) < 2 * noise ? "no difference that these seeds can show"
        : difference > 0             ? "PReLU first is better here"
                                     : "BatchNorm first is better here");
    for (int o = 0; o < 2; o++)
        claim(r.loss[o][1] < r.loss[2][1] && mean[o] > mean[2],
              "%s: faster and better than without BatchNorm (loss %.2f, not %.2f, at step %.0f)",
              order_name[o], r.loss[o][1], r.loss[2][1], r.step[1]);
    Plot *p = plot_new(lesson, "order", "Where to put BatchNorm: glyphs, mean of 8 seeds", 1, 2);
    plot_size(p, 1240, 500);
    plot_panel(p, "Training", "training step", "cross-entropy [nats per image]");
    plot_key(p, "top right"), plot_y_range(p, 0, 2.6);
    for (int o = 0; o < ORDERS; o++)
        plot_line(p, order_name[o], r.points, r.step, r.loss[o]);
    plot_panel(p, "After training, with the standard error", "",
               "test images classified correctly [%]");
    plot_set(p, "set xtics ('conv, PReLU, BN' 1, 'conv, BN, PReLU' 2, 'conv, PReLU' 3)");
    plot_x_range(p, 0.5, 3.5), plot_key(p, "bottom left");
    for (int o = 0; o < ORDERS; o++) {
        double at[SEEDS], y[SEEDS];
        for (int s = 0; s < SEEDS; s++)
            at[s] = o + 1.15, y[s] = 100 * r.accuracy[o][s];
        plot_dots(p, o ? "" : "one seed", false, SEEDS, at, y);
    }
    plot_errors(p, "mean", ORDERS, x, mean, error);
    plot_draw(p);
    dataset_free(data), dataset_free(test);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "12", "BatchNorm and Dropout", 2);
    two_modes();
    running_statistics(&lesson);
    bias_before();
    small_batch();
    dropout();
    draw_dropout(&lesson);
    compare_orders(&lesson);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. Train with momentum m = 1 (batch_norm1d_new_with). What are the running statistics then, and
 *    what does evaluation lose by it?
 * 2. Forget module_eval before evaluating, one image at a time and 250 at a time. What happens?
 * 3. Derive the noise in (3): a running mean sums batch means with weights m (1-m)^k.
 * 4. The weight before BatchNorm may be scaled by any c > 0 without changing y. So what is the dot
 *    product of the weight with its gradient? Check it (eps = 0 helps).
 * 5. Put Dropout before BatchNorm. Which of (1), (2), (5) makes running_var wrong for evaluation?
 * 6. Conv, BatchNorm, PReLU: if BatchNorm gives mean 0 and variance 1, what mean and variance has
 *    PReLU's output? (E[y] and E[y^2] follow from lesson 10.) Measure them.
 * 7. Layer normalisation, which the library lacks, is yours to write as an assignment:
 *    lessons/assignments/a5_layernorm/README.md.
 */

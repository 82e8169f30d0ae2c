/* Lesson 06: one slope for all, or one for each channel?
 *
 * You will see  what each mode costs; how the gradient of a shared slope is made of those of the
 *               channels; which axis holds the channels, and the input (N,L,F) that goes wrong
 *               without a word; what a shared slope cannot fit, and how twice the width makes up
 *               for it; whether per channel "gives the best results".
 * You need      lessons 02 and 05. Lesson 09 watches the slopes of a whole network.
 *
 * Write the shared slope as channels that happen to be equal, a_c = s. By the chain rule
 *
 *      dL/ds = sum over c of dL/da_c                                                   (1)
 *
 * Let each channel have a target PReLU(x, t_c) of its own slope, and m_c = sum of x^2 over the
 * channel's x <= 0. The squared error is the sum of m_c (a_c - t_c)^2. Per channel it falls to 0;
 * the best shared slope is a mean, and what remains is a spread:
 *
 *      s = sum m_c t_c / sum m_c,       error = sum of m_c (s - t_c)^2                 (2)
 *
 * So sharing limits one layer of this width. But two units x and -x that share a slope s, with
 * s^2 != 1, make a unit of any slope t:
 *
 *      PReLU(x, t) = p PReLU(x, s) + q PReLU(-x, s),
 *      p = (1 - s t)/(1 - s^2),    q = (s - t)/(1 - s^2)                               (3)
 *
 * (x > 0 asks for p - s q = 1, x < 0 for s p - q = t.) What it takes is width, and weights.
 *
 * Run   make lesson-06
 * It prints, among other things:
 *
 *     dL/da_c:   1.4999  16.2964   2.9606  -3.8236   sum 16.9333
 *     [ok] shared: dL/ds = 16.9333
 *     [ok] L = 16, F = 32, 32 slopes: it stops, and names the axis that was meant
 *     [ok] shared: the slope goes to the mean of (2), 0.3731
 *     [ok] ... and the error to 0.2661: no training removes that
 *     784-64-64-10, 6000 images, 10 epochs, 10 pairs of runs; test accuracy +- standard error:
 *     per channel 0.8456 +- 0.0018     shared 0.8472 +- 0.0016     difference -0.0015 +- 0.0011
 *     The finding: no difference that these runs could tell from chance.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/kit/networks.h"
#include "lessons/kit/plot.h"

enum { C = 4 };
static const real wanted[C] = {(real)-0.5, 0, (real)0.5, (real)1.5}; /* slopes that differ */

static Var *random_normal(Shape shape)
{
    Rng rng = random_stream();
    Var *x = var_empty(shape);
    tensor_fill_normal(x->value, &rng, 0, 1);
    return x;
}

/* --- two modes -------------------------------------------------------------------------------- */

/* The document's two modes, PyTorch at the right. */
static void two_modes(void)
{
    section("Two modes and what they cost");
    Module *channels = prelu_new(128, (real)0.25); // prelu = nn.PReLU(num_parameters=128)
    Module *shared = prelu_new(1, (real)0.25);     // prelu = nn.PReLU(num_parameters=1)
    claim(module_count(channels) == 128, "per channel: 128 parameters for a layer of 128 channels");
    claim(module_count(shared) == 1, "shared: 1, for any layer");
    Var *x = random_normal(SHAPE(3, 128, 5));
    claim(tensor_same_bits(module_forward(channels, x)->value, module_forward(shared, x)->value),
          "while all 128 are equal, both compute the same bits");
    Module *net[2] = {prelu_network_new(784, 256, 10, SLOPES_PER_CHANNEL),
                      prelu_network_new(784, 256, 10, SLOPES_SHARED)};
    claim(module_count(net[0]) == 269834 && module_count_slopes(net[0]) == 512 &&
              module_count(net[1]) == 269834 - 510 && module_count_slopes(net[1]) == 2,
          "784-256-256-10: 269834 parameters, 512 of them slopes; shared saves 510, or %.2f%%",
          100 * 510 / 269834.);
    module_free(channels), module_free(shared), module_free(net[0]), module_free(net[1]);
}

static void gradient_is_the_sum(void)
{
    section("The gradient of a shared slope is the sum of the channels', equation (1)");
    Var *x = random_normal(SHAPE(8, C, 5, 5)), *g = random_normal(SHAPE(8, C, 5, 5));
    Var *s = var_leaf(var_full(SHAPE(1), (real)0.25)->value);
    Var *a = var_leaf(var_full(SHAPE(C), (real)0.25)->value);
    Var *t = var_leaf(var_full(SHAPE(1), (real)0.25)->value);
    var_backward_with(var_prelu(x, s), g);                       // F.prelu(x, s).backward(g)
    var_backward_with(var_prelu(x, a), g);                       // F.prelu(x, a).backward(g)
    var_backward_with(var_prelu(x, var_expand(t, SHAPE(C))), g); // F.prelu(x, t.expand(4))
    double sum = 0, size = 0;
    say("  dL/da_c:");
    for (int c = 0; c < C; c++) {
        double ga = (double)tensor_read(a->grad)[c];
        say(" %8.4f", ga), sum += ga, size += fabs(ga);
    }
    say("   sum %.4f\n", sum);
    claim_close((double)tensor_item(s->grad), sum, 1e-4, "shared: dL/ds = %.4f",
                (double)tensor_item(s->grad));
    claim_close((double)tensor_item(t->grad), sum, 1e-4,
                "a channel's slopes stretched from one: the tape sums, too");
    say("  Channels that disagree cancel: |sum| is %.2f of the sum of the |dL/da_c| here.\n",
        fabs(sum) / size);
}

/* --- the channel axis ------------------------------------------------------------------------- */

/* y at x = -1 is minus the slope that was used there. */
static Var *slopes_used(Shape shape, const Tensor *slopes)
{
    return var_neg(var_prelu(var_full(shape, -1), var_const(slopes)));
}

static void sentence_of_16_words(void *ctx)
{
    Module *prelu = ctx;                                  // prelu = nn.PReLU(num_parameters=32)
    module_forward(prelu, var_full(SHAPE(8, 16, 32), 1)); // prelu(torch.ones(8, 16, 32))
}

static void draw_trap(const Lesson *lesson, const Tensor *meant, const Tensor *got)
{
    static const char *const word[C] = {"word 0", "word 1", "word 2", "word 3"};
    static const char *const feature[C] = {"feature 0", "feature 1", "feature 2", "feature 3"};
    double cells[2][C * C];
    for (int i = 0; i < C * C; i++) {
        cells[0][i] = (double)tensor_read(meant)[tensor_locate(meant, i)];
        cells[1][i] = (double)tensor_read(got)[i];
    }
    Plot *p = plot_new(lesson, "trap", "Which slope does each number of a (1, 4, 4) sentence use?",
                       1, 2);
    plot_size(p, 1040, 560);
    plot_panel(p, "Meant: a slope for each feature", "", "");
    plot_matrix(p, C, C, cells[0], word, feature);
    plot_panel(p, "Computed from (N,L,F): a slope for each word", "", "");
    plot_matrix(p, C, C, cells[1], word, feature);
    plot_draw(p);
}

static void channel_axis(const Lesson *lesson)
{
    section("Channels are axis 1, whatever follows it");
    const Shape shape[4] = {SHAPE(2, C), SHAPE(2, C, 3), SHAPE(2, C, 3, 5), SHAPE(2, C, 3, 5, 2)};
    Tensor *slopes = tensor_from(SHAPE(C), wanted);
    int agree = 0;
    for (int k = 0; k < 4; k++) {
        Var *used = slopes_used(shape[k], slopes);
        ptrdiff_t n = tensor_count(used->value), after = n / (2 * C);
        bool right = true;
        for (ptrdiff_t i = 0; i < n; i++)
            right &= tensor_read(used->value)[i] == wanted[i / after % C];
        agree += right;
    }
    claim(agree == 4,
          "(N,C), (N,C,L), (N,C,H,W), (N,C,D,H,W): each number uses its channel's slope");
    say("\n  Sentences are often stored as (N,L,F): L words of F features. Axis 1 is then the "
        "word.\n");
    char sentence[512];
    Module *prelu = prelu_new(32, (real)0.25);
    claim(stops(sentence_of_16_words, prelu, sentence),
          "L = 16, F = 32, 32 slopes: it stops, and names the axis that was meant");
    module_free(prelu);
    Var *x = random_normal(SHAPE(8, C, C)), *a = var_const(slopes); /* L = F: nothing to notice */
    Var *silent = var_prelu(x, a);                                  // prelu(x)
    Var *meant = var_transpose(var_prelu(var_transpose(x, 1, 2), a), 1, 2); // prelu(x.mT).mT
    Var *rows = var_reshape(var_prelu(var_reshape(x, SHAPE(8 * C, C)), a),  // prelu(x.view(-1, 4))
                            SHAPE(8, C, C));
    int negative = 0, wrong = 0;
    for (int i = 0; i < 8 * C * C; i++) {
        real y = tensor_read(meant->value)[tensor_locate(meant->value, i)];
        negative += tensor_read(x->value)[i] < 0 && i / C % C != i % C;
        wrong += y != tensor_read(silent->value)[i];
    }
    claim(
        wrong == negative && wrong > 0,
        "L = F = 4: nothing stops it, here or in PyTorch, and %d of %d numbers are wrong: all that "
        "are negative and off the diagonal",
        wrong, 8 * C * C);
    claim(tensor_max_difference(meant->value, rows->value) == 0,
          "two cures that agree: transpose there and back, or make the rows (N L, F)");
    Var *right = slopes_used(SHAPE(1, C, C), slopes);
    draw_trap(lesson, var_transpose(right, 1, 2)->value, right->value);
    tensor_free(slopes);
}

/* --- what a shared slope cannot fit ----------------------------------------------------------- */

enum { N = 512, STEPS = 60 };

/* Trains one PReLU on y = PReLU(x, wanted); records its slopes in path, C or 1 per step. */
static double fit(ptrdiff_t slopes, Var *x, Var *y, double path[C][STEPS + 1])
{
    Module *prelu = prelu_new(slopes, (real)0.25);
    Optimizer *sgd = sgd_new(prelu, (real)0.5, 0);
    double last = 0;
    for (int step = 0; step <= STEPS; step++) {
        size_t mark = tape_mark();
        for (int c = 0; c < slopes; c++)
            path[c][step] = (double)tensor_read(module_param(prelu, "weight")->value)[c];
        optimizer_zero_grad(sgd);
        Var *loss = var_mse(module_forward(prelu, x), y);
        var_backward(loss);
        optimizer_step(sgd);
        last = (double)var_item(loss);
        tape_rewind(mark);
    }
    optimizer_free(sgd), module_free(prelu);
    return last;
}

/* Equation (2): the best shared slope and the mean squared error that it leaves. */
static double best_shared(const Tensor *x, double *error)
{
    double m[C] = {0}, top = 0, below = 0;
    for (int i = 0; i < N * C; i++) {
        double v = (double)tensor_read(x)[i];
        m[i % C] += v <= 0 ? v * v : 0;
    }
    for (int c = 0; c < C; c++)
        top += m[c] * (double)wanted[c], below += m[c];
    *error = 0;
    for (int c = 0; c < C; c++)
        *error += m[c] * pow(top / below - (double)wanted[c], 2) / (N * C);
    return top / below;
}

static void draw_fit(const Lesson *lesson, double each[C][STEPS + 1], const double *one)
{
    double step[STEPS + 1];
    for (int i = 0; i <= STEPS; i++)
        step[i] = i;
    Plot *p = plot_new(lesson, "fit", "Four channels, four wanted slopes", 1, 1);
    plot_size(p, 860, 540);
    plot_panel(p, "", "training step", "slope a");
    plot_key(p, "outside right center"), plot_y_range(p, -0.7, 1.7);
    for (int c = C - 1; c >= 0; c--) {
        char legend[32];
        snprintf(legend, sizeof legend, "channel %d to %g", c, (double)wanted[c]);
        plot_line(p, legend, STEPS + 1, step, each[c]);
    }
    plot_line(p, "one slope for all", STEPS + 1, step, one);
    plot_draw(p);
}

static void expressiveness(const Lesson *lesson)
{
    section("What a shared slope cannot fit, equations (2) and (3)");
    static double each[C][STEPS + 1], one[C][STEPS + 1];
    Var *x = random_normal(SHAPE(N, C)), *t = var_const_from(SHAPE(C), wanted),
        *y = var_prelu(x, t);
    double left, s = best_shared(x->value, &left), loss = fit(C, x, y, each), off = 0;
    for (int c = 0; c < C; c++)
        off = fmax(off, fabs(each[c][STEPS] - (double)wanted[c]));
    claim(loss < 1e-6 && off < 1e-2,
          "per channel, after %d steps: the error is %.0e, every slope found", STEPS, loss);
    loss = fit(1, x, y, one);
    claim_close(one[0][STEPS], s, 1e-4, "shared: the slope goes to the mean of (2), %.4f", s);
    claim_close(loss, left, 1e-5, "... and the error to %.4f: no training removes that", left);
    draw_fit(lesson, each, one[0]);
    real p[C], q[C];
    double shared = 0.25;
    for (int c = 0; c < C; c++) {
        p[c] = (real)((1 - shared * (double)wanted[c]) / (1 - shared * shared));
        q[c] = (real)((shared - (double)wanted[c]) / (1 - shared * shared));
    }
    Var *a = var_full(SHAPE(1), (real)shared);
    Var *pair = var_add(var_mul(var_const_from(SHAPE(C), p), var_prelu(x, a)),
                        var_mul(var_const_from(SHAPE(C), q), var_prelu(var_neg(x), a)));
    claim_close(tensor_max_difference(pair->value, y->value), 0, 1e-5,
                "with twice the units, x and -x, one shared 0.25 makes all four: (3)");
}

/* --- "per channel for best results" ----------------------------------------------------------- */

enum { SEEDS = 10, HIDDEN = 64, EPOCHS = 10 };

static double train(const LessonData *data, SlopeMode mode, uint64_t seed)
{
    random_seed(seed); /* both modes start from the same weights and see the same batches */
    Module *net = prelu_network_new(784, HIDDEN, 10, mode);
    Loader *loader = loader_new(data->train,
                                (LoaderOptions){.batch = 64, .shuffle = true, .seed = seed});
    Loader *test = loader_new(data->test, (LoaderOptions){.batch = 500});
    Optimizer *adam = adam_new(net, (real)1e-3);
    Trainer trainer = {.net = net,
                       .optimizer = adam,
                       .loss = loss_cross_entropy,
                       .train = loader,
                       .epochs = EPOCHS,
                       .quiet = true};
    trainer_fit(&trainer);
    double accuracy = trainer_evaluate(net, loss_cross_entropy, test, NULL).accuracy;
    trainer_clear(&trainer);
    optimizer_free(adam), loader_free(loader), loader_free(test), module_free(net);
    return accuracy;
}

typedef struct Mean {
    double value, error;
} Mean; /* error: standard error of the mean */

static Mean mean_of(const double *v, int n)
{
    Mean m = {0, 0};
    for (int i = 0; i < n; i++)
        m.value += v[i] / n;
    for (int i = 0; i < n; i++)
        m.error += (v[i] - m.value) * (v[i] - m.value) / (n - 1);
    m.error = sqrt(m.error / n);
    return m;
}

static void draw_results(const Lesson *lesson, int n, const double *each, const double *one)
{
    double x[SEEDS], gain[SEEDS];
    for (int i = 0; i < n; i++)
        x[i] = i + 1, gain[i] = 100 * (each[i] - one[i]);
    Mean m = mean_of(gain, n);
    Plot *p = plot_new(lesson, "results", "Per channel minus shared, same start, same batches", 1,
                       1);
    plot_panel(p, "", "run", "difference in test accuracy, points");
    plot_x_range(p, 0.3, n + 1.9), plot_key(p, "outside bottom center horizontal");
    plot_set(p, "set xtics 1, 1, 10");
    plot_set(p, "set xtics add ('mean' 11.2)");
    plot_set(p, "set offsets 0, 0, 0.1, 0.1");
    plot_points(p, "one run", n, x, gain);
    plot_errors(p, "mean +- 2 standard errors", 1, &(double){11.2}, &m.value,
                &(double){2 * m.error});
    plot_horizontal(p, "no difference", 0);
    plot_draw(p);
}

static void best_results(const Lesson *lesson)
{
    section("\"Use per-channel mode for best results\": a small test");
    LessonData all = lesson_load(lesson), data = all;
    data.train = dataset_take(all.train, lesson->quick ? 500 : 6000);
    data.test = dataset_take(all.test, lesson->quick ? 1000 : 2000);
    double each[SEEDS], one[SEEDS], gain[SEEDS];
    Progress bar = progress_begin("training", SEEDS, lesson->quiet);
    for (int i = 0; i < SEEDS; i++) {
        uint64_t seed = lesson->seed * SEEDS + (uint64_t)i;
        each[i] = train(&data, SLOPES_PER_CHANNEL, seed),
        one[i] = train(&data, SLOPES_SHARED, seed);
        gain[i] = each[i] - one[i];
        progress_update(&bar, i + 1, "");
    }
    progress_clear(&bar);
    Mean a = mean_of(each, SEEDS), b = mean_of(one, SEEDS), d = mean_of(gain, SEEDS);
    say("  784-%d-%d-10, %td images, %d epochs, %d pairs of runs; test accuracy +- standard "
        "error:\n"
        "  per channel %.4f +- %.4f     shared %.4f +- %.4f     difference %+.4f +- %.4f\n",
        HIDDEN, HIDDEN, data.train->count, EPOCHS, SEEDS, a.value, a.error, b.value, b.error,
        d.value, d.error);
    claim(fabs(d.value) < 0.02, "on average neither mode is ahead by 2 points");
    claim(a.value > 0.3 && b.value > 0.3, "... and both have learned something");
    bool clear = fabs(d.value) > 2 * d.error;
    say("  The finding: %s.\n"
        "  He et al., arXiv:1502.01852, with 14 layers on ImageNet: errors of 32.64 %% per "
        "channel, 32.71 %% shared, 33.82 %% ReLU.\n",
        !clear ? "no difference that these runs could tell from chance"
        : d.value > 0
            ? "per channel is ahead here, by more than 2 standard errors (by chance 1 in 13)"
            : "shared is ahead here, by more than 2 standard errors (by chance 1 in 13)");
    draw_results(lesson, SEEDS, each, one);
    dataset_free(data.train), dataset_free(data.test), lesson_unload(&all);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "06", "Shared or per channel", 0);
    size_t mark = tape_mark();
    two_modes();
    gradient_is_the_sum();
    channel_axis(&lesson);
    expressiveness(&lesson);
    tape_rewind(mark);
    best_results(&lesson);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. Equation (3) fails at s = 1 and s = -1. What do PReLU(x, s) and PReLU(-x, s) span there? Show
 *    with 20 random p and q that no pair comes near PReLU(x, 0).
 * 2. Give the four channels inputs 1, 2, 4 and 8 times as large, and the optimizer lr 0.01. Predict
 *    from (2) where the shared slope goes, then run. Why are some of the channels' slopes slow now?
 * 3. In `expressiveness` put a Linear(4, 4) before and after a shared PReLU and train all of it.
 *    Does the error reach 0? With Linear(4, 8) and Linear(8, 4)?
 * 4. A text network gives (N,L,F) with L = F = 64 in training and L = 50 in use. When does it fail,
 *    with one slope per feature on the wrong axis, and what has it learned by then?
 * 5. Add a third mode to `best_results`, fixed slopes of 0.25 (an optimizer group of lr 0 for the
 *    slopes). How many runs does it take to tell a difference of 0.2 points from chance?
 */

/* Lesson 10: initialisation. How a signal survives thirty layers, or does not.
 *
 * You will see  numbers go through 30 layers of width 256, and gradients come back: they vanish
 *               with PyTorch's default weights and with Xavier's, explode with weights made for
 *               another slope, and keep their size with He's; what biases save and what they do
 *               not; and what all this means to a deep network that is to learn.
 * You need      lessons 02 and 03; what a variance is.
 *
 * If x is drawn from N(0, s^2), it is positive with probability 1/2. With the integral of x over
 * the positive half, s / sqrt(2 pi), PReLU's output y has
 *
 *      E[y]   = (1 - a) s / sqrt(2 pi)                                                     (1)
 *      E[y^2] = s^2/2 + a^2 s^2/2 = (1 + a^2)/2 s^2                                        (2)
 *
 * A unit of the next layer is z = w1 y1 + ... + wn yn, a sum over n inputs with independent weights
 * of mean 0. Its variance is n Var[w] E[y^2] (the mean square of y, not its variance). PReLU
 * follows, so by (2) a layer multiplies the mean square of the signal by
 *
 *      f = n Var[w] (1 + a^2)/2                                                            (3)
 *
 * and thirty layers by f^30. The gradient goes back through the same weights, n now the number of
 * outputs, and is multiplied by 1 or a, each half of the time: the same factor (3). He, Zhang, Ren
 * and Sun (arXiv:1502.01852) choose f = 1:
 *
 *      (1 + a^2)/2 n Var[w] = 1,    std = gain / sqrt(n),   gain = sqrt(2 / (1 + a^2))     (4)
 *
 * Xavier makes n Var[w] = 1 (where layers are square), right for a = 1. PyTorch's default for a
 * Linear is uniform in +-1/sqrt(n), so n Var[w] = 1/3: f = .177 at a = .25. Its biases are drawn
 * the same way. Each adds 1/(3n) to the variance of z, hence in place of f E[y^2]
 *
 *      E[y'^2] = f (E[y^2] + 1/n), which ends at f / (1 - f) / n                           (5)
 *
 * Run   make lesson-10
 * It prints, among other things:
 *
 *      initialisation       a       (3)   forward  back     30 layers      at the input
 *      default, no biases   0.25  0.1771  0.1752  0.1760     2.03e-23       2.32e-23
 *      Xavier               0.25  0.5312  0.5309  0.5323     5.64e-09       6.08e-09
 *      He with the slope    0.25  1.0000  1.0045  1.0035     1.14           1.11
 *      He for ReLU          1     2.0000  2.0019  2.0025     1.1e+09        1.12e+09
 *        [ok] with biases E[y^2] levels off at 8.14e-04 (mean of 10 layers), by (5) 8.41e-04
 *        [ok] the gradient does not: 2.5e-23 of 1 arrives
 *        default            loss in the last of 10 epochs: 2.3033
 *        Xavier             loss in the last of 10 epochs: 0.8051
 *        He with the slope  loss in the last of 10 epochs: 0.2116
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/kit/losses.h"
#include "lessons/kit/plot.h"

/* --- PReLU of a Gaussian ---------------------------------------------------------------------- */

static void gaussian(Rng *rng)
{
    section("PReLU of a Gaussian, equations (1) and (2)");
    enum { COUNT = 1 << 20 };
    static const double slope[4] = {0, 0.25, 1, -0.5};
    const double sigma = 2, pi = acos(-1);
    size_t mark = tape_mark();
    Var *x = var_empty(SHAPE(COUNT));
    tensor_fill_normal(x->value, rng, 0, (real)sigma);
    say("%d numbers from N(0, %g^2):\n\n", COUNT, sigma);
    for (int i = 0; i < 4; i++) {
        double a = slope[i], mean = (1 - a) * sigma / sqrt(2 * pi),
               square = (1 + a * a) / 2 * sigma * sigma;
        Var *y = var_prelu(x, var_full(SHAPE(1), (real)a));
        Stats of_y = tensor_stats(y->value), of_square = tensor_stats(var_square(y)->value);
        claim_close(of_y.mean, mean, 5 * of_y.std / sqrt(COUNT),
                    "a = %g: E[y] = %.4f, by (1) %.4f", a, of_y.mean, mean);
        claim_close(of_square.mean, square, 5 * of_square.std / sqrt(COUNT),
                    "... and E[y^2] = %.4f, by (2) %.4f", of_square.mean, square);
    }
    tape_rewind(mark);
}

/* --- thirty layers ---------------------------------------------------------------------------- */

enum { DEPTH = 30, WIDTH = 256, BATCH = 64, SLOPES = 3 };
enum { DEFAULT, XAVIER, HE, HE_RELU, BIASED, INITS };
static const double slope[SLOPES] = {0, 0.25, 1};
static const char *const init_name[INITS] = {"default, no biases", "Xavier", "He with the slope",
                                             "He for ReLU", "default"};

/* n Var[w], for square layers, where fan-in and fan-out are one. */
static double n_var(int init, double a)
{
    switch (init) {
    case XAVIER: return 1;
    case HE: return 2 / (1 + a * a);
    case HE_RELU: return 2;
    default: return 1.0 / 3;
    }
}

static double per_layer(double after_all) { return pow(after_all, 1.0 / DEPTH); }
static double factor(int init, double a) { return n_var(init, a) * (1 + a * a) / 2; }

static void initialise(int init, double a, Var *w, Var *b, Rng *rng)
{
    if (init == DEFAULT || init == BIASED)
        init_default(w, b, rng);
    else if (init == XAVIER)
        init_xavier_uniform(w, rng);
    else
        init_he_normal(w, init == HE ? (real)a : 0, rng);
    if (init != BIASED)
        tensor_fill(b->value, 0);
}

/* Means over the networks, for layer 0 (the input) to DEPTH. */
typedef struct Signal {
    double forward[DEPTH + 1];  /* E[y^2] */
    double backward[DEPTH + 1]; /* E[g^2], g the gradient of y */
    double spread[DEPTH + 1];   /* the variance of y over the inputs */
} Signal;

static double mean_square(const Tensor *x)
{
    double sum = 0;
    for (ptrdiff_t i = 0; i < tensor_count(x); i++)
        sum += (double)tensor_read(x)[i] * (double)tensor_read(x)[i];
    return sum / (double)tensor_count(x);
}

/* (BATCH, WIDTH): each column's variance, averaged. */
static double spread_over_inputs(const Tensor *y)
{
    double sum = 0;
    for (int j = 0; j < WIDTH; j++) {
        double mean = 0;
        for (int i = 0; i < BATCH; i++)
            mean += (double)tensor_read(y)[i * WIDTH + j] / BATCH;
        for (int i = 0; i < BATCH; i++)
            sum += pow((double)tensor_read(y)[i * WIDTH + j] - mean, 2) / (BATCH - 1);
    }
    return sum / WIDTH;
}

/* One network, its part of the means added to s. */
static void send(Signal *s, int init, double a, int nets, Rng *rng)
{
    size_t mark = tape_mark();
    Var *y[DEPTH + 1], *g = var_empty(SHAPE(BATCH, WIDTH));
    Var *input = var_empty(SHAPE(BATCH, WIDTH)), *slopes = var_full(SHAPE(1), (real)a);
    tensor_fill_normal(input->value, rng, 0, 1);
    y[0] = var_leaf(input->value);
    for (int l = 1; l <= DEPTH; l++) {
        Var *w = var_empty(SHAPE(WIDTH, WIDTH)), *b = var_empty(SHAPE(WIDTH));
        initialise(init, a, w, b, rng);
        y[l] = var_prelu(var_linear(y[l - 1], w, b), slopes);
        var_retain_grad(y[l]);
    }
    tensor_fill_normal(g->value, rng, 0, 1);
    var_backward_with(y[DEPTH], g);
    for (int l = 0; l <= DEPTH; l++) {
        s->forward[l] += mean_square(y[l]->value) / nets;
        s->backward[l] += mean_square(y[l]->grad) / nets;
        s->spread[l] += spread_over_inputs(y[l]->value) / nets;
    }
    tape_rewind(mark);
}

static void measure(const Lesson *lesson, Signal signal[INITS][SLOPES], Rng *rng)
{
    int nets = lesson->quick ? 4 : 8;
    section("Thirty layers, equation (3)");
    say("Width %d, %d inputs from N(0,1), gradients from N(0,1) at the end, mean of %d networks.\n"
        "\n", WIDTH, BATCH, nets);
    say("                             factor per layer       E[y^2] after   E[g^2] back\n"
        "initialisation       a       (3)   forward  back     %d layers      at the input\n",
        DEPTH);
    for (int init = 0; init < INITS; init++)
        for (int i = 0; i < SLOPES; i++) {
            Signal *s = &signal[init][i];
            for (int net = 0; net < nets; net++)
                send(s, init, slope[i], nets, rng);
            say("%-20s %-5g %6.4f  ", init_name[init], slope[i], factor(init, slope[i]));
            say(init == BIASED ? "see (5) " : "%6.4f  ", per_layer(s->forward[DEPTH]));
            say("%6.4f     %-12.3g   %.3g\n", per_layer(s->backward[0]), s->forward[DEPTH],
                s->backward[0]);
        }
    say("\n");
}

/* Thirty layers of 256 random units each leave a noise of about one percent in a factor. */
static void check_factors(Signal signal[INITS][SLOPES])
{
    for (int init = 0; init < INITS; init++) {
        double worst_forward = 0, worst_back = 0;
        for (int i = 0; i < SLOPES; i++) {
            const Signal *s = &signal[init][i];
            double f = factor(init, slope[i]);
            worst_forward = fmax(worst_forward, fabs(per_layer(s->forward[DEPTH]) / f - 1));
            worst_back = fmax(worst_back, fabs(per_layer(s->backward[0]) / f - 1));
        }
        if (init != BIASED)
            claim(worst_forward < 0.06, "%s: forward, each factor is (3) to %.1f %%",
                  init_name[init], 100 * worst_forward);
        claim(worst_back < 0.06, "%s: backward, each factor is (3) to %.1f %%", init_name[init],
              100 * worst_back);
    }
    const Signal *plain = &signal[DEFAULT][1], *relu = &signal[HE_RELU][2], *he = signal[HE];
    claim(plain->forward[DEPTH] < 1e-21, "default, a = 0.25: of 1 there is %.1e left: it vanishes",
          plain->forward[DEPTH]);
    claim(relu->forward[DEPTH] > 1e8, "made for ReLU, used at a = 1: it doubles 30 times, to %.1e",
          relu->forward[DEPTH]);
    for (int i = 0; i < SLOPES; i++)
        claim(he[i].forward[DEPTH] > 0.2 && he[i].forward[DEPTH] < 5,
              "He, a = %g: of 1 there is %.2f left", slope[i], he[i].forward[DEPTH]);
}

static void check_biases(const Signal *s)
{
    section("What biases save, equation (5): the default at a = 0.25");
    double f = factor(BIASED, 0.25), level = f / (1 - f) / WIDTH, last = 0;
    for (int l = DEPTH - 9; l <= DEPTH; l++)
        last += s->forward[l] / 10;
    claim_close(last / level, 1, 0.15,
                "with biases E[y^2] levels off at %.2e (mean of 10 layers), by (5) %.2e", last,
                level);
    claim(s->backward[0] < 1e-21, "the gradient does not: %.1e of 1 arrives", s->backward[0]);
    claim(s->spread[12] < 1e-5 * s->forward[12],
          "and what is left is the biases: after 12 layers the outputs for different inputs have\n"
          "       a mean square of %.1e and a variance of %.1e: all inputs look alike",
          s->forward[12], s->spread[12]);
}

static void draw_panels(const Lesson *lesson, Signal signal[INITS][SLOPES], bool back)
{
    double layer[DEPTH + 1], theory[DEPTH + 1];
    Plot *p = plot_new(lesson, back ? "backward" : "forward",
                       back ? "The gradient on its way back from layer 30: points measured, lines "
                              "by equation (3)"
                            : "The signal on its way: points measured, lines by equations (3) and "
                              "(5)",
                       1, 3);
    plot_size(p, 1500, 600);
    for (int i = 0; i < SLOPES; i++) {
        char title[32];
        snprintf(title, sizeof title, "slope a = %g", slope[i]);
        plot_panel(p, title, "layer", back ? "mean square of the gradient" : "mean square E[y^2]");
        plot_log_y(p), plot_x_range(p, -0.5, DEPTH + 0.5), plot_y_range(p, 1e-25, 1e11);
        plot_key(p, "outside bottom center horizontal");
        plot_set(p, "set xlabel offset 0, 0.6; set key height 1.5; unset mytics");
        plot_set(p, "set pointsize 0.7");
        for (int init = 0; init < INITS; init++) {
            double f = factor(init, slope[i]), now = 1;
            for (int l = 0; l <= DEPTH; l++) {
                layer[l] = l;
                theory[back ? DEPTH - l : l] = now;
                now = f * (now + (init == BIASED && !back ? 1.0 / WIDTH : 0));
            }
            plot_thin_line(p, "", DEPTH + 1, layer, theory);
        }
        for (int init = 0; init < (back ? BIASED : INITS); init++) { /* back, biases do not count */
            const Signal *s = &signal[init][i];
            plot_points(p, init_name[init], DEPTH + 1, layer, back ? s->backward : s->forward);
        }
    }
    plot_draw(p);
}

static void draw_biases(const Lesson *lesson, const Signal *s)
{
    double layer[DEPTH + 1];
    for (int l = 0; l <= DEPTH; l++)
        layer[l] = l;
    Plot *p = plot_new(lesson, "biases", "Default with biases, a = 0.25: size stays, meaning goes",
                       1, 1);
    plot_size(p, 820, 560);
    plot_panel(p, "", "layer", "mean over units and networks");
    plot_log_y(p), plot_x_range(p, -0.5, DEPTH + 0.5), plot_y_range(p, 1e-25, 100);
    plot_key(p, "outside bottom center horizontal");
    plot_set(p, "set xlabel offset 0, 0.6; set key height 1.5; unset mytics");
    plot_label(p, "all that is left: rounding", 20, 2e-20);
    plot_line_points(p, "mean square of y", DEPTH + 1, layer, s->forward);
    plot_line_points(p, "variance of y over inputs", DEPTH + 1, layer, s->spread);
    plot_line_points(p, "mean square of the gradient", DEPTH + 1, layer, s->backward);
    plot_draw(p);
}

/* --- the consequence -------------------------------------------------------------------------- */

enum { NARROW = 64, TRAINED = 3 };
static const int trained[TRAINED] = {BIASED, XAVIER, HE};

static void init_xavier(Module *net)
{
    Parameters list = module_parameters(net);
    for (int i = 0; i < list.count; i++) {
        Rng rng = random_stream();
        if (var_shape(list.item[i].var).ndim == 2)
            init_xavier_uniform(list.item[i].var, &rng);
        else if (!parameter_is_slope(&list.item[i]))
            tensor_fill(list.item[i].var->value, 0);
    }
    parameters_free(&list);
}

/* Thirty hidden layers of 64 units; the default is what linear_new begins with. */
static Module *deep_net(int init)
{
    Module *part[2 * DEPTH + 2];
    int n = 0;
    part[n++] = flatten_new();
    for (int l = 0; l < DEPTH; l++) {
        part[n++] = linear_new(l ? NARROW : 784, NARROW);
        part[n++] = prelu_new(NARROW, (real)0.25);
    }
    part[n++] = linear_new(NARROW, 10);
    Module *net = sequential_new(part, n);
    if (init == HE)
        module_init_he(net, (real)0.25);
    if (init == XAVIER)
        init_xavier(net);
    return net;
}

/* The loss of the last epoch; the log gets the way there. */
static double train(const Lesson *lesson, int init, const Dataset *data, LossLog *log)
{
    random_seed(lesson->seed);
    Module *net = deep_net(init);
    Optimizer *adam = adam_new(net, (real)1e-3);
    Loader *loader = loader_new(
        data, (LoaderOptions){.batch = 64, .shuffle = true, .seed = lesson->seed});
    Trainer t = {.net = net, .optimizer = adam, .loss = loss_cross_entropy, .train = loader,
                 .epochs = lesson->epochs, .quiet = lesson->quiet, .bar_only = true,
                 .name = init_name[init], .on_step = loss_log_step, .ctx = log};
    trainer_fit(&t);
    double loss = t.history.record[t.history.count - 1].train_loss;
    trainer_clear(&t);
    loader_free(loader), optimizer_free(adam), module_free(net);
    return loss;
}

static void consequence(const Lesson *lesson)
{
    section("The consequence: 30 hidden layers of 64 units learn glyphs");
    Dataset *data = glyphs_new(2000, 1);
    double loss[TRAINED];
    Plot *p = plot_new(lesson, "training", "The same deep network, begun in three ways", 1, 1);
    plot_panel(p, "", "training step", "cross-entropy [nats per image]");
    plot_y_range(p, 0, 2.6), plot_key(p, "bottom left");
    plot_set(p, "set autoscale xfix");
    for (int i = 0; i < TRAINED; i++) {
        LossLog *log = loss_log_new(8);
        loss[i] = train(lesson, trained[i], data, log);
        say("  %-18s loss in the last of %d epochs: %.4f\n", init_name[trained[i]], lesson->epochs,
            loss[i]);
        plot_line(p, init_name[trained[i]], log->n, log->step, log->loss);
        loss_log_free(log);
    }
    say("\n");
    claim_close(loss[0], log(10), 0.02, "default: it is still guessing: its loss is ln 10 = %.4f",
                log(10));
    if (lesson->epochs >= 10) {
        claim(loss[2] < 1.2, "He with the slope: it learns");
        claim(loss[2] < loss[1], "... and faster than from Xavier's weights");
    }
    plot_label(p, "guessing: ln 10", 120, 2.42);
    plot_draw(p);
    dataset_free(data);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "10", "Initialisation", 10);
    Rng rng = rng_new(lesson.seed, 10);
    static Signal signal[INITS][SLOPES];
    gaussian(&rng);
    measure(&lesson, signal, &rng);
    check_factors(signal);
    check_biases(&signal[BIASED][1]);
    draw_panels(&lesson, signal, false);
    draw_panels(&lesson, signal, true);
    draw_biases(&lesson, &signal[BIASED][1]);
    consequence(&lesson);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. For which slope is PyTorch's default He's initialisation, by (4)? Put that slope into `slope`
 *    and see the signal keep its size. Why would you not want to train with it?
 * 2. Take biases ten times as large. Where does (5) level off? Does the gradient arrive now?
 * 3. At a = 0 and f = 1 the variance over the inputs falls all the same, if slowly. Draw
 *    signal[HE][...].spread for the three slopes. Where does what is lost go? Use (1).
 * 4. Put batch_norm1d_new(64) after each Linear of deep_net. Which of the three learn now?
 * 5. Conv2d(64, 128, 3): what are n forward and n backward in (3)? By how much do both conditions
 *    differ, and does it matter over a network that goes from 3 channels to 512?
 */

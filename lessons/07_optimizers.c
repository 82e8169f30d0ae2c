/* Lesson 07: optimizers. What becomes of a slope's gradient.
 *
 * You will see  SGD, momentum and Adam take one slope to its optimum, on paths that are known
 *               beforehand; that Adam's first step forgets how large the gradient is; why slopes
 *               should not decay; that a slope's gradient grows with the picture, and which
 *               rule notices; which learning rates separate two spirals, and the boundary as
 *               it forms.
 * You need      lesson 02, and powers of a complex number for (3).
 *
 * Let one PReLU learn t = PReLU(x, a*) on fixed x. With h = the mean of x^2, or 0 where x > 0,
 *
 *      L(a) = mean of (y - t)^2 / 2 = h (a - a*)^2 / 2,       dL/da = h (a - a*)         (1)
 *
 * h is the curvature. Write e for a - a*. The two classic rules multiply e by a known number:
 *
 *      SGD        e' = (1 - lr h) e:    shrinks if and only if 0 < lr < 2/h              (2)
 *      momentum   e'' = (1 + mu - lr h) e' - mu e:    if its roots are complex, both have
 *                 the size sqrt(mu), and e swings inside C mu^(k/2)                      (3)
 *
 * Adam divides a running mean of g by the root of a running mean of g^2. After one step both means,
 * corrected, are g and g^2, so that, for every size of g,
 *
 *      Adam       first step  -lr g / (|g| + eps)  =  nearly -lr sign(g)                 (4)
 *
 * Weight decay as L2 adds lambda a to g. Where the data give none, g = lambda a, and (4) divides
 * lambda away: Adam walks to 0 at about lr per step. AdamW decays apart from the gradient:
 *
 *      AdamW, SGD    a_k = a_0 (1 - lr lambda)^k                                       (5)
 *
 * With data, L2 moves SGD's optimum from a* towards 0:
 *
 *      h (a - a*) + lambda a = 0        at        a = h a* / (h + lambda)              (6)
 *
 * Run   make lesson-07
 * It prints, among other things:
 *
 *     dL/da        SGD        Adam
 *     1e+06        -10000       -0.01
 *     0.001        -1e-05  -0.0099999
 *     -1e-08        1e-10       0.005
 *     [ok] ... and after 100 steps a = 0.1576: 0.00092 per step, where lr is 0.001
 *     [ok] with data: L2 0.1 takes the slope to 1.0881 by (6), not to 1.25
 *     1600 steps; test accuracy, mean +- standard error of 5 runs
 *     lr      SGD               momentum 0.9      Adam
 *     0.001   0.540 +- 0.029    0.637 +- 0.019    0.956 +- 0.014
 *     0.01    0.639 +- 0.019    0.816 +- 0.029    0.979 +- 0.012
 *     0.1     0.788 +- 0.043    0.984 +- 0.004    0.978 +- 0.008
 *     1       0.825 +- 0.070    0.524 +- 0.033    0.529 +- 0.017
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/kit/plane.h"

typedef enum Kind { SGD, ADAM, ADAMW } Kind;
typedef struct Rule {
    const char *name;
    Kind kind;
    double lr, mu; /* mu: momentum, for SGD */
} Rule;

static Optimizer *optimizer_of(const Rule *rule, Module *net)
{
    if (rule->kind == SGD) // torch.optim.SGD(net.parameters(), lr, momentum=mu)
        return sgd_new(net, (real)rule->lr, (real)rule->mu);
    if (rule->kind == ADAM) // torch.optim.Adam(net.parameters(), lr)
        return adam_new(net, (real)rule->lr);
    return adamw_new(net, (real)rule->lr); // torch.optim.AdamW(net.parameters(), lr)
}

static double slope_of(const Module *prelu)
{
    return (double)tensor_item(module_param(prelu, "weight")->value);
}

/* --- one slope, equations (1) to (3) ---------------------------------------------------------- */

enum { X = 257, STEPS = 120 };
static const double START = 0.25, BEST = 1.25;

/* a after 0 ... STEPS steps on `scale` times the loss (1), with L2 decay or none. */
static void descend(const Rule *rule, double scale, double decay, double path[STEPS + 1])
{
    Module *prelu = prelu_new(1, (real)START);
    Optimizer *opt = optimizer_of(rule, prelu);
    opt->group[0].weight_decay = (real)decay;
    for (int k = 0; k <= STEPS; k++) {
        size_t mark = tape_mark();
        path[k] = slope_of(prelu);
        Var *x = lesson_grid(X, -2, 2), *t = var_prelu(x, var_full(SHAPE(1), (real)BEST));
        optimizer_zero_grad(opt);
        var_backward(var_scale(var_mse(module_forward(prelu, x), t), (real)(scale / 2)));
        optimizer_step(opt);
        tape_rewind(mark);
    }
    optimizer_free(opt), module_free(prelu);
}

static double curvature(void)
{
    double h = 0;
    for (int i = 0; i < X; i++) {
        double x = -2 + 4.0 * i / (X - 1);
        h += x <= 0 ? x * x / X : 0;
    }
    return h;
}

enum { RULES = 4 };
static const Rule rule[RULES] = {{"SGD, lr 0.15", SGD, 0.15, 0},
                                 {"SGD, lr 2.7", SGD, 2.7, 0},
                                 {"momentum 0.9, lr 0.15", SGD, 0.15, 0.9},
                                 {"Adam, lr 0.05", ADAM, 0.05, 0}};

static void draw_paths(const Lesson *lesson, double path[RULES][STEPS + 1], double h)
{
    enum { EVERY = 12, DOTS = STEPS / EVERY + 1 };
    double step[STEPS + 1], off[STEPS + 1], swing[STEPS + 1], when[DOTS], theory[DOTS];
    Plot *p = plot_new(lesson, "paths", "One slope on its way from 0.25 to 1.25", 1, 2);
    plot_size(p, 1280, 560);
    plot_panel(p, "The slope", "training step", "slope a");
    plot_x_range(p, 0, 80), plot_y_range(p, 0, 2.6), plot_key(p, "top right");
    for (int k = 0; k <= STEPS; k++) {
        step[k] = k;
        swing[k] = 1.1 * (BEST - START) * pow(rule[2].mu, k / 2.0);
    }
    for (int i = 0; i < RULES; i++)
        plot_line(p, rule[i].name, STEPS + 1, step, path[i]);
    plot_horizontal(p, "the optimum", BEST);
    plot_panel(p, "How far it is; dots: (1 - lr h)^k, grey: 1.1 mu^(k/2)", "training step",
               "|a - a*|");
    plot_log_y(p), plot_y_range(p, 1e-5, 100), plot_key(p, "top right");
    for (int i = 0; i < RULES; i++) {
        for (int k = 0; k <= STEPS; k++)
            off[k] = fmax(fabs(path[i][k] - BEST), 1e-9);
        plot_line(p, rule[i].name, STEPS + 1, step, off);
    }
    for (int i = 0; i < DOTS; i++) {
        when[i] = EVERY * i;
        theory[i] = (BEST - START) * pow(1 - rule[0].lr * h, when[i]);
    }
    plot_thin_line(p, "as theory bounds momentum", STEPS + 1, step, swing);
    plot_dots(p, "SGD, by theory", false, DOTS, when, theory);
    plot_draw(p);
}

/* The largest departure of a path from (3); with mu = 0, from (2). */
static double departure(const Rule *r, const double *path, double h)
{
    double worst = fabs((path[1] - BEST) - (1 - r->lr * h) * (START - BEST));
    for (int k = 1; k < STEPS; k++)
        worst = fmax(worst, fabs((path[k + 1] - BEST) - (1 + r->mu - r->lr * h) * (path[k] - BEST) +
                                 r->mu * (path[k - 1] - BEST)));
    return worst;
}

static void one_slope(const Lesson *lesson)
{
    section("One slope, three rules");
    static double path[RULES][STEPS + 1], other[STEPS + 1];
    double h = curvature();
    say("  curvature h = %.4f, so SGD needs lr < 2/h = %.2f\n", h, 2 / h);
    for (int i = 0; i < RULES; i++)
        descend(&rule[i], 1, 0, path[i]);
    claim_close(departure(&rule[0], path[0], h), 0, 1e-5, "SGD, lr 0.15: every step is (2)");
    claim_close(departure(&rule[1], path[1], h), 0, 1e-5,
                "SGD, lr 2.7: too, and 1 - lr h = %.2f jumps over the optimum each time",
                1 - 2.7 * h);
    claim_close(departure(&rule[2], path[2], h), 0, 1e-5, "momentum: every step is (3)");
    double b = 1 + 0.9 - 0.15 * h, worst = 0;
    for (int k = 0; k <= STEPS; k++)
        worst = fmax(worst, fabs(path[2][k] - BEST) / pow(0.9, k / 2.0));
    claim(b * b < 4 * 0.9 && worst < 1.1 * (BEST - START),
          "... its roots are complex, and it stays inside %.2f mu^(k/2)", worst);
    Rule far = {"SGD", SGD, 2.01 / h, 0}, near = {"SGD", SGD, 1.99 / h, 0};
    descend(&far, 1, 0, other);
    bool away = fabs(other[STEPS] - BEST) > BEST - START;
    descend(&near, 1, 0, other);
    claim(away && fabs(other[STEPS] - BEST) < BEST - START,
          "SGD with lr = 2.01/h goes away from the optimum, with 1.99/h towards it");
    double apart = 0;
    for (int s = -3; s <= 3; s += 6) {
        descend(&rule[3], pow(10, s), 0, other);
        for (int k = 0; k <= STEPS; k++)
            apart = fmax(apart, fabs(other[k] - path[3][k]));
    }
    claim(apart < 1e-3, "Adam: 1000 times the loss, or 1/1000, gives the same path to %.0e", apart);
    descend(&rule[0], 1e-3, 0, other);
    claim(other[STEPS] - START < 0.02,
          "SGD: with 1/1000 of the loss a is still %.3f after %d steps", other[STEPS], STEPS);
    draw_paths(lesson, path, h);
}

/* --- the first step, equation (4) ------------------------------------------------------------- */

/* How far the first step goes when dL/da = g: L = -g y at x = -1, where y = -a. */
static double first_step(const Rule *r, double g)
{
    size_t mark = tape_mark();
    Module *prelu = prelu_new(1, 0); /* at 0 the smallest step is not lost in rounding */
    Optimizer *opt = optimizer_of(r, prelu);
    var_backward(var_scale(module_forward(prelu, var_scalar(-1)), (real)-g));
    optimizer_step(opt);
    double moved = slope_of(prelu);
    tape_rewind(mark);
    optimizer_free(opt), module_free(prelu);
    return moved;
}

static void first_steps(void)
{
    section("The first step, lr = 0.01");
    const double g[] = {1e6, 1, 1e-3, -1e-6, -1e-8};
    const Rule sgd = {"SGD", SGD, 0.01, 0}, adam = {"Adam", ADAM, 0.01, 0};
    double worst = 0;
    say("  dL/da        SGD        Adam\n");
    for (int i = 0; i < 5; i++) {
        double moved = first_step(&adam, g[i]);
        say("  %-7g %11.5g %11.5g\n", g[i], first_step(&sgd, g[i]), moved);
        worst = fmax(worst, fabs(moved + 0.01 * g[i] / (fabs(g[i]) + 1e-8)));
    }
    claim_close(worst, 0, 1e-6, "Adam's is (4) each time: 0.01, until g is as small as eps = 1e-8");
}

/* --- weight decay, equations (5) and (6) ------------------------------------------------------ */

enum { DECAY_STEPS = 200 };

/* a when the data say nothing (L = 0 y) and only decay acts; the Linear before it decays, too. */
static void decay(const Rule *r, double lambda, bool spare, double path[DECAY_STEPS + 1], double *w)
{
    Module *net = SEQUENTIAL(linear_new(1, 1), prelu_new(1, (real)START));
    Var *weight = module_param(net, "0.weight");
    tensor_fill(weight->value, 1);
    Optimizer *opt = optimizer_of(r, net);
    opt->group[0].weight_decay = (real)lambda;
    if (spare)
        optimizer_no_decay_on_slopes(opt);
    for (int k = 0; k <= DECAY_STEPS; k++) {
        size_t mark = tape_mark();
        path[k] = slope_of(module_child(net, "1"));
        *w = (double)tensor_item(weight->value);
        optimizer_zero_grad(opt);
        Var *y = module_forward(net, var_full(SHAPE(1, 1), 1));
        var_backward(var_scale(var_sum(y, ALL_AXES, false), 0));
        optimizer_step(opt);
        tape_rewind(mark);
    }
    optimizer_free(opt), module_free(net);
}

static void draw_decay(const Lesson *lesson, double path[5][DECAY_STEPS + 1])
{
    static const char *const name[5] = {"Adam, L2 0.001", "Adam, L2 1", "AdamW, 0.001", "AdamW, 1",
                                        "AdamW, 1, slopes spared"};
    double step[DECAY_STEPS + 1];
    for (int k = 0; k <= DECAY_STEPS; k++)
        step[k] = k;
    Plot *p = plot_new(lesson, "decay", "Only weight decay acts on the slope, lr = 0.001", 1, 1);
    plot_size(p, 900, 540);
    plot_panel(p, "", "training step", "slope a");
    plot_y_range(p, 0, 0.3), plot_key(p, "bottom left");
    for (int i = 0; i < 5; i++)
        plot_line(p, name[i], DECAY_STEPS + 1, step, path[i]);
    plot_draw(p);
}

static void weight_decay(const Lesson *lesson)
{
    section("Weight decay, equations (5) and (6)");
    static double path[5][DECAY_STEPS + 1], with[STEPS + 1];
    const Rule adam = {"Adam", ADAM, 1e-3, 0}, adamw = {"AdamW", ADAMW, 1e-3, 0};
    double w, apart = 0, off = 0;
    decay(&adam, 1e-3, false, path[0], &w), decay(&adam, 1, false, path[1], &w);
    decay(&adamw, 1e-3, false, path[2], &w), decay(&adamw, 1, false, path[3], &w);
    decay(&adamw, 1, true, path[4], &w);
    for (int k = 0; k <= DECAY_STEPS; k++) {
        apart = fmax(apart, fabs(path[0][k] - path[1][k]));
        off = fmax(off, fabs(path[2][k] - START * pow(1 - 1e-6, k)));
        off = fmax(off, fabs(path[3][k] - START * pow(1 - 1e-3, k)));
    }
    claim(apart < 1e-3, "Adam with L2: lambda = 0.001 and 1 differ by at most %.0e", apart);
    double pace = (START - path[1][100]) / 100;
    claim(pace > 0.8e-3 && pace <= 1.01e-3,
          "... and after 100 steps a = %.4f: %.5f per step, where lr is 0.001", path[1][100], pace);
    claim_close(off, 0, 1e-5, "AdamW is (5): after %d steps %.4f with 0.001, %.4f with 1",
                DECAY_STEPS, path[2][DECAY_STEPS], path[3][DECAY_STEPS]);
    claim(path[4][DECAY_STEPS] == START && w < 0.9,
          "slopes in a group without decay: a = 0.25 still, while the weight fell from 1 to %.3f",
          w);
    double h = curvature(), lambda = 0.1;
    const Rule sgd = {"SGD", SGD, 1, 0};
    descend(&sgd, 1, lambda, with);
    claim_close(with[STEPS], h * BEST / (h + lambda), 1e-5,
                "with data: L2 0.1 takes the slope to %.4f by (6), not to %g", with[STEPS], BEST);
    draw_decay(lesson, path);
}

/* --- how large is dL/da? ---------------------------------------------------------------------- */

/* dL/da of L = the sum of all y (N,1,H,W), x normal: about N H W times E[x, x < 0] = -0.399. */
static void size_of_the_gradient(void)
{
    section("dL/da grows with N H W");
    enum { N = 8 };
    int agree = 0, adam = 0;
    double first = 0, last = 0;
    Rng rng = random_stream();
    say("  (N,1,H,W)          sum     / N    / (N H W)    first step of SGD on the sum and Adam, "
        "lr 0.01\n");
    for (int side = 8; side <= 64; side *= 2) {
        size_t mark = tape_mark();
        double n = (double)N * side * side, tolerance = 5 * 0.584 / sqrt(n);
        Var *x = var_empty(SHAPE(N, 1, side, side)),
            *a = var_leaf(var_full(SHAPE(1), (real)START)->value);
        tensor_fill_normal(x->value, &rng, 0, 1);
        var_backward(var_sum(var_prelu(x, a), ALL_AXES, false));
        double ga = (double)tensor_item(a->grad),
               step = first_step(&(Rule){"Adam", ADAM, 0.01, 0}, ga);
        say("  (%d,1,%2d,%2d) %12.1f %7.1f %10.4f %14.3f %25.4f\n", N, side, side, ga, ga / N,
            ga / n, -0.01 * ga, step);
        agree += fabs(ga / n + 0.3989) < tolerance;
        adam += fabs(step - 0.01) < 1e-5;
        first = side == 8 ? ga : first, last = ga;
        tape_rewind(mark);
    }
    claim(agree == 4, "dL/da is -0.399 N H W, within 5 standard errors of a sum of so many");
    claim(last / first > 48 && last / first < 95, /* 64, within the same 5 standard errors */
          "8 times the side: %.0f times the gradient, and SGD's step", last / first);
    claim(adam == 4, "Adam's step is 0.01 each time: it hides the size");
}

/* --- boundaries between two spirals ----------------------------------------------------------- */

enum { HIDDEN = 32, RUNS = 5, BATCH = 50, POINTS = 400, LRS = 7, THREE = 3 };
static const double rate[LRS] = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1};
static const Rule spiral_rule[THREE] = {
    {"SGD", SGD, 0, 0}, {"momentum 0.9", SGD, 0, 0.9}, {"Adam", ADAM, 0, 0}};

/* Trains on spirals of this seed; returns the accuracy on others. film and plane may be NULL. */
static double train(Rule r, double lr, int epochs, uint64_t seed, Film **film, double *plane)
{
    r.lr = lr;
    random_seed(seed); /* all rules start from the same weights */
    Dataset *data = spirals_new(POINTS, 2, (real)0.02, seed),
            *others = spirals_new(POINTS, 2, (real)0.02, seed + 50);
    Module *net = SEQUENTIAL(linear_new(2, HIDDEN), prelu_new(HIDDEN, (real)0.25),
                             linear_new(HIDDEN, HIDDEN), prelu_new(HIDDEN, (real)0.25),
                             linear_new(HIDDEN, 2));
    Optimizer *opt = optimizer_of(&r, net);
    Loader *loader = loader_new(data,
                                (LoaderOptions){.batch = BATCH, .shuffle = true, .seed = seed});
    Loader *test = loader_new(others, (LoaderOptions){.batch = POINTS});
    if (film)
        *film = film_new(net, epochs * (POINTS / BATCH));
    Trainer trainer = {.net = net,
                       .optimizer = opt,
                       .loss = loss_cross_entropy,
                       .train = loader,
                       .epochs = epochs,
                       .quiet = true,
                       .clip_norm = 5, /* or lr = 1 ends in NaN */
                       .on_step = film ? film_step : NULL,
                       .ctx = film ? *film : NULL};
    trainer_fit(&trainer);
    double accuracy = trainer_evaluate(net, loss_cross_entropy, test, NULL).accuracy;
    if (plane)
        plane_read(net, plane);
    trainer_clear(&trainer);
    optimizer_free(opt), loader_free(loader), loader_free(test), module_free(net);
    dataset_free(data), dataset_free(others);
    return accuracy;
}

/* Above, the same lr for all; below, for each its best. */
static void draw_boundaries(const Lesson *lesson, int epochs, const int best[THREE])
{
    uint64_t seed = lesson->seed * 100;
    Dataset *data = spirals_new(POINTS, 2, (real)0.02, seed);
    double *plane = memory_new_array(PLANE * PLANE, sizeof *plane);
    Film *film = NULL;
    char title[80];
    Plot *p = plot_new(
        lesson, "boundaries",
        "One run each: above with one learning rate, "
        "below with the one that is best over five runs",
        2,
        THREE);
    plot_as_png(p), plot_size(p, 1200, 960);
    for (int i = 0; i < 2 * THREE; i++) {
        double lr = rate[i < THREE ? 2 : best[i - THREE]];
        Rule r = spiral_rule[i % THREE];
        double accuracy = train(r, lr, epochs, seed, i == 2 ? &film : NULL, plane);
        snprintf(title, sizeof title, "%s, lr %g: test accuracy %.2f", r.name, lr, accuracy);
        plot_panel(p, title, "x1", "x2");
        plot_plane(p, plane, data);
    }
    plot_draw(p);
    plot_film(lesson, "boundary_forming", "Adam, lr 0.01", film, data);
    memory_free(plane), film_free(film), dataset_free(data);
}

static void draw_rates(const Lesson *lesson, double mean[THREE][LRS], double error[THREE][LRS])
{
    Plot *p = plot_new(lesson, "rates", "Two spirals: which learning rates work?", 1, 1);
    plot_size(p, 860, 540);
    plot_panel(p, "", "learning rate", "test accuracy, mean +- standard error");
    plot_log_x(p), plot_x_range(p, 7e-4, 1.5), plot_y_range(p, 0.45, 1.05);
    plot_key(p, "outside right center"), plot_set(p, "set format x '%g'");
    for (int i = 0; i < THREE; i++)
        plot_line_points(p, spiral_rule[i].name, LRS, rate, mean[i]);
    /* 4 ... 6 look like 1 ... 3, so that a rule's bars have its line's colour. */
    plot_set(p, "set linetype 4 linewidth 2.2 linecolor rgb '#0072b2' pointtype 7");
    plot_set(p, "set linetype 5 linewidth 2.2 linecolor rgb '#d55e00' pointtype 5");
    plot_set(p, "set linetype 6 linewidth 2.2 linecolor rgb '#009e73' pointtype 9");
    for (int i = 0; i < THREE; i++)
        plot_errors(p, "", LRS, rate, mean[i], error[i]);
    plot_draw(p);
}

/* Mean accuracy and standard error of one rule with one learning rate, over several seeds. */
static double over_seeds(const Lesson *lesson, int i, double lr, int runs, int epochs,
                         double *error)
{
    double accuracy[RUNS], mean = 0;
    for (int k = 0; k < runs; k++) {
        accuracy[k] = train(spiral_rule[i], lr, epochs, lesson->seed * 100 + (uint64_t)k, NULL,
                            NULL);
        mean += accuracy[k] / runs;
    }
    *error = 0;
    for (int k = 0; k < runs; k++)
        *error += pow(accuracy[k] - mean, 2) / (runs - 1) / runs;
    *error = sqrt(*error);
    return mean;
}

static void spirals(const Lesson *lesson)
{
    section("Two spirals and a network 2-32-32-2 with one slope per channel");
    double mean[THREE][LRS], error[THREE][LRS];
    int runs = lesson->quick ? 3 : RUNS,
        epochs = lesson->quick ? (lesson->epochs + 3) / 4 : lesson->epochs;
    int best[THREE] = {0}, good[THREE] = {0}, steps = epochs * (POINTS / BATCH);
    Progress bar = progress_begin("spirals", THREE * LRS, lesson->quiet);
    say("  %d steps; test accuracy, mean +- standard error of %d runs\n  lr      ", steps, runs);
    for (int i = 0; i < THREE; i++)
        say(i < THREE - 1 ? "%-18s" : "%s", spiral_rule[i].name);
    for (int l = 0; l < LRS; l++) {
        say("\n  %-8g", rate[l]);
        for (int i = 0; i < THREE; i++) {
            mean[i][l] = over_seeds(lesson, i, rate[l], runs, epochs, &error[i][l]);
            best[i] = mean[i][l] > mean[i][best[i]] ? l : best[i];
            good[i] += mean[i][l] > 0.9;
            say("%.3f +- %.3f%s", mean[i][l], error[i][l], i < THREE - 1 ? "    " : "");
            progress_update(&bar, l * THREE + i + 1, "");
        }
    }
    progress_clear(&bar);
    say("\n");
    if (epochs >= 50) { /* --epochs may ask for less than the spirals take */
        claim(mean[2][2] > 0.9 && mean[0][2] < 0.75,
              "with lr = 0.01 Adam separates the spirals; SGD does not");
        claim(good[2] > good[0],
              "lr that give more than 0.9: %d for Adam, %d for momentum, %d for SGD", good[2],
              good[1], good[0]);
    }
    draw_rates(lesson, mean, error);
    draw_boundaries(lesson, epochs, best);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "07", "Optimizers", 200);
    one_slope(&lesson);
    first_steps();
    weight_decay(&lesson);
    size_of_the_gradient();
    spirals(&lesson);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. For which lr does SGD reach the optimum in one step? Claim it, by (2).
 * 2. The roots of (3) are r^2 - (1 + mu - lr h) r + mu = 0. For which mu are they equal, at
 *    lr 0.15? Add that rule to the picture: nothing arrives sooner without swinging past.
 * 3. Adam's eps is 1e-8. With eps = 1e-2 (opt->group[0].eps), for which g does (4) still hold to a
 *    tenth? Which row of the table is now like SGD's?
 * 4. The document writes torch.optim.Adam(model.parameters()): no decay. Give `decay` the line for
 *    Adam that spares slopes, and write the PyTorch lines for two groups beside it.
 * 5. In `size_of_the_gradient` take the mean instead of the sum (var_mean). Which column is dL/da
 *    now, and from which lr on does SGD take Adam's first step?
 * 6. Print prelu_stats of the networks on the spirals. How far from 0.25 are the slopes of SGD, lr
 *    0.01, and of Adam, lr 0.01? Explain with (4).
 * 7. Give the trainer in `train` a schedule (optim/schedule.h): .schedule = {.kind =
 *    SCHEDULE_COSINE, .epochs = epochs}. Which rates separate the spirals now that did not before?
 *    Which of the smallest ones no longer do, and why?
 */

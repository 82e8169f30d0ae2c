/* Lesson 05: ReLU, LeakyReLU, PReLU. One line of code, and three different fates.
 *
 * You will see  the three side by side; a unit that dies in training, and the slope that revives
 *               it; a deep network that is no deeper than one layer (a = 1); a unit that folds
 *               (a = -1) and solves XOR alone; why PReLU cannot overwrite its input.
 * You need      lessons 01 to 03, and the product of matrices.
 *
 * All three are y = x if x > 0, else a x. ReLU fixes a = 0, LeakyReLU a small a > 0, PReLU learns
 * a. A loss L sends g = dL/dy, and for x <= 0
 *
 *      dL/dx = a g,        dL/da = sum of g x                                          (1)
 *
 * A unit whose x is negative for every example learns through the left equation, and if a = 0,
 * nothing. PReLU has the right one besides, and it does not vanish at a = 0.
 *
 * At a = 1 PReLU is the identity, and layers x -> W x + b compose to one:
 *
 *      A <- W A,  c <- W c + b   layer by layer from A = I, c = 0: the network is A x + c  (2)
 *
 * At a = -1 it is |x|. One unit |x1 - x2| is XOR. With a >= 0 no y = PReLU(u), u = w x + b, is:
 * u(0,0) + u(1,1) = u(0,1) + u(1,0), so one of the left two is >= one of the right two; y never
 * falls as u grows, so some y wanted 0 is >= some y wanted 1. At best both are 1/2:
 *
 *      mean of (y - XOR)^2  >=  (1/4 + 1/4) / 4  =  1/8     for every w, b and a >= 0          (3)
 *
 * Run   make lesson-05
 * It prints, among other things:
 *
 *   after the accident:   w       b      dL/dw    dL/db    dL/da     loss: then  finally
 *   ReLU                  0.575  -1.600    0.0000   0.0000   0.0000     0.3385  3.4e-01
 *   LeakyReLU, 0.01       0.575  -1.600   -0.0035  -0.0103   0.0000     0.3528  6.2e-14
 *   PReLU from a = 0      0.575  -1.600    0.0000   0.0000   1.3964     0.3385  2.0e-12
 *   PReLU from a = 0.25   0.575  -1.600   -0.0631  -0.4500   2.7349     0.8549  1.9e-12
 *     [ok] ReLU is dead: 2399 steps later w, b and the loss are the same bits
 *     [ok] PReLU at a = 0: w and b get nothing either, but dL/da = 1.396
 *     [ok] a = 1: 6 layers equal A x + c of (2), off by 2e-06
 *     [ok] w = (1, -1), b = 0, a = -1: the unit's outputs are 0 1 1 0, XOR exactly
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/kit/plot.h"

static double number(const Tensor *x) { return (double)tensor_item(x); }
static Var *prelu(Var *x, double a) { return var_prelu(x, var_full(SHAPE(1), (real)a)); }

/* --- the family ------------------------------------------------------------------------------- */

/* The document's comparison with Leaky ReLU, from modules; PyTorch at the right. */
static void family(void)
{
    section("Three modules");
    Module *net[3] = {relu_new(),                // nn.ReLU()
                      leaky_relu_new((real)0.2), // nn.LeakyReLU(0.2)
                      prelu_new(1, (real)0.2)};  // nn.PReLU(num_parameters=1, init=0.2)
    say("module       parameters   y(-2)   dy/dx(-2)   dy/da(-2)\n");
    double y[3];
    for (int i = 0; i < 3; i++) {
        Var *x = var_leaf_from(SHAPE(1), (real[]){-2});
        Var *out = module_forward(net[i], x); // y = net(x)
        var_backward(out);                    // y.backward()
        y[i] = number(out->value);
        say("%-12s %10td %7.4g %11.4g %11s\n", net[i]->type->name, module_count(net[i]), y[i],
            number(x->grad), module_count(net[i]) ? "-2" : "none");
    }
    Var *a = module_param(net[2], "weight"); // a = prelu.weight
    claim(y[1] == y[2], "with the same slope LeakyReLU and PReLU are one function");
    claim(module_count(net[1]) == 0 && module_count(net[2]) == 1 && number(a->grad) == -2,
          "... but only PReLU has a parameter, and it gets a gradient, x = -2");
    for (int i = 0; i < 3; i++)
        module_free(net[i]);
}

/* Three lines of the document's summary, over 33 slopes from -2 to 2. */
static void summary_of_the_document(void)
{
    section("\"max(x, ax)\", \"range all numbers\", \"no dead neurons\": for which a?");
    Var *x = lesson_grid(257, -4, 4);
    int maximum = 0, range = 0, bound = 0, alive = 0;
    for (int i = 0; i <= 32; i++) {
        double a = -2 + i / 8.0;
        Var *in = var_leaf(x->value), *y = prelu(in, a);
        var_backward(var_sum(y, ALL_AXES, false));
        Stats out = tensor_stats(y->value), dx = tensor_stats(in->grad);
        bool is_max = tensor_max_difference(y->value,
                                            var_maximum(x, var_scale(x, (real)a))->value) == 0;
        maximum += is_max == (a <= 1);
        range += (out.min < 0) == (a > 0);
        bound += dx.min == fmin(1, a);
        alive += (dx.min > 0) == (a > 0);
    }
    claim(maximum == 33, "PReLU is max(x, ax) if and only if a <= 1");
    claim(range == 33, "outputs below 0 exist if and only if a > 0");
    claim(bound == 33, "the least dy/dx is min(1, a): it is >= a only for a <= 1");
    claim(alive == 33, "it is above 0, and no unit can die, if and only if a > 0");
}

/* --- a dead unit ------------------------------------------------------------------------------ */

/* A network of one unit, act(w x + b), is to learn t = (1 + x)/2 on -1 <= x <= 1. At w = 1, b = 2
 * all its u = w x + b are positive, so that every member of the family is the identity: they begin
 * alike. The first step is far too long, as may happen in any training, and throws b to -1.6. */
enum { UNITS = 4, X = 33, STEPS = 2400 };

typedef struct Unit {
    const char *name;
    double loss[STEPS + 1], start[3], first[3], end[3]; /* w, b, a: after the accident; their
                                                           gradients there; at the end */
} Unit;

static void read_unit(Module *net, double value[3], bool gradient)
{
    static const char *const name[3] = {"0.weight", "0.bias", "1.weight"};
    int n = module_count(module_child(net, "1")) == 0 ? 2 : 3; // only PReLU has a slope
    for (int i = 0; i < n; i++) {
        Var *v = module_param(net, name[i]);
        value[i] = number(gradient ? v->grad : v->value);
    }
}

static void train_unit(Unit *unit, Module *act, Var *x, Var *t)
{
    Module *net = SEQUENTIAL(linear_new(1, 1), act);
    Optimizer *sgd = sgd_new(net, (real)1.2, 0);
    tensor_fill(module_param(net, "0.weight")->value, 1);
    tensor_fill(module_param(net, "0.bias")->value, 2);
    for (int step = 0; step <= STEPS; step++) {
        size_t mark = tape_mark();
        optimizer_zero_grad(sgd);
        Var *loss = var_mse(module_forward(net, x), t);
        var_backward(loss);
        unit->loss[step] = (double)var_item(loss);
        if (step == 1)
            read_unit(net, unit->start, false), read_unit(net, unit->first, true);
        if (step < STEPS)
            optimizer_step(sgd);
        optimizer_set_lr(sgd, (real)0.1); /* from the second step on */
        tape_rewind(mark);
    }
    read_unit(net, unit->end, false);
    optimizer_free(sgd), module_free(net);
}

static int steps_to(const Unit *unit, double loss)
{
    int step = 0;
    while (step <= STEPS && (step == 0 || unit->loss[step] > loss))
        step++;
    return step;
}

static void draw_units(const Lesson *lesson, const Unit unit[UNITS])
{
    double step[STEPS + 1];
    for (int i = 0; i <= STEPS; i++)
        step[i] = i;
    Plot *p = plot_new(lesson, "dead", "One step too long, and how each unit goes on", 1, 2);
    plot_size(p, 1240, 560);
    plot_panel(p, "The loss: ReLU never moves again", "training step", "mean squared error");
    plot_log_y(p), plot_y_range(p, 1e-8, 10), plot_key(p, "bottom right");
    plot_x_range(p, -60, STEPS + 100); /* so that the first step shows, the accident */
    for (int i = 0; i < UNITS; i++)
        plot_line(p, unit[i].name, STEPS + 1, step, unit[i].loss);
    plot_panel(p, "Where they end: LeakyReLU with u >= 0, PReLU with u <= 0 and w < 0",
               "input x", "u = w x + b, before the activation");
    plot_y_range(p, -3.2, 2.4), plot_key(p, "top left");
    for (int i = 0; i < UNITS; i++)
        plot_line(p, unit[i].name, 2, (double[]){-1, 1},
                  (double[]){unit[i].end[1] - unit[i].end[0], unit[i].end[1] + unit[i].end[0]});
    plot_horizontal(p, "u = 0; below it y = a u", 0);
    plot_draw(p);
}

static void dead_unit(const Lesson *lesson)
{
    section("A unit dies, and the slope that revives it");
    Unit unit[UNITS] = {{.name = "ReLU"},
                        {.name = "LeakyReLU, 0.01"},
                        {.name = "PReLU from a = 0"},
                        {.name = "PReLU from a = 0.25"}};
    Var *x = var_unsqueeze(lesson_grid(X, -1, 1), 1);
    Var *t = var_scale(var_add_scalar(x, 1), (real)0.5);
    train_unit(&unit[0], relu_new(), x, t);
    train_unit(&unit[1], leaky_relu_new((real)0.01), x, t);
    train_unit(&unit[2], prelu_new(1, 0), x, t);
    train_unit(&unit[3], prelu_new(1, (real)0.25), x, t);
    say("after the accident:   w       b      dL/dw    dL/db    dL/da     loss: then  finally\n");
    for (int i = 0; i < UNITS; i++)
        say("%-20s %6.3f %7.3f %9.4f %8.4f %8.4f %10.4f %8.1e\n", unit[i].name, unit[i].start[0],
            unit[i].start[1], unit[i].first[0], unit[i].first[1], unit[i].first[2], unit[i].loss[1],
            unit[i].loss[STEPS]);
    const Unit *relu = &unit[0], *leaky = &unit[1], *zero = &unit[2], *quarter = &unit[3];
    int alike = 0;
    for (int i = 0; i < UNITS; i++)
        alike += unit[i].start[0] == relu->start[0] && unit[i].start[1] == relu->start[1];
    claim(alike == UNITS && relu->start[1] + fabs(relu->start[0]) < 0,
          "all four begin alike, and after the accident u = w x + b < 0 for every x");
    claim(relu->end[0] == relu->start[0] && relu->end[1] == relu->start[1] &&
              relu->loss[STEPS] == relu->loss[1],
          "ReLU is dead: %d steps later w, b and the loss are the same bits", STEPS - 1);
    claim(zero->first[0] == 0 && zero->first[1] == 0 && zero->first[2] > 1,
          "PReLU at a = 0: w and b get nothing either, but dL/da = %.3f", zero->first[2]);
    int slow = steps_to(leaky, 0.01), quick = steps_to(zero, 0.01),
        from_quarter = steps_to(quarter, 0.01);
    claim(zero->loss[STEPS] < 1e-6 && zero->first[2] != 0 && zero->end[2] != 0,
          "... which moves a, and a nonzero a moves w and b: the loss falls to %.0e",
          zero->loss[STEPS]);
    claim(quick < slow && from_quarter < slow && slow <= STEPS,
          "LeakyReLU lives, too, but 0.01 g is little: it needs %d steps to a loss of 0.01, "
          "PReLU %d and %d",
          slow, quick, from_quarter);
    claim(zero->end[2] < 0 && zero->end[1] + fabs(zero->end[0]) < 1e-3,
          "revived is not restored: u is still <= 0, and a = %.2f < 0 turns it over", zero->end[2]);
    draw_units(lesson, unit);
}

/* --- a = 1: a deep network collapses ---------------------------------------------------------- */

enum { DEPTH = 6, WIDTH = 8, BATCH = 64 };

static Module *deep_network(double a)
{
    Module *part[2 * DEPTH];
    for (int i = 0; i < DEPTH; i++) {
        part[2 * i] = linear_new(WIDTH, WIDTH);
        part[2 * i + 1] = prelu_new(1, (real)a);
        init_he_normal(module_param(part[2 * i], "weight"), (real)a,
                       &(Rng){.seed = 5, .stream = (uint64_t)i});
    }
    return sequential_new(part, 2 * DEPTH);
}

/* Equation (2): the rows of A x + c for the rows x of a batch. */
static Var *composed(Module *net, Var *x)
{
    Tensor *identity = tensor_zeros(SHAPE(WIDTH, WIDTH));
    for (int i = 0; i < WIDTH; i++)
        tensor_write(identity)[i * WIDTH + i] = 1;
    Var *A = var_const(identity), *c = var_full(SHAPE(WIDTH, 1), 0);
    for (int i = 0; i < DEPTH; i++) {
        Module *linear = net->part[2 * i].child; // a Sequential's parts are its layers
        Var *W = module_param(linear, "weight");
        Var *b = var_unsqueeze(module_param(linear, "bias"), 1);
        A = var_matmul(W, A), c = var_add(var_matmul(W, c), b);
    }
    tensor_free(identity);
    return var_linear(x, A, var_squeeze(c, 1));
}

static void collapse(const Lesson *lesson)
{
    section("a = 1: six layers are one");
    enum { SLOPES = 25 };
    double slope[SLOPES], gap[SLOPES], at_one = 0;
    Rng rng = random_stream();
    Var *x = var_empty(SHAPE(BATCH, WIDTH));
    tensor_fill_normal(x->value, &rng, 0, 1);
    for (int i = 0; i < SLOPES; i++) {
        slope[i] = -1 + i / 8.0;
        random_seed(lesson->seed); /* the same biases for every slope */
        Module *net = deep_network(slope[i]);
        Var *y = module_forward(net, x), *line = composed(net, x);
        gap[i] = tensor_max_difference(y->value, line->value) / tensor_stats(line->value).std;
        if (slope[i] == 1)
            at_one = gap[i];
        module_free(net);
    }
    int others = 0;
    for (int i = 0; i < SLOPES; i++)
        others += slope[i] != 1 && gap[i] > 0.1;
    claim_close(at_one, 0, 1e-5, "a = 1: %d layers equal A x + c of (2), off by %.0e", DEPTH,
                at_one);
    claim(others == SLOPES - 1, "at the %d other slopes the gap is more than 0.1", others);
    for (int i = 0; i < SLOPES; i++)
        gap[i] = fmax(gap[i], 1e-8);
    Plot *p = plot_new(lesson, "collapse", "A network of six layers against the one layer A x + c",
                       1, 1);
    plot_panel(p, "", "slope a of all its PReLUs", "largest difference / std of A x + c");
    plot_log_y(p), plot_y_range(p, 1e-8, 100), plot_key(p, "bottom left");
    plot_line_points(p, "difference", SLOPES, slope, gap);
    plot_vertical(p, "a = 1, the identity: only rounding is left", 1);
    plot_draw(p);
}

/* --- a = -1: a fold, and XOR ------------------------------------------------------------------ */

static void draw_fold(const Lesson *lesson)
{
    double u[3] = {-1.5, 0, 1.5}, y[3] = {1.5, 0, 1.5}, relu[3] = {0, 0, 1.5};
    double edge[2] = {-0.5, 1.5}, low[2] = {-1, 1}, high[2] = {0, 2};
    Plot *p = plot_new(lesson, "xor", "One PReLU unit with a = -1 solves XOR", 1, 2);
    plot_size(p, 1200, 600);
    plot_panel(p, "The fold: y = |u|", "u = x1 - x2", "output y");
    plot_equal_axes(p), plot_x_range(p, -1.5, 1.5), plot_y_range(p, -0.3, 2.2);
    plot_key(p, "top center");
    plot_line(p, "PReLU, a = -1", 3, u, y), plot_line(p, "ReLU", 3, u, relu);
    plot_dots(p, "XOR = 1", true, 2, (double[]){-1, 1}, (double[]){1, 1});
    plot_dots(p, "XOR = 0", false, 1, (double[]){0}, (double[]){0});
    plot_label(p, "(0,1)", -0.9, 1.06), plot_label(p, "(1,0)", 0.6, 1.06);
    plot_label(p, "(0,0) and (1,1)", -0.36, -0.15);
    plot_panel(p, "The plane: two parallel boundaries from one unit", "x1", "x2");
    plot_equal_axes(p), plot_x_range(p, -0.5, 1.5), plot_y_range(p, -0.5, 2.1);
    plot_band(p, "y < 1/2", 2, edge, low, high);
    plot_line(p, "y = 1/2", 2, edge, low);
    plot_set(p, "set arrow from -0.5, 0 to 1.5, 2 nohead linetype 1");
    plot_set(p, "set label 'y < 1/2' at first 0.5, 0.5 center rotate by 45");
    plot_set(p, "set label 'y > 1/2' at first -0.1, 0.8 center");
    plot_set(p, "set label 'y > 1/2' at first 1.1, 0.2 center");
    plot_dots(p, "XOR = 1", true, 2, (double[]){0, 1}, (double[]){1, 0});
    plot_dots(p, "XOR = 0", false, 2, (double[]){0, 1}, (double[]){0, 1});
    plot_draw(p);
}

/* Trains one unit from random weights; returns its loss and leaves its slope in *a. */
static double train_xor(Module *act, Var *x, Var *t, int steps, double *a)
{
    Module *net = SEQUENTIAL(linear_new(2, 1), act);
    Optimizer *adam = adam_new(net, (real)0.02);
    double last = 0;
    for (int step = 0; step < steps; step++) {
        size_t mark = tape_mark();
        optimizer_zero_grad(adam);
        Var *loss = var_mse(module_forward(net, x), t);
        var_backward(loss);
        optimizer_step(adam);
        last = (double)var_item(loss);
        tape_rewind(mark);
    }
    *a = module_count(act) ? number(module_param(act, "weight")->value) : 0;
    optimizer_free(adam), module_free(net);
    return last;
}

static void xor_with_one_unit(const Lesson *lesson)
{
    section("a = -1: the fold. One unit and XOR");
    Var *x = var_const_from(SHAPE(4, 2), (real[]){0, 0, 0, 1, 1, 0, 1, 1});
    Var *t = var_const_from(SHAPE(4, 1), (real[]){0, 1, 1, 0});
    Var *u = var_matmul(x, var_const_from(SHAPE(2, 1), (real[]){1, -1}));
    claim(tensor_max_difference(prelu(u, -1)->value, t->value) == 0,
          "w = (1, -1), b = 0, a = -1: the unit's outputs are 0 1 1 0, XOR exactly");
    int starts = lesson->quick ? 24 : 60, steps = lesson->quick ? 1000 : 2000, solved = 0,
        turned = 0;
    double least = 1;
    for (int i = 0; i < starts; i++) {
        double a, none, loss = train_xor(prelu_new(1, (real)0.25), x, t, steps, &a);
        solved += loss < 1e-4;
        turned += loss < 1e-4 && a < 0;
        least = fmin(least, train_xor(relu_new(), x, t, steps, &none));
        least = fmin(least, train_xor(leaky_relu_new((real)0.25), x, t, steps, &none));
    }
    claim(least >= 0.125,
          "ReLU and LeakyReLU, trained from %d starts: never below 1/8; the best is %.4f",
          starts, least);
    claim(solved > 0 && turned == solved,
          "PReLU from a = 0.25: solved from %d of %d starts, with a < 0 each time", solved, starts);
    draw_fold(lesson);
}

/* --- in place --------------------------------------------------------------------------------- */

/* What a program could do that kept y in the place of x: ask y > 0, and take x = y / a. */
static void from_output(double y, double a, double g, double *dx, double *da)
{
    *dx = y > 0 ? g : a * g;
    *da = y > 0 ? 0 : g * (y / a);
}

static void overwrite_and_go_back(void *ctx)
{
    (void)ctx;
    Var *x = var_leaf_from(SHAPE(2), (real[]){-2, 3});
    Var *y = prelu(x, -0.5);
    tensor_copy(x->value, y->value);           // F.prelu has no inplace=True; F.leaky_relu has
    var_backward(var_sum(y, ALL_AXES, false)); // y.sum().backward()
}

static void in_place(void)
{
    section("Why not in place? The gradient from the output, where x = -2 and g = y - 3");
    const double slope[] = {0.25, 0, -0.5};
    say("      a       y    true: dx      da    from y: dx      da"
        "    after a step of 0.1 against dx\n");
    for (int i = 0; i < 3; i++) {
        double a = slope[i], dx, da;
        Var *x = var_leaf_from(SHAPE(1), (real[]){-2}),
            *s = var_leaf(var_full(SHAPE(1), (real)a)->value);
        Var *y = var_prelu(x, s), *off = var_add_scalar(y, -3);
        var_backward(var_scale(var_dot(off, off), (real)0.5));
        double tx = number(x->grad), ta = number(s->grad), y0 = number(y->value), g = y0 - 3;
        from_output(y0, a, g, &dx, &da);
        double before = g * g / 2, wrong = -2 - 0.1 * dx, now = (wrong > 0 ? wrong : a * wrong) - 3;
        say("  %5g %7g %11g %7g %13g %7g      loss %g -> %g\n", a, y0 + 0, tx + 0, ta, dx + 0,
            isnan(da) ? (double)NAN : da, before, now * now / 2);
        if (a > 0)
            claim(dx == tx && da == ta, "a = %g: the output's sign is the input's, both are right",
                  a);
        else if (a == 0)
            claim(dx == tx && isnan(da) && ta == 6,
                  "a = 0: y = 0 has forgotten x. dL/da is 0/0, where the truth is %g", ta);
        else
            claim(dx != tx && da != ta && now * now > g * g,
                  "a = %g: y > 0 although x < 0. Both are wrong, and the step makes the loss rise",
                  a);
    }
    char sentence[512];
    claim(stops(overwrite_and_go_back, NULL, sentence),
          "writing y over x before the backward is noticed, not computed with");
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "05", "ReLU, LeakyReLU, PReLU", 0);
    size_t mark = tape_mark();
    family();
    summary_of_the_document();
    dead_unit(&lesson);
    collapse(&lesson);
    xor_with_one_unit(&lesson);
    in_place();
    tape_rewind(mark);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. Make the accident longer: lr 2 in train_unit, then 0.02 instead of 0.1. PReLU's loss now stays
 *    near 0.08 for hundreds of steps. Which of w, b and a is slow, and why, by (1)?
 * 2. Give ReLU weight decay (sgd->group[0].weight_decay = 0.1). Now w and b move. Does the unit
 *    ever fire again? Follow the sign of u.
 * 3. In `collapse`, give one PReLU a = 1 and the others 0.25. How many layers compute the same?
 *    Compose those that can be composed, and claim it.
 * 4. Start `train_xor` from a = -0.5. From how many starts is XOR solved now?
 * 5. PyTorch's issue 31938 is the third row of `in_place`. Show that for a > 0 the output alone
 *    suffices for both derivatives. What is lost when a is 1e-40?
 */

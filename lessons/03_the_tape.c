/* Lesson 03: reverse mode. One sweep up the tape finds every gradient.
 *
 * You will see  one PReLU unit and its loss differentiated by hand and by the tape, with the same
 *               numbers on every line; why gradients add; why nothing is ever sorted; how a
 *               training step leaves nothing behind in memory.
 * You need      lesson 02 (PReLU's two derivatives) and the chain rule.
 *
 * The unit and its loss are (prelu(w x + b; a) - t)^2. A computer does one thing at a time and
 * gives each result a name. That list of lines is the Wengert list, or the tape:
 *
 *     p = w x      z = p + b      y = prelu(z; a)      e = y - t      loss = e e           (1)
 *
 * Write gv for d loss/dv, the gradient of v (others say adjoint). Nudge v, and the loss changes
 * through every line that uses v, so by the chain rule
 *
 *     g loss = 1,      gv = sum over the users u of v:  gu du/dv                           (2)
 *
 * gu must be complete before it is passed on, so begin at the loss and go up. A line has to know
 * its own local derivatives du/dv and nothing else; PReLU's are those of lesson 02:
 *
 *     dy/dz = 1 if z > 0, else a           dy/da = 0 if z > 0, else z                      (3)
 *
 * One sweep yields the gradient of the loss for all inputs, whether there are four or four million.
 *
 * Run   make lesson-03
 * It prints, among other things:
 *
 *      g user  x  local   is added to            which now holds
 *          1  x   -1.5   -> g of v8  e = y - t         -1.5
 *          1  x   -1.5   -> g of v8  e = y - t           -3
 *         -3  x     -1   -> g of v7  t                    3
 *     [ok] v3  a               = 0.25   g = 6, as by hand
 *     [ok] 20 diamonds: 1048576 paths from y to x, but 20 lines, each played once
 *     [ok] from step 2 on nothing was allocated: the pool has it all
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/plot.h"

/* The lines, numbered as graph_print numbers them: the parameters, then the tape. */
enum { W, X, B, A, P, Z, Y, T, E, LOSS, LINES, EDGES = 10, STEPS = 100 };
static const char *const line[LINES] = {
    "w", "x", "b", "a", "p = w x", "z = p + b", "y = prelu(z; a)", "t", "e = y - t", "loss = e e"};

typedef struct Hand {
    double v[LINES], g[LINES];
    struct Edge { int in, user; double local; } edge[EDGES]; /* local: d user/d in */
} Hand;

static Hand by_hand(void)
{
    section("By hand: a table of local derivatives, played from its end");
    double w = 1.5, x = -2, b = 1, a = 0.25, t = 1;
    double p = w * x, z = p + b, y = z > 0 ? z : a * z, e = y - t; /* (1) */
    Hand h = {
        .v = {w, x, b, a, p, z, y, t, e, e * e},
        .g = {[LOSS] = 1},
        .edge = {{W, P, x}, {X, P, w}, {P, Z, 1}, {B, Z, 1}, {Z, Y, z > 0 ? 1 : a},
                 {A, Y, z > 0 ? 0 : z}, {Y, E, 1}, {T, E, -1}, {E, LOSS, e}, {E, LOSS, e}},
    };
    say("   g user  x  local   is added to            which now holds\n");
    for (int i = EDGES - 1; i >= 0; i--) { /* (2) */
        const struct Edge *d = &h.edge[i];
        h.g[d->in] += h.g[d->user] * d->local;
        say("  %7g  x %6g   -> g of v%d  %-15s %6g\n", h.g[d->user], d->local, d->in, line[d->in],
            h.g[d->in]);
    }
    claim(h.g[W] == 2 * e * a * x, "the chain rule on paper says the same of w: 2 e a x = %g",
          h.g[W]);
    claim(h.g[A] == 2 * e * z, "and of the slope: 2 e z = %g", h.g[A]);
    return h;
}

/* The same lines on the tape, each appended by the op that computes it; w, x, b and a are given. */
static Var *record(Var **v)
{
    v[P] = var_mul(v[W], v[X]);
    v[Z] = var_add(v[P], v[B]);
    v[Y] = var_prelu(v[Z], v[A]);
    v[T] = var_scalar(1);
    v[E] = var_sub(v[Y], v[T]);
    return v[LOSS] = var_square(v[E]);
}

static void by_tape(const Lesson *lesson, const Hand *h, Var **v)
{
    section("By the tape");
    Var *loss = record(v);
    for (int i = P; i <= LOSS; i++)
        var_retain_grad(v[i]); /* or an interior gradient is dropped once it was passed on */
    var_backward(loss);
    graph_print(story(), loss);
    for (int i = 0; i < LINES; i++)
        if (i != T)
            claim((double)var_item(v[i]) == h->v[i] && (double)tensor_item(v[i]->grad) == h->g[i],
                  "v%d  %-15s = %-5g  g = %g, as by hand", i, line[i], h->v[i], h->g[i]);
    claim(v[T]->grad == NULL, "v%d  t is a constant: its gradient was not requested", T);
    FILE *dot = lesson_open(lesson, "tape.dot");
    graph_print_dot(dot, loss);
    lesson_close(lesson, "tape.dot", dot);
    say("  graph: %s/tape.dot; draw it with: dot -Tsvg tape.dot -o graph.svg\n", lesson->out);
}

static void draw_tape(const Lesson *lesson, const Hand *h)
{
    static const double row[LINES] = {0, 1, 3, 5, 2,
                                      4, 6, 7, 8, 9}; /* parameters above their first user */
    Plot *p = plot_new(lesson, "tape", "The tape of (prelu(w x + b; a) - t)^2", 1, 1);
    plot_size(p, 860, 800);
    plot_panel(p, "", "", "");
    plot_no_axes(p), plot_x_range(p, -8.4, 8.4), plot_y_range(p, 10.8, -1.3),
        plot_key(p, "bottom center");
    plot_centered(p, -2.7, -0.8, "value"), plot_centered(p, 2.7, -0.8, "gradient");
    for (int i = 0; i < LINES; i++) {
        plot_box(p, -2.7, row[i], 1.8, 0.76, "%g", h->v[i]);
        plot_box(p, 0, row[i], 3.6, 0.76, "v%d   %s", i, line[i]);
        plot_box(p, 2.7, row[i], 1.8, 0.76, "%g", h->g[i]);
    }
    for (int i = 0; i < EDGES; i++) {
        const struct Edge *d = &h->edge[i];
        double from = row[d->in] + 0.12, to = row[d->user] - 0.12;
        double bulge = to - from > 1 || i == EDGES - 1 ? 3 : 0.9;
        plot_arc(p, 1, i ? "" : "forward: a value goes down to its users", -3.6, -bulge, from, to);
        plot_arc(p, 2, i ? "" : "backward: a gradient comes up, × the local derivative", 3.6,
                 bulge, to, from);
        plot_centered(p, 4.3 + bulge, (from + to) / 2, "× %g", d->local);
    }
    plot_draw(p);
}

static void shared_nodes(void)
{
    section("A value used twice: its gradients add");
    Var *x = var_leaf(var_scalar(3)->value);
    var_backward(var_add(var_mul(x, x), x));
    claim(tensor_item(x->grad) == 7, "x x + x at 3 uses x three times: 3 + 3 + 1 = 2x + 1 = %g",
          (double)tensor_item(x->grad));

    Var *top = var_leaf(var_scalar(1)->value), *y = top;
    size_t before = tape_mark();
    for (int i = 0; i < 20; i++)
        y = var_add(y, y); /* a diamond below a diamond: twice as many paths */
    size_t lines = tape_mark() - before;
    var_backward(y);
    claim(lines == 20 && tensor_item(top->grad) == 1 << 20,
          "20 diamonds: %.0f paths from y to x, but %zu lines, each played once",
          (double)tensor_item(top->grad), lines);
}

/* Random programs: each line takes two earlier ones at random. */
static void creation_order(void)
{
    section("Why nothing is sorted");
    Rng rng = random_stream();
    size_t start = tape_mark(), edges = 0, upward = 0;
    Var *a = var_full(SHAPE(1), (real)0.25);
    for (int i = 0; i < 500; i++) {
        Var *u = tape_at(start + rng_below(&rng, tape_mark() - start));
        Var *v = tape_at(start + rng_below(&rng, tape_mark() - start));
        rng_below(&rng, 2) ? var_prelu(var_sub(u, v), a) : var_mul(u, var_tanh(v));
    }
    for (size_t i = start; i < tape_mark(); i++)
        for (int k = 0; k < tape_at(i)->n_in; k++, edges++)
            upward += tape_at(i)->in[k]->index >= i;
    say("An op can only take what exists. So the order of creation is a topological order: read "
        "from\n"
        "its end, the tape shows every line after all of its users, when its gradient is "
        "complete.\n");
    claim(edges > 500 && upward == 0,
          "in a random program of %zu lines, the input of each of %zu edges "
          "is above its user",
          tape_mark() - start, edges);
}

static void two_backwards(Var **v)
{
    section("Leaves accumulate, interiors start afresh");
    Var *loss = record(v);
    var_retain_grad(v[Z]);
    var_zero_grad(v[W]);
    var_backward(loss);
    double gw = (double)tensor_item(v[W]->grad), gz = (double)tensor_item(v[Z]->grad);
    var_backward(loss);
    claim((double)tensor_item(v[W]->grad) == 2 * gw,
          "after two backwards the leaf w holds %g + %g, so a "
          "training step begins by zeroing",
          gw, gw);
    claim((double)tensor_item(v[Z]->grad) == gz, "the interior z holds %g, the last one's", gz);
}

/* One step of gradient descent on w, b and a, and the tape is as it was; returns the loss. */
static double train_step(Var **v)
{
    size_t mark = tape_mark();
    for (int i = W; i <= A; i++)
        var_zero_grad(v[i]);
    var_backward(record(v));
    double loss = (double)var_item(v[LOSS]);
    for (int i = W; i <= A; i++)
        if (i != X)
            *tensor_write(v[i]->value) -= (real)0.05 * tensor_item(v[i]->grad);
    tape_rewind(mark);
    return loss;
}

static void rewinding(Var **v)
{
    section("Rewinding: a step leaves nothing behind");
    size_t mark = tape_mark();
    double first = train_step(v), last = first;
    MemoryCounts one = memory_counts();
    for (int step = 1; step < STEPS; step++)
        last = train_step(v);
    MemoryCounts end = memory_counts();
    say("%d steps of gradient descent on w, b and a took the loss from %g to %.2g.\n", STEPS, first,
        last);
    claim(last < 1e-6 * first, "the tape's gradients lead downhill to the target");
    claim(tape_mark() == mark, "the tape is as long as before");
    claim(end.allocations - end.releases == one.allocations - one.releases,
          "after step %d as many blocks are held as after step 1: nothing leaks", STEPS);
#ifndef SLOPE_NO_POOL
    claim(end.allocations == one.allocations,
          "from step 2 on nothing was allocated: the pool has it all");
#endif
    say("A pointer to a Var that was rewound is stale. Using it stops the program with a message\n"
        "until the Var is reused, which takes at least 512 newer Vars. A debug build extends this\n"
        "to 65536: run  make MODE=debug B=build-debug lesson-03.\n");
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "03", "The tape", 0);
    Var *v[LINES] = {
        [W] = var_param_new(tensor_scalar((real)1.5), "w"),
        [X] = var_param_new(tensor_scalar(-2), "x"),
        [B] = var_param_new(tensor_scalar(1), "b"),
        [A] = var_param_new(tensor_full(SHAPE(1), (real)0.25), "a"),
    };
    Hand hand = by_hand();
    by_tape(&lesson, &hand, v);
    draw_tape(&lesson, &hand);
    shared_nodes();
    creation_order();
    two_backwards(v);
    rewinding(v);
    for (int i = W; i <= A; i++)
        var_param_free(v[i]);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. Set x to 2, in by_hand and in main, so that z > 0. Which arrow of the picture now carries a 0,
 *    and which parameter learns nothing from this example?
 * 2. In by_hand store (=) where the sweep adds (+=). Which claims fail, by what factor, and why by
 *    the same one everywhere?
 * 3. Forward mode carries dv/dw along with each v, from the first line down. Write that sweep with
 *    the same edges. It needs one sweep per input, reverse mode one per output: who wins where?
 * 4. Take tape_rewind out of train_step. Which claims fail, and why does training still work?
 * 5. Call var_item(v[Z]) after tape_rewind in train_step. What does the message tell you? Then keep
 *    the v[Z] of step 1 and read it after step 100: what does it return, and what happens with
 *    MODE=debug B=build-debug?
 */

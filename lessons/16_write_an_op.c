/* Lesson 16: write an op. From a formula to a trained network, in this one file.
 *
 * You will see  an op that the library does not have, Swish, made from its formula: forward,
 *               backward, sample; the checker's word on it; a module around it; a network with it
 *               trained beside one with PReLU; its weights saved and loaded.
 * You need      lessons 02 (sums over positions), 04 (the checker), 08 (training).
 *
 * Swish [Ramachandran, Zoph, Le, arXiv:1710.05941] bends as PReLU does, but without a corner. Its
 * learned number is a sharpness b, one for each channel. With s(t) = 1 / (1 + e^-t),
 *
 *     y = x s(b x)                                                                          (1)
 *
 * An op needs its derivatives. Since s' = s (1 - s), the product rule gives
 *
 *     dy/dx = s + b x s (1 - s)                                                             (2)
 *     dy/db = x^2 s (1 - s), summed over the positions that share b                         (3)
 *
 * PReLU(c x) = c PReLU(x) for c > 0: it bends alike at every scale. Swish does not, and b is what
 * makes up for it: put c x into (1) and take c out:
 *
 *     swish(c x; b) = c swish(x; c b)                                                       (4)
 *
 * So b says where "far from 0" begins. b = 0 leaves x/2, a straight line; b -> infinity, ReLU.
 *
 * Run   make lesson-16          (built in double)
 * It prints, among other things:
 *
 *     [ok] b = 100 misses ReLU by 0.28/b = 0.0028 at most
 *     [ok] order 2: swish: PASS: 51 coordinates agree, 0 at a kink between the left and the ...
 *     it stops: slope: var_swish: b has 3 numbers, one per channel, but x (2, 4, 3) does not have
 *     3 channels
 *     [ok] PReLU: loss 0.0478, accuracy 98.5%
 *     [ok] Swish: loss 0.0527, accuracy 98.0%
 *     [ok] 1.sharpness went from 3 to 3.76 +- 1.04 [2.01, 6.41]
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <tgmath.h>

#include "lessons/kit/curve.h"
#include "lessons/kit/plane.h"

/* swish -------------------------------------------- y = x s(b x)
 *   shape     y = x (N,C,...) with b (C), or x (...) with one shared b (1)
 *   backward  gx = gy (s + b x s (1 - s)),   gb = gy x^2 s (1 - s), summed
 *   care      e^-|t| cannot overflow, so s is right for every t; but y at an infinite x may be
 *             Inf times 0, NaN, where the limit is 0
 */
Var *var_swish(Var *x, Var *b); /* the line that ops.def would write */

static inline real swish_value(real x, real b)
{
    real t = b * x, e = exp(-fabs(t));
    return x * (t >= 0 ? 1 : e) / (1 + e);
}
MAP2(swish_map, swish_value) /* the loop over a tensor, with any strides; b stretches to x */

static void swish_forward(Var *y)
{
    swish_map(y->value, y->in[0]->value, y->in[1]->value);
}

/* (2) and (3) in ops, so that they can be differentiated again. SEND works out its second argument
 * only where that gradient is wanted, and sums it over the axes along which b was stretched. */
static void swish_backward(Var *y, Var *gy)
{
    Var *x = y->in[0], *b = y->in[1];
    Var *s = var_sigmoid(var_mul(b, x));
    Var *bend = var_mul(x, var_mul(s, var_scalar_sub(1, s))); /* x s (1 - s) */
    SEND(x, var_mul(gy, var_add(s, var_mul(b, bend))));
    SEND(b, var_mul(gy, var_mul(x, bend)));
}

static Var *swish_sample(Var **in) { return var_swish(in[0], in[1]); }

static const Op op_swish = {
    .name = "swish",
    .forward = swish_forward,
    .backward = swish_backward,
    .sample = {.call = swish_sample, .n_in = 2,
               .in = {{.shape = {3, {2, 3, 4}}, .low = -2, .high = 2},
                      {.shape = {1, {3}}, .low = -1, .high = 3}}},
};

/* Channels are axis 1: b (C) becomes (1,C,1,...), which stretches to x. Misuse gets a sentence. */
Var *var_swish(Var *x, Var *b)
{
    Shape s = var_shape(x), sharpness = var_shape(b);
    if (sharpness.ndim != 1)
        slope_fail("var_swish", "b has shape %s; expected (1) or (C)", SHAPE_TEXT(sharpness));
    if (sharpness.dim[0] > 1 && (s.ndim < 2 || s.dim[1] != sharpness.dim[0]))
        slope_fail("var_swish",
                   "b has %td numbers, one per channel, but x %s does not have %td channels",
                   sharpness.dim[0], SHAPE_TEXT(s), sharpness.dim[0]);
    Shape spread = sharpness.dim[0] == 1 ? SHAPE_SCALAR : shape_channels(s);
    return var_apply(&op_swish, s, VARS(x, var_reshape(b, spread)));
}

/* --- the module ------------------------------------------------------------------------------- */

typedef struct Swish {
    Module base; /* first, so that a Swish is a Module */
    Var   *sharpness;
} Swish;

static Var *swish_module_forward(Module *self, Var *x)
{
    return var_swish(x, ((const Swish *)self)->sharpness);
}

static void swish_describe(const Module *self, char *text, size_t size)
{
    snprintf(text, size, "%td", tensor_count(((const Swish *)self)->sharpness->value));
}

/* num_parameters sharpnesses that start at `init`; what is added is saved, trained and freed. */
static Module *swish_new(ptrdiff_t num_parameters, real init)
{
    static const ModuleType type = {"Swish", swish_module_forward, swish_describe};
    Swish *m = module_new(sizeof *m, &type);
    Tensor *start = tensor_full(SHAPE(num_parameters), init);
    m->sharpness = module_add_param(&m->base, "sharpness", start);
    return &m->base;
}

/* --- is it right? ----------------------------------------------------------------------------- */

static Var *swish_of(Var *x, double b) { return var_swish(x, var_full(SHAPE(1), (real)b)); }

static void values(Var *x)
{
    section("The op: forward");
    say_tensor("x", x->value);
    say_tensor("y", swish_of(x, 1)->value);
    Var *fine = lesson_grid(8193, -4, 4);
    double off = tensor_max_difference(swish_of(fine, 100)->value, var_relu(fine)->value);
    claim(tensor_all_close(swish_of(x, 0)->value, var_scale(x, (real)0.5)->value, 0, 1e-15),
          "b = 0 is x / 2, a straight line");
    claim_close(off, 0.2785 / 100, 1e-5, "b = 100 misses ReLU by 0.28/b = %.4f at most", off);
    claim(tensor_all_close(swish_of(var_scale(x, 8), 0.5)->value,
                           var_scale(swish_of(x, 4), 8)->value, 1e-12, 1e-12),
          "(4): swish(8 x; 0.5) = 8 swish(x; 4)");
    claim(var_item(swish_of(var_scalar(-1000), 9)) == 0, "and nothing overflows at x = -1000");
}

static void wrong_channels(void *ctx)
{
    (void)ctx;
    var_swish(var_full(SHAPE(2, 4, 3), 1), var_full(SHAPE(3), 1));
}

static void checks(const Lesson *lesson)
{
    section("The op: backward, against finite differences");
    for (int order = 1; order <= 2; order++) {
        GradCheckOptions o = GRADCHECK_DEFAULTS;
        o.order = order, o.seed = lesson->seed;
        GradReport r = op_check(&op_swish, o);
        claim(r.verdict == GRAD_PASS && r.nonzero > r.checked / 2, "order %d: %s", order,
              r.message);
    }
    char sentence[512];
    claim(stops(wrong_channels, NULL, sentence), "misuse stops with a sentence that says how");
}

/* --- does it learn? --------------------------------------------------------------------------- */

enum { WIDTH = 16 };

typedef struct Run {
    const char *name;
    Module     *net;
    History     history;
    double      accuracy;
} Run;

/* 2-16-16-2. Both networks draw the same first weights: an activation draws none. */
static Module *network(const Lesson *lesson, bool swish)
{
    random_seed(lesson->seed);
    Module *first = linear_new(2, WIDTH), *second = linear_new(WIDTH, WIDTH);
    return SEQUENTIAL(first, swish ? swish_new(WIDTH, 3) : prelu_new(WIDTH, (real)0.25), second,
                      swish ? swish_new(WIDTH, 3) : prelu_new(WIDTH, (real)0.25),
                      linear_new(WIDTH, 2));
}

static Run train(const Lesson *lesson, const Dataset *data, bool swish)
{
    Run run = {.name = swish ? "Swish" : "PReLU", .net = network(lesson, swish)};
    Loader *loader =
        loader_new(data, (LoaderOptions){.batch = 50, .shuffle = true, .seed = lesson->seed});
    Optimizer *adam = adam_new(run.net, (real)1e-2);
    Trainer t = {.net = run.net, .optimizer = adam, .loss = loss_cross_entropy, .train = loader,
                 .epochs = lesson->epochs, .name = run.name, .quiet = lesson->quiet,
                 .bar_only = true};
    trainer_fit(&t);
    run.accuracy = trainer_evaluate(run.net, loss_cross_entropy, loader, NULL).accuracy;
    run.history = t.history;
    optimizer_free(adam), loader_free(loader);
    return run;
}

static void report(const Run *prelu, const Run *swish)
{
    section("The module: trained on two spirals beside PReLU");
    claim(module_count(swish->net) == module_count(prelu->net),
          "as many parameters as with PReLU: %td", module_count(swish->net));
    for (int k = 0; k < 2; k++) {
        const Run *run = k ? swish : prelu;
        claim(run->accuracy > 0.95, "%s: loss %.4f, accuracy %.1f%%", run->name,
              run->history.record[run->history.count - 1].train_loss, 100 * run->accuracy);
    }
    say("  Which is better, one run each on the points they learned does not say: "
        "see lesson 13.\n");
    Parameters list = module_parameters(swish->net);
    for (int i = 0; i < list.count; i++)
        if (strstr(list.item[i].name, "sharpness")) {
            Stats s = tensor_stats(list.item[i].var->value);
            claim(s.std > 0.05, "%s went from 3 to %.2f +- %.2f [%.2f, %.2f]", list.item[i].name,
                  s.mean, s.std, s.min, s.max);
        }
    parameters_free(&list);
}

static void save_and_load(const Lesson *lesson, Module *net, Var *x)
{
    section("Saved and loaded, like any network");
    char path[1024];
    Error err = {0};
    lesson_path(lesson, "swish.safetensors", path);
    Module *copy = network(lesson, true);
    bool fresh = tensor_same_bits(module_forward(copy, x)->value, module_forward(net, x)->value);
    bool done = module_save(net, path, &err) && module_load(copy, path, &err);
    if (!done)
        error_print(stderr, &err);
    claim(done && !fresh &&
              tensor_same_bits(module_forward(copy, x)->value, module_forward(net, x)->value),
          "a new network that reads swish.safetensors gives the same bits");
    module_free(copy);
}

/* --- the picture ------------------------------------------------------------------------------ */

static void plot_border(Plot *p, const char *title, Module *net, const Dataset *data)
{
    static double plane[PLANE * PLANE];
    plot_panel(p, title, "x1", "x2");
    plane_read(net, plane);
    plot_plane(p, plane, data);
}

static void plot_losses(Plot *p, const Run *run)
{
    double epoch[1000], loss[1000];
    int n = run->history.count < 1000 ? run->history.count : 1000;
    for (int i = 0; i < n; i++)
        epoch[i] = i + 1, loss[i] = run->history.record[i].train_loss;
    plot_line(p, run->name, n, epoch, loss);
}

static void picture(const Lesson *lesson, const Dataset *data, const Run *prelu, const Run *swish)
{
    static const double sharpness[] = {0, 0.5, 1, 3};
    Var *grid = lesson_grid(257, -4, 4);
    Plot *p = plot_new(lesson, "swish", "A new op beside PReLU: y = x s(b x)", 2, 2);
    plot_size(p, 1000, 1000);
    plot_panel(p, "b turns a line into a bend, and the bend into ReLU", "input x", "output y");
    plot_key(p, "top left");
    for (int i = 0; i < 4; i++) {
        char legend[32];
        snprintf(legend, sizeof legend, "Swish, b = %g", sharpness[i]);
        plot_tensors(p, legend, grid->value, swish_of(grid, sharpness[i])->value);
    }
    plot_tensors(p, "PReLU, a = 0.25", grid->value,
                 var_prelu(grid, var_full(SHAPE(1), (real)0.25))->value);
    plot_panel(p, "The loss while they learn", "epoch", "mean training loss");
    plot_log_y(p), plot_key(p, "top right");
    plot_losses(p, prelu), plot_losses(p, swish);
    plot_border(p, "PReLU: a border of straight pieces", prelu->net, data);
    plot_border(p, "Swish: a border of bends", swish->net, data);
    plot_draw(p);
    Module *one = swish_new(1, 1);
    draw_curve(lesson, "derivative", "Swish with b = 1, and its derivative, equation (2)",
               (Curve){.module = one});
    module_free(one);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "16", "Write an op", 100);
    size_t mark = tape_mark();
    Var *x = lesson_grid(9, -4, 4);
    values(x);
    checks(&lesson);
    Dataset *data = spirals_new(400, 2, (real)0.03, lesson.seed);
    Run prelu = train(&lesson, data, false), swish = train(&lesson, data, true);
    report(&prelu, &swish);
    save_and_load(&lesson, swish.net, var_reshape(lesson_grid(20, -1, 1), SHAPE(10, 2)));
    picture(&lesson, data, &prelu, &swish);
    tape_rewind(mark);
    Run *run[] = {&prelu, &swish};
    for (int k = 0; k < 2; k++)
        history_free(&run[k]->history), module_free(run[k]->net);
    dataset_free(data);
    say("\nNow you. The first assignment is an op of your own, ELU: read\n"
        "lessons/assignments/a1_elu/README.md, and then   make start A=a1_elu\n");
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. Leave `+ b x s (1 - s)` out of swish_backward. Which claims fail, and what does the checker
 *    say? Does the network still learn? A gradient that is a little wrong often hides that way.
 * 2. At which x is swish smallest, and how small? Show that both scale with 1/b, and claim it. The
 *    picture `derivative` shows where to look: draw_curve (lessons/kit/curve.h) draws any function
 *    of one Var, and any module with one input, with the derivative that the tape computes.
 * 3. Write swish_backward with y: since y = x s, (2) is s + b y (1 - s). Which is cheaper? Does the
 *    second order still agree?
 * 4. A smooth PReLU: y = a x + (1 - a) x s(b x). Write it as an op of three inputs. Which
 *    activations are its corners: a = 0, a = 1, b = 0, b -> infinity?
 * 5. Move the op into autograd/ops/swish.c and write its line in ops.def. `make check` now tests it
 *    in every memory layout. What did you have to change?
 */

/* lessons/examples/plot_own.c -- your own pictures, drawn by lessons/kit/: a function above its
 * derivative, what a network has learned, and its slopes during training.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/curve.h"
#include "lessons/kit/slopes.h"

static Var *swish(Var *x) { return var_mul(x, var_sigmoid(x)); }

int main(int argc, char **argv)
{
    Lesson here = lesson_here(argc > 1 ? argv[1] : ".");
    draw_curve(&here, "own_function", "Swish, x sigmoid(x), and its derivative",
               (Curve){.f = swish});

    random_seed(0);
    Dataset *data = sine_new(400, (real)0.1, 1); /* numbers x, and sin x with some noise */
    Loader *loader = loader_new(data, (LoaderOptions){.batch = 40, .shuffle = true});
    Module *net = SEQUENTIAL(linear_new(1, 16), prelu_new(16, (real)0.25), linear_new(16, 16),
                             prelu_new(16, (real)0.25), linear_new(16, 1));
    Optimizer *adam = adam_new(net, (real)0.01);
    SlopeLog *log = slope_log_new(net, "");
    Trainer trainer = {.net = net, .optimizer = adam, .loss = loss_mse, .train = loader,
                       .epochs = 60, .quiet = true, .on_step = slope_log_step, .ctx = log};
    trainer_fit(&trainer);
    draw_curve(&here, "own_network", "A network that learned sin x; its derivative is nearly cos x",
               (Curve){.module = net, .low = -3.2, .high = 3.2});
    draw_slope_bands(&here, "own_slopes", "The slopes of that network during training", log);
    draw_slope_film(&here, "own_slopes_moving", "Slopes during training", log);

    double loss = trainer_evaluate(net, loss_mse, loader, NULL).loss;
    say("mean squared error %.4f, of which 0.01 is noise\n", loss);
    slope_log_free(log), trainer_clear(&trainer), optimizer_free(adam);
    module_free(net), loader_free(loader), dataset_free(data);
    return loss < 0.02 ? 0 : 1;
}

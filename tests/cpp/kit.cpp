/* tests/cpp/kit.cpp -- a lesson in C++, which includes headers of lessons/kit and calls the kit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/filters.h"
#include "lessons/kit/lesson.h"
#include "lessons/kit/losses.h"
#include "lessons/kit/networks.h"
#include "lessons/kit/plane.h"
#include "lessons/kit/plot.h"
#include "lessons/kit/slopes.h"
#include "lessons/kit/trials.h"

/* The same network as lessons/examples/cpp.cpp, but with its slopes recorded and drawn. */
static void train(const Lesson &lesson)
{
    Dataset *data = spirals_new(200, 2, real(0.03), lesson.seed);
    Module *net = prelu_network_new(2, 16, 2, SLOPES_PER_CHANNEL);
    Optimizer *adam = adam_new(net, real(0.01));
    Loader *loader = loader_new(data, LoaderOptions{});
    SlopeLog *log = slope_log_new(net, "");
    Trainer trainer = {};
    trainer.net = net, trainer.optimizer = adam, trainer.train = loader;
    trainer.loss = loss_cross_entropy, trainer.epochs = lesson.epochs, trainer.quiet = true;
    trainer.on_step = slope_log_step, trainer.ctx = log;
    trainer_fit(&trainer);
    claim(log->moments > 1, "the slopes of %d layers are recorded", log->n_layers);

    Plot *plot = plot_new(&lesson, "slopes", "Slopes while the network trains", 1, 1);
    plot_panel(plot, "", "step", "slope");
    plot_slope_bands(plot, log, 0);
    plot_draw(plot);
    trainer_clear(&trainer), slope_log_free(log), loader_free(loader);
    optimizer_free(adam), module_free(net), dataset_free(data);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "00", "The kit from C++", 5);
    section("A network");
    train(lesson);
    char said[512];
    claim(stops([](void *) { var_item(nullptr); }, nullptr, said), "misuse stops");
    say("There are %d threads.\n", parallel_threads());
    return lesson_end(&lesson);
}

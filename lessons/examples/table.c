/* lessons/examples/table.c -- from a CSV file to a trained network and its pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/slopes.h"

int main(int argc, char **argv) /* table [FOLDER [CHECKPOINT]] */
{
    Error err;
    char weights[1024];
    Lesson here = lesson_here(argc > 1 ? argv[1] : ".");
    lesson_path(&here, "table.safetensors", weights);
    Dataset *all = csv_read("lessons/examples/spirals.csv",
                            (CsvOptions){.header = true, .label = "arm"}, &err);
    if (!all)
        return error_print(stderr, &err), 1;
    DatasetSplit split = dataset_split(all, 0.75, SPLIT_STRATIFIED, 1);
    Loader *train = loader_new(split.train, (LoaderOptions){.batch = 32, .shuffle = true});
    Loader *test = loader_new(split.rest, (LoaderOptions){0});
    Module *net = SEQUENTIAL(linear_new(2, 32), prelu_new(32, (real)0.25), linear_new(32, 32),
                             prelu_new(32, (real)0.25), linear_new(32, 3));
    SlopeLog *log = slope_log_new(net, "");
    Trainer t = {.net = net, .optimizer = adam_new(net, (real)0.01), .loss = loss_cross_entropy,
                 .train = train, .test = test, .epochs = 200, .patience = 20, .keep_best = true,
                 .schedule = {.kind = SCHEDULE_COSINE, .epochs = 200, .warmup = 5}, .quiet = true,
                 .on_step = slope_log_step, .ctx = log, .checkpoint = argc > 2 ? argv[2] : NULL};
    if (t.checkpoint && !trainer_resume(&t, &err))
        return error_print(stderr, &err), 1;
    trainer_fit(&t);
    if (!module_save(net, weights, &err))
        return error_print(stderr, &err), 1;
    Confusion c = confusion_evaluate(net, test);
    confusion_print(stdout, &c);
    claim(c.accuracy > 0.9, "more than 9 in 10 are correct after the best epoch, %d", t.best.epoch);
    draw_slope_film(&here, "table_slopes", "The slopes while the network learns the spirals", log);
    confusion_free(&c), slope_log_free(log), trainer_clear(&t), optimizer_free(t.optimizer);
    module_free(net), loader_free(train), loader_free(test);
    dataset_free(split.train), dataset_free(split.rest), dataset_free(all);
    return lesson_end(&here);
}

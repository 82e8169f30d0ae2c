/* Lesson 11: PReLU in a convolutional network. Do early layers keep larger slopes?
 *
 * You will see  the document's ConvNetPReLU, trained for one epoch: how its shapes and its
 *               4,276,682 parameters come about, what its first filters look like, what a slope
 *               does to an image, and the slopes of three depths beside the table of the paper that
 *               introduced PReLU [He15].
 * You need      lessons 08 and 09. Lesson 12 explains BatchNorm2d and Dropout.
 *
 * A convolution slides a kernel of R x S numbers over an image, and at every place
 * adds up products. With padding p of zeros all round and stride s, for output channel o:
 *
 *      (1)  y[o,i,j] = b[o] + sum over c,r,t of  w[o,c,r,t] x[c, s i - p + r, s j - p + t]
 *
 * The kernel's first row can stand at 0, s, 2s, ... as long as its last is within the H + 2p rows:
 *
 *      (2)  P = floor((H + 2p - R) / s) + 1         rows come out, and columns likewise
 *
 * So a 3x3 kernel with p = 1, s = 1 keeps 32x32, and pooling, a 2x2 window with s = 2, halves it:
 *
 *      (3)  3x32x32 -> 64x32x32 -> 64x16x16 -> 128x16x16 -> 128x8x8 = 8192 numbers -> 512 -> 10
 *
 * The parameters are the kernels, a bias and a slope per channel, weight and bias of BatchNorm, and
 * the two Linears; their number does not depend on the image but in the first Linear:
 *
 *      (4)  (64*3*9+64) + 64 + 2*64 + (128*64*9+128) + 128 + 2*128
 *           + (512*8192+512) + 512 + (10*512+10)  =  4,276,682,  slopes 64 + 128 + 512 = 704
 *
 * Run   make lesson-11   (about a minute on two idle cores; ARGS=--quick for a look)
 * It prints, among other things, on Fashion-MNIST:
 *
 *      epoch 1: training loss 0.4916, accuracy 0.8428; test loss 0.3162, accuracy 0.8915; 54 s
 *      features.1: mean=0.2200, std=0.0516, min=0.0286, max=0.3258
 *      features.5: mean=0.2646, std=0.0552, min=0.0305, max=0.3908
 *      classifier.1: mean=0.2248, std=0.0089, min=0.1962, max=0.2639
 *        The finding: our means go from 0.220 at the first depth to 0.265 and 0.225.
 *        Unlike those of [He15] they do not fall with depth.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/kit/filters.h"
#include "lessons/kit/losses.h"
#include "lessons/kit/networks.h"
#include "lessons/kit/slopes.h"

enum { SIDE = 32, DEPTHS = 3 };

/* The document's network is in lessons/kit/networks.c, in PyTorch and in Slope. */
static void show_network(void)
{
    section("The network of the document, for images in colour");
    Module *net = conv_net_prelu_new(3, 10); // model = ConvNetPReLU()
    module_summary(story(), net, SHAPE(1, 3, SIDE, SIDE));
    say("\n");
    claim(module_count(net) == 4276682, "4,276,682 parameters, as (4) counts them");
    claim(module_count_slopes(net) == 704, "704 of them are slopes");
    Shape pooled = module_child(net, "features.7")->output;
    claim(pooled.dim[1] == 128 && pooled.dim[2] == 8,
          "the last pooling leaves 128 x 8 x 8, as (3) says");
    module_free(net);
}

/* Rows that come out of a layer for an image of H x H. */
static ptrdiff_t rows_out(Module *layer, ptrdiff_t H)
{
    size_t mark = tape_mark();
    ptrdiff_t rows = var_shape(module_forward(layer, var_full(SHAPE(1, 1, H, H), 0))).dim[2];
    tape_rewind(mark);
    module_free(layer);
    return rows;
}

static void check_shapes(void)
{
    section("Shapes, equation (2)");
    int tried = 0, conv = 0, pool = 0;
    for (ptrdiff_t H = 5; H <= 12; H++)
        for (ptrdiff_t R = 1; R <= 5; R++)
            for (ptrdiff_t p = 0; p <= R / 2; p++)
                for (ptrdiff_t s = 1; s <= 3; s++, tried++) {
                    Conv2dOptions options = conv2d_stride_padding(s, p);
                    Pool2dOptions window = {{R, R}, {s, s}, {p, p}};
                    ptrdiff_t P = (H + 2 * p - R) / s + 1; /* in C, / rounds down */
                    conv += rows_out(conv2d_new(1, 1, R, options), H) == P;
                    pool += rows_out(max_pool2d_new_with(window), H) == P;
                }
    claim(conv == tried, "the framework's convolutions have (2) rows in all %d cases", tried);
    claim(pool == tried, "and so has its pooling: one formula for both");
}

static void check_convolution(void)
{
    section("One convolution by hand, equation (1)");
    size_t mark = tape_mark();
    Rng rng = rng_new(11, 0);
    Var *x = var_empty(SHAPE(1, 2, 6, 6)), *w = var_empty(SHAPE(3, 2, 3, 3)),
        *b = var_empty(SHAPE(3));
    tensor_fill_normal(x->value, &rng, 0, 1), tensor_fill_normal(w->value, &rng, 0, 1);
    tensor_fill_normal(b->value, &rng, 0, 1);
    const Tensor *y = var_conv2d(x, w, b, conv2d_padding(1))->value;
    double worst = 0;
    for (ptrdiff_t o = 0; o < 3; o++)
        for (ptrdiff_t i = 0; i < 6; i++)
            for (ptrdiff_t j = 0; j < 6; j++) {
                double sum = (double)tensor_get(b->value, (ptrdiff_t[]){o});
                for (ptrdiff_t c = 0; c < 2; c++)
                    for (ptrdiff_t r = 0; r < 3; r++)
                        for (ptrdiff_t t = 0; t < 3; t++) {
                            ptrdiff_t u = i - 1 + r, v = j - 1 + t;
                            if (u >= 0 && u < 6 && v >= 0 && v < 6) /* else padding: 0 */
                                sum += (double)tensor_get(w->value, (ptrdiff_t[]){o, c, r, t}) *
                                       (double)tensor_get(x->value, (ptrdiff_t[]){0, c, u, v});
                        }
                double found = (double)tensor_get(y, (ptrdiff_t[]){0, o, i, j});
                worst = fmax(worst, fabs(found - sum));
            }
    claim_close(worst, 0, 1e-5, "seven nested loops give the framework's 108 numbers");
    tape_rewind(mark);
}

typedef struct Watch {
    SlopeLog *slopes;
    LossLog *losses;
} Watch;

static void watch_step(const Trainer *t, int64_t step, void *ctx)
{
    slope_log_step(t, step, ((Watch *)ctx)->slopes);
    loss_log_step(t, step, ((Watch *)ctx)->losses);
}

static History train(const Lesson *lesson, const LessonData *data, Module *net, Watch *watch)
{
    section("Training");
    LoaderOptions train = {.batch = lesson->quick ? 32 : 128,
                           .shuffle = true,
                           .seed = lesson->seed,
                           .transform = data->to_32x32};
    LoaderOptions test = {.batch = 250, .transform = data->to_32x32};
    Optimizer *adam = adam_new(net, (real)1e-3); // torch.optim.Adam(model.parameters())
    Trainer trainer = {.net = net,
                       .optimizer = adam,
                       .loss = loss_cross_entropy,
                       .train = loader_new(data->train, train),
                       .test = loader_new(data->test, test),
                       .epochs = lesson->epochs,
                       .quiet = lesson->quiet,
                       .bar_only = true,
                       .on_step = watch_step,
                       .ctx = watch};
    trainer_fit(&trainer);
    for (int i = 0; i < trainer.history.count; i++) {
        const EpochRecord *r = &trainer.history.record[i];
        say("epoch %d: training loss %.4f, accuracy %.4f; test loss %.4f, accuracy %.4f; %.0f s\n",
            r->epoch, r->train_loss, r->train_accuracy, r->test_loss, r->test_accuracy, r->seconds);
    }
    const EpochRecord *last = &trainer.history.record[trainer.history.count - 1];
    /* PyTorch on Fashion-MNIST, one epoch, four seeds: .878 to .894. */
    bool colour = data->train->sample.dim[0] == 3;
    double least = lesson->quick ? (colour ? 0.15 : 0.55) : colour ? 0.4 : 0.85;
    claim(last->test_accuracy > least, "test accuracy %.4f is above %.2f after %d epoch%s",
          last->test_accuracy, least, last->epoch, last->epoch > 1 ? "s" : "");
    loader_free(trainer.train), loader_free(trainer.test);
    optimizer_free(adam);
    return trainer.history;
}

static void draw_history(const Lesson *lesson, const LossLog *losses, const History *h)
{
    double step[64], test[64];
    int n = h->count < 64 ? h->count : 64;
    for (int i = 0; i < n; i++)
        step[i] = losses->step[losses->n - 1] * (i + 1) / n, test[i] = h->record[i].test_loss;
    Plot *p = plot_new(lesson, "history", "ConvNetPReLU: most is learned in the first steps", 1, 1);
    plot_panel(p, "", "training step", "cross-entropy [nats per image]");
    plot_key(p, "top right"), plot_y_range(p, 0, 1.45 * fmax(losses->loss[0], log(10)));
    plot_x_range(p, 0, losses->step[losses->n - 1] * 1.03);
    char legend[48];
    snprintf(legend, sizeof legend, "training, means of %d steps", losses->every);
    plot_line(p, legend, losses->n, losses->step, losses->loss);
    plot_dots(p, "test, after an epoch", true, n, step, test);
    plot_horizontal(p, "ln 10: guessing among ten classes", log(10));
    plot_draw(p);
}

/* [He15], on ImageNet: the slope that a layer shares, and the mean where each channel has one. */
static const struct {
    const char *name;
    double shared, channels;
} he[13] = {{"conv1", .681, .596},   {"conv2_1", .103, .321}, {"conv2_2", .099, .204},
            {"conv2_3", .228, .294}, {"conv2_4", .561, .464}, {"conv3_1", .126, .196},
            {"conv3_2", .089, .152}, {"conv3_3", .124, .145}, {"conv3_4", .062, .124},
            {"conv3_5", .008, .134}, {"conv3_6", .210, .198}, {"fc1", .063, .074},
            {"fc2", .031, .075}};

static void collect(const char *name, const Tensor *slopes, void *ctx)
{
    (void)name;
    Stats **next = ctx;
    *(*next)++ = tensor_stats(slopes);
}

static void check_slopes(const Lesson *lesson, const LessonData *data, Module *net, Stats s[DEPTHS])
{
    section("Slopes by depth");
    prelu_each(net, collect, &(Stats *){s});
    prelu_stats(story(), net); // print_prelu_stats(model)
    say("\n[He15]       shared  channels\n");
    bool fashion = data->real_images && data->train->sample.dim[0] == 1;
    double first = 0, second = 0;
    int largest = 0;
    for (int i = 0; i < 13; i++) {
        say("%-10s %8.3f %9.3f\n", he[i].name, he[i].shared, he[i].channels);
        *(i < 6 ? &first : &second) += he[i].channels / (i < 6 ? 6 : 7);
        largest = he[i].channels > he[largest].channels ? i : largest;
    }
    say("\n");
    claim(largest == 0 && first > 2 * second,
          "[He15]: conv1 has the largest; the first six layers average %.3f, the rest %.3f", first,
          second);
    for (int i = 0; i < DEPTHS; i++)
        claim(s[i].std > 0.001,
              "PReLU %d of ours: %td channels learned different slopes (std %.3f)", i + 1,
              s[i].count, s[i].std);
    if (fashion && !lesson->quick)
        claim(fmin(s[0].std, s[1].std) > 2 * s[2].std,
              "after a convolution they spread more than twice as far as after the Linear");
    bool falls = s[0].mean > s[1].mean && s[1].mean > s[2].mean;
    say("\n  The finding: our means go from %.3f at the first depth to %.3f and %.3f.\n  %s.\n",
        s[0].mean, s[1].mean, s[2].mean,
        falls ? "Like those of [He15] they fall with depth"
              : "Unlike those of [He15] they do not fall with depth");
    if (!falls)
        say("  Two convolutions with batch normalisation on small images are not eleven without\n"
            "  it on ImageNet: one table is no law.\n");
}

static void draw_slopes(const Lesson *lesson, const Stats s[DEPTHS])
{
    double x[13], shared[13], channels[13], mean[DEPTHS], std[DEPTHS], ends[2 * DEPTHS],
        at[2 * DEPTHS];
    for (int i = 0; i < 13; i++)
        x[i] = i + 1, shared[i] = he[i].shared, channels[i] = he[i].channels;
    for (int i = 0; i < DEPTHS; i++) {
        mean[i] = s[i].mean, std[i] = s[i].std;
        ends[2 * i] = s[i].min, ends[2 * i + 1] = s[i].max, at[2 * i] = at[2 * i + 1] = i + 1;
    }
    Plot *p = plot_new(lesson, "slopes_by_depth", "Do early layers keep larger slopes?", 1, 2);
    plot_size(p, 1300, 520);
    plot_panel(p, "This network, after training", "layer, from input to output", "slope a");
    plot_x_range(p, 0.5, DEPTHS + 0.5), plot_y_range(p, -0.15, 0.8);
    plot_set(p, "set xtics ('after conv 1' 1, 'after conv 2' 2, 'after linear' 3)");
    plot_errors(p, "mean and standard deviation of the channels", DEPTHS, x, mean, std);
    plot_dots(p, "smallest and largest", false, 2 * DEPTHS, at, ends);
    plot_horizontal(p, "start, a = 0.25", 0.25);
    plot_panel(p, "[He15]: 13 layers, ImageNet", "layer, from input to output", "slope a");
    plot_x_range(p, 0.5, 13.5), plot_y_range(p, -0.15, 0.8), plot_key(p, "top right");
    for (int i = 0; i < 13; i++) {
        char tic[80];
        snprintf(tic, sizeof tic, "set xtics %s('%s' %d) rotate by 40 right", i ? "add " : "",
                 he[i].name, i + 1);
        plot_set(p, tic);
    }
    plot_line_points(p, "one slope per channel: their mean", 13, x, channels);
    plot_line_points(p, "one slope per layer", 13, x, shared);
    plot_horizontal(p, "start, a = 0.25", 0.25);
    plot_draw(p);
}

/* One test image through three of the filters. */
static void draw_image(const Lesson *lesson, const LessonData *data, Module *net)
{
    LoaderOptions options = {.batch = 1, .transform = data->to_32x32};
    Loader *loader = loader_new(data->test, options);
    Batch batch;
    loader_next(loader, &batch);
    draw_responses(lesson, "responses", "Three filters at work: what a slope lets through",
                   module_child(net, "features.0"), module_child(net, "features.1"), batch.x);
    loader_free(loader);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "11", "ConvNetPReLU on images", 1);
    show_network();
    check_shapes();
    check_convolution();

    LessonData data = lesson_load_32x32(&lesson);
    random_seed(lesson.seed);
    Module *net = conv_net_prelu_new(data.train->sample.dim[0], 10);
    Watch watch = {slope_log_new(net, ""), loss_log_new(lesson.quick ? 2 : 10)};
    History history = train(&lesson, &data, net, &watch);
    Stats stats[DEPTHS];
    check_slopes(&lesson, &data, net, stats);

    section("Pictures");
    draw_history(&lesson, watch.losses, &history);
    draw_slopes(&lesson, stats);
    draw_slope_bands(&lesson, "slopes", "Slopes at three depths, while the network trains",
                     watch.slopes);
    draw_filters(&lesson, "filters", "The 64 filters of the first layer, each with its slope",
                 module_child(net, "features.0"), module_child(net, "features.1"), 8);
    draw_image(&lesson, &data, net);
    lesson_write_history(&lesson, &history);
    FILE *f = lesson_open(&lesson, "slope_stats.csv");
    fprintf(f, "layer,count,mean,std,min,max\n");
    slope_write_stats(f, net, "");
    lesson_close(&lesson, "slope_stats.csv", f);

    slope_log_free(watch.slopes), loss_log_free(watch.losses);
    history_free(&history);
    module_free(net);
    lesson_unload(&data);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. Train for 3 epochs. Which depth's slopes move on, and does the order of the means change?
 * 2. In lessons/kit/networks.c put BatchNorm2d before PReLU. What becomes of the slopes? Lesson 12
 *    compares the accuracies.
 * 3. One number after the second pooling sees how many pixels of the image? Work it out from (2),
 *    layer by layer, then check it: set one pixel, and count which numbers change.
 * 4. [He15] says that conv1's filters are edge detectors, of which both signs matter, hence its
 *    large slopes. Look at the filters: do those that sum to about 0 have larger slopes here?
 *    Compute the correlation of |sum w| / sum |w| with the slope.
 * 5. 98 % of the parameters are in one layer. Which? Replace the last pooling by one of 8x8
 *    windows: how many are left, and what does it cost in accuracy?
 * 6. Average pooling, which the library lacks, is yours to write as an assignment:
 *    lessons/assignments/a4_avgpool/README.md.
 */

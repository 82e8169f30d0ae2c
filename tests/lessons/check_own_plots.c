/* tests/lessons/check_own_plots.c -- pictures of a program that is not a lesson: its folder, curves
 * with their derivatives, the slopes of any network.
 *
 * The kit is compiled into this program, because the Makefile links tests with the library only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/story.c" /* first: it defines _GNU_SOURCE */

#include "lessons/kit/curve.c"
#include "lessons/kit/lesson.c"
#include "lessons/kit/plot.c"
#include "lessons/kit/plot_alt.c"
#include "lessons/kit/plot_preview.c"
#include "lessons/kit/plot_series.c"
#include "lessons/kit/plot_shapes.c"
#include "lessons/kit/slopes.c"
#include "lessons/kit/slopes_draw.c"

#include <sys/wait.h>

#include "tests/capture.h"
#include "tests/scratch.h"

/* --- files ------------------------------------------------------------------------------------ */

/* Prints nothing. If gnuplot is installed, it draws every picture; a script that it rejects leaves
 * none. */
static Lesson begin_here(const char *folder)
{
    if (!story_now.both)
        story_now.both = fopen("/dev/null", "w");
    Lesson here = lesson_here(scratch_path(folder));
    here.preview = false;
    return here;
}

static const char *read_text(const Lesson *here, const char *name)
{
    static char text[4][1 << 20];
    static int turn;
    char path[1024];
    size_t size;
    lesson_path(here, name, path);
    unsigned char *bytes = scratch_read(path, &size);
    char *copy = text[turn++ % 4];
    ck_assert_uint_lt(size, sizeof text[0]);
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    free(bytes);
    return copy;
}

static bool exists(const Lesson *here, const char *name)
{
    char path[1024];
    lesson_path(here, name, path);
    return access(path, F_OK) == 0;
}

static void assert_drawn(const Lesson *here, const char *name)
{
    if (here->gnuplot[0])
        ck_assert_msg(exists(here, name), "gnuplot did not draw %s", name);
}

static int count(const char *text, const char *words)
{
    int n = 0;
    for (; (text = strstr(text, words)); text += strlen(words))
        n++;
    return n;
}

static void assert_contains(const char *text, const char *words)
{
    ck_assert_msg(strstr(text, words), "'%s' is not in:\n%.4000s", words, text);
}

/* --- the start -------------------------------------------------------------------------------- */

static Var *swish(Var *x) { return var_mul(x, var_sigmoid(x)); }

START_TEST(a_folder_is_all_that_a_program_needs)
{
    Lesson here = begin_here("new/folder");
    draw_curve(&here, "swish", "Swish", (Curve){.f = swish});
    assert_drawn(&here, "swish.svg");
    ck_assert(!exists(&here, "run.txt") && !exists(&here, "output.txt"));
    ck_assert_ptr_null(strstr(read_text(&here, "swish.gp"), "Lesson"));
    ck_assert_ptr_null(strstr(read_text(&here, "swish.dat"), "Lesson"));
    claim(true, "one");
    ck_assert_int_eq(lesson_end(&here), 0);
    claim(false, "two");
    ck_assert_int_eq(lesson_end(&here), 1);
}
END_TEST

/* Draws a curve in a child process whose output is captured; returns its exit status. */
static int run_here(const char *folder, const char **said)
{
    int status;
    fflush(NULL);
    capture_begin();
    pid_t child = fork();
    if (child == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        story_now.both = NULL;
        Lesson here = lesson_here(folder);
        draw_curve(&here, "swish", "Swish", (Curve){.f = swish});
        fflush(NULL);
        _exit(0);
    }
    waitpid(child, &status, 0);
    *said = capture_end();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(a_folder_that_cannot_be_used_stops_the_program)
{
    const char *said, *file = scratch_write("file", "x", 1);
    char path[SCRATCH_PATH + 8], sentence[SCRATCH_PATH + 64];
    snprintf(path, sizeof path, "%s/below", file);
    ck_assert_int_eq(run_here(path, &said), 2);
    snprintf(sentence, sizeof sentence,
             "slope: cannot create the folder '%s/below': Not a directory\n", file);
    ck_assert_str_eq(said, sentence);
    ck_assert_int_eq(run_here(file, &said), 2);
    assert_contains(said, "cannot write to '");
    const char *locked = scratch_subfolder("locked");
    ck_assert_int_eq(chmod(locked, 0555), 0);
    if (scratch_drop_rights()) {
        ck_assert_int_ne(run_here(locked, &said), 0); /* 2, but a sanitizer may change it */
        assert_contains(said, "locked': Permission denied\n");
        scratch_regain_rights();
    }
    char longest[1024];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ck_assert_fails(lesson_here(longest), "1023 bytes; expected at most 511");
    ck_assert_fails(lesson_here(NULL), "the folder is NULL");
    ck_assert_fails(lesson_here(""), "the folder is \"\"");
}
END_TEST

START_TEST(without_gnuplot_the_program_says_how_to_install_it)
{
    const char *said, *path = getenv("PATH");
    char before[4096];
    snprintf(before, sizeof before, "%s", path ? path : "");
    setenv("PATH", "/nowhere", 1);
    int status = run_here(scratch_path("undrawn"), &said);
    setenv("PATH", before, 1);
    ck_assert_int_eq(status, 0);
    assert_contains(said, "gnuplot is not installed. `make deps` in Slope's folder installs it");
    ck_assert_int_eq(count(said, "gnuplot"), 1);
    ck_assert_int_eq(access(scratch_path("undrawn/swish.gp"), F_OK), 0);
    ck_assert_int_ne(access(scratch_path("undrawn/swish.svg"), F_OK), 0);
}
END_TEST

START_TEST(invalid_picture_names_are_refused)
{
    Lesson here = begin_here("names");
    ck_assert_fails(plot_new(NULL, "a", "", 1, 1), "the lesson is NULL");
    ck_assert_fails(plot_new(&here, NULL, "", 1, 1), "the name is NULL");
    ck_assert_fails(plot_new(&here, "a", NULL, 1, 1), "the title is NULL");
    ck_assert_fails(plot_new(&here, "", "", 1, 1), "'' is not a valid name");
    ck_assert_fails(plot_new(&here, "a/b", "", 1, 1), "'a/b' is not a valid name");
    ck_assert_fails(plot_new(&here, "it's", "", 1, 1), "is not a valid name");
}
END_TEST

/* --- curves ----------------------------------------------------------------------------------- */

static Var *constant(Var *x) { (void)x; return var_scalar(3); }
static Var *logarithm(Var *x) { return var_log(x); }
static Var *steep(Var *x) { return var_sigmoid(var_scale(x, 1000)); }
static Var *inverse(Var *x) { return var_div(var_scalar(1), x); }
static Var *nothing(Var *x) { (void)x; return NULL; }

/* 1 for x > 0, else x. */
static Var *jump(Var *x) { return var_where(var_relu(x), var_scalar(1), x); }

/* The data of the curve's picture. */
static const char *curve_data(Curve c)
{
    Lesson here = begin_here("curves");
    draw_curve(&here, "curve", "A curve", c);
    assert_drawn(&here, "curve.svg");
    return read_text(&here, "curve.dat");
}

START_TEST(a_kink_interrupts_the_derivative_but_not_the_function)
{
    ck_assert_str_eq(curve_data((Curve){.f = var_abs, .low = -2, .high = 2, .points = 5}),
                     "# A curve\n"
                     "# 0: \n-2 2\n-1 1\n0 0\n1 1\n2 2\n\n\n"
                     "# 1: \n-2 -1\n-1 -1\n-0.5 nan\n0 0\n0.5 nan\n1 1\n2 1\n\n\n"
                     "# 2: \n0 0\n"); /* alone between two interruptions: a dot */
    Module *prelu = prelu_new(1, (real)0.25);
    ck_assert_str_eq(curve_data((Curve){.module = prelu, .low = -2, .high = 2, .points = 5}),
                     "# A curve\n"
                     "# 0: \n-2 -0.5\n-1 -0.25\n0 0\n1 1\n2 2\n\n\n"
                     "# 1: \n-2 0.25\n-1 0.25\n0 0.25\n0.5 nan\n1 1\n2 1\n");
    module_free(prelu);
}
END_TEST

START_TEST(jumps_poles_and_undefined_values_interrupt_a_line)
{
    ck_assert_str_eq(curve_data((Curve){.f = jump, .low = -1, .high = 1, .points = 3}),
                     "# A curve\n"
                     "# 0: \n-1 -1\n0 0\n0.5 nan\n1 1\n\n\n# 1: \n1 1\n\n\n" /* a dot */
                     "# 2: \n-1 1\n0 1\n0.5 nan\n1 0\n\n\n# 3: \n1 0\n");
    const char *log = curve_data((Curve){.f = logarithm, .low = -1, .high = 2, .points = 4});
    assert_contains(log, "# 0: \n-1 nan\n0 nan\n1 0\n2 0.69314718");
    assert_contains(log, "# 1: \n-1 nan\n0 nan\n1 1\n2 0.5\n");
    const char *pole = curve_data((Curve){.f = inverse, .low = -1, .high = 1, .points = 4});
    ck_assert_int_eq(count(pole, " nan\n0.3333333"), 2);
}
END_TEST

START_TEST(a_smooth_function_is_not_interrupted)
{
    ck_assert_ptr_null(strstr(curve_data((Curve){.f = swish}), "nan"));
    ck_assert_ptr_null(strstr(curve_data((Curve){.f = steep}), "nan"));
    ck_assert_int_eq(count(curve_data((Curve){.f = swish}), "\n"), 2 * 801 + 5);
    ck_assert_str_eq(curve_data((Curve){.f = constant, .low = 1, .high = 2, .points = 2}),
                     "# A curve\n# 0: \n1 3\n2 3\n\n\n# 1: \n1 0\n2 0\n");
}
END_TEST

/* Dropout and batch norm behave differently in training; one child is in evaluation mode. */
START_TEST(a_module_is_left_as_it_was)
{
    Module *net = SEQUENTIAL(linear_new(1, 4), batch_norm1d_new(4), dropout_new((real)0.5),
                             prelu_new(4, (real)0.25), linear_new(4, 1));
    Module *norm = module_child(net, "1");
    module_eval(norm);
    var_backward(var_sum(module_forward(net, var_full(SHAPE(3, 1), 2)), ALL_AXES, false));
    Var *weight = module_param(net, "0.weight");
    Tensor *gradient = tensor_clone(weight->grad);
    real mean = *tensor_read(module_part(norm, PART_BUFFER, "running_mean")->buffer);
    size_t mark = tape_mark();
    const char *once = curve_data((Curve){.module = net});
    ck_assert_str_eq(once, curve_data((Curve){.module = net})); /* no dropout */
    ck_assert_uint_eq(tape_mark(), mark);
    ck_assert(net->training && !norm->training && module_child(net, "2")->training);
    ck_assert(tensor_same_bits(weight->grad, gradient));
    ck_assert(*tensor_read(module_part(norm, PART_BUFFER, "running_mean")->buffer) == mean);
    tensor_free(gradient), module_free(net);
    tape_rewind(0);
}
END_TEST

START_TEST(a_curve_in_a_panel_has_a_legend)
{
    Lesson here = begin_here("panel");
    Plot *p = plot_new(&here, "panel", "Both in a panel", 1, 1);
    plot_panel(p, "", "x", "y");
    plot_curve(p, "swish", (Curve){.f = swish, .points = 11});
    plot_derivative(p, "its derivative", (Curve){.f = swish, .points = 11});
    plot_draw(p);
    assert_drawn(&here, "panel.svg");
    assert_contains(read_text(&here, "panel.gp"), "linetype 1 title 'swish'");
    assert_contains(read_text(&here, "panel.gp"), "linetype 2 title 'its derivative'");
}
END_TEST

START_TEST(invalid_curves_are_refused)
{
    Lesson here = begin_here("refused");
    Module *three = linear_new(3, 1), *four = prelu_new(4, (real)0.25), *ten = linear_new(1, 10);
#define DRAW(...) draw_curve(&here, "c", "", (Curve){__VA_ARGS__})
    ck_assert_fails(DRAW(.low = 0), "neither a function nor a module");
    ck_assert_fails(DRAW(.f = swish, .module = ten), "both a function and a module");
    ck_assert_fails(DRAW(.f = swish, .low = 1, .high = -1), "the range is 1 to -1");
    ck_assert_fails(DRAW(.f = swish, .high = (double)INFINITY), "the range is 0 to inf");
    ck_assert_fails(DRAW(.f = swish, .points = 1), "points is 1; expected 2 to 100000");
    ck_assert_fails(DRAW(.f = nothing), "the function returned NULL");
    ck_assert_fails(DRAW(.module = three), "Linear: ");
    ck_assert_fails(DRAW(.module = four), "PReLU: ");
    ck_assert_fails(DRAW(.module = ten), "the module returns shape (1, 10); expected one");
    ck_assert(three->training && four->training && ten->training);
    ck_assert_fails(DRAW(.f = logarithm, .low = -2, .high = -1),
                    "the value is not finite at any of 801 points from -2 to -1");
    ck_assert_fails((no_grad_begin(), DRAW(.f = swish)), "no_grad_begin");
    ck_assert_fails(draw_curve(NULL, "c", "", (Curve){.f = swish}), "the lesson is NULL");
    ck_assert_fails(plot_curve(NULL, "", (Curve){.f = swish}), "plot_curve: the plot is NULL");
    ck_assert_fails(plot_derivative(NULL, "", (Curve){.f = swish}), "plot_derivative: ");
    ck_assert(!exists(&here, "c.gp")); /* no picture was begun */
    module_free(three), module_free(four), module_free(ten);
}
END_TEST

/* --- recording slopes ------------------------------------------------------------------------- */

/* Linear and PReLU in turn; every third PReLU has one shared slope. */
static Module *deep_net(int depth, int width)
{
    Module *part[64];
    int n = 0;
    for (int i = 0; i < depth; i++) {
        part[n++] = linear_new(width, width);
        part[n++] = prelu_new(i % 3 == 1 ? 1 : width, (real)0.25);
    }
    return sequential_new(part, n);
}

/* Moves every slope of a network a little, each channel by a different amount. */
static void move_slopes(Module *net, double by)
{
    Parameters list = module_parameters(net);
    for (int i = 0; i < list.count; i++)
        if (parameter_is_slope(&list.item[i])) {
            real *slope = tensor_write(list.item[i].var->value);
            for (ptrdiff_t c = 0; c < tensor_count(list.item[i].var->value); c++)
                slope[c] += (real)(by * (double)(c + i % 5 - 1));
        }
    parameters_free(&list);
}

static SlopeLog *moving_log(Module *net, int steps)
{
    SlopeLog *log = slope_log_new(net, "");
    for (int step = 1; step <= steps; step++) {
        move_slopes(net, 0.001);
        slope_log_record(log, step);
    }
    return log;
}

START_TEST(twelve_prelus_are_recorded)
{
    Module *net = deep_net(12, 20);
    SlopeLog *log = slope_log_new(net, "deep.");
    ck_assert_int_eq(log->n_layers, 12);
    ck_assert_str_eq(log->layer[11].name, "deep.23");
    move_slopes(net, 0.5);
    slope_log_step(NULL, 1, log);
    for (int i = 0; i < 12; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.weight", 2 * i + 1);
        const Tensor *slopes = module_param(net, name)->value;
        ck_assert_int_eq(log->layer[i].channels, tensor_count(slopes));
        for (int c = 0; c < log->layer[i].channels; c++) {
            ck_assert(slope_log_values(log, i, 0)[c] == 0.25);
            ck_assert(slope_log_values(log, i, -1)[c] == (double)tensor_read(slopes)[c]);
        }
    }
    slope_log_free(log), slope_log_free(NULL), module_free(net);
}
END_TEST

START_TEST(moments_become_rarer_and_the_last_step_is_always_there)
{
    Module *net = prelu_new(1, (real)0.25);
    SlopeLog *log = slope_log_new(net, NULL);
    for (int step = 1; step <= 20555; step++) {
        slope_log_record(log, step);
        ck_assert(log->step[log->moments - 1] == step);
    }
    /* 0; 1 ... 100; 110 ... 10,000; 10,100 ... 20,500; 20,555 */
    ck_assert_int_eq(log->moments, 1 + 100 + 990 + 105 + 1);
    ck_assert(log->step[100] == 100 && log->step[101] == 110 && log->step[1090] == 10000);
    ck_assert(log->step[1091] == 10100 && log->step[1195] == 20500);
    slope_log_record(log, 105); /* training has gone back */
    ck_assert_int_eq(log->moments, 1 + 100 + 1);
    ck_assert(log->step[101] == 105);
    slope_log_record(log, 1);
    ck_assert_int_eq(log->moments, 2);
    slope_log_free(log), module_free(net);
}
END_TEST

/* The slopes with which the network was created are not those from which training continues. */
START_TEST(the_log_of_a_resumed_run_begins_where_it_was_resumed)
{
    Lesson here = begin_here("resumed");
    Module *net = prelu_new(2, (real)0.25);
    SlopeLog *log = slope_log_new(net, "");
    draw_slope_film(&here, "moving", "", log);
    draw_slope_bands(&here, "bands", "", log);
    ck_assert(!exists(&here, "moving.gp") && !exists(&here, "bands.gp"));
    slope_log_step(NULL, 480, log), slope_log_step(NULL, 490, log);
    ck_assert_int_eq(log->moments, 2);
    ck_assert(log->step[0] == 480 && log->step[1] == 490);
    draw_slope_film(&here, "moving", "", log);
    draw_slope_bands(&here, "bands", "", log);
    assert_contains(read_text(&here, "moving.gp"), "after step 480");
    ck_assert_ptr_null(strstr(read_text(&here, "moving.gp"), "start, a"));
    ck_assert(exists(&here, "bands.gp"));
    slope_log_free(log), module_free(net);
}
END_TEST

START_TEST(misuse_of_a_log_is_refused)
{
    Module *net = SEQUENTIAL(linear_new(2, 2), prelu_new(2, (real)0.25)), *none = linear_new(2, 2);
    SlopeLog *log = slope_log_new(net, "");
    Lesson here = begin_here("misuse");
    ck_assert_fails(slope_log_new(NULL, ""), "the network is NULL");
    ck_assert_fails(slope_log_new(none, ""), "no PReLU");
    ck_assert_fails(slope_log_record(NULL, 1), "the log is NULL");
    ck_assert_fails(slope_log_step(NULL, 1, NULL), "the log is NULL");
    ck_assert_fails(slope_log_record(log, 0), "the step is 0");
    ck_assert_fails(slope_log_values(log, 1, 0), "layer is 1; expected 0 to 0");
    ck_assert_fails(slope_log_values(log, 0, 1), "moment is 1; expected -1 to 0");
    ck_assert_fails(slope_log_values(NULL, 0, 1), "the log is NULL");
    ck_assert_fails(plot_slope_bands(NULL, log, 0), "the plot is NULL");
    ck_assert_fails(draw_slope_bands(NULL, "a", "", log), "the lesson is NULL");
    ck_assert_fails(draw_slope_bands(&here, "a", "", NULL), "the log is NULL");
    ck_assert_fails(draw_slope_film(&here, "a", NULL, log), "the title is NULL");
    ck_assert_fails(slope_quantile(NULL, 2, 0.5), "0 values");
    ck_assert_fails(slope_quantile((double[]){1}, 1, 1.5), "q = 1.5");
    module_add_child(net, "more", prelu_new(2, 1));
    ck_assert_fails(slope_log_record(log, 1), "2 PReLUs; expected 1, of the same sizes");
    slope_log_free(log);
    log = slope_log_new(net, "");
    for (int layer = 0; layer < 2; layer++)
        for (int c = 0; c < 2; c++)
            log->layer[layer].values[c] = (double)NAN;
    ck_assert_fails(draw_slope_film(&here, "a", "", log), "no slope is finite");
    ck_assert_fails(draw_slope_bands(&here, "a", "", log), "no slope is finite");
    slope_log_free(log), module_free(net), module_free(none);
}
END_TEST

START_TEST(quantiles_are_interpolated_and_nan_comes_last)
{
    const double values[] = {3, (double)NAN, 1, 2};
    ck_assert(slope_quantile(values, 4, 0) == 1);
    ck_assert_close(slope_quantile(values, 4, 0.5), 2.5, 1e-12);
    ck_assert(isnan(slope_quantile(values, 4, 1)));
    ck_assert(slope_quantile(values, 1, 1) == 3);
}
END_TEST

/* --- drawing slopes --------------------------------------------------------------------------- */

/* The text after the first `words`, up to the end of the line. */
static const char *rest_of_line(const char *text, const char *words)
{
    static char line[4][256];
    static int turn;
    char *copy = line[turn++ % 4];
    const char *at = strstr(text, words);
    ck_assert_msg(at != NULL, "there is no '%s'", words);
    snprintf(copy, 256, "%.*s", (int)strcspn(at, "\n"), at);
    return copy;
}

/* Asserts that n lines begin with these words and are the same, and that `others` differ. */
static void assert_same_lines(const char *text, const char *words, int n, int others)
{
    ck_assert_int_eq(count(text, words), n + others);
    ck_assert_int_eq(count(text, rest_of_line(text, words)), n);
}

START_TEST(every_layer_has_a_panel_with_the_same_axes)
{
    static const int depths[] = {1, 2, 4, 7, 12};
    Lesson here = begin_here("bands");
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        Module *net = deep_net(depths[i], 6);
        SlopeLog *log = moving_log(net, 20);
        draw_slope_bands(&here, "bands", "Bands", log);
        assert_drawn(&here, "bands.svg");
        const char *script = read_text(&here, "bands.gp");
        assert_same_lines(script, "set yrange [", depths[i], 1); /* 1: the key's */
        assert_contains(script, "title 'PReLU 1, 6 channels'");
        ck_assert_int_eq(count(script, "title 'PReLU 3, one slope'"), depths[i] > 1);
        ck_assert_int_eq(count(script, "NaN with lines linetype 1 title 'median'"), 1);
        ck_assert_int_eq(count(script, "NaN with"), depths[i] > 1 ? 6 : 5);
        ck_assert_int_eq(count(script, "of 12 PReLUs"), 0);
        slope_log_free(log), module_free(net);
    }
}
END_TEST

START_TEST(twelve_of_very_many_layers_are_shown)
{
    Lesson here = begin_here("many");
    Module *net = deep_net(20, 3);
    SlopeLog *log = moving_log(net, 5);
    draw_slope_bands(&here, "bands", "Bands", log);
    assert_drawn(&here, "bands.svg");
    const char *script = read_text(&here, "bands.gp");
    assert_contains(script, "'Bands (12 of 20 PReLUs, first to last)'");
    ck_assert_int_eq(count(script, "set border 3"), 12);
    assert_contains(script, "title 'PReLU 1, ");
    assert_contains(script, "title 'PReLU 39, ");
    draw_slope_film(&here, "film", "Film", log);
    assert_drawn(&here, "film.gif");
    script = read_text(&here, "film.gp");
    assert_contains(script, "'Film (12 of 20 PReLUs, first to last): after step 0'");
    assert_contains(script, "set ytics ('PReLU 1' 11)\nset ytics add ('PReLU 3' 10)\n");
    assert_contains(script, "set ytics add ('PReLU 39' 0)\n");
    slope_log_free(log), module_free(net);
}
END_TEST

START_TEST(frames_are_evenly_spaced_in_time_and_the_last_one_is_held)
{
    Lesson here = begin_here("film");
    Module *net = deep_net(2, 6);
    SlopeLog *log = moving_log(net, 1050);
    draw_slope_film(&here, "film", "Film", log);
    assert_drawn(&here, "film.gif");
    const char *script = read_text(&here, "film.gp");
    assert_same_lines(script, "set xrange [", SLOPE_FRAMES, 0);
    assert_same_lines(script, "set yrange [", SLOPE_FRAMES, 0);
    for (int frame = 0; frame < SLOPE_FRAMES; frame++) {
        char title[64];
        int now = 1050 * frame / (SLOPE_FRAMES - 1); /* every 30 steps */
        snprintf(title, sizeof title, "set title 'Film: after step %d'\n", now);
        assert_contains(script, title);
    }
    ck_assert_int_eq(count(script, "replot\n"), PLOT_HOLD / SLOPE_DELAY);
    assert_contains(script, "start, a = 0.25");
    ck_assert_int_eq(count(read_text(&here, "film.dat"), "\n"), /* two rows, and their medians */
                     1 + SLOPE_FRAMES * (2 * (2 * SLOPE_BINS + 2 + 3) + 2 + 3) - 2);
    slope_log_free(log), module_free(net);
}
END_TEST

/* A histogram is scaled to its tallest bin, and covers all slopes. */
START_TEST(a_row_of_the_film_is_a_histogram)
{
    double bin[SLOPE_BINS], sum = 0;
    const double values[] = {-1, 0, 0, 0, 0, 1, (double)NAN};
    slope_bins(values, 7, slope_with_margin((SlopeRange){-1, 1, 0}), bin);
    for (int b = 0; b < SLOPE_BINS; b++)
        sum += bin[b];
    ck_assert(sum == 1.5 && bin[SLOPE_BINS / 2] == 1);
    ck_assert(bin[2] == 0.25 && bin[SLOPE_BINS - 3] == 0.25);
}
END_TEST

/* Wide layers, long training: the lines of a panel have a limited number of points. */
START_TEST(wide_layers_and_many_moments_are_drawn)
{
    Lesson here = begin_here("wide");
    Module *net = prelu_new(2000, (real)0.25);
    SlopeLog *log = moving_log(net, 4000);
    draw_slope_bands(&here, "bands", "Bands", log);
    assert_drawn(&here, "bands.svg");
    assert_contains(read_text(&here, "bands.gp"), "title 'prelu, 2000 channels'");
    ck_assert_int_lt(count(read_text(&here, "bands.dat"), "\n"), 20 * (SLOPE_MOMENTS + 4));
    assert_contains(read_text(&here, "bands.dat"), "\n4000 "); /* the last moment is drawn */
    slope_log_free(log), module_free(net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("own plots");
    testing_add(suite, "the start", 30, (const TTest *const[]){
        a_folder_is_all_that_a_program_needs, a_folder_that_cannot_be_used_stops_the_program,
        without_gnuplot_the_program_says_how_to_install_it,
        invalid_picture_names_are_refused, NULL});
    testing_add(suite, "curves", 60, (const TTest *const[]){
        a_kink_interrupts_the_derivative_but_not_the_function,
        jumps_poles_and_undefined_values_interrupt_a_line, a_smooth_function_is_not_interrupted,
        a_module_is_left_as_it_was, a_curve_in_a_panel_has_a_legend, invalid_curves_are_refused,
        NULL});
    testing_add(suite, "recording slopes", 60, (const TTest *const[]){
        twelve_prelus_are_recorded, moments_become_rarer_and_the_last_step_is_always_there,
        the_log_of_a_resumed_run_begins_where_it_was_resumed, misuse_of_a_log_is_refused,
        quantiles_are_interpolated_and_nan_comes_last, NULL});
    testing_add(suite, "drawing slopes", 120, (const TTest *const[]){
        every_layer_has_a_panel_with_the_same_axes, twelve_of_very_many_layers_are_shown,
        frames_are_evenly_spaced_in_time_and_the_last_one_is_held, a_row_of_the_film_is_a_histogram,
        wide_layers_and_many_moments_are_drawn, NULL});
    return scratch_main(suite);
}

/* tests/lessons/check_own_plots.c -- pictures of a program that is not a lesson: its folder, names
 * and texts, and curves with their derivatives.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/lessons/own.h"

#include <sys/wait.h>

#include "lessons/kit/curve.c"
#include "tests/capture.h"

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
    snprintf(sentence, sizeof sentence, "slope: cannot write to '%s': Not a directory\n", file);
    ck_assert_str_eq(said, sentence);
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
    ck_assert_fails(plot_new(&here, "-a", "", 1, 1), "'-a' is not a valid name");
    ck_assert_fails(plot_new(&here, "$a", "", 1, 1), "'$a' is not a valid name");
    char longest[PLOT_TITLE + 1];
    memset(longest, 'x', PLOT_TITLE);
    longest[PLOT_TITLE] = '\0';
    ck_assert_fails(plot_new(&here, "a", longest, 1, 1), "256 bytes; expected at most 255");
}
END_TEST

/* gnuplot would run them. */
START_TEST(a_name_is_not_a_command)
{
    static const char *const names[] = {"< touch run", "| touch run"};
    Lesson here = begin_here("commands");
    for (int i = 0; i < 2; i++)
        ck_assert_fails(draw_curve(&here, names[i], "", (Curve){.f = swish}),
                        "is not a valid name");
    ck_assert(!exists(&here, "run"));
}
END_TEST

START_TEST(other_names_and_titles_are_drawn)
{
    static const char *const names[] = {"a b", "50%", "a`touch run`", "a\"b", "a\\b", "~a", "+",
                                        "caf\xc3\xa9", " < touch run", "a$(touch run)"};
    Lesson here = begin_here("text's \"folder\" %d");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char file[80];
        draw_curve(&here, names[i], names[i], (Curve){.f = swish, .points = 2});
        snprintf(file, sizeof file, "%s.svg", names[i]);
        assert_drawn(&here, file);
    }
    ck_assert(!exists(&here, "run"));
}
END_TEST

/* The text of a tic is a format for gnuplot. */
START_TEST(the_names_on_an_axis_may_contain_a_percent_sign)
{
    static const char *const names[] = {"50% wool", "%d"};
    Lesson here = begin_here("percent");
    Plot *p = plot_new(&here, "matrix", "100% of it", 1, 1);
    plot_panel(p, "", "100%", "");
    plot_matrix(p, 2, 2, (double[]){1, 2, 3, 4}, names, names);
    plot_draw(p);
    assert_drawn(&here, "matrix.svg");
    assert_contains(read_text(&here, "matrix.gp"), "set ytics ('50%% wool' 0, '%%d' 1)");
}
END_TEST

START_TEST(an_empty_picture_is_refused)
{
    Lesson here = begin_here("empty");
    Plot *p = plot_new(&here, "empty", "", 1, 1);
    ck_assert_fails(plot_draw(NULL), "the plot is NULL");
    ck_assert_fails(plot_draw(p), "picture 'empty' is empty");
    plot_panel(p, "", "", "");
    ck_assert_fails(plot_draw(p), "picture 'empty' is empty");
    plot_horizontal(p, "", 1), plot_draw(p);
    assert_drawn(&here, "empty.svg");
}
END_TEST

/* gnuplot draws an image only if it has two rows and two columns. */
START_TEST(a_single_row_or_column_is_drawn)
{
    static const int sizes[][2] = {{1, 3}, {3, 1}, {1, 1}};
    Lesson here = begin_here("single");
    for (int i = 0; i < 3; i++) {
        Plot *p = plot_new(&here, "matrix", "", 1, 1);
        plot_panel(p, "", "", "");
        plot_matrix(p, sizes[i][0], sizes[i][1], (double[]){1, 2, 3}, NULL, NULL);
        plot_draw(p);
        assert_drawn(&here, "matrix.svg");
        if (here.gnuplot[0])
            ck_assert_int_ge(count(read_text(&here, "matrix.svg"), "<polygon"),
                             sizes[i][0] * sizes[i][1]);
    }
}
END_TEST

START_TEST(a_legend_of_the_shared_key_may_be_long_but_not_cut)
{
    char legend[400];
    const double x[] = {0, 1};
    Lesson here = begin_here("legends");
    memset(legend, 'x', sizeof legend - 1);
    legend[sizeof legend - 1] = '\0';
    Plot *p = plot_new(&here, "key", "", 1, 1);
    plot_shared_key(p);
    plot_panel(p, "", "", "");
    ck_assert_fails(plot_line(p, legend, 2, x, x), "a legend of 399 bytes, which is too long");
    plot_line(p, legend + 200, 2, x, x);
    plot_draw(p);
    assert_drawn(&here, "key.svg");
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
    if (sizeof(real) == sizeof(float)) {
        ck_assert_fails(DRAW(.f = swish, .high = 1e39), "the range is 0 to 1e+39");
        ck_assert_fails(DRAW(.f = swish, .low = 1, .high = 1.00000001), "to 1.00000001");
    }
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
    Plot *p = plot_new(&here, "p", "", 1, 1);
    plot_panel(p, "", "", "");
    uint64_t before = testing_blocks();
    ck_assert_fails(plot_curve(p, "it's", (Curve){.f = swish}), "contains a single quote");
    ck_assert_uint_eq(testing_blocks(), before);
    plot_curve(p, "its", (Curve){.f = swish}), plot_draw(p);
    ck_assert(!exists(&here, "c.gp")); /* no picture was begun */
    module_free(three), module_free(four), module_free(ten);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("own plots");
    testing_add(suite, "the start", 30, (const TTest *const[]){
        a_folder_is_all_that_a_program_needs, a_folder_that_cannot_be_used_stops_the_program,
        without_gnuplot_the_program_says_how_to_install_it,
        invalid_picture_names_are_refused, a_name_is_not_a_command,
        other_names_and_titles_are_drawn, the_names_on_an_axis_may_contain_a_percent_sign,
        an_empty_picture_is_refused, a_single_row_or_column_is_drawn,
        a_legend_of_the_shared_key_may_be_long_but_not_cut,
        NULL});
    testing_add(suite, "curves", 60, (const TTest *const[]){
        a_kink_interrupts_the_derivative_but_not_the_function,
        jumps_poles_and_undefined_values_interrupt_a_line, a_smooth_function_is_not_interrupted,
        a_module_is_left_as_it_was, a_curve_in_a_panel_has_a_legend, invalid_curves_are_refused,
        NULL});
    return scratch_main(suite);
}

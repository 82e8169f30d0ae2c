/* tests/lessons/check_own_slopes.c -- the slopes of any network: recorded, and drawn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/lessons/own.h"

#include "lessons/kit/slopes.c"
#include "lessons/kit/slopes_draw.c"

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
    slope_log_record(log, 123), slope_log_record(log, 124), slope_log_record(log, 125);
    ck_assert_int_eq(log->moments, 2);
    ck_assert(log->step[0] == 123 && log->step[1] == 125); /* the first one is kept */
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
    ck_assert_fails(draw_slope_bands(&here, NULL, "", log), "the name is NULL");
    ck_assert_fails(draw_slope_bands(&here, "a", "", NULL), "the log is NULL");
    ck_assert_fails(draw_slope_film(&here, "a", NULL, log), "the title is NULL");
    ck_assert_fails(slope_quantile(NULL, 2, 0.5), "there are 0 values");
    ck_assert_fails(slope_quantile((double[]){1}, 1, 1.5), "q is 1.5");
    ck_assert_fails(slope_quantiles((double[]){1}, 1, (double[]){0, -1}, 2, (double[2]){0}),
                    "q is -1");
    ck_assert_fails(slope_quantiles((double[]){1}, 0, NULL, 0, NULL), "0 values");
    ck_assert_fails(slope_log_write(stdout, NULL), "the log is NULL");
    ck_assert_fails(slope_log_write(NULL, log), "the file is NULL");
    ck_assert_fails(slope_write_stats(stdout, NULL, ""), "the network is NULL");
    ck_assert_fails(slope_write_stats(NULL, net, ""), "the file is NULL");
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
    const double infinite[] = {1, 2, (double)INFINITY}; /* interpolated only between neighbours */
    ck_assert(slope_quantile(infinite, 3, 0.5) == 2 && isinf(slope_quantile(infinite, 3, 0.75)));
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

/* Records two moments, in which every slope of a PReLU has one of two values, and draws both. */
static void draw_two_values(const Lesson *here, double first, double second)
{
    Module *net = prelu_new(3, (real)first);
    SlopeLog *log = slope_log_new(net, "100% ");
    tensor_fill(module_param(net, "weight")->value, (real)second);
    slope_log_record(log, 1);
    draw_slope_bands(here, "bands", "Bands", log);
    draw_slope_film(here, "film", "Film", log);
    slope_log_free(log), module_free(net);
}

START_TEST(neighbouring_numbers_are_drawn)
{
    Lesson here = begin_here("near");
    draw_two_values(&here, 0.25, nextafter(0.25, 1)); /* equal in float */
    assert_drawn(&here, "bands.svg"), assert_drawn(&here, "film.gif");
    draw_two_values(&here, 0.25, (double)nextafterf(0.25F, 1));
    assert_drawn(&here, "bands.svg"), assert_drawn(&here, "film.gif");
    assert_contains(read_text(&here, "film.gp"), "set ytics ('PReLU 100%% prelu' 0)");
}
END_TEST

/* The differences of double's largest numbers are infinite. */
START_TEST(bins_of_every_range_exist)
{
    double bin[SLOPE_BINS];
    const double values[] = {-1e308, 0, 1e308};
    slope_bins(values, 3, slope_with_margin((SlopeRange){-1e308, 1e308, 0}), bin);
    ck_assert(bin[SLOPE_BINS - 1] == 1);
    slope_bins(values, 2, (SlopeRange){-1e308, 0, 0}, bin);
    ck_assert(bin[0] == 1 && bin[SLOPE_BINS - 1] == 1);
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
    Suite *suite = suite_create("own slopes");
    testing_add(suite, "recording slopes", 60, (const TTest *const[]){
        twelve_prelus_are_recorded, moments_become_rarer_and_the_last_step_is_always_there,
        the_log_of_a_resumed_run_begins_where_it_was_resumed, misuse_of_a_log_is_refused,
        quantiles_are_interpolated_and_nan_comes_last, NULL});
    testing_add(suite, "drawing slopes", 120, (const TTest *const[]){
        every_layer_has_a_panel_with_the_same_axes, twelve_of_very_many_layers_are_shown,
        frames_are_evenly_spaced_in_time_and_the_last_one_is_held, a_row_of_the_film_is_a_histogram,
        neighbouring_numbers_are_drawn, bins_of_every_range_exist,
        wide_layers_and_many_moments_are_drawn, NULL});
    return scratch_main(suite);
}

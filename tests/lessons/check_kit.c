/* tests/lessons/check_kit.c -- the files that a lesson writes do not depend on the locale, and it
 * says how many threads there are if that is not the default.
 *
 * The kit is compiled into this program, because the Makefile links tests with the library only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/story.c" /* first: it defines _GNU_SOURCE */

#include "lessons/kit/lesson.c"
#include "lessons/kit/plot.c"
#include "lessons/kit/plot_alt.c"
#include "lessons/kit/plot_preview.c"
#include "lessons/kit/plot_series.c"
#include "lessons/kit/plot_shapes.c"
#include "lessons/kit/slopes.c"
#include "tests/locale.h"

/* Writes every kind of file with numbers in it: a picture's script and data, and tables. */
static void write_files(const Lesson *lesson)
{
    const double x[2] = {0.5, 1.5}, y[2] = {2.25, -0.125};
    Plot *p = plot_new(lesson, "picture", "A picture", 1, 1);
    plot_panel(p, "", "x", "y");
    plot_x_range(p, -0.5, 2.5);
    plot_line(p, "line", 2, x, y);
    plot_band(p, "band", 2, x, y, x);
    plot_horizontal(p, "level", 0.75);
    plot_label(p, "here", 1.5, 0.5);
    plot_draw(p);
    Module *net = prelu_new(2, (real)0.25);
    FILE *f = lesson_open(lesson, "stats.csv");
    slope_write_stats(f, net, "");
    lesson_close(lesson, "stats.csv", f);
    module_free(net);
    EpochRecord record = {.epoch = 1, .train_loss = 0.5};
    lesson_write_history(lesson, &(History){&record, 1});
}

/* As in a lesson, lesson_begin is called after the program has set its locale. */
static void run_lesson(const char *out)
{
    char *argv[] = {"lesson", "--quiet", "--out", (char *)out, NULL};
    Lesson lesson = lesson_begin(4, argv, "99", "A test", 0);
    lesson.has_gnuplot = lesson.preview = false;
    write_files(&lesson);
    lesson_end(&lesson);
    uselocale(LC_GLOBAL_LOCALE);
}

static void assert_same_file(const char *name, const char *locale)
{
    size_t a_size, b_size;
    char path[64];
    snprintf(path, sizeof path, "C/%s", name);
    unsigned char *a = scratch_read(scratch_path(path), &a_size);
    snprintf(path, sizeof path, "%s/%s", locale, name);
    unsigned char *b = scratch_read(scratch_path(path), &b_size);
    ck_assert(a_size > 20);
    ck_assert_msg(a_size == b_size && memcmp(a, b, a_size) == 0, "%s in %s differs:\n%.*s", name,
                  locale, (int)b_size, (char *)b);
    free(a);
    free(b);
}

START_TEST(files_are_the_same_in_every_locale)
{
    static const char *const files[] = {"picture.gp", "picture.dat", "stats.csv", "history.csv"};
    run_lesson(scratch_path("C"));
    for (int i = 0; i < LOCALES; i++) {
        if (!locale_set(locale_names[i]))
            continue;
        run_lesson(scratch_path(locale_names[i]));
        locale_restore();
        for (size_t k = 0; k < sizeof files / sizeof *files; k++)
            assert_same_file(files[k], locale_names[i]);
    }
}
END_TEST

/* Asserts that output.txt contains the text, or does not contain it. */
static void assert_output(const char *folder, const char *text, bool contains)
{
    size_t size;
    char path[64];
    snprintf(path, sizeof path, "%s/output.txt", folder);
    unsigned char *output = scratch_read(scratch_path(path), &size);
    output[size] = '\0';
    ck_assert_msg(!strstr((char *)output, text) != contains, "'%s' in:\n%s", text, (char *)output);
    free(output);
}

START_TEST(the_number_of_threads_is_said_if_it_is_limited)
{
    setenv("SLOPE_THREADS", "1", 1);
    parallel_set_threads(0);
    run_lesson(scratch_path("one"));
    assert_output("one", "A test ===\nThreads: 1, set by SLOPE_THREADS.\n", true);
    unsetenv("SLOPE_THREADS");
    parallel_set_threads(0);
    run_lesson(scratch_path("all"));
    assert_output("all", "Threads:", parallel_reason() != NULL); /* there may be a quota */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lesson kit");
    testing_add(suite, "locale", 60,
                (const TTest *const[]){files_are_the_same_in_every_locale, NULL});
    testing_add(suite, "threads", 10,
                (const TTest *const[]){the_number_of_threads_is_said_if_it_is_limited, NULL});
    return scratch_main(suite);
}

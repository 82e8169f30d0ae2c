/* tests/lessons/check_kit.c -- the files that a lesson writes do not depend on the locale, a file
 * that cannot be written stops the lesson, a limited number of threads is reported; and
 * gnuplot's environment.
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

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "tests/capture.h"
#include "tests/locale.h"

/* --- the locale ------------------------------------------------------------------------------- */

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

static Lesson begin_lesson(const char *out)
{
    char *argv[] = {"lesson", "--quiet", "--out", (char *)out, NULL};
    Lesson lesson = lesson_begin(4, argv, "99", "A test", 0);
    lesson.gnuplot[0] = '\0', lesson.preview = false;
    return lesson;
}

/* As in a lesson, lesson_begin is called after the program has set its locale. */
static void run_lesson(const char *out)
{
    Lesson lesson = begin_lesson(out);
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

START_TEST(a_limited_number_of_threads_is_reported)
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

/* --- files that cannot be written ------------------------------------------------------------- */

enum { KIT_LIMIT = 8192 }; /* bytes per file */

/* A program that takes gnuplot's place. */
static const char *kit_program(const char *name, const char *script)
{
    const char *path = scratch_write(name, script, strlen(script));
    ck_assert_int_eq(chmod(path, 0755), 0);
    return path;
}

static void write_long_table(Lesson *lesson)
{
    FILE *f = lesson_open(lesson, "table.csv");
    for (int i = 0; i < KIT_LIMIT; i++)
        fputs("1,2\n", f);
    lesson_close(lesson, "table.csv", f);
}

static void write_long_history(Lesson *lesson)
{
    static EpochRecord many[KIT_LIMIT];
    lesson_write_history(lesson, &(History){many, KIT_LIMIT});
}

static void write_long_story(Lesson *lesson)
{
    (void)lesson;
    for (int i = 0; i < KIT_LIMIT; i++)
        say("said\n");
}

static void write_long_record(Lesson *lesson)
{
    (void)lesson;
    for (int i = 0; i < KIT_LIMIT; i++)
        slope_record("file", "%d", i);
}

/* Like gnuplot, the program does not notice that its picture is cut off. */
static void draw_large_picture(Lesson *lesson)
{
    snprintf(lesson->gnuplot, sizeof lesson->gnuplot, "%s", scratch_path("draws-half"));
    Plot *p = plot_new(lesson, "half", "Half a picture", 1, 1);
    plot_panel(p, "", "x", "y"), plot_horizontal(p, "", 0);
    plot_draw(p);
}

static void fill_stdout(Lesson *lesson)
{
    int full = open("/dev/full", O_WRONLY);
    dup2(full, STDOUT_FILENO);
    close(full);
    story_set_quiet(false);
    write_files(lesson);
}

/* In a child process: a lesson that does this, and then ends. */
static _Noreturn void run_limited(void (*write)(Lesson *lesson))
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = KIT_LIMIT;
    setrlimit(RLIMIT_FSIZE, &limit);
    Lesson lesson = begin_lesson(scratch_path("limited"));
    write(&lesson);
    exit(lesson_end(&lesson));
}

/* Asserts that a lesson stops with exit status 2 and one sentence, which contains the text. */
static void assert_stops(void (*write)(Lesson *lesson), const char *text)
{
    int status;
    fflush(NULL);
    capture_begin();
    pid_t child = fork();
    if (child == 0)
        run_limited(write);
    waitpid(child, &status, 0);
    const char *said = capture_end();
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 2 && strstr(said, text) &&
                  strchr(said, '\n') == said + strlen(said) - 1,
                  "'%s': status %d, said \"%s\"", text, status, said);
}

START_TEST(a_file_that_is_not_complete_stops_the_lesson)
{
    kit_program("draws-half", "#!/bin/sh\necho '<svg><g></g>' > half.svg\n");
    assert_stops(write_long_table, "table.csv': File too large");
    assert_stops(write_long_history, "history.csv': the file would become larger");
    assert_stops(write_long_story, "output.txt'");
    assert_stops(write_long_record, "run.txt'");
    assert_stops(draw_large_picture, "half.svg'");
    if (access("/dev/full", W_OK) == 0)
        assert_stops(fill_stdout, "could not write all of the output");
}
END_TEST

/* --- gnuplot ---------------------------------------------------------------------------------- */

START_TEST(gnuplot_runs_in_the_folder_with_a_clean_environment)
{
    const char *out = scratch_path("environment");
    Lesson lesson = begin_lesson(out);
    snprintf(lesson.gnuplot, sizeof lesson.gnuplot, "%s",
             kit_program("prints", "#!/bin/sh\npwd\nenv\necho \"arguments $*\"\n"));
    setenv("GNUTERM", "dumb", 1), setenv("LC_ALL", "xx_XX", 1), setenv("GNUTERMS", "kept", 1);
    FILE *output = tmpfile();
    ck_assert(slope_plot_gnuplot(&lesson, "x.gp", NULL, output, output));
    static char text[65536];
    rewind(output);
    fread(text, 1, sizeof text - 1, output);
    fclose(output);
    ck_assert_ptr_nonnull(strstr(text, "environment\n"));
    ck_assert_ptr_nonnull(strstr(text, "arguments -d x.gp\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nLC_ALL=C\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nGNUTERMS=kept\n"));
    ck_assert_ptr_null(strstr(text, "\nGNUTERM="));
    ck_assert_ptr_null(strstr(text, "xx_XX"));
    lesson_end(&lesson);
}
END_TEST

static atomic_bool kit_stop;

/* Holds the lock of the environment most of the time, but changes nothing. */
static void *hold_environment(void *ctx)
{
    (void)ctx;
    while (!kit_stop)
        unsetenv("KIT_NOTHING");
    return NULL;
}

/* If the child took a lock that another thread held during the fork, such as that of setenv, it
 * would wait forever. */
START_TEST(gnuplot_starts_although_another_thread_holds_a_lock)
{
    pthread_t thread;
    Lesson lesson = begin_lesson(scratch_path("threads"));
    snprintf(lesson.gnuplot, sizeof lesson.gnuplot, "%s", kit_program("stops", "#!/bin/sh\n"));
    FILE *output = tmpfile();
    ck_assert_int_eq(pthread_create(&thread, NULL, hold_environment, NULL), 0);
    for (int i = 0; i < 50; i++)
        ck_assert(slope_plot_gnuplot(&lesson, "x.gp", NULL, output, output));
    kit_stop = true;
    pthread_join(thread, NULL);
    fclose(output);
    lesson_end(&lesson);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lesson kit");
    testing_add(suite, "locale", 60,
                (const TTest *const[]){files_are_the_same_in_every_locale, NULL});
    testing_add(suite, "threads", 10,
                (const TTest *const[]){a_limited_number_of_threads_is_reported, NULL});
    testing_add(suite, "files that cannot be written", 20,
                (const TTest *const[]){a_file_that_is_not_complete_stops_the_lesson, NULL});
    testing_add(suite, "gnuplot", 20, (const TTest *const[]){
        gnuplot_runs_in_the_folder_with_a_clean_environment,
        gnuplot_starts_although_another_thread_holds_a_lock, NULL});
    return scratch_main(suite);
}

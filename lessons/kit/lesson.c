/* lessons/kit/lesson.c -- a program's output folder; a lesson's options, beginning, end and data.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lessons/kit/record.h"
#include "tensor/files/decimal.h"

/* --- options ---------------------------------------------------------------------------------- */

static void lesson_help(const Lesson *l)
{
    printf("Lesson %s: %s\n\n"
           "  --seed N     random seed (default 0)\n"
           "  --epochs N   number of epochs to train%s\n"
           "  --quick      a smaller run\n"
           "  --data DIR   where to look for Fashion-MNIST\n"
           "  --out DIR    where to write pictures and data (default %s)\n"
           "  --quiet      print only failed claims\n"
           "  --preview    also draw the first picture in characters; this is the default on a\n"
           "               terminal without a display\n"
           "  --help       print this text\n",
           l->number, l->title, l->epochs ? "" : " (this lesson trains nothing)", l->out);
    exit(0);
}

static const char *lesson_speaker = "lesson"; /* "slope" in a program that is not a lesson */

_Noreturn void lesson_refuse(const char *format, ...)
{
    char sentence[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    fprintf(stderr, "%s: %s\n", lesson_speaker, sentence);
    slope_record("stopped", "%s", sentence);
    exit(2);
}

static uint64_t lesson_number(const char *option, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end || errno || n < least || n > most)
        lesson_refuse("%s must be a whole number from %llu to %llu, not '%s'", option,
                      (unsigned long long)least, (unsigned long long)most, text);
    return n;
}

/* Checks the folder before the run overwrites the files of the last one. */
static const char *lesson_data_folder(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || access(path, R_OK | X_OK) != 0)
        lesson_refuse("cannot read the folder '%s' given with --data: %s", path, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        lesson_refuse("'%s', given with --data, is not a folder", path);
    return path;
}

/* Reads one option with its value; returns the number of arguments it used. */
static int lesson_option(Lesson *l, const char *option, const char *value)
{
    if (strcmp(option, "--help") == 0)
        lesson_help(l);
    if (strcmp(option, "--quick") == 0)
        return l->quick = true, 1;
    if (strcmp(option, "--quiet") == 0)
        return l->quiet = true, 1;
    if (strcmp(option, "--preview") == 0)
        return l->preview = true, 1;
    bool known = strcmp(option, "--seed") == 0 || strcmp(option, "--epochs") == 0 ||
                 strcmp(option, "--data") == 0 || strcmp(option, "--out") == 0;
    if (!known)
        lesson_refuse("there is no option '%s'; --help lists the options", option);
    if (!value)
        lesson_refuse("%s needs a value; see --help", option);
    if (strcmp(option, "--seed") == 0)
        l->seed = lesson_number(option, value, 0, UINT64_MAX);
    else if (strcmp(option, "--epochs") == 0)
        l->epochs = (int)lesson_number(option, value, 1, 10000);
    else if (strcmp(option, "--data") == 0)
        l->data = lesson_data_folder(value);
    else if (snprintf(l->out, sizeof l->out, "%s", value) >= (int)sizeof l->out)
        lesson_refuse("the folder name given with --out is too long");
    return 2;
}

/* --- the folder ------------------------------------------------------------------------------- */

/* The hint that ends a message about a folder or a file; only a lesson has options. */
static const char *lesson_hint(const Lesson *lesson)
{
    return lesson->number ? "; choose another folder with --out" : "";
}

/* mkdir -p */
static void lesson_make_folder(const Lesson *lesson)
{
    const char *path = lesson->out;
    char part[512], inside[520];
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            lesson_refuse("cannot create the folder '%s': %s%s", part, strerror(errno),
                          lesson_hint(lesson));
    }
    snprintf(inside, sizeof inside, "%s/.", path); /* which exists only in a folder */
    if (access(inside, W_OK) != 0)
        lesson_refuse("cannot write to '%s': %s%s", path, strerror(errno), lesson_hint(lesson));
}

void lesson_path(const Lesson *lesson, const char *name, char path[1024])
{
    snprintf(path, 1024, "%s/%s", lesson->out, name);
}

FILE *slope_lesson_create(const Lesson *lesson, const char *name)
{
    char path[1024];
    lesson_path(lesson, name, path);
    FILE *f = fopen(path, "w");
    if (!f)
        lesson_refuse("cannot write '%s': %s%s", path, strerror(errno), lesson_hint(lesson));
    return f;
}

FILE *lesson_open(const Lesson *lesson, const char *name)
{
    FILE *f = slope_lesson_create(lesson, name);
    slope_record("file", "%s", name);
    return f;
}

_Noreturn void slope_refuse_partial(const Lesson *lesson, const char *name, int problem)
{
    lesson_refuse("could not write all of '%s/%s'%s%s; is the disk full, or the limit of `ulimit "
                  "-f` too low?%s", lesson->out, name, problem ? ": " : "",
                  problem ? strerror(problem) : "",
                  lesson->number ? " --out chooses another folder" : "");
}

/* If only an earlier write failed, the reason is no longer known, and errno stays 0. */
void lesson_close(const Lesson *lesson, const char *name, FILE *f)
{
    errno = 0;
    bool written = fflush(f) == 0 && !ferror(f);
    if (!written || fclose(f) != 0)
        slope_refuse_partial(lesson, name, errno);
}

void lesson_write_history(const Lesson *lesson, const History *history)
{
    char path[1024];
    Error err;
    lesson_path(lesson, "history.csv", path);
    if (!history_write_csv(history, path, &err))
        lesson_refuse("could not write '%s': %s%s", path, err.problem, lesson_hint(lesson));
    slope_record("file", "history.csv");
}

/* --- begin and end ---------------------------------------------------------------------------- */

/* Finds a program in the PATH. Relative folders are skipped, because the program will be started in
 * another folder. If there is none, sets path to "". */
static void lesson_find_program(const char *name, char path[1024])
{
    const char *folders = getenv("PATH");
    for (const char *at = folders ? folders : ""; *at;) {
        size_t length = strcspn(at, ":");
        int n = snprintf(path, 1024, "%.*s/%s", (int)length, at, name);
        if (*at == '/' && n < 1024 && access(path, X_OK) == 0)
            return;
        at += length + (at[length] == ':');
    }
    path[0] = '\0';
}

/* The options that change what the run computes, as the user typed them. */
static void lesson_options_text(int argc, char **argv, char text[512])
{
    size_t n = 0;
    text[0] = '\0';
    for (int i = 1; i < argc && n < 512; i++) {
        if (strcmp(argv[i], "--out") == 0)
            i++;
        else if (strcmp(argv[i], "--quiet") != 0 && strcmp(argv[i], "--preview") != 0)
            n += (size_t)snprintf(text + n, 512 - n, "%s%s", n ? " " : "", argv[i]);
    }
}

/* Is stdout a terminal without a display on which to look at pictures? */
static bool lesson_only_terminal(void)
{
    return isatty(STDOUT_FILENO) && !getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY");
}

/* Prepares a program for drawing, once its folder is known. */
static void lesson_prepare(Lesson *l)
{
    slope_decimal_begin(); /* for the whole run: gnuplot and CSV readers expect a point */
    lesson_make_folder(l);
    signal(SIGXFSZ, SIG_IGN); /* so that exceeding a limit is an error: lesson_close reports it */
    lesson_find_program("gnuplot", l->gnuplot);
    l->preview = l->gnuplot[0] && (l->preview || (lesson_only_terminal() && !l->quiet));
}

static void lesson_say_undrawn(const Lesson *l)
{
    if (!l->gnuplot[0])
        say("\n(The pictures %s drawn: gnuplot is not installed. `make deps`%s installs it or\n"
            "says how. The scripts and their data are in %s.)\n",
            l->number ? "were not" : "will not be", l->number ? "" : " in Slope's folder", l->out);
}

Lesson lesson_here(const char *folder)
{
    Lesson here = {0};
    lesson_speaker = "slope";
    if (!folder || !folder[0])
        slope_fail("lesson_here", "the folder is %s; expected a name such as \"pictures\", or "
                   "\".\" for the current folder", folder ? "\"\"" : "NULL");
    if (snprintf(here.out, sizeof here.out, "%s", folder) >= (int)sizeof here.out)
        slope_fail("lesson_here", "the folder's name has %zu bytes; expected at most %zu",
                   strlen(folder), sizeof here.out - 1);
    lesson_prepare(&here);
    lesson_say_undrawn(&here);
    return here;
}

Lesson lesson_begin(int argc, char **argv, const char *number, const char *title, int epochs)
{
    Lesson l = {.number = number, .title = title, .epochs = epochs};
    snprintf(l.out, sizeof l.out, "build/lessons/%s", number);
    for (int i = 1; i < argc;)
        i += lesson_option(&l, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
    lesson_prepare(&l);
    char options[512];
    lesson_options_text(argc, argv, options);
    slope_record_begin(&l, options);
    random_seed(l.seed);
    say("\n=== Lesson %s: %s ===\n", number, title);
    if (parallel_reason())
        say("Threads: %d, %s.\n", parallel_threads(), parallel_reason());
    if (epochs == 0 && l.epochs > 0)
        say("(--epochs has no effect: this lesson trains nothing.)\n");
    return l;
}

int lesson_end(Lesson *lesson)
{
    int claims, failed = slope_record_failed(&claims);
    if (lesson->number) /* lesson_here has already said it */
        lesson_say_undrawn(lesson);
    if (claims > 0 && lesson->number)
        say("\nLesson %s: %d of %d claims hold.\n", lesson->number, claims - failed, claims);
    else if (claims > 0)
        say("\n%d of %d claims hold.\n", claims - failed, claims);
    slope_record_end(lesson);
    return failed ? 1 : 0;
}

/* --- misuse that must stop -------------------------------------------------------------------- */

typedef struct Stop {
    jmp_buf jump;
    char   *sentence;
} Stop;

static _Noreturn void lesson_stopped(const char *sentence, void *ctx)
{
    Stop *stop = ctx;
    snprintf(stop->sentence, 512, "%s", sentence);
    longjmp(stop->jump, 1);
}

bool stops(void (*fn)(void *ctx), void *ctx, char sentence[512])
{
    Stop stop = {.sentence = sentence};
    size_t mark = tape_mark();
    sentence[0] = '\0';
    if (setjmp(stop.jump) == 0) {
        slope_on_fail(lesson_stopped, &stop);
        fn(ctx);
    }
    slope_on_fail(NULL, NULL);
    tape_rewind(mark);
    if (sentence[0])
        say("  it stops: %s\n", sentence);
    return sentence[0] != '\0';
}

Var *lesson_grid(int n, double low, double high)
{
    Var *x = var_empty(SHAPE(n));
    real *value = tensor_write(x->value);
    for (int i = 0; i < n; i++)
        value[i] = (real)(low + (high - low) * i / (n - 1));
    return x;
}

/* --- data ------------------------------------------------------------------------------------- */

static void lesson_shorten(Dataset **data, ptrdiff_t count)
{
    if ((*data)->count <= count)
        return;
    Dataset *all = *data;
    *data = dataset_take(all, count);
    dataset_free(all);
}

static bool lesson_load_fashion(const Lesson *l, LessonData *d)
{
    Error err;
    d->train = fashion_mnist_load(l->data, true, &err);
    d->test = d->train ? fashion_mnist_load(l->data, false, &err) : NULL;
    if (d->test)
        return true;
    if (l->data) {
        error_print(stderr, &err);
        slope_record("stopped", "%s: %s", err.file, err.problem);
        exit(2);
    }
    error_print(story(), &err);
    dataset_free(d->train);
    return false;
}

/* Shortens both sets under --quick, and prints what they are. */
static LessonData lesson_have(const Lesson *lesson, LessonData d, ptrdiff_t train, ptrdiff_t test)
{
    if (lesson->quick) {
        lesson_shorten(&d.train, train);
        lesson_shorten(&d.test, test);
    }
    const Shape *s = &d.train->sample;
    say("Data: %s, %td training and %td test images of %tdx%td%s.\n",
        s->dim[0] == 3    ? "CIFAR-10"
        : d.real_images   ? "Fashion-MNIST"
                          : "glyphs, generated by this program",
        d.train->count, d.test->count, s->dim[1], s->dim[2], s->dim[0] == 3 ? ", in colour" : "");
    return d;
}

static LessonData lesson_find(const Lesson *lesson)
{
    LessonData d = {0};
    d.real_images = lesson_load_fashion(lesson, &d);
    if (!d.real_images) {
        d.train = glyphs_new(12000, 1);
        d.test = glyphs_new(2000, 2);
    }
    return d;
}

LessonData lesson_load(const Lesson *lesson)
{
    return lesson_have(lesson, lesson_find(lesson), 6000, 1000);
}

LessonData lesson_load_32x32(const Lesson *lesson)
{
    LessonData d = {.real_images = true};
    Error err; /* not reported: CIFAR-10 is optional; lesson_find reports what else is missing */
    d.train = cifar10_load(lesson->data, true, &err);
    d.test = d.train ? cifar10_load(lesson->data, false, &err) : NULL;
    if (!d.test) {
        dataset_free(d.train);
        d = lesson_find(lesson);
        d.to_32x32 = (Transform){.pad = 2};
    }
    return lesson_have(lesson, d, 1000, 300);
}

void lesson_unload(LessonData *data)
{
    dataset_free(data->train);
    dataset_free(data->test);
    *data = (LessonData){0};
}

/* lessons/kit/lesson.h -- what every lesson needs: options, output, claims, files and data.
 *
 *  - lesson_begin reads the options, creates the output folder and prints the title, and how many
 *    threads there are unless there is one per processor.
 *  - say() prints the story on stdout; section() begins a part of it.
 *  - claim() checks a statement and prints it with [ok] or [FAILED]; lesson_end returns 1 if any
 *    claim failed.
 *  - All output is also written to output.txt in the lesson's folder, for the page of all lessons.
 *  - lesson_load returns Fashion-MNIST if it is found and glyphs otherwise, and says which.
 *  - A program that is not a lesson calls lesson_here in place of lesson_begin. It needs only a
 *    folder for its pictures.
 *  - Some names here are short: say, story, section, claim, stops. If you define a function with a
 *    name that an included header declares, the compiler reports an error; all other names are
 *    yours.
 *
 *      int main(int argc, char **argv)
 *      {
 *          Lesson lesson = lesson_begin(argc, argv, "01", "PReLU, forward", 0);
 *          section("The definition");
 *          say("PReLU(2) is %g\n", 2.0);
 *          claim(1 + 1 == 2, "one and one is two");
 *          return lesson_end(&lesson);
 *      }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_LESSON_H
#define SLOPE_LESSONS_KIT_LESSON_H

#include "slope.h"

SLOPE_C_BEGIN

typedef struct Lesson {
    const char *number, *title; /* NULL in a program that is not a lesson */
    uint64_t    seed;
    int         epochs; /* the lesson's default, or --epochs */
    bool        quick;  /* --quick: a smaller run, for tests */
    bool        quiet;  /* --quiet: no story, only failed claims */
    const char *data;   /* --data, or NULL */
    char        out[512];
    char        gnuplot[1024]; /* its path, or "" if it is not installed */
    bool        preview; /* draw the first suitable picture in characters on stdout */
} Lesson;

/* Options: --seed N, --epochs N, --quick, --data DIR, --out DIR, --quiet, --preview, --help. An
 * invalid option ends the program with a message and exit status 2. `epochs` is the default, 0 for
 * a lesson that trains nothing. */
Lesson lesson_begin(int argc, char **argv, const char *number, const char *title, int epochs);

/* For any other program: creates the folder to which plot_draw, lesson_open and others write, if it
 * does not exist. Prints no title and reads no options; claim() still counts, and lesson_end then
 * says how many claims hold. Says how to install gnuplot if it is
 * missing. If the folder cannot be created or written to, the program ends with a message and exit
 * status 2. From then on, this thread prints numbers with a decimal point, whatever the locale.
 *     Lesson here = lesson_here("pictures"); */
Lesson lesson_here(const char *folder);

/* Prints how many claims hold; returns the exit status for main. */
int lesson_end(Lesson *lesson);

/* Ends the program with exit status 2 and a message on stderr, which should also say what to do. */
SLOPE_NORETURN void lesson_refuse(const char *format, ...) SLOPE_PRINTF(1, 2);

/* --- the story -------------------------------------------------------------------------------- */

void section(const char *title);
void say(const char *format, ...) SLOPE_PRINTF(1, 2);
void say_tensor(const char *name, const Tensor *x);

/* The stream to which say() writes, for functions that print: prelu_stats(story(), net). */
FILE *story(void);

/* Checks and prints a claim: "  [ok] …" or "  [FAILED] …". Returns whether it holds. */
bool claim(bool holds, const char *format, ...) SLOPE_PRINTF(2, 3);

/* The same for |found - expected| <= tolerance; prints all three values if the claim fails. */
bool claim_close(double found, double expected, double tolerance, const char *format, ...)
    SLOPE_PRINTF(4, 5);

/* Calls fn(ctx), which should stop with slope_fail, and rewinds the tape to where it was. Returns
 * whether it stopped, with its message in `sentence`; also prints the message. */
bool stops(void (*fn)(void *ctx), void *ctx, char sentence[512]);

/* n equally spaced values from low to high: a constant (n) on the tape. */
Var *lesson_grid(int n, double low, double high);

/* --- files ------------------------------------------------------------------------------------ */

/* lesson_open opens a file in the lesson's folder for writing; lesson_close closes it. Either ends
 * the program with a message if the file cannot be opened or completely written. */
FILE *lesson_open(const Lesson *lesson, const char *name);
void lesson_close(const Lesson *lesson, const char *name, FILE *f);
void lesson_path(const Lesson *lesson, const char *name, char path[1024]);

/* Writes history.csv, or ends the program with a message. */
void lesson_write_history(const Lesson *lesson, const History *history);

/* --- data ------------------------------------------------------------------------------------- */

typedef struct LessonData {
    Dataset *train, *test;
    bool     real_images; /* Fashion-MNIST or CIFAR-10, not glyphs */
    Transform to_32x32;   /* set by lesson_load_32x32, for a loader's .transform */
} LessonData;

/* Fashion-MNIST (60000 training and 10000 test images of 28x28), or glyphs (12000 and 2000); with
 * --quick only 6000 and 1000. Prints which, and how to install Fashion-MNIST if it is missing. */
LessonData lesson_load(const Lesson *lesson);

/* For a network that needs images of 32x32: CIFAR-10 (3 channels) if it is found, otherwise the
 * data of lesson_load, which a loader pads with .transform = data.to_32x32. With --quick only 1000
 * training and 300 test images, because the network is convolutional. */
LessonData lesson_load_32x32(const Lesson *lesson);
void lesson_unload(LessonData *data);

SLOPE_C_END

#endif

/* lessons/kit/lesson.h -- what every lesson shares, so that a lesson holds none of it.
 *
 *  - lesson_begin reads the options, makes the output folder and prints the title.
 *  - say() tells the story on stdout; section() begins a part of it.
 *  - claim() checks what was said. A claim that fails is named, and lesson_end returns 1.
 *  - Everything said is kept in output.txt in the lesson's folder, for the page of all lessons.
 *  - lesson_load gives Fashion-MNIST where it is found and glyphs otherwise, and says which.
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

typedef struct Lesson {
    const char *number, *title;
    uint64_t    seed;
    int         epochs; /* the lesson's default, or --epochs */
    bool        quick;  /* --quick: a smaller run, for tests */
    bool        quiet;  /* --quiet: no story, only failed claims */
    const char *data;   /* --data, or NULL */
    char        out[512];
    bool        has_gnuplot;
    bool        preview; /* the first picture that lends itself to it, in characters on stdout */
} Lesson;

/* Options: --seed N, --epochs N, --quick, --data DIR, --out DIR, --quiet, --preview, --help. A
 * wrong one ends the program with a sentence and exit status 2. `epochs` is the default, 0 for a
 * lesson that trains nothing. */
Lesson lesson_begin(int argc, char **argv, const char *number, const char *title, int epochs);

/* Says how many claims held; the exit status for main. */
int lesson_end(Lesson *lesson);

/* Ends the program with a sentence on stderr, which should name the way out, and exit status 2. */
_Noreturn void lesson_refuse(const char *format, ...) SLOPE_PRINTF(1, 2);

/* --- the story -------------------------------------------------------------------------------- */

void section(const char *title);
void say(const char *format, ...) SLOPE_PRINTF(1, 2);
void say_tensor(const char *name, const Tensor *x);

/* Where say() writes, for functions that print to a stream: prelu_stats(story(), net). */
FILE *story(void);

/* Checks and prints a claim: "  [ok] …" or "  [FAILED] …". Returns whether it holds. */
bool claim(bool holds, const char *format, ...) SLOPE_PRINTF(2, 3);

/* The same for |found - expected| <= tolerance, showing all three where it fails. */
bool claim_close(double found, double expected, double tolerance, const char *format, ...)
    SLOPE_PRINTF(4, 5);

/* Calls fn(ctx), which ought to stop as misuse does, and clears what it left on the tape.
 * Returns whether it stopped, with its sentence, which is said too. */
bool stops(void (*fn)(void *ctx), void *ctx, char sentence[512]);

/* n numbers evenly from low to high: a constant (n) on the tape. */
Var *lesson_grid(int n, double low, double high);

/* --- files ------------------------------------------------------------------------------------ */

/* Opens a file in the lesson's folder for writing, or ends the program with a sentence; closes it,
 * with the same end if not all of it could be written. */
FILE *lesson_open(const Lesson *lesson, const char *name);
void lesson_close(const Lesson *lesson, const char *name, FILE *f);
void lesson_path(const Lesson *lesson, const char *name, char path[1024]);

/* Writes history.csv, or ends the program with a sentence. */
void lesson_write_history(const Lesson *lesson, const History *history);

/* --- data ------------------------------------------------------------------------------------- */

typedef struct LessonData {
    Dataset *train, *test;
    bool     real_images; /* Fashion-MNIST, not glyphs */
    Transform to_32x32;   /* for a loader of lesson_load_32x32; nothing otherwise */
} LessonData;

/* Fashion-MNIST (60000 and 10000 images of 28x28), or glyphs (12000 and 2000); with --quick only
 * 6000 and 1000 of either. Says which, and how to install the real one. */
LessonData lesson_load(const Lesson *lesson);

/* For a network that wants images of 32x32: CIFAR-10 (3 channels) where it is found, else what
 * lesson_load finds, which a loader pads with .transform = data.to_32x32. For a convolutional
 * network --quick means 1000 and 300 images. */
LessonData lesson_load_32x32(const Lesson *lesson);
void lesson_unload(LessonData *data);

#endif

/* lessons/page/page.h -- one page of all lessons, made from their sources and the files of their
 * last runs.
 *
 *  - source.c reads NN_name.c: its title, its story (the comment at the top), its exercises.
 *  - run.c reads the files that a run leaves (lessons/kit/record.h): run.txt and output.txt.
 *  - syllabus.c reads the tables of lessons/README.md; prose.c converts a comment to HTML.
 *  - article.c writes one lesson, frame.c the page around the lessons, main.c the file.
 *
 *      page lessons build/lessons          writes build/lessons/index.html
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_PAGE_PAGE_H
#define SLOPE_LESSONS_PAGE_PAGE_H

#include "lessons/page/text.h"

enum { PAGE_LESSONS = 100, RUN_PICTURES = 48, RUN_FILES = 64 };

typedef struct Picture {
    const char *file, *title, *alt;
    int  width, height;
    bool drawn;
    bool is_there; /* the file exists and is not empty */
} Picture;

typedef enum RunState { RUN_NONE, RUN_UNFINISHED, RUN_FAILED, RUN_PASSED } RunState;

/* The texts point into `record`. */
typedef struct Run {
    RunState    state;
    const char *options, *stopped, *seconds; /* "" if not recorded */
    int         claims, failed;
    bool        is_older; /* the run is older than the source */
    Picture     picture[RUN_PICTURES];
    int         pictures;
    const char *file[RUN_FILES]; /* files written other than pictures' scripts and data */
    int         files;
    char       *record, *output; /* NULL if missing */
} Run;

typedef struct LessonPage {
    char  number[4], file[256]; /* "01", "01_prelu_forward.c" */
    char *title;                /* the source's first paragraph, without "Lesson 01: " */
    char *name;                 /* its first sentence, shortened */
    char *source, *story, *exercises; /* the last two without comment marks; NULL if missing */
    Run   run;
} LessonPage;

typedef struct Page {
    const char *sources, *out; /* folders */
    LessonPage  lesson[PAGE_LESSONS];
    int         lessons;
} Page;

bool source_read(LessonPage *lesson, const char *folder, const char *file);
void source_free(LessonPage *lesson);

/* Reads out/NN; if the folder is missing or contains no run, the lesson has not run. */
void run_read(LessonPage *lesson, const char *sources, const char *out);
void run_free(Run *run);

/* The result of the run in words: "30 of 30 claims hold". */
const char *run_words(const Run *run);

/* Converts a comment's text: paragraphs, preformatted blocks, numbered lists, "You need   C". */
void prose_html(Text *t, const char *prose);

void syllabus_html(Text *t, const Page *page);

/* Writes the table of lessons/README.md whose first heading is `head`, if there is one. */
void table_html(Text *t, const Page *page, const char *head, const char *name, const char *caption);
void article_html(Text *t, const Page *page, const LessonPage *lesson);
void page_html(Text *t, const Page *page);

#endif

/* lessons/page/source.c -- the title, the story and the exercises in a lesson's source.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lessons/page/page.h"
#include "tensor/memory.h"

/* Adds a line of a comment without its leading " * ". */
static void source_comment_line(Text *t, const char *line)
{
    if (begins(line, "/* "))
        line += 3;
    else if (begins(line, " * "))
        line += 3;
    else if (begins(line, " *"))
        line += 2;
    text_add(t, line, strlen(line));
    text_add(t, "\n", 1);
}

/* The text of the comment that begins at `at`, up to its end or, if `story`, up to the line "Run
 * make lesson-NN": what follows it, the run itself, is on the page. */
static char *source_comment(const char *at, bool story)
{
    if (!at)
        return NULL;
    const char *end = strstr(at, "*/");
    Text copy = {0}, t = {0};
    text_add(&copy, at, end ? (size_t)(end - at) : strlen(at));
    text_add(&t, "", 0);
    char *rest = copy.bytes;
    for (char *line; (line = next_line(&rest));) {
        const char *words = line + strspn(line, " */");
        if (begins(words, "SPDX-License") ||
            (story && begins(words, "Run") && strstr(words, "make lesson-")))
            break;
        source_comment_line(&t, line);
    }
    text_free(&copy);
    return t.bytes;
}

/* Removes the first paragraph from the story and returns it on one line, without "Lesson 01: ". */
static char *source_title(char *story)
{
    Text t = {0};
    text_add(&t, "", 0);
    size_t taken = 0;
    for (char *at = story; *at && *at != '\n';) {
        size_t n = strcspn(at, "\n");
        char *word = at + strspn(at, " ");
        if (t.length)
            text_add(&t, " ", 1);
        text_add(&t, word, n - (size_t)(word - at));
        at += n + (at[n] == '\n');
        taken = (size_t)(at - story);
    }
    memmove(story, story + taken, strlen(story + taken) + 1);
    char *colon = begins(t.bytes, "Lesson ") ? strstr(t.bytes, ": ") : NULL;
    if (colon)
        memmove(t.bytes, colon + 2, strlen(colon + 2) + 1);
    size_t n = strlen(t.bytes);
    if (n > 0 && t.bytes[n - 1] == '.')
        t.bytes[n - 1] = '\0';
    t.bytes[0] = (char)toupper((unsigned char)t.bytes[0]);
    return t.bytes;
}

/* The title's first sentence, cut at a comma that is far from its beginning. */
static char *source_name(const char *title)
{
    size_t n = strlen(title);
    for (size_t i = 0; title[i]; i++)
        if ((strchr(".:?!", title[i]) && title[i + 1] == ' ') ||
            (title[i] == ',' && i > 18)) {
            n = i + (title[i] == '?');
            break;
        }
    Text t = {0};
    text_add(&t, title, n);
    return t.bytes;
}

bool source_read(LessonPage *lesson, const char *folder, const char *file)
{
    snprintf(lesson->file, sizeof lesson->file, "%s", file);
    snprintf(lesson->number, sizeof lesson->number, "%.2s", file);
    lesson->source = file_read(folder, file);
    if (!lesson->source)
        return false;
    const char *exercises = strstr(lesson->source, "/* Exercises");
    lesson->story = source_comment(strstr(lesson->source, "/*"), true);
    lesson->exercises = exercises ? source_comment(strchr(exercises, '\n'), false) : NULL;
    lesson->title = lesson->story ? source_title(lesson->story) : NULL;
    if (!lesson->title || !lesson->title[0]) {
        memory_free(lesson->title);
        lesson->title = memory_copy_text(file);
    }
    lesson->name = source_name(lesson->title);
    return true;
}

void source_free(LessonPage *lesson)
{
    memory_free(lesson->source), memory_free(lesson->story), memory_free(lesson->exercises);
    memory_free(lesson->title), memory_free(lesson->name);
}

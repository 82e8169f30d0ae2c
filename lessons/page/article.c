/* lessons/page/article.c -- one lesson: story, output, pictures, exercises, source.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "lessons/page/page.h"

static bool article_is(const char *file, const char *extension)
{
    size_t n = strlen(file), m = strlen(extension);
    return n > m && strcmp(file + n - m, extension) == 0;
}

static void article_link(Text *t, const char *number, const char *file)
{
    html(t, "<a href=\"$/$\">$/$</a>", number, file, number, file);
}

/* --- the result of the run -------------------------------------------------------------------- */

static void article_command(Text *t, const char *number, const char *options)
{
    html(t, options[0] ? "<code>make lesson-$ ARGS=\"$\"</code>" : "<code>make lesson-$</code>",
         number, options);
}

static void article_failed_claims(Text *t, const char *output)
{
    html(t, "<ul>\n");
    for (const char *line = output; line && *line;) {
        size_t n = strcspn(line, "\n");
        if (begins(line, "  [FAILED] ")) {
            html(t, "<li>");
            text_escape(t, line + 11, n - 11); /* after "  [FAILED] " */
            html(t, "</li>\n");
        }
        line += n + (line[n] == '\n');
    }
    html(t, "</ul>\n");
}

static void article_state(Text *t, const LessonPage *lesson)
{
    const Run *run = &lesson->run;
    bool bad = run->state == RUN_FAILED || run->state == RUN_UNFINISHED;
    html(t, bad ? "<div class=\"state bad\">" : "<div class=\"state\">");
    html(t, run->state == RUN_PASSED ? "<p>$: " : "<p><strong>$</strong>: ",
         run->state == RUN_NONE || run->state == RUN_UNFINISHED
             ? brief("This lesson %s", run_words(run)) : run_words(run));
    article_command(t, lesson->number, run->options);
    html(t, run->state == RUN_NONE ? " runs it and adds its output and pictures here.</p>\n"
         : run->state == RUN_UNFINISHED ? " did not finish, or is still running.</p>\n"
         : ", in $ s.</p>\n",
         strcmp(run->seconds, "0.0") == 0 ? "less than 0.1" : run->seconds);
    if (run->state == RUN_FAILED)
        article_failed_claims(t, run->output);
    if (run->stopped[0])
        html(t, "<p>Its message: $</p>\n", run->stopped);
    if (run->is_older)
        html(t, "<p>The source has changed since this run: run it again.</p>\n");
    html(t, "</div>\n");
}

/* --- output and source ------------------------------------------------------------------------ */

static void article_output(Text *t, const LessonPage *lesson)
{
    const char *line = lesson->run.output;
    if (!line || is_blank(line))
        return;
    html(t, "<h3>Output</h3>\n<pre class=\"output\" tabindex=\"0\" role=\"region\" "
            "aria-label=\"Output of lesson $\">", lesson->number);
    line += strspn(line, "\n");
    while (*line) {
        size_t n = strcspn(line, "\n");
        bool failed = begins(line, "  [FAILED]");
        html(t, failed ? "<strong class=\"bad\">" : "");
        text_escape(t, line, n);
        html(t, failed ? "</strong>\n" : "\n");
        line += n + (line[n] == '\n');
    }
    html(t, "</pre>\n");
}

static void article_source(Text *t, const Page *page, const LessonPage *lesson)
{
    int lines = 0;
    for (const char *at = lesson->source; (at = strchr(at, '\n')); at++)
        lines++;
    html(t, "<details>\n<summary>The whole program: $/$, $ lines</summary>\n"
            "<pre tabindex=\"0\" role=\"group\" aria-label=\"Source of lesson $\"><code>",
         page->sources, lesson->file, brief("%d", lines), lesson->number);
    html(t, "$</code></pre>\n</details>\n", lesson->source);
}

/* --- pictures --------------------------------------------------------------------------------- */

/* An animation can be collapsed, and is not shown if the system is set to reduce motion. */
static void article_image(Text *t, const char *number, const Picture *p)
{
    bool moves = article_is(p->file, ".gif");
    const char *width = brief("%d", p->width), *height = brief("%d", p->height);
    if (moves)
        html(t, "<details class=\"moving\" open=\"open\">\n<summary>Animation: $</summary>\n",
             p->title);
    if (p->width > 800)
        html(t, "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"$\">"
                "<img class=\"large\" ", p->title);
    else
        html(t, "<div><img ");
    html(t, "src=\"$/$\" width=\"$\" height=\"$\" loading=\"lazy\" alt=\"$$$.\" /></div>\n",
         number, p->file, width, height, p->title, p->alt[0] ? ". " : "", p->alt);
    if (moves)
        html(t, "<p class=\"still\">Your system is set to reduce motion, so the animation is not "
                "shown.</p>\n</details>\n");
}

static bool ends_sentence(const char *title)
{
    size_t n = strlen(title);
    return n > 0 && strchr(".?!", title[n - 1]);
}

static void article_picture(Text *t, const char *number, const Picture *p)
{
    char base[80] = "";
    strncat(base, p->file, strcspn(p->file, ".") < 79 ? strcspn(p->file, ".") : 79);
    html(t, "<figure>\n");
    if (p->drawn && p->is_there)
        article_image(t, number, p);
    html(t, ends_sentence(p->title) ? "<figcaption><p>$" : "<figcaption><p>$.", p->title);
    if (p->drawn && p->is_there)
        html(t, " "), article_link(t, number, p->file), html(t, "</p>\n");
    else
        html(t, " <strong>Not drawn</strong>: <code>make deps</code> installs gnuplot; if gnuplot "
                "failed, its messages are in the .log file beside the script.</p>\n");
    html(t, "<p>Script ");
    article_link(t, number, brief("%s.gp", base));
    html(t, ", data ");
    article_link(t, number, brief("%s.dat", base));
    html(t, "; to redraw it, edit the script and run <code>gnuplot -d $.gp</code> in the folder "
            "<code>$</code>.</p></figcaption>\n</figure>\n", base, number);
}

static void article_pictures(Text *t, const LessonPage *lesson)
{
    const Run *run = &lesson->run;
    if (run->pictures)
        html(t, "<h3>Pictures</h3>\n");
    for (int i = 0; i < run->pictures; i++)
        article_picture(t, lesson->number, &run->picture[i]);
    for (int i = 0; i < run->files; i++) {
        html(t, i ? ", " : "<p>Data: ");
        article_link(t, lesson->number, run->file[i]);
        html(t, i + 1 == run->files ? "</p>\n" : "");
    }
}

void article_html(Text *t, const Page *page, const LessonPage *lesson)
{
    html(t, "<article id=\"lesson-$\" aria-labelledby=\"title-$\">\n"
            "<h2 id=\"title-$\">Lesson $: $</h2>\n",
         lesson->number, lesson->number, lesson->number, lesson->number, lesson->title);
    article_state(t, lesson);
    if (lesson->run.state != RUN_NONE) {
        if (lesson->story)
            prose_html(t, lesson->story);
        article_output(t, lesson);
        article_pictures(t, lesson);
        if (lesson->exercises) {
            html(t, "<h3>Exercises</h3>\n");
            prose_html(t, lesson->exercises);
        }
        article_source(t, page, lesson);
    }
    html(t, "<p class=\"up\"><a href=\"#syllabus\">Up to the syllabus</a></p>\n</article>\n");
}

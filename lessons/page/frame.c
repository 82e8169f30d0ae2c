/* lessons/page/frame.c -- the page around the lessons.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "lessons/page/page.h"
#include "tensor/memory.h"

static void frame_head(Text *t, const Page *page)
{
    char *style = file_read(page->sources, "page/style.css");
    html(t, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n"
            "<meta name=\"color-scheme\" content=\"light dark\" />\n"
            "<title>Slope: the lessons</title>\n<style>\n");
    if (style)
        text_add(t, style, strlen(style)); /* our own file, which contains no '<' */
    html(t, "</style>\n</head>\n");
    memory_free(style);
}

static void frame_nav(Text *t, const Page *page, bool document)
{
    html(t, "<nav aria-label=\"Lessons\">\n<ul>\n<li class=\"first\"><a href=\"#syllabus\">"
            "Syllabus</a></li>\n");
    if (document)
        html(t, "<li class=\"first\"><a href=\"#document\">The document</a></li>\n");
    for (int i = 0; i < page->lessons; i++) {
        const LessonPage *l = &page->lesson[i];
        bool bad = l->run.state == RUN_FAILED || l->run.state == RUN_UNFINISHED;
        html(t, "<li><a href=\"#lesson-$\">$ <span class=\"name\">$</span>", l->number, l->number,
             l->name);
        if (bad)
            html(t, " <strong class=\"bad\" title=\"$\">!<span class=\"name\"> $</span></strong>",
                 run_words(&l->run), run_words(&l->run));
        html(t, "</a></li>\n");
    }
    html(t, "</ul>\n</nav>\n");
}

static void frame_header(Text *t)
{
    html(t, "<body>\n<a class=\"skip\" href=\"#main\">Skip to the lessons</a>\n<header>\n"
            "<h1>Slope: the lessons</h1>\n"
            "<p>Reverse-mode automatic differentiation from scratch in C11, taught through one "
            "activation, PReLU. Each lesson is a C program; this page is made from the lessons' "
            "sources and their last runs on this machine.</p>\n</header>\n");
}

static void frame_document(Text *t, const Text *table)
{
    html(t, "<section aria-labelledby=\"document\">\n<h2 id=\"document\">The document</h2>\n"
            "<p>The lessons work through a short text for PyTorch users, which they call the "
            "document, and test its claims.</p>\n");
    text_add(t, table->bytes, table->length);
    html(t, "</section>\n");
}

void page_html(Text *t, const Page *page)
{
    Text document = {0}; /* empty if the README has no such table */
    table_html(&document, page, "in the document", "The document",
               "The document's claims, the lessons that test them, and their findings");
    frame_head(t, page);
    frame_header(t);
    html(t, "<div class=\"columns\">\n");
    frame_nav(t, page, document.length > 0);
    html(t, "<main id=\"main\" tabindex=\"-1\">\n<section aria-labelledby=\"syllabus\">\n"
            "<h2 id=\"syllabus\">Syllabus</h2>\n<p><code>make lesson-01</code> runs a lesson, "
            "<code>make lessons</code> all of them; each run updates this page.</p>\n");
    syllabus_html(t, page);
    html(t, "</section>\n");
    if (document.length)
        frame_document(t, &document);
    text_free(&document);
    for (int i = 0; i < page->lessons; i++)
        article_html(t, page, &page->lesson[i]);
    html(t, "</main>\n</div>\n<footer><p>Slope, MIT licence. This page needs no network and no "
            "script; its folder can be moved as a whole.</p></footer>\n</body>\n</html>\n");
}

/* lessons/kit/confusion.c -- a confusion matrix as a picture.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/confusion.h"

#include <string.h>

#include "tensor/files/json.h"
#include "tensor/memory.h"

/* A class name on an axis: at most this many characters of up to 4 bytes; "..." if it is cut. */
enum { CONFUSION_LETTERS = 20, CONFUSION_NAME = 4 * CONFUSION_LETTERS + 4 };

/* Sets *length to the bytes of the first character of the text. Returns what gnuplot draws in its
 * place, or NULL if it can draw the character itself: a single quote would end gnuplot's string, a
 * percent sign would begin a number format, and an SVG file must contain neither control characters
 * nor bytes that are not UTF-8. */
static const char *confusion_letter(const char *text, size_t *length)
{
    *length = slope_utf8_length((const uint8_t *)text, strlen(text));
    if (*length == 0 || (uint8_t)*text < 0x20 || *text == 0x7f) {
        *length = 1;
        return "?";
    }
    return *text == '\'' ? "’" : *text == '%' ? "%%" : NULL;
}

static void confusion_shorten(char out[CONFUSION_NAME], const char *name)
{
    size_t length;
    for (int letters = 0; *name && letters < CONFUSION_LETTERS; letters++, name += length) {
        const char *instead = confusion_letter(name, &length);
        size_t bytes = instead ? strlen(instead) : length;
        memcpy(out, instead ? instead : name, bytes);
        out += bytes;
    }
    strcpy(out, *name ? "..." : "");
}

static void confusion_cells(Plot *p, const Confusion *c, const char *const *names)
{
    size_t cells = (size_t)c->classes * c->classes;
    double *count = memory_new_array(cells, sizeof *count), largest = 1;
    for (size_t i = 0; i < cells; i++) {
        count[i] = (double)c->count[i];
        largest = count[i] > largest ? count[i] : largest;
    }
    plot_panel(p, "", "predicted class", "true class");
    plot_matrix(p, c->classes, c->classes, count, names, names);
    plot_grey_range(p, 0, largest);
    memory_free(count);
}

/* CELL pixels per class, but at least LEAST and at most MOST in all; a further 240 pixels in width
 * and 160 in height are for the names and titles. */
static void confusion_size(Plot *p, int classes)
{
    enum { CELL = 52, LEAST = 10 * CELL, MOST = PLOT_CELLS * CELL };
    int side = classes > PLOT_CELLS ? MOST : classes * CELL < LEAST ? LEAST : classes * CELL;
    if (classes > PLOT_CELLS)
        plot_as_png(p);
    plot_size(p, side + 240, side + 160);
}

void draw_confusion(const Lesson *lesson, const char *name, const char *title, const Confusion *c)
{
    if (!c || !c->count)
        slope_fail("draw_confusion", "there is no confusion matrix; was it freed?");
    char text[PLOT_CELLS][CONFUSION_NAME];
    const char *names[PLOT_CELLS];
    for (int k = 0; k < c->classes && k < PLOT_CELLS; k++) {
        snprintf(text[k], CONFUSION_NAME, "%d", k);
        if (c->names)
            confusion_shorten(text[k], c->names[k]);
        names[k] = text[k];
    }
    Plot *p = plot_new(lesson, name, title, 1, 1);
    confusion_size(p, c->classes);
    confusion_cells(p, c, names);
    plot_draw(p);
}

/* lessons/kit/plot_alt.c -- a picture in words, for readers who cannot see it: the page's alt text.
 *
 *  - It is composed of the titles, axis labels and legends from the lesson, and the first and last
 *    value of each line.
 *  - Of an animation, only the first and the last frame are described.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "lessons/kit/plot_script.h"

void slope_plot_tell(Plot *p, const char *format, ...)
{
    size_t n = strlen(p->alt);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(p->alt + n, sizeof p->alt - n, format, args);
    va_end(args);
    if (more < 0 || n + (size_t)more >= sizeof p->alt) /* cut before the first byte of a letter */
        for (n = sizeof p->alt - 5; n > 0 && ((unsigned char)p->alt[n] & 0xc0) == 0x80; n--)
            ;
    else
        return;
    strcpy(p->alt + n, " ...");
}

/* What separates a new sentence from the text so far. */
static const char *plot_full_stop(const Plot *p)
{
    size_t n = strlen(p->alt);
    return n == 0 ? "" : strchr(".?!", p->alt[n - 1]) ? " " : ". ";
}

void slope_plot_tell_panel(Plot *p, const char *title, const char *x_label, const char *y_label)
{
    if (p->gif_delay && p->panels == 2)
        p->alt_first = strlen(p->alt);
    if (p->gif_delay && p->panels >= 2) {
        p->alt[p->alt_first] = '\0';
        slope_plot_tell(p, "%sThe last of %d frames", plot_full_stop(p), p->panels);
    }
    p->alt_kind = "";
    if (title[0])
        slope_plot_tell(p, "%s%s", plot_full_stop(p), title);
    if (y_label[0] || x_label[0])
        slope_plot_tell(p, "%s%s%s%s", p->alt[0] ? ": " : "", y_label,
                        y_label[0] && x_label[0] ? " against " : "", x_label);
}

static const char *plot_kind(const char *style)
{
    static const char *const kind[][2] = {
        {"linespoints", "line with points"},  {"lines", "line"}, {"points", "points"},
        {"yerrorbars", "points with errors"}, {"boxes", "bars"}, {"filledcurves", "band"}};
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        if (strncmp(style, kind[i][0], strlen(kind[i][0])) == 0)
            return kind[i][1];
    return "";
}

/* Adds "; line LEGEND", with the kind ("line") only if it differs from the last one. */
void slope_plot_tell_series(Plot *p, const char *style, const char *legend)
{
    const char *kind = plot_kind(style);
    bool same = strcmp(kind, p->alt_kind) == 0;
    if (!legend[0] && same)
        return;
    slope_plot_tell(p, "; %s%s%s", same ? "" : kind, !same && legend[0] ? " " : "", legend);
    p->alt_kind = kind;
}

void slope_plot_tell_ends(Plot *p, int n, const double *y)
{
    if (n > 1 && isfinite(y[0]) && isfinite(y[n - 1]))
        slope_plot_tell(p, " from %.3g to %.3g", y[0] + 0.0, y[n - 1] + 0.0); /* -0 becomes 0 */
}

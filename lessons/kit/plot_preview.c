/* lessons/kit/plot_preview.c -- a picture in characters, for a terminal without a display.
 *
 *  - gnuplot's terminal "dumb" runs the picture's script again, with 79 x 24 characters and no
 *    colours, for the first panel of the first picture that consists of lines, points or bars and
 *    has its key in the panel.
 *  - The preview goes only to stdout, not to output.txt.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "lessons/kit/plot_script.h"

static bool preview_begins(const char *line, const char *words)
{
    return strncmp(line, words, strlen(words)) == 0;
}

/* Copies the script up to its second panel, with terminal "dumb" in place of its own. Returns
 * whether that succeeded. */
static bool preview_script(FILE *script, FILE *out)
{
    char line[PLOT_TEXT];
    int panels = 0;
    fputs("set terminal dumb noenhanced size 79,24\n", out);
    while (fgets(line, sizeof line, script)) {
        panels += preview_begins(line, "set border 3");
        if (panels > 1)
            break;
        if (!preview_begins(line, "set terminal") && !preview_begins(line, "set output") &&
            !preview_begins(line, "set multiplot") && !preview_begins(line, "unset multiplot") &&
            !preview_begins(line, "set size ratio") && !preview_begins(line, "set key outside"))
            fputs(line, out);
    }
    bool copied = fflush(out) == 0 && !ferror(out);
    rewind(out);
    return copied;
}

static void preview_show(FILE *drawn)
{
    rewind(drawn);
    putchar('\n');
    for (int c; (c = fgetc(drawn)) != EOF;)
        if (c != '\f')
            putchar(c);
    fflush(stdout);
}

void slope_plot_preview(const Plot *p)
{
    static bool shown;
    if (!p->lesson->preview || shown || p->has_shapes || p->shared_key || p->gif_delay)
        return;
    char name[80], path[1024];
    snprintf(name, sizeof name, "%s.gp", p->name);
    lesson_path(p->lesson, name, path);
    FILE *script = fopen(path, "r"), *input = tmpfile(), *drawn = tmpfile(), *log = tmpfile();
    shown = script && input && drawn && log && preview_script(script, input) &&
            slope_plot_gnuplot(p->lesson, "-", input, drawn, log);
    if (shown)
        preview_show(drawn);
    FILE *const file[] = {script, input, drawn, log};
    for (int i = 0; i < 4; i++)
        if (file[i])
            fclose(file[i]);
}

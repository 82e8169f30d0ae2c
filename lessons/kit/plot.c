/* lessons/kit/plot.c -- pictures: the head of the script, its panels, running gnuplot.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lessons/kit/plot_script.h"
#include "lessons/kit/record.h"

/* --- the head of the script ------------------------------------------------------------------- */

void slope_plot_append(Plot *p, const char *format, ...)
{
    size_t n = strlen(p->series);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(p->series + n, sizeof p->series - n, format, args);
    va_end(args);
    if (more < 0 || n + (size_t)more >= sizeof p->series)
        slope_fail("plot", "picture '%s' has too many series in one panel", p->name);
}

const char *slope_plot_text(const char *text)
{
    if (strchr(text, '\'') || strchr(text, '\n'))
        slope_fail("plot", "the text \"%s\" contains a single quote or a line break, which a "
                   "quoted gnuplot string cannot contain", text);
    return text;
}

/* gnuplot reads the text of a tic as a format, in which a percent sign begins a number. */
void slope_plot_tic(Plot *p, const char *text, double position)
{
    fprintf(p->script, "'");
    for (const char *at = slope_plot_text(text); *at; at++)
        fprintf(p->script, "%s%c", *at == '%' ? "%" : "", *at);
    fprintf(p->script, "' %.9g", position);
}

/* A picture's name is part of its files' names and of its script. gnuplot takes what begins
 * with < or | for a command that it runs, with $ for a data block, and with - for an option. */
void slope_plot_check(const Lesson *lesson, const char *name, const char *title,
                      const char *function)
{
    if (!lesson || !name || !title)
        slope_fail(function, "the %s is NULL", !lesson ? "lesson" : !name ? "name" : "title");
    if (!name[0] || strlen(name) >= PLOT_NAME || strpbrk(name, "/'\n") || strchr("<|$-", name[0]))
        slope_fail(function, "'%s' is not a valid name for a picture: expected 1 to %d bytes "
                   "without a slash or a quote, and not beginning with < | $ or -; the folder is "
                   "set by lesson_here or --out", name, PLOT_NAME - 1);
    if (strlen(slope_plot_text(title)) >= PLOT_TITLE)
        slope_fail(function, "the title of picture '%s' has %zu bytes; expected at most %d", name,
                   strlen(title), PLOT_TITLE - 1);
}

Plot *plot_new(const Lesson *lesson, const char *name, const char *title, int rows, int columns)
{
    slope_plot_check(lesson, name, title, "plot_new");
    Plot *p = memory_new(sizeof *p);
    p->lesson = lesson;
    p->rows = rows, p->columns = columns;
    p->width = 720 * columns, p->height = 480 * rows;
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->title, sizeof p->title, "%s", title);
    char file[80];
    snprintf(file, sizeof file, "%s.gp", name);
    p->script = lesson_open(lesson, file);
    snprintf(file, sizeof file, "%s.dat", name);
    p->data = lesson_open(lesson, file);
    if (lesson->number)
        fprintf(p->data, "# Lesson %s: %s\n", lesson->number, title);
    else
        fprintf(p->data, "# %s\n", title);
    return p;
}

void plot_as_png(Plot *p)
{
    p->png = true;
}

void plot_size(Plot *p, int width, int height)
{
    p->width = width, p->height = height;
}

void plot_as_gif(Plot *p, int centiseconds)
{
    p->gif_delay = centiseconds;
}

void plot_shared_key(Plot *p)
{
    p->shared_key = true;
}

static const char *plot_extension(const Plot *p)
{
    return p->gif_delay ? "gif" : p->png ? "png" : "svg";
}

/* Every terminal is set to noenhanced, so that _ ^ { } in a text are drawn as they are. */
static void plot_write_terminal(const Plot *p)
{
    if (p->gif_delay)
        fprintf(p->script,
                "set terminal gif noenhanced animate delay %d loop 0 size %d,%d font 'sans,11'\n",
                p->gif_delay, p->width, p->height);
    else if (p->png)
        fprintf(p->script, "set terminal pngcairo noenhanced size %d,%d font 'sans,12'\n", p->width,
                p->height);
    else
        fprintf(
            p->script,
            "set terminal svg noenhanced size %d,%d font 'sans-serif,14' background '#ffffff'\n",
            p->width, p->height);
    fprintf(p->script, "set output '%s.%s'\n", p->name, plot_extension(p));
}

/* Okabe and Ito's colours, darkest first to keep the order in a grey print, each with its dash. */
static void plot_write_styles(const Plot *p)
{
    static const char *const colors[PLOT_STYLES] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                    "#e69f00", "#56b4e9", "#000000", "#b8a800"};
    for (int i = 0; i < PLOT_STYLES; i++)
        fprintf(p->script,
                "set linetype %d linewidth 2.2 linecolor rgb '%s' dashtype %d pointtype %d\n",
                i + 1, colors[i], i % 5 + 1, (const int[]){7, 5, 9, 13, 11, 6, 4, 8}[i]);
}

/* Are the panels drawn on one page, below one title? */
static bool plot_has_page(const Plot *p)
{
    return !p->gif_delay && (p->rows * p->columns > 1 || p->shared_key);
}

static void plot_write_head(Plot *p)
{
    char lesson[64] = "";
    if (p->lesson->number)
        snprintf(lesson, sizeof lesson, "Lesson %s. ", p->lesson->number);
    fprintf(p->script, "# %sDraw again with: gnuplot -d %s.gp\n", lesson, p->name);
    plot_write_terminal(p);
    plot_write_styles(p);
    fprintf(p->script, "set encoding utf8\nset tics nomirror textcolor rgb '#222222'\n"
            "set style fill solid 0.45 noborder\n");
    if (plot_has_page(p)) /* two empty lines make room for the shared key */
        fprintf(p->script, "set multiplot layout %d,%d title '%s'%s font ',18'\n", p->rows,
                p->columns, p->title, p->shared_key ? ".\"\\n\\n \"" : "");
}

/* --- panels ----------------------------------------------------------------------------------- */

static void plot_end_panel(Plot *p)
{
    if (p->series[0])
        fprintf(p->script, "plot %s\n", p->series);
    p->has_series |= p->series[0];
    p->series[0] = '\0';
}

void plot_panel(Plot *p, const char *title, const char *x_label, const char *y_label)
{
    if (p->panels++ == 0)
        plot_write_head(p);
    slope_plot_tell_panel(p, title, x_label, y_label);
    plot_end_panel(p);
    p->styles = p->bands = 0;
    bool single = !plot_has_page(p);
    fprintf(p->script, "\nset border 3 linecolor rgb '#444444'\n"
            "set grid linecolor rgb '#dddddd' linewidth 1 dashtype 1\n");
    fprintf(p->script, "unset logscale\nunset label\nunset arrow\nunset object\nset autoscale\nset "
                       "format\nset size noratio\n"
                       "set xtics auto\nset ytics auto\nset key top left reverse Left samplen 3\n");
    fprintf(p->script, "set title '%s%s%s'\nset xlabel '%s'\nset ylabel '%s'\n",
            single ? p->title : "", single && title[0] ? ": " : "", slope_plot_text(title),
            slope_plot_text(x_label), slope_plot_text(y_label));
    if (p->shared_key)
        fprintf(p->script, "unset key\n");
}

/* The shared key belongs to an empty plot as large as the page, so that it can be as wide as the
 * page. */
static void plot_write_shared_key(Plot *p)
{
    fprintf(p->script,
            "\nunset border\nunset tics\nunset title\nunset xlabel\nunset ylabel\nunset arrow\n"
            "unset label\nset origin 0,0\nset size 1,1\nset lmargin 0\nset rmargin 0\n"
            "set xrange [0:1]\nset yrange [0:1]\n"
            "set key at screen 0.5, screen %.4f top center horizontal maxrows 1 reverse Left\n"
            "plot %s\n",
            1 - 40.0 / p->height, p->key);
}

void plot_x_range(Plot *p, double low, double high)
{
    fprintf(p->script, "set xrange [%.9g:%.9g]\n", low, high);
}

void plot_y_range(Plot *p, double low, double high)
{
    fprintf(p->script, "set yrange [%.9g:%.9g]\n", low, high);
}

void plot_log_x(Plot *p)
{
    fprintf(p->script, "set logscale x\nset format x '%%.0e'\n");
}

void plot_log_y(Plot *p)
{
    fprintf(p->script, "set logscale y\nset format y '%%.0e'\n");
}

void plot_equal_axes(Plot *p)
{
    fprintf(p->script, "set size ratio -1\n");
}

void plot_key(Plot *p, const char *where)
{
    fprintf(p->script, strcmp(where, "off") == 0 ? "unset key\n" : "set key %s\n", where);
}

void plot_set(Plot *p, const char *command)
{
    fprintf(p->script, "%s\n", command);
}

void plot_label(Plot *p, const char *text, double x, double y)
{
    fprintf(p->script, "set label '%s' at first %.9g, first %.9g front\n",
            slope_plot_text(text), x, y);
}

/* --- drawing ---------------------------------------------------------------------------------- */

extern char **environ;

static bool plot_drops(const char *variable)
{
    static const char *const dropped[] = {"GNUTERM=", "GNUPLOT_LIB=", "GNUPLOT_FONTPATH=",
                                          "GNUPLOT_DEFAULT_GDFONT=", "GDFONTPATH=", "LC_ALL="};
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        if (strncmp(variable, dropped[i], strlen(dropped[i])) == 0)
            return true;
    return false;
}

/* A picture must depend only on its script. gnuplot is run with -d, which ignores the user's and
 * the system's gnuplotrc, and without the variables that choose its terminal, fonts and folders; a
 * locale may select other fonts, and the script sets its encoding. Free the result. */
static char **plot_environment(void)
{
    size_t n = 0, kept = 0;
    while (environ && environ[n])
        n++;
    char **variable = memory_new_array(n + 2, sizeof *variable);
    for (size_t i = 0; i < n; i++)
        if (!plot_drops(environ[i]))
            variable[kept++] = environ[i];
    variable[kept] = (char *)"LC_ALL=C";
    return variable;
}

/* In the child, where only async-signal-safe functions may be called, because other threads may
 * have held locks when it was forked: becomes gnuplot. */
static _Noreturn void plot_become_gnuplot(const Lesson *lesson, const char *script,
                                          const int fd[3], char **environment)
{
    char *const arguments[] = {(char *)"gnuplot", (char *)"-d", (char *)script, NULL};
    if (chdir(lesson->out) == 0 && (fd[0] < 0 || dup2(fd[0], STDIN_FILENO) >= 0) &&
        dup2(fd[1], STDOUT_FILENO) >= 0 && dup2(fd[2], STDERR_FILENO) >= 0)
        execve(lesson->gnuplot, arguments, environment);
    _exit(127);
}

bool slope_plot_gnuplot(const Lesson *lesson, const char *script, FILE *input, FILE *output,
                        FILE *log)
{
    const int fd[3] = {input ? fileno(input) : -1, fileno(output), fileno(log)};
    char **environment = plot_environment();
    pid_t child = fork();
    if (child == 0)
        plot_become_gnuplot(lesson, script, fd, environment);
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    memory_free(environment);
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Draws the picture; keeps gnuplot's messages, in NAME.log, only if it fails. */
static bool plot_run(const Plot *p)
{
    char script[80], name[80], path[1024];
    snprintf(script, sizeof script, "%s.gp", p->name);
    snprintf(name, sizeof name, "%s.log", p->name);
    lesson_path(p->lesson, name, path);
    FILE *log = slope_lesson_create(p->lesson, name);
    bool drawn = slope_plot_gnuplot(p->lesson, script, NULL, log, log);
    fclose(log);
    if (drawn)
        remove(path);
    return drawn;
}

static void plot_close_files(const Plot *p)
{
    char name[80];
    snprintf(name, sizeof name, "%s.gp", p->name);
    lesson_close(p->lesson, name, p->script);
    snprintf(name, sizeof name, "%s.dat", p->name);
    lesson_close(p->lesson, name, p->data);
}

/* Does the file end as its format does, apart from line breaks? gnuplot does not notice that a disk
 * is full. */
static bool plot_is_complete(const Plot *p, const char *path)
{
    const char *end = p->gif_delay ? ";" : p->png ? "IEND\xae\x42\x60\x82" : "</svg>";
    char tail[16];
    FILE *f = fopen(path, "rb");
    bool found = f && fseek(f, -(long)sizeof tail, SEEK_END) == 0;
    size_t n = found ? fread(tail, 1, sizeof tail, f) : 0, length = strlen(end);
    while (n > length && tail[n - 1] == '\n')
        n--;
    if (f)
        fclose(f);
    return n >= length && memcmp(tail + n - length, end, length) == 0;
}

static void plot_end_script(Plot *p)
{
    plot_end_panel(p);
    if (!p->has_series)
        slope_fail("plot_draw", "picture '%s' is empty; draw something in a panel", p->name);
    for (int i = 0; p->gif_delay && i < PLOT_HOLD / p->gif_delay; i++)
        fprintf(p->script, "replot\n"); /* each repeats the last frame once, which holds it */
    if (p->key[0])
        plot_write_shared_key(p);
    if (plot_has_page(p))
        fprintf(p->script, "unset multiplot\n");
}

void plot_draw(Plot *p)
{
    char file[80], path[1024];
    if (!p)
        slope_fail("plot_draw", "the plot is NULL");
    plot_end_script(p);
    plot_close_files(p);
    snprintf(file, sizeof file, "%s.%s", p->name, plot_extension(p));
    lesson_path(p->lesson, file, path);
    remove(path); /* a picture from an earlier run would not show these data */
    bool drawn = p->lesson->gnuplot[0] && plot_run(p);
    if (drawn && !plot_is_complete(p, path))
        slope_refuse_partial(p->lesson, file, 0);
    if (p->lesson->gnuplot[0])
        say("  picture: %s%s\n", path,
            drawn ? "" : " could not be drawn: see the .log file beside it");
    slope_record(drawn ? "picture" : "undrawn", "%s %d %d %s", file, p->width, p->height, p->title);
    slope_record("alt", "%s", p->alt);
    if (drawn)
        slope_plot_preview(p);
    memory_free(p);
}

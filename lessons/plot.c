/* lessons/plot.c -- writing gnuplot scripts and data, and running gnuplot.
 *
 * The script is written while the lesson calls; the data go into one file, a block ("index") a
 * series. Texts reach gnuplot only inside single quotes, where it neither expands nor executes
 * anything.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/plot.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/memory.h"

enum { PLOT_STYLES = 8, PLOT_TEXT = 16384 };

struct Plot {
    const Lesson *lesson;
    char  name[64], title[256];
    int   rows, columns, width, height;
    bool  png;
    int   gif_delay;  /* 0: not a GIF */
    FILE *script, *data;
    int   blocks;     /* data blocks written */
    int   panels, styles, bands; /* line styles and bands used in this panel */
    char  series[PLOT_TEXT]; /* the plot command of this panel, as far as it is known */
};

/* --- the script's beginning --------------------------------------------------------------------------- */

/* Appends to the panel's plot command. */
static void plot_append(Plot *p, const char *format, ...) SLOPE_PRINTF(2, 3);
static void plot_append(Plot *p, const char *format, ...)
{
    size_t n = strlen(p->series);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(p->series + n, sizeof p->series - n, format, args);
    va_end(args);
    if (more < 0 || n + (size_t)more >= sizeof p->series)
        slope_fail("plot", "picture '%s' has too many series in one panel", p->name);
}

static const char *plot_text(const char *text)
{
    if (strchr(text, '\'') || strchr(text, '\n'))
        slope_fail("plot", "the text \"%s\" holds a single quote or a line break, which gnuplot's "
                   "quoting cannot carry", text);
    return text;
}

Plot *plot_new(const Lesson *lesson, const char *name, const char *title, int rows, int columns)
{
    Plot *p = memory_new(sizeof *p);
    p->lesson = lesson;
    p->rows = rows, p->columns = columns;
    p->width = 720 * columns, p->height = 480 * rows;
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->title, sizeof p->title, "%s", plot_text(title));
    char file[80];
    snprintf(file, sizeof file, "%s.gp", name);
    p->script = lesson_open(lesson, file);
    snprintf(file, sizeof file, "%s.dat", name);
    p->data = lesson_open(lesson, file);
    fprintf(p->data, "# Lesson %s: %s\n", lesson->number, title);
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

static const char *plot_extension(const Plot *p)
{
    return p->gif_delay ? "gif" : p->png ? "png" : "svg";
}

static void plot_write_terminal(const Plot *p)
{
    if (p->gif_delay)
        fprintf(p->script, "set terminal gif animate delay %d loop 0 size %d,%d font 'sans,11'\n",
                p->gif_delay, p->width, p->height);
    else if (p->png)
        fprintf(p->script, "set terminal pngcairo noenhanced size %d,%d font 'sans,12'\n", p->width, p->height);
    else
        fprintf(p->script, "set terminal svg noenhanced size %d,%d font 'sans-serif,14' background '#ffffff'\n",
                p->width, p->height);
    fprintf(p->script, "set output '%s.%s'\n", p->name, plot_extension(p));
}

/* Okabe and Ito's colours, darkest first so that a grey print keeps the order, each with a dash. */
static void plot_write_styles(const Plot *p)
{
    static const char *const colors[PLOT_STYLES] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                    "#e69f00", "#56b4e9", "#000000", "#b8a800"};
    for (int i = 0; i < PLOT_STYLES; i++)
        fprintf(p->script, "set linetype %d linewidth 2.2 linecolor rgb '%s' dashtype %d pointtype %d\n",
                i + 1, colors[i], i % 5 + 1, (const int[]){7, 5, 9, 13, 11, 6, 4, 8}[i]);
}

static void plot_write_head(Plot *p)
{
    fprintf(p->script, "# Lesson %s. Draw again with: gnuplot %s.gp\n", p->lesson->number, p->name);
    plot_write_terminal(p);
    plot_write_styles(p);
    fprintf(p->script, "set encoding utf8\nset tics nomirror textcolor rgb '#222222'\n"
            "set style fill solid 0.45 noborder\n");
    if (p->rows * p->columns > 1 && !p->gif_delay)
        fprintf(p->script, "set multiplot layout %d,%d title '%s' font ',18'\n", p->rows, p->columns, p->title);
}

/* --- panels ---------------------------------------------------------------------------------------------- */

static void plot_end_panel(Plot *p)
{
    if (p->series[0])
        fprintf(p->script, "plot %s\n", p->series);
    p->series[0] = '\0';
}

void plot_panel(Plot *p, const char *title, const char *x_label, const char *y_label)
{
    if (p->panels++ == 0)
        plot_write_head(p);
    plot_end_panel(p);
    p->styles = p->bands = 0;
    bool single = p->rows * p->columns == 1 || p->gif_delay;
    fprintf(p->script, "\nset border 3 linecolor rgb '#444444'\n"
            "set grid linecolor rgb '#dddddd' linewidth 1 dashtype 1\n");
    fprintf(p->script, "unset logscale\nunset label\nunset arrow\nunset object\nset autoscale\nset format\nset size noratio\n"
            "set xtics auto\nset ytics auto\nset key top left reverse Left samplen 3\n");
    fprintf(p->script, "set title '%s%s%s'\nset xlabel '%s'\nset ylabel '%s'\n",
            single ? p->title : "", single && title[0] ? ": " : "", plot_text(title),
            plot_text(x_label), plot_text(y_label));
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
    fprintf(p->script, "set label '%s' at first %.9g, first %.9g front\n", plot_text(text), x, y);
}

/* --- series ----------------------------------------------------------------------------------------------- */

/* Writes n rows of up to four columns as a block of their own, returns its number. */
static int plot_block(Plot *p, const char *legend, int n, const double *const *column, int columns)
{
    fprintf(p->data, "%s# %d: %s\n", p->blocks ? "\n\n" : "", p->blocks, legend);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < columns; c++)
            fprintf(p->data, "%.9g%c", column[c][i], c + 1 < columns ? ' ' : '\n');
    return p->blocks++;
}

/* Adds "FILE index K using U with STYLE title T" to the panel's plot command. */
static void plot_series(Plot *p, int block, const char *using, const char *style, const char *legend)
{
    plot_append(p, "%s'%s.dat' index %d using %s with %s", p->series[0] ? ", \\\n     " : "", p->name,
                block, using, style);
    if (legend[0])
        plot_append(p, " title '%s'", plot_text(legend));
    else
        plot_append(p, " notitle");
}

/* A style name with the panel's next line type. */
static const char *plot_next_style(Plot *p, const char *style, char text[96])
{
    snprintf(text, 96, "%s linetype %d", style, p->styles++ % PLOT_STYLES + 1);
    return text;
}

static void plot_xy(Plot *p, const char *style, const char *legend, int n, const double *x, const double *y)
{
    int block = plot_block(p, legend, n, (const double *[]){x, y}, 2);
    plot_series(p, block, "1:2", style, legend);
}

void plot_line(Plot *p, const char *legend, int n, const double *x, const double *y)
{
    plot_xy(p, plot_next_style(p, "lines", (char[96]){0}), legend, n, x, y);
}

void plot_points(Plot *p, const char *legend, int n, const double *x, const double *y)
{
    plot_xy(p, plot_next_style(p, "points", (char[96]){0}), legend, n, x, y);
}

void plot_line_points(Plot *p, const char *legend, int n, const double *x, const double *y)
{
    plot_xy(p, plot_next_style(p, "linespoints", (char[96]){0}), legend, n, x, y);
}

static double *plot_doubles(const Tensor *x)
{
    ptrdiff_t n = tensor_count(x);
    double *v = memory_new_array((size_t)n, sizeof *v);
    for (ptrdiff_t i = 0; i < n; i++)
        v[i] = (double)tensor_read(x)[tensor_locate(x, i)];
    return v;
}

void plot_tensors(Plot *p, const char *legend, const Tensor *x, const Tensor *y)
{
    double *xs = plot_doubles(x), *ys = plot_doubles(y);
    plot_line(p, legend, (int)tensor_count(y), xs, ys);
    memory_free(xs), memory_free(ys);
}

/* An open dot is a white one with a rim, so that no line shows through. */
void plot_dots(Plot *p, const char *legend, bool filled, int n, const double *x, const double *y)
{
    if (!filled)
        plot_xy(p, "points pointtype 7 pointsize 1 linecolor rgb '#ffffff'", "", n, x, y);
    plot_xy(p, filled ? "points pointtype 7 pointsize 1 linecolor rgb '#000000'"
                      : "points pointtype 6 pointsize 1 linewidth 1.6 linecolor rgb '#000000'",
            legend, n, x, y);
}

void plot_thin_line(Plot *p, const char *legend, int n, const double *x, const double *y)
{
    plot_xy(p, "lines linewidth 0.8 dashtype 1 linecolor rgb '#888888'", legend, n, x, y);
}

void plot_band(Plot *p, const char *legend, int n, const double *x, const double *low, const double *high)
{
    char style[96];
    int block = plot_block(p, legend, n, (const double *[]){x, low, high}, 3);
    snprintf(style, sizeof style, "filledcurves fillstyle transparent solid %.2f linecolor rgb '#0072b2'",
             p->bands++ ? 0.30 : 0.18);
    plot_series(p, block, "1:2:3", style, legend);
}

void plot_errors(Plot *p, const char *legend, int n, const double *x, const double *y, const double *e)
{
    char style[96];
    int block = plot_block(p, legend, n, (const double *[]){x, y, e}, 3);
    plot_series(p, block, "1:2:3", plot_next_style(p, "yerrorbars", style), legend);
}

void plot_histogram(Plot *p, const char *legend, int n, const double *values, int bins, double low, double high)
{
    double width = (high - low) / bins;
    double *x = memory_new_array((size_t)bins, sizeof *x), *count = memory_new_array((size_t)bins, sizeof *count);
    for (int b = 0; b < bins; b++)
        x[b] = low + (b + 0.5) * width;
    for (int i = 0; i < n; i++) {
        int b = (int)((values[i] - low) / width);
        if (values[i] >= low && b < bins)
            count[b]++;
    }
    fprintf(p->script, "set boxwidth %.9g\n", width);
    plot_xy(p, plot_next_style(p, "boxes", (char[96]){0}), legend, bins, x, count);
    memory_free(x);
    memory_free(count);
}

void plot_horizontal(Plot *p, const char *legend, double y)
{
    plot_append(p, "%s%.9g with lines linewidth 1.6 dashtype 2 linecolor rgb '#444444' title '%s'",
                p->series[0] ? ", \\\n     " : "", y, plot_text(legend));
}

/* A line from the bottom to the top of the panel, and an empty series for the legend. */
void plot_vertical(Plot *p, const char *legend, double x)
{
    static const char style[] = "linewidth 1.6 dashtype 2 linecolor rgb '#444444'";
    fprintf(p->script, "set arrow from first %.9g, graph 0 to first %.9g, graph 1 nohead %s\n", x, x, style);
    plot_append(p, "%sNaN with lines %s title '%s'", p->series[0] ? ", \\\n     " : "", style, plot_text(legend));
}

/* --- diagrams ---------------------------------------------------------------------------------------------- */

void plot_no_axes(Plot *p)
{
    fprintf(p->script, "unset border\nunset xtics\nunset ytics\nunset grid\n");
}

static void plot_place(Plot *p, double x, double y, const char *format, va_list args)
{
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    fprintf(p->script, "set label '%s' at first %.9g, first %.9g center front\n", plot_text(text), x, y);
}

void plot_centered(Plot *p, double x, double y, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    plot_place(p, x, y, format, args);
    va_end(args);
}

void plot_box(Plot *p, double x, double y, double width, double height, const char *format, ...)
{
    fprintf(p->script, "set object rectangle center first %.9g, first %.9g size first %.9g, first %.9g "
            "fillstyle empty border linecolor rgb '#888888'\n", x, y, width, height);
    va_list args;
    va_start(args, format);
    plot_place(p, x, y, format, args);
    va_end(args);
}

/* A curve of many pieces; an arrow along the last one is its head. */
void plot_arc(Plot *p, int style, const char *legend, double x, double bulge, double from, double to)
{
    enum { ARC = 40 };
    double u[ARC], v[ARC];
    for (int i = 0; i < ARC; i++) {
        double angle = acos(-1) * i / (ARC - 1);
        u[i] = x + bulge * sin(angle);
        v[i] = from + (to - from) * (1 - cos(angle)) / 2;
    }
    char text[96];
    snprintf(text, sizeof text, "lines linetype %d", style);
    plot_xy(p, text, legend, ARC, u, v);
    fprintf(p->script, "set arrow from first %.9g, %.9g to first %.9g, %.9g head filled size screen 0.012, 20 "
            "fixed linetype %d dashtype 1\n", u[ARC - 2], v[ARC - 2], u[ARC - 1], v[ARC - 1], style);
}

/* --- matrices and images ------------------------------------------------------------------------------------ */

/* rows x columns numbers as a block of a matrix. */
static int plot_matrix_block(Plot *p, int rows, int columns, const double *values)
{
    fprintf(p->data, "%s# %d: %d x %d\n", p->blocks ? "\n\n" : "", p->blocks, rows, columns);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            fprintf(p->data, "%.6g%c", values[i * columns + j], j + 1 < columns ? ' ' : '\n');
    return p->blocks++;
}

static void plot_names(Plot *p, const char *axis, int n, const char *const *names)
{
    fprintf(p->script, "set %stics (", axis);
    for (int i = 0; i < n; i++)
        fprintf(p->script, "%s'%s' %d", i ? ", " : "", names ? plot_text(names[i]) : "", i);
    fprintf(p->script, ") scale 0\n");
}

static void plot_cells(Plot *p, int rows, int columns)
{
    plot_key(p, "off");
    plot_x_range(p, -0.5, columns - 0.5);
    plot_y_range(p, rows - 0.5, -0.5);
    fprintf(p->script, "unset grid\nset size ratio %.4g\n", (double)rows / columns);
}

void plot_matrix(Plot *p, int rows, int columns, const double *values, const char *const *row_names,
                 const char *const *column_names)
{
    int block = plot_matrix_block(p, rows, columns, values);
    plot_cells(p, rows, columns);
    plot_names(p, "y", rows, row_names);
    plot_names(p, "x", columns, column_names);
    fprintf(p->script, "set xtics rotate by 40 right\nunset colorbox\n"
            "set palette defined (0 '#ffffff', 1 '#9ecae1', 2 '#0072b2')\n");
    plot_append(p, "'%s.dat' index %d matrix with image pixels notitle, \\\n     ", p->name, block);
    plot_append(p, "'' index %d matrix using 1:2:(sprintf('%%g', $3)) with labels font ',10' notitle", block);
}

void plot_image(Plot *p, int height, int width, const double *values)
{
    int block = plot_matrix_block(p, height, width, values);
    plot_cells(p, height, width);
    fprintf(p->script, "unset xtics\nunset ytics\nunset colorbox\nset palette gray\n");
    plot_append(p, "'%s.dat' index %d matrix with image pixels notitle", p->name, block);
}

/* --- drawing --------------------------------------------------------------------------------------------------- */

/* In the child: becomes gnuplot, in the lesson's folder, its messages in NAME.log. */
static _Noreturn void plot_become_gnuplot(const Plot *p)
{
    char script[80], log[80];
    snprintf(script, sizeof script, "%s.gp", p->name);
    snprintf(log, sizeof log, "%s.log", p->name);
    if (chdir(p->lesson->out) == 0 && freopen(log, "w", stderr)) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execlp("gnuplot", "gnuplot", script, (char *)NULL);
    }
    _exit(127);
}

static bool plot_run(const Plot *p)
{
    fflush(NULL); /* or the child would write what we have not written yet */
    pid_t child = fork();
    if (child == 0)
        plot_become_gnuplot(p);
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void plot_draw(Plot *p)
{
    plot_end_panel(p);
    if (p->rows * p->columns > 1 && !p->gif_delay)
        fprintf(p->script, "unset multiplot\n");
    fclose(p->script);
    fclose(p->data);
    if (p->lesson->has_gnuplot) {
        bool drawn = plot_run(p);
        say("  picture: %s/%s.%s%s\n", p->lesson->out, p->name, plot_extension(p),
            drawn ? "" : " could not be drawn: see the .log beside it");
    }
    memory_free(p);
}

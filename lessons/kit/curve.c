/* lessons/kit/curve.c -- any function of one number, drawn with its derivative.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/curve.h"

#include <math.h>

#include "lessons/kit/plot_script.h"
#include "tensor/memory.h"

enum {
    CURVE_POINTS = 801,
    CURVE_MOST = 100000,
    CURVE_HALVINGS = 20, /* shrink an interval to a millionth */
    CURVE_VISIBLE = 200, /* jumps of less than 1/200 of the range of values are ignored */
};

typedef enum CurveField { CURVE_VALUE, CURVE_DERIVATIVE, CURVE_FIELDS } CurveField;

typedef struct CurvePoint {
    double x, y[CURVE_FIELDS];
} CurvePoint;

/* A curve while it is being drawn. */
typedef struct CurveRun {
    Curve       curve;
    const char *function; /* for messages */
    size_t      mark;
    CurvePoint *point;    /* (points) */
} CurveRun;

/* --- evaluating ------------------------------------------------------------------------------- */

/* Checks the curve, and fills in what was left out. */
static Curve curve_check(Curve c, const char *function)
{
    if (!c.f == !c.module)
        slope_fail(function, "the curve has %s; expected exactly one of .f and .module",
                   c.f ? "both a function and a module" : "neither a function nor a module");
    if (c.low == 0 && c.high == 0)
        c.low = -4, c.high = 4;
    if (!(c.low < c.high) || !isfinite(c.low) || !isfinite(c.high))
        slope_fail(function, "the range is %g to %g; expected finite numbers with .low < .high",
                   c.low, c.high);
    if (c.points == 0)
        c.points = CURVE_POINTS;
    if (c.points < 2 || c.points > CURVE_MOST)
        slope_fail(function, "points is %d; expected 2 to %d, or 0 for %d", c.points, CURVE_MOST,
                   CURVE_POINTS);
    if (!grad_enabled())
        slope_fail(function, "there are no derivatives between no_grad_begin and no_grad_end; "
                   "call it after no_grad_end");
    return c;
}

/* dy/dx; 0 if y does not depend on x. */
static double curve_gradient(Var *y, Var *x)
{
    Var *gradient = NULL;
    if (y->requires_grad)
        var_grad(y, &x, 1, GRAD_ONLY, &gradient);
    return gradient ? (double)var_item(gradient) : 0;
}

static CurvePoint curve_at(const CurveRun *run, double at)
{
    const Curve *c = &run->curve;
    size_t mark = tape_mark();
    Var *x = var_leaf_from(SHAPE(1, 1), &(real){(real)at});
    Var *y = c->module ? module_forward(c->module, x) : c->f(x);
    if (!y)
        slope_fail(run->function, "the function returned NULL; expected a Var");
    if (tensor_count(y->value) != 1)
        slope_fail(run->function, "for one number, of shape (1, 1), the %s returns shape %s; "
                   "expected one number", c->module ? "module" : "function",
                   SHAPE_TEXT(var_shape(y)));
    CurvePoint point = {(double)var_item(x), {(double)var_item(y), curve_gradient(y, x)}};
    if (!isfinite(point.y[CURVE_VALUE])) /* the rule of log would give 1/x for x < 0, too */
        point.y[CURVE_DERIVATIVE] = (double)NAN;
    tape_rewind(mark);
    return point;
}

static void curve_end(CurveRun *run)
{
    if (run->curve.module)
        module_eval_end(run->curve.module);
    memory_free(run->point);
    tape_rewind(run->mark);
}

/* Evaluates the curve at its points. */
static CurveRun curve_begin(Curve c, const char *function)
{
    CurveRun run = {.curve = curve_check(c, function), .function = function, .mark = tape_mark()};
    int n = run.curve.points;
    double low = run.curve.low, high = run.curve.high;
    if (c.module)
        module_eval_begin(c.module);
    curve_at(&run, low); /* if this fails, there is no memory to free yet */
    run.point = memory_new_array((size_t)n, sizeof *run.point);
    for (int i = 0; i < n; i++)
        run.point[i] = curve_at(&run, low + (high - low) * i / (n - 1));
    return run;
}

/* --- jumps ------------------------------------------------------------------------------------ */

static double curve_change(CurvePoint a, CurvePoint b, CurveField field)
{
    return fabs(b.y[field] - a.y[field]);
}

/* Is there a jump between a and b? Halves the interval again and again, keeping the half with the
 * larger change: at a jump the change remains, elsewhere it shrinks with the interval. */
static bool curve_jumps(const CurveRun *run, CurvePoint a, CurvePoint b, CurveField field)
{
    double change = curve_change(a, b, field);
    for (int i = 0; i < CURVE_HALVINGS; i++) {
        CurvePoint middle = curve_at(run, (a.x + b.x) / 2);
        double left = curve_change(a, middle, field), right = curve_change(middle, b, field);
        if (!(fmax(left, right) > change / 2))
            return false;
        if (left > right)
            b = middle;
        else
            a = middle;
    }
    return true;
}

/* The smallest change that may be a jump. Fails if there is nothing to draw. */
static double curve_visible(CurveRun *run, CurveField field)
{
    double low = (double)INFINITY, high = -low;
    int n = run->curve.points;
    for (int i = 0; i < n; i++)
        if (isfinite(run->point[i].y[field]))
            low = fmin(low, run->point[i].y[field]), high = fmax(high, run->point[i].y[field]);
    if (low > high) {
        curve_end(run);
        slope_fail(run->function, "the %s is not finite at any of %d points from %g to %g",
                   field == CURVE_DERIVATIVE ? "derivative" : "value", n, run->curve.low,
                   run->curve.high);
    }
    return (high - low) / CURVE_VISIBLE;
}

/* --- drawing ---------------------------------------------------------------------------------- */

typedef struct CurveLine {
    int     n;
    double *x, *y; /* a NaN in y interrupts the line */
} CurveLine;

static void curve_add(CurveLine *line, double x, double y)
{
    line->x[line->n] = x;
    line->y[line->n++] = isfinite(y) ? y : (double)NAN;
}

/* Is the line of a field interrupted after point i? The line of a derivative is also interrupted
 * where the value jumps: at the pole of 1/x, the derivative is the same on both sides. */
static bool curve_breaks(const CurveRun *run, int i, CurveField field,
                         const double visible[CURVE_FIELDS])
{
    const CurvePoint *a = &run->point[i], *b = a + 1;
    for (CurveField f = 0; f <= field; f++)
        if (curve_change(*a, *b, f) > visible[f] && curve_jumps(run, *a, *b, f))
            return true;
    return false;
}

static CurveLine curve_line(CurveRun *run, CurveField field)
{
    double visible[CURVE_FIELDS];
    for (CurveField f = 0; f <= field; f++)
        visible[f] = curve_visible(run, f);
    size_t most = 2 * (size_t)run->curve.points; /* each point, and an interruption after it */
    CurveLine line = {.x = memory_new_array(most, sizeof *line.x),
                      .y = memory_new_array(most, sizeof *line.y)};
    for (int i = 0; i < run->curve.points; i++) {
        const CurvePoint *a = &run->point[i], *b = a + 1;
        curve_add(&line, a->x, a->y[field]);
        if (i + 1 < run->curve.points && curve_breaks(run, i, field, visible))
            curve_add(&line, (a->x + b->x) / 2, (double)NAN);
    }
    return line;
}

/* Draws the points that no line connects to another, in the colour of the panel's last line. */
static void plot_curve_dots(Plot *p, const CurveLine *line)
{
    char style[64];
    snprintf(style, sizeof style, "points linetype %d pointtype 7 pointsize 0.5",
             (p->styles - 1) % PLOT_STYLES + 1);
    for (int i = 0; i < line->n; i++)
        if (!isnan(line->y[i]) && (i == 0 || isnan(line->y[i - 1])) &&
            (i + 1 == line->n || isnan(line->y[i + 1])))
            slope_plot_xy(p, style, "", 1, &line->x[i], &line->y[i]);
}

static void plot_curve_line(Plot *p, const char *legend, CurveRun *run, CurveField field)
{
    CurveLine line = curve_line(run, field);
    plot_line(p, legend, line.n, line.x, line.y);
    plot_curve_dots(p, &line);
    memory_free(line.x), memory_free(line.y);
}

static void plot_curve_field(Plot *p, const char *legend, Curve c, CurveField field,
                             const char *function)
{
    if (!p || !legend)
        slope_fail(function, "the %s is NULL", p ? "legend" : "plot");
    CurveRun run = curve_begin(c, function);
    plot_curve_line(p, legend, &run, field);
    curve_end(&run);
}

void plot_curve(Plot *p, const char *legend, Curve c)
{
    plot_curve_field(p, legend, c, CURVE_VALUE, "plot_curve");
}

void plot_derivative(Plot *p, const char *legend, Curve c)
{
    plot_curve_field(p, legend, c, CURVE_DERIVATIVE, "plot_derivative");
}

void draw_curve(const Lesson *lesson, const char *name, const char *title, Curve c)
{
    if (!lesson || !name || !title)
        slope_fail("draw_curve", "the %s is NULL", !lesson ? "lesson" : !name ? "name" : "title");
    CurveRun run = curve_begin(c, "draw_curve");
    for (CurveField field = 0; field < CURVE_FIELDS; field++)
        curve_visible(&run, field); /* if this fails, no picture has been begun */
    Plot *p = plot_new(lesson, name, title, 2, 1);
    plot_size(p, 720, 720);
    for (CurveField field = 0; field < CURVE_FIELDS; field++) {
        plot_panel(p, "", "x", field == CURVE_VALUE ? "y" : "dy/dx");
        plot_key(p, "off");
        plot_x_range(p, run.curve.low, run.curve.high);
        plot_set(p, "set xzeroaxis linewidth 1 linecolor rgb '#888888' dashtype 1");
        plot_set(p, "set lmargin 11"); /* so that the panels' axes are aligned */
        plot_set(p, "set offsets graph 0, graph 0, graph 0.05, graph 0.05");
        plot_curve_line(p, "", &run, field);
    }
    plot_draw(p);
    curve_end(&run);
}

/* nn/summary.c -- the summary table and the statistics of learned slopes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/summary.h"

#include <string.h>

#include "nn/check.h"
#include "nn/layers.h"

/* --- the table -------------------------------------------------------------------------------- */

enum { SUMMARY_WIDTH = 87 };

typedef struct Summary {
    FILE     *out;
    ptrdiff_t before; /* parameters of the last layer that had any other than slopes */
    ptrdiff_t frozen; /* frozen parameters of all layers so far */
} Summary;

/* 200960 as "200,960". */
static const char *summary_count(ptrdiff_t n, char text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%td", n), at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

/* Returns the number of characters printed. */
static int summary_overhead(FILE *out, ptrdiff_t slopes, ptrdiff_t others)
{
    char text[32];
    int width = fprintf(out, " %7s", summary_count(slopes, text));
    if (others > 0)
        width += fprintf(out, "   %.3f%%", 100.0 * (double)slopes / (double)others);
    return width;
}

/* Ends a line of `width` characters with "frozen" if all parameters of the layer are frozen, or
 * with "frozen: weight" if only its weight is. */
static void summary_frozen(Summary *s, const Module *m, int width)
{
    int params = 0, frozen = 0, pad = width < SUMMARY_WIDTH ? SUMMARY_WIDTH - width : 0;
    for (int i = 0; i < m->n_parts; i++)
        if (m->part[i].kind == PART_PARAM) {
            const Var *param = m->part[i].param;
            params++, frozen += !param->requires_grad;
            s->frozen += param->requires_grad ? 0 : tensor_count(param->value);
        }
    if (frozen > 0)
        fprintf(s->out, "%*s frozen%s", pad, "", frozen < params ? ":" : "");
    for (int i = 0; i < m->n_parts && frozen < params; i++)
        if (m->part[i].kind == PART_PARAM && !m->part[i].param->requires_grad)
            fprintf(s->out, " %s", m->part[i].name);
    fprintf(s->out, "\n");
}

static void summary_line(Summary *s, const Module *m, const char *path)
{
    char details[64] = "", layer[128], text[32];
    if (m->type->describe)
        m->type->describe(m, details, sizeof details);
    snprintf(layer, sizeof layer, "%s%s%s(%s)", path, path[0] ? ": " : "", m->type->name, details);
    ptrdiff_t own = 0;
    for (int i = 0; i < m->n_parts; i++)
        if (m->part[i].kind == PART_PARAM)
            own += tensor_count(m->part[i].param->value);
    int width = fprintf(s->out, "%-34s %-18s %11s", layer, SHAPE_TEXT(m->output),
                        summary_count(own, text));
    if (module_is_prelu(m))
        width += summary_overhead(s->out, own, s->before);
    else if (own > 0)
        s->before = own;
    summary_frozen(s, m, width);
}

/* A module that only contains others gets no line. */
static bool summary_shows(const Module *m)
{
    bool has_params = false, has_children = false;
    for (int i = 0; i < m->n_parts; i++) {
        has_params |= m->part[i].kind == PART_PARAM;
        has_children |= m->part[i].kind == PART_CHILD;
    }
    return has_params || !has_children;
}

static void summary_walk(Summary *s, const Module *m, const char *path)
{
    if (summary_shows(m))
        summary_line(s, m, path);
    for (int i = 0; i < m->n_parts; i++) {
        const ModulePart *part = &m->part[i];
        if (part->kind != PART_CHILD)
            continue;
        char child[128];
        snprintf(child, sizeof child, "%s%s%s", path, path[0] ? "." : "", part->name);
        summary_walk(s, part->child, child);
    }
}

/* Fills in every module's output shape. */
static void summary_run(Module *m, Shape input)
{
    size_t mark = tape_mark();
    no_grad_begin();
    module_eval_begin(m);
    module_forward(m, var_full(input, 0));
    module_eval_end(m);
    no_grad_end();
    tape_rewind(mark);
}

void module_summary(FILE *out, Module *m, Shape input)
{
    static const char rule[] =
        "--------------------------------------------------------------------"
        "-------------------";
    char text[32];
    slope_module_check(m, "module_summary");
    summary_run(m, input);
    fprintf(out, "%-34s %-18s %11s %7s   %s\n%s\n", "layer", "output", "parameters", "slopes",
            "overhead", rule);
    Summary s = {.out = out};
    summary_walk(&s, m, "");
    ptrdiff_t all = module_count(m), slopes = module_count_slopes(m);
    fprintf(out, "%s\n%-34s %-18s %11s", rule, "total", "", summary_count(all, text));
    summary_overhead(out, slopes, all - slopes);
    fprintf(out, "\n");
    if (s.frozen > 0)
        fprintf(out, "%-34s %-18s %11s\n", "frozen", "", summary_count(s.frozen, text));
}

/* --- slopes ----------------------------------------------------------------------------------- */

void prelu_each(Module *m, PreluVisit fn, void *ctx)
{
    slope_module_check(m, "prelu_each");
    Parameters list = module_parameters(m);
    for (int i = 0; i < list.count; i++) {
        Parameter *p = &list.item[i];
        if (!parameter_is_slope(p))
            continue;
        char *dot = strrchr(p->name, '.'); /* "prelu1.weight" -> "prelu1" */
        if (dot)
            *dot = '\0';
        fn(dot ? p->name : "prelu", p->var->value, ctx);
    }
    parameters_free(&list);
}

static void prelu_print_stats(const char *name, const Tensor *slopes, void *ctx)
{
    Stats s = tensor_stats(slopes);
    fprintf(ctx, "%s: mean=%.4f, std=%.4f, min=%.4f, max=%.4f\n", name, s.mean, s.std, s.min,
            s.max);
}

void prelu_stats(FILE *out, Module *m)
{
    slope_module_check(m, "prelu_stats");
    prelu_each(m, prelu_print_stats, out);
}

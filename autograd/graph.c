/* autograd/graph.c -- the graph that computed a value, as text and as a picture.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/graph.h"

#include <string.h>

#include "autograd/op.h"
#include "autograd/record.h"
#include "autograd/tape.h"
#include "tensor/memory.h"

/* y and the Vars that it depends on, in the order of the tape, after the parameters among them. The
 * number of a Var is its place in this order. */
typedef struct Graph {
    const Var **node;
    size_t      count;
    size_t     *slot; /* a hash table from Vars to numbers: a number plus 1, or 0 if empty */
    size_t      n_slots;
} Graph;

/* The slot of x, or the empty one where it belongs. At least half of the slots are empty, and
 * multiplying spreads the addresses, so few are tried. */
static size_t *graph_slot(const Graph *g, const Var *x)
{
    uint64_t hash = (uint64_t)(uintptr_t)x * 0x9E3779B97F4A7C15u >> 32;
    size_t i = (size_t)(hash % g->n_slots);
    while (g->slot[i] && g->node[g->slot[i] - 1] != x)
        i = (i + 1) % g->n_slots;
    return &g->slot[i];
}

static size_t graph_number(const Graph *g, const Var *x)
{
    return *graph_slot(g, x) - 1;
}

static void graph_add(Graph *g, const Var *x)
{
    size_t *slot = graph_slot(g, x);
    if (*slot)
        return;
    g->node[g->count++] = x;
    *slot = g->count;
}

/* Marks what y depends on, in a walk down the tape: an input always comes before its user. */
static void graph_mark(bool *used, const Var *y)
{
    used[y->index] = true;
    for (size_t i = y->index + 1; i-- > 0;) {
        const Var *v = tape_at(i), *first = used[i] ? tape_at(i - (size_t)v->out_index) : v;
        for (int k = 0; used[i] && k < first->n_in; k++)
            if (!first->in[k]->is_param)
                used[first->in[k]->index] = true;
    }
}

static const Var *graph_first(const Var *v)
{
    return v->is_param ? v : tape_at(v->index - (size_t)v->out_index);
}

static Graph graph_new(const Var *y)
{
    size_t n = y->is_param ? 0 : y->index + 1, most = 1;
    bool *used = memory_new(n + 1);
    if (n)
        graph_mark(used, y);
    for (size_t i = 0; i < n; i++)
        most += used[i] ? 1 + (size_t)graph_first(tape_at(i))->n_in : 0;
    Graph g = {.n_slots = 2 * most};
    g.node = memory_new_array(most, sizeof *g.node);
    g.slot = memory_new_array(g.n_slots, sizeof *g.slot);
    if (y->is_param)
        graph_add(&g, y);
    for (size_t i = 0; i < n; i++) {
        const Var *first = graph_first(tape_at(i));
        for (int k = 0; used[i] && k < first->n_in; k++)
            if (first->in[k]->is_param)
                graph_add(&g, first->in[k]);
    }
    for (size_t i = 0; i < n; i++)
        if (used[i])
            graph_add(&g, tape_at(i));
    memory_free(used);
    return g;
}

static void graph_free(Graph *g)
{
    memory_free(g->node);
    memory_free(g->slot);
}

/* A single element is shown by its value, "= 3", anything else by its shape. */
static const char *graph_value(const Var *v, char text[SHAPE_TEXT_SIZE])
{
    if (v->value && tensor_count(v->value) == 1)
        snprintf(text, SHAPE_TEXT_SIZE, "= %g", (double)tensor_item(v->value));
    else if (v->value)
        shape_text(v->value->shape, text);
    else
        snprintf(text, SHAPE_TEXT_SIZE, "(not computed)");
    return text;
}

void graph_print(FILE *out, Var *y)
{
    var_check(y, "graph_print");
    Graph g = graph_new(y);
    for (size_t i = 0; i < g.count; i++) {
        const Var *v = g.node[i], *first = graph_first(v);
        fprintf(out, "  v%-3zu %-12s %-14s", i, var_origin(v),
                graph_value(v, (char[SHAPE_TEXT_SIZE]){0}));
        for (int k = 0; k < first->n_in; k++)
            fprintf(out, "%s v%zu", k ? "," : " <-", graph_number(&g, first->in[k]));
        fprintf(out, v->name[0] ? "  '%s'\n" : "\n", v->name);
    }
    graph_free(&g);
}

/* A name becomes a quoted label, in which only the quote and the backslash are special. */
static void graph_print_label(FILE *out, const char *name)
{
    for (; *name; name++)
        fprintf(out, *name == '"' || *name == '\\' ? "\\%c" : "%c", *name);
}

void graph_print_dot(FILE *out, Var *y)
{
    var_check(y, "graph_print_dot");
    Graph g = graph_new(y);
    fprintf(out, "digraph tape {\n  node [fontname=\"sans-serif\"];\n");
    for (size_t i = 0; i < g.count; i++) {
        const Var *v = g.node[i], *first = graph_first(v);
        fprintf(out, "  v%zu [shape=%s, label=\"%s", i, v->op ? "ellipse" : "box",
                var_origin(v));
        if (v->name[0])
            fprintf(out, " "), graph_print_label(out, v->name);
        fprintf(out, "\\n%s\"];\n", graph_value(v, (char[SHAPE_TEXT_SIZE]){0}));
        for (int k = 0; k < first->n_in; k++)
            fprintf(out, "  v%zu -> v%zu;\n", graph_number(&g, first->in[k]), i);
    }
    fprintf(out, "}\n");
    graph_free(&g);
}

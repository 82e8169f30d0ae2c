/* tests/golden/golden_ops.h -- compares ops with the cases of a file of tests/golden/.
 *
 *  - A program writes GOLDEN_CALL(name, expression) for every op that it tests, lists them in a
 *    table that ends with GOLDEN_END, and points golden_table at it.
 *  - golden_check_op, for golden_each, compares a case's value, gradients and, if the case has
 *    them, second gradients.
 *
 *      GOLDEN_CALL(pow, var_pow(x[0], (real)ATTR(0)))
 *      static GoldenEntry calls[] = {GOLDEN_ENTRY(pow), GOLDEN_END};
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_GOLDEN_GOLDEN_OPS_H
#define SLOPE_TESTS_GOLDEN_GOLDEN_OPS_H

#include "autograd/backward.h"
#include "tests/golden/golden.h"

enum { GOLDEN_INPUTS = 3 };

/* --- how each op is called -------------------------------------------------------------------- */

/* Option i of the call. */
static inline double golden_attr(const Golden *g, int i)
{
    const GoldenTensor *attr = golden_get(g, "attr");
    ck_assert_int_lt(i, shape_count(attr->shape));
    return attr->value[i];
}

typedef Var *(*GoldenCall)(Var **x, const Golden *g);

#define GOLDEN_CALL(name, ...)                                     \
    static Var *golden_call_##name(Var **x, const Golden *g)       \
    {                                                              \
        (void)g;                                                   \
        return __VA_ARGS__;                                        \
    }
#define ATTR(i) golden_attr(g, (i))
#define AXIS(i) ((int)ATTR(i))

/* An op that the program can call; the last entry has no name. */
typedef struct GoldenEntry {
    const char *name;
    GoldenCall  call;
    bool        seen; /* does a case call it? */
} GoldenEntry;
#define GOLDEN_ENTRY(name) {#name, golden_call_##name, false}
#define GOLDEN_END {NULL, NULL, false}

static GoldenEntry *golden_table;

static inline GoldenEntry *golden_entry(const Golden *g)
{
    GoldenEntry *entry = golden_table;
    while (entry->name && strcmp(entry->name, g->call) != 0)
        entry++;
    ck_assert_msg(entry->name != NULL, "the table has no %s", g->call);
    return entry;
}

static inline Var *golden_call(const Golden *g, Var **x)
{
    return golden_entry(g)->call(x, g);
}

static inline void golden_note_call(Golden *g)
{
    golden_entry(g)->seen = true;
}

/* Asserts that every entry has a case, so that none gets lost. A new op need not be in a table:
 * adding one still takes one file and one line. */
static inline void golden_assert_all_seen(const char *file)
{
    golden_each(file, golden_note_call);
    for (const GoldenEntry *entry = golden_table; entry->name; entry++)
        ck_assert_msg(entry->seen, "%s has no case in %s", entry->name, file);
}

/* --- the comparison --------------------------------------------------------------------------- */

/* The gradients of sum_i sum(v_i g_i), recorded, with respect to the inputs and to gy. */
static inline void golden_second_order(Golden *g, Var **x, int n)
{
    Var *leaves[GOLDEN_INPUTS + 1], *first[GOLDEN_INPUTS], *second[GOLDEN_INPUTS + 1],
        *total = NULL;
    Var *gy = leaves[n] = golden_leaf(golden_get(g, "gy"));
    var_grad_with(golden_call(g, x), gy, x, n, CREATE_GRAPH, first);
    for (int i = 0; i < n; i++) {
        Var *part = var_dot(first[i], golden_const(golden_get(g, golden_name("v", i))));
        total = total ? var_add(total, part) : part;
        leaves[i] = x[i];
    }
    var_grad(total, leaves, n + 1, GRAD_ONLY, second);
    for (int i = 0; i < n; i++)
        golden_compare_var(g, golden_name("h", i), second[i], golden_tolerance);
    golden_compare_var(g, "hy", second[n], golden_tolerance);
}

static inline void golden_check_op(Golden *g)
{
    size_t mark = tape_mark();
    Var *x[GOLDEN_INPUTS];
    int n = 0;
    for (; n < GOLDEN_INPUTS && golden_find(g, golden_name("x", n)); n++)
        x[n] = golden_leaf(golden_get(g, golden_name("x", n)));
    Var *y = golden_call(g, x);
    golden_compare_var(g, "y", y, golden_tolerance);
    var_backward_with(y, golden_const(golden_get(g, "gy")));
    for (int i = 0; i < n; i++)
        golden_compare(g, golden_name("g", i), x[i]->grad, golden_tolerance);
    if (golden_find(g, "v0"))
        golden_second_order(g, x, n);
    tape_rewind(mark);
}

#endif

/* autograd/backward.c -- the sweep: every op's rule once, from the last to the first.
 *
 * A pass gives every Var it reaches a slot for the gradient under way. Slots carry the number of
 * the pass that wrote them, so a new pass needs no clearing: it sees only its own.
 *
 * Without recording, the tape is marked before each rule and rewound after it. What the rule
 * computed is gone but for what it sent, because a slot holds a reference to the tensor. A
 * slot's own reference goes when the Var's rule has run. So the memory of a backward pass stays
 * near that of the forward.
 *
 * Three aliases to beware of. A rule may send one tensor twice (a + b sends gy to both). It may
 * send a stretched view with stride 0 (sum sends its gy expanded). And a leaf's gradient must
 * never be shared with another's, or scaling one in place would scale both. So a slot is added to
 * in place only if it is contiguous and the only owner of its storage, and so is a gradient that
 * moves into a leaf's ->grad.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/backward.h"

#include "autograd/record.h"

/* A pass's number lies in its scope's slot, with the list of leaves that it reached. Numbers are
 * given out to all threads alike, since threads may share a parameter in turn. */
static atomic_ullong pass_count;

typedef struct Pass {
    uint64_t id;
    Var     *scope;
    bool     recorded; /* CREATE_GRAPH */
} Pass;

/* --- slots ------------------------------------------------------------------------------------ */

static void slot_clear(Var *x)
{
    tensor_free(x->slot.sum);
    x->slot.sum = NULL;
    x->slot.var = NULL;
}

static bool slot_is_filled(const Var *x, uint64_t pass)
{
    return x->slot.pass == pass && (x->slot.sum || x->slot.var);
}

static void slot_begin(Var *x, Var *g, Var *scope)
{
    slot_clear(x); /* an abandoned pass may have left something */
    x->slot.pass = scope->slot.pass;
    if (scope->scope.records)
        x->slot.var = g;
    else
        x->slot.sum = tensor_ref(g->value);
    if (!x->op) { /* a leaf: nobody visits it again, so it goes on the list */
        x->slot.next_leaf = scope->slot.next_leaf;
        scope->slot.next_leaf = x;
    }
}

static bool tensor_may_add_in_place(const Tensor *x)
{
    return tensor_is_contiguous(x) && tensor_owns_storage(x);
}

static void slot_add(Var *x, Var *g, Var *scope)
{
    if (scope->scope.records) {
        x->slot.var = var_add(x->slot.var, g);
    } else if (tensor_may_add_in_place(x->slot.sum)) {
        tensor_add(x->slot.sum, x->slot.sum, g->value);
    } else {
        Tensor *sum = tensor_new(x->slot.sum->shape);
        tensor_add(sum, x->slot.sum, g->value);
        tensor_free(x->slot.sum);
        x->slot.sum = sum;
    }
}

void tape_pass_abandon(Var *scope)
{
    Var *next;
    for (Var *leaf = scope->slot.next_leaf; leaf; leaf = next) {
        next = leaf->slot.next_leaf;
        slot_clear(leaf);
    }
}

void tape_pass_forget(Var *param)
{
    for (Var *s = tape_scope_innermost(); s; s = s->scope.outer)
        for (Var **at = &s->slot.next_leaf; *at; at = &(*at)->slot.next_leaf)
            if (*at == param) {
                *at = param->slot.next_leaf;
                break;
            }
}

/* --- what a rule calls ------------------------------------------------------------------------ */

bool var_needs_grad(const Var *x)
{
    const Var *scope = tape_scope_innermost();
    return x->requires_grad && scope && scope->scope.kind == SCOPE_PASS &&
           (scope->slot.needed == 0 || x->slot.needed == scope->slot.needed);
}

/* In anomaly mode every result must be an op's own, to be looked at. */
bool var_may_overwrite(const Var *gy)
{
    return !grad_enabled() && !tape_anomaly_mode() && tensor_may_add_in_place(gy->value);
}

void var_send(Var *x, Var *g)
{
    Var *scope = tape_scope_innermost();
    if (!scope || scope->scope.kind != SCOPE_PASS)
        slope_fail("var_send", "may only be called in a backward rule");
    if (!var_needs_grad(x))
        return;
    if (!shape_equal(var_shape(g), var_shape(x)))
        g = var_sum_to(g, var_shape(x));
    if (slot_is_filled(x, scope->slot.pass))
        slot_add(x, g, scope);
    else
        slot_begin(x, g, scope);
}

/* --- the sweep -------------------------------------------------------------------------------- */

static unsigned pass_version(const Var *x)
{
    return atomic_load_explicit(&x->value->storage->version, memory_order_relaxed);
}

/* y's rule may read its inputs and its own outputs: they must be as they were. */
static void pass_check_versions(const Var *y)
{
    for (int k = 0; k < y->n_out; k++) {
        const Var *out = var_output(y, k);
        if (out->value && pass_version(out) != out->version)
            slope_fail("var_backward", "the result of %s was written to, so the gradient would "
                       "belong to other values; run the forward again", VAR_TEXT(out));
    }
    for (int i = 0; i < y->n_in; i++) {
        const Var *x = y->in[i];
        var_check(x, "var_backward");
        if (pass_version(x) != y->in_version[i])
            slope_fail("var_backward", "%s was written to after %s had used it, so the gradient "
                       "would belong to other values; run the forward again after changing it",
                       VAR_TEXT(x), VAR_TEXT(y));
    }
}

/* An interior that retains its gradient gets it; anyone's slot is emptied unless var_grad asks. */
static void pass_retain(const Pass *p, Var *y)
{
    if (y->retains_grad && p->scope->slot.needed == 0) {
        var_zero_grad(y);
        y->grad = tensor_clone(y->slot.sum);
    }
    if (y->slot.wanted != p->id)
        slot_clear(y);
}

/* Plays the rule of the op whose first output is y, if any of its outputs has a gradient. */
static void pass_play(const Pass *p, Var *y)
{
    Var *gy[OP_OUTPUTS] = {0};
    bool any = false;
    size_t mark = tape_mark();
    for (int k = 0; k < y->n_out; k++) {
        Var *out = var_output(y, k);
        if (!slot_is_filled(out, p->id))
            continue;
        gy[k] = p->recorded ? out->slot.var : var_const(out->slot.sum);
        pass_retain(p, out);
        any = true;
    }
    if (any) {
        pass_check_versions(y);
        if (p->recorded && y->op->once)
            slope_fail("var_grad", "%s cannot be differentiated twice", VAR_TEXT(y));
        tape_set_playing(y);
        if (y->op->backward_all)
            y->op->backward_all(y, gy);
        else if (y->op->backward)
            y->op->backward(y, gy[0]);
        tape_set_playing(NULL);
    }
    if (!p->recorded)
        tape_truncate(mark);
}

static void pass_sweep(const Pass *p, const Var *y)
{
    if (y->is_param)
        return;
    for (size_t i = y->index - (size_t)y->out_index + 1; i-- > 0;) {
        Var *v = tape_at(i);
        if (v->op && v->out_index == 0 && v->requires_grad)
            pass_play(p, v);
    }
}

/* Opens the pass and puts gy (NULL: a one) into y's slot. */
static Pass pass_begin(Var *y, Var *gy, bool recorded, bool selective, const char *function)
{
    var_check(y, function);
    if (tape_playing())
        slope_fail(function, "called inside the backward rule of %s; a rule is made of ops",
                   VAR_TEXT(tape_playing()));
    if (!y->requires_grad)
        slope_fail(function, "%s depends on nothing that requires a gradient; was it computed "
                   "between no_grad_begin and no_grad_end, or from constants only?", VAR_TEXT(y));
    if (!gy && tensor_count(y->value) != 1)
        slope_fail(function,
                   "%s has %td elements, so its gradient is not simply 1: reduce it to one "
                   "number, or give the gradient with %s_with",
                   VAR_TEXT(y), tensor_count(y->value), function);
    if (gy && !shape_equal(var_shape(gy), var_shape(y)))
        slope_fail(function, "the gradient has shape %s, but %s", SHAPE_TEXT(var_shape(gy)),
                   VAR_TEXT(y));
    Pass p = {.id = atomic_fetch_add(&pass_count, 1) + 1, .recorded = recorded};
    p.scope = tape_scope_open(SCOPE_PASS, recorded);
    p.scope->slot.pass = p.id;
    p.scope->slot.needed = selective ? p.id : 0;
    return p;
}

static void pass_seed(const Pass *p, Var *y, Var *gy)
{
    if (var_needs_grad(y))
        slot_begin(y, gy ? gy : var_full(var_shape(y), 1), p->scope);
}

/* --- var_backward ----------------------------------------------------------------------------- */

/* The slot keeps its sum until ->grad has it: the copy may fail. */
static void pass_deliver(Var *leaf)
{
    if (leaf->grad) {
        tensor_add(leaf->grad, leaf->grad, leaf->slot.sum);
    } else if (tensor_may_add_in_place(leaf->slot.sum)) {
        leaf->grad = leaf->slot.sum;
        leaf->slot.sum = NULL;
    } else {
        leaf->grad = tensor_clone(leaf->slot.sum);
    }
    slot_clear(leaf);
}

void var_backward_with(Var *y, Var *gy)
{
    size_t mark = tape_mark();
    Pass p = pass_begin(y, gy, false, false, "var_backward");
    pass_seed(&p, y, gy);
    pass_sweep(&p, y);
    for (Var *leaf; (leaf = p.scope->slot.next_leaf);
         p.scope->slot.next_leaf = leaf->slot.next_leaf)
        pass_deliver(leaf);
    tape_scope_close(SCOPE_PASS, "var_backward");
    tape_truncate(mark);
}

void var_backward(Var *y)
{
    var_backward_with(y, NULL);
}

/* --- var_grad --------------------------------------------------------------------------------- */

static Var *pass_first_output(const Var *v)
{
    return tape_at(v->index - (size_t)v->out_index);
}

/* Marks all that y was computed from: a walk down the tape. What else lies there is not touched;
 * its inputs may be gone. */
static void pass_mark_met(const Pass *p, Var *y)
{
    y->slot.met = p->id;
    for (size_t i = y->is_param ? 0 : y->index + 1; i-- > 0;) {
        const Var *v = tape_at(i), *first = v->slot.met == p->id ? pass_first_output(v) : v;
        for (int k = 0; k < first->n_in && v->slot.met == p->id; k++)
            first->in[k]->slot.met = p->id;
    }
}

/* Marks every Var of y's through which a gradient reaches one of x: a walk up the tape. */
static void pass_mark_needed(const Pass *p, Var *y, Var *const *x, int n)
{
    pass_mark_met(p, y);
    for (int i = 0; i < n; i++)
        x[i]->slot.needed = x[i]->slot.wanted = p->id;
    for (size_t i = 0; !y->is_param && i <= y->index; i++) {
        Var *v = tape_at(i);
        if (v->slot.met != p->id || !v->requires_grad)
            continue;
        const Var *first = pass_first_output(v);
        for (int k = 0; k < first->n_in; k++)
            if (first->in[k]->slot.needed == p->id)
                v->slot.needed = p->id;
    }
}

void var_grad_with(Var *y, Var *gy, Var *const *x, int n, GradMode mode, Var **grads)
{
    for (int i = 0; i < n; i++) {
        var_check(x[i], "var_grad");
        if (!x[i]->requires_grad)
            slope_fail("var_grad", "input %d, %s, does not require a gradient; make it with "
                       "var_leaf or var_param_new", i, VAR_TEXT(x[i]));
    }
    size_t mark = tape_mark();
    Pass p = pass_begin(y, gy, mode == CREATE_GRAPH, true, "var_grad");
    pass_mark_needed(&p, y, x, n);
    pass_seed(&p, y, gy);
    pass_sweep(&p, y);
    p.scope->slot.next_leaf = NULL;
    tape_scope_close(SCOPE_PASS, "var_grad");
    if (!p.recorded)
        tape_truncate(mark);
    for (int i = 0; i < n; i++) {
        bool reached = slot_is_filled(x[i], p.id);
        grads[i] = !reached     ? NULL
                   : p.recorded ? x[i]->slot.var
                                : var_contiguous(var_const(x[i]->slot.sum));
    }
    for (int i = 0; i < n; i++)
        slot_clear(x[i]);
}

void var_grad(Var *y, Var *const *x, int n, GradMode mode, Var **grads)
{
    var_grad_with(y, NULL, x, n, mode, grads);
}

/* --- leaves' gradients ------------------------------------------------------------------------ */

void var_retain_grad(Var *x)
{
    var_check(x, "var_retain_grad");
    x->retains_grad = true;
}

void var_zero_grad(Var *x)
{
    tensor_free(x->grad);
    x->grad = NULL;
}

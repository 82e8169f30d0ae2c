/* autograd/backward.c -- reverse mode: the tape played backwards, one rule per op.
 *
 * Every result on the tape was computed from Vars that come before it. So a walk back along the
 * tape, from y to its start, reaches each Var after everything that used it. By then the Var's
 * gradient is complete, and its op's rule can send each input its share. That is the whole sweep:
 *
 *      the slot of y          <-  1, or the gradient that the caller passed
 *      for each op, from y back:
 *          gy                 <-  what its result's slot has collected
 *          check that nothing the rule may read was written to since the forward pass
 *          rule(y, gy)            sends gradients to the slots of its inputs
 *      ->grad of each leaf    <-  ->grad + what its slot has collected
 *
 * A pass is one such sweep. The struct Pass is stored in the block of the Var that opens the pass's
 * scope on the tape, so a failure in the middle of a rule ends the pass with the tape_rewind that
 * cleans up after it. Inside that scope results do not require gradients, unless the pass is
 * recorded. Each Var has one slot, which collects its gradient during a pass. A slot records which
 * pass it belongs to and counts as empty in any other, so a new pass has nothing to clear.
 *
 * Memory. Unless the pass is recorded, the tape is marked before each rule and rewound after it.
 * This frees everything that the rule computed except what it sent, which the receiving slot keeps
 * until that Var's own rule is played. So a backward pass needs little more memory than the forward
 * pass. A recorded pass (CREATE_GRAPH) frees nothing: its gradients stay on the tape as Vars, so
 * that they can be differentiated again.
 *
 * Three aliasing traps. A rule may send one tensor twice: the rule of a + b sends gy to both. It
 * may send an expanded view, in which many elements share one location: the rule of sum does. And
 * two leaves must not share the storage of their gradients, or scaling one in place would scale the
 * other. So a tensor is added to in place, or becomes a leaf's ->grad, only if it is contiguous and
 * the sole owner of its storage.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/backward.h"

#include "autograd/record.h"

/* Pass numbers are unique across threads, because threads may take turns with a parameter. */
static atomic_ullong pass_count;

typedef struct Pass {
    uint64_t   id;
    bool       recorded;   /* CREATE_GRAPH: the rules are recorded on the tape */
    bool       selective;  /* var_grad: gradients flow only towards the requested Vars */
    const Var *playing;    /* the Var whose rule is running, or NULL */
    Var       *first_leaf; /* the leaves reached so far, linked by slot.next_leaf */
} Pass;

static void pass_abandon(const Var *scope);
static const ScopeKind pass_scope = {"a backward pass", pass_abandon, NULL};

/* The pass that a scope opened; NULL for other kinds of scope, or if there was no memory for it. */
static Pass *pass_of(const Var *scope)
{
    return scope && scope->scope.kind == &pass_scope ? scope->block : NULL;
}

/* --- slots ------------------------------------------------------------------------------------ */

static void slot_clear(Var *x)
{
    tensor_free(x->slot.sum);
    x->slot.sum = NULL;
    x->slot.var = NULL;
}

static SlotMark slot_mark(const Var *x, const Pass *p)
{
    return x->slot.pass == p->id ? x->slot.mark : SLOT_UNMARKED;
}

/* Claims the slot for this pass, clearing what a failed pass may have left, and raises its mark. */
static void slot_claim(Var *x, const Pass *p, SlotMark mark)
{
    if (x->slot.pass != p->id) {
        slot_clear(x);
        x->slot.pass = p->id;
        x->slot.mark = SLOT_UNMARKED;
    }
    if (x->slot.mark < mark)
        x->slot.mark = mark;
}

static bool slot_is_filled(const Var *x, const Pass *p)
{
    return x->slot.pass == p->id && (x->slot.sum || x->slot.var);
}

static bool tensor_may_add_in_place(const Tensor *x)
{
    return tensor_is_contiguous(x) && tensor_owns_storage(x);
}

/* Stores the first gradient that arrives at x. */
static void slot_fill(Var *x, Var *g, Pass *p)
{
    slot_claim(x, p, SLOT_UNMARKED);
    if (p->recorded)
        x->slot.var = g;
    else
        x->slot.sum = tensor_ref(g->value);
    if (!x->op) { /* a leaf has no rule: the end of the pass finds it in this list */
        x->slot.next_leaf = p->first_leaf;
        p->first_leaf = x;
    }
}

/* Adds a further gradient to the one in x's slot. */
static void slot_add(Var *x, Var *g, const Pass *p)
{
    if (p->recorded) {
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

/* --- what a rule calls ------------------------------------------------------------------------ */

bool var_needs_grad(const Var *x)
{
    const Pass *p = pass_of(tape_scope_innermost());
    return p && x->requires_grad && (!p->selective || slot_mark(x, p) >= SLOT_NEEDED);
}

void var_send(Var *x, Var *g)
{
    Pass *p = pass_of(tape_scope_innermost());
    if (!p)
        slope_fail("var_send", "may only be called in a backward rule");
    if (!var_needs_grad(x))
        return;
    if (!shape_equal(var_shape(g), var_shape(x)))
        g = var_sum_to(g, var_shape(x));
    if (slot_is_filled(x, p))
        slot_add(x, g, p);
    else
        slot_fill(x, g, p);
}

/* Not in anomaly mode: it checks the results of ops, so every gradient must be an op's result. */
bool var_may_overwrite(const Var *gy)
{
    return !grad_enabled() && !tape_anomaly_mode() && tensor_may_add_in_place(gy->value);
}

/* --- one rule --------------------------------------------------------------------------------- */

/* Returns the gradient in an output's slot, as a Var for the rule. The slot is emptied unless
 * var_grad will return its contents, so that gy alone owns the tensor (var_may_overwrite). ->grad
 * gets a copy if var_retain_grad requested one; var_grad, and so any recorded pass, ignores
 * that. */
static Var *pass_take(const Pass *p, Var *out)
{
    Var *gy = p->recorded ? out->slot.var : var_const(out->slot.sum);
    if (out->retains_grad && !p->selective) {
        var_zero_grad(out);
        out->grad = tensor_clone(out->slot.sum);
    }
    if (slot_mark(out, p) != SLOT_WANTED)
        slot_clear(out);
    return gy;
}

static void pass_call_rule(Pass *p, Var *y, Var *const *gy)
{
    var_check_versions(y, "var_backward");
    if (p->recorded && y->op->once)
        slope_fail("var_grad", "%s cannot be differentiated twice", VAR_TEXT(y));
    const Op *op = y->op;
    p->playing = y;
    if (op->backward_all)
        op->backward_all(y, gy);
    else if (op->backward)
        op->backward(y, gy[0]);
    if (pass_of(tape_scope_innermost()) != p) /* a rewind may have freed the pass, and y */
        slope_fail("var_backward", "the rule of %s rewound the tape or left a scope open",
                   op->name);
    p->playing = NULL;
}

/* Plays the rule of the op whose first output is y, if a gradient has reached any output. */
static void pass_play(Pass *p, Var *y)
{
    Var *gy[OP_OUTPUTS] = {0};
    bool reached = false;
    size_t mark = tape_mark();
    for (int k = 0; k < y->n_out; k++) {
        Var *out = var_output(y, k);
        if (slot_is_filled(out, p)) {
            gy[k] = pass_take(p, out);
            reached = true;
        }
    }
    if (reached)
        pass_call_rule(p, y, gy);
    if (!p->recorded)
        tape_truncate(mark);
}

/* --- the sweep -------------------------------------------------------------------------------- */

static void pass_check(Var *y, Var *gy, const char *function)
{
    var_check(y, function);
    if (tape_playing())
        slope_fail(function, "called inside the backward rule of %s, which may call only ops",
                   VAR_TEXT(tape_playing()));
    if (!y->requires_grad)
        slope_fail(function, "%s depends on nothing that requires a gradient; was it computed "
                   "between no_grad_begin and no_grad_end, or only from constants and frozen "
                   "parameters (see module_unfreeze)?", VAR_TEXT(y));
    if (!gy && tensor_count(y->value) != 1)
        slope_fail(function, "%s has %td elements, so its gradient is not simply 1; reduce it to "
                   "one element, or pass its gradient to %s_with", VAR_TEXT(y),
                   tensor_count(y->value), function);
    if (gy && !shape_equal(var_shape(gy), var_shape(y)))
        slope_fail(function, "the gradient has shape %s; expected that of %s",
                   SHAPE_TEXT(var_shape(gy)), VAR_TEXT(y));
}

static Pass *pass_begin(bool recorded, bool selective)
{
    Var *scope = tape_scope_open(&pass_scope, recorded);
    var_alloc_block(scope, 0, sizeof(Pass));
    Pass *p = scope->block;
    *p = (Pass){.id = atomic_fetch_add(&pass_count, 1) + 1, .recorded = recorded,
                .selective = selective};
    return p;
}

/* Frees the gradients that leaves still hold for the pass; a completed pass leaves none. */
static void pass_abandon(const Var *scope)
{
    const Pass *p = pass_of(scope);
    for (Var *leaf = p ? p->first_leaf : NULL; leaf; leaf = leaf->slot.next_leaf)
        slot_clear(leaf);
}

/* Puts gy, or 1 if gy is NULL, into y's slot and plays every rule from y back. */
static void pass_run(Pass *p, Var *y, Var *gy)
{
    if (var_needs_grad(y))
        slot_fill(y, gy ? gy : var_full(var_shape(y), 1), p);
    if (y->is_param) /* not on the tape: nothing computed it */
        return;
    size_t first = y->index - (size_t)y->out_index; /* an op is played at its first output */
    for (size_t i = first + 1; i-- > 0;) {
        Var *v = tape_at(i);
        if (v->op && v->out_index == 0 && v->requires_grad)
            pass_play(p, v);
    }
}

/* --- var_backward ----------------------------------------------------------------------------- */

/* Moves the gradient in a leaf's slot to ->grad. The slot owns it until ->grad does, because
 * copying may run out of memory. */
static void pass_deliver(Var *leaf)
{
    if (!leaf->grad)
        var_zero_grad(leaf); /* resets its marks: ->grad may have been freed by other means */
    if (leaf->grad) {
        leaf->grad_stale = leaf->grad_stale || leaf->grad_used == var_grad_mark(leaf);
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
    pass_check(y, gy, "var_backward");
    size_t mark = tape_mark();
    Pass *p = pass_begin(false, false);
    pass_run(p, y, gy);
    for (Var *leaf; (leaf = p->first_leaf); p->first_leaf = leaf->slot.next_leaf)
        pass_deliver(leaf);
    tape_scope_close(&pass_scope, "var_backward");
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

/* Marks everything that y was computed from, in a walk back along the tape. It does not follow the
 * inputs of other Vars, which may have been freed. */
static void pass_mark_met(const Pass *p, Var *y)
{
    slot_claim(y, p, SLOT_MET);
    for (size_t i = y->is_param ? 0 : y->index + 1; i-- > 0;) {
        const Var *v = tape_at(i);
        if (slot_mark(v, p) < SLOT_MET)
            continue;
        const Var *first = pass_first_output(v);
        for (int k = 0; k < first->n_in; k++)
            slot_claim(first->in[k], p, SLOT_MET);
    }
}

/* Among these, marks the Vars through which a gradient reaches some x[i], walking forward. */
static void pass_mark_needed(const Pass *p, Var *y, Var *const *x, int n)
{
    pass_mark_met(p, y);
    for (int i = 0; i < n; i++)
        slot_claim(x[i], p, SLOT_WANTED);
    for (size_t i = 0; !y->is_param && i <= y->index; i++) {
        Var *v = tape_at(i);
        if (slot_mark(v, p) != SLOT_MET || !v->requires_grad)
            continue;
        const Var *first = pass_first_output(v);
        for (int k = 0; k < first->n_in; k++)
            if (slot_mark(first->in[k], p) >= SLOT_NEEDED)
                slot_claim(v, p, SLOT_NEEDED);
    }
}

void var_check_input(const Var *x, int i, const char *function)
{
    var_check(x, function);
    if (!x->requires_grad)
        slope_fail(function, "input %d, %s, does not require a gradient; %s", i, VAR_TEXT(x),
                   x->is_param ? "it is frozen: unfreeze it with module_unfreeze"
                               : "create it with var_leaf or var_param_new");
}

/* The gradient in x's slot: a Var of the recorded pass, or a new constant; NULL if none. */
static Var *grad_result(const Var *x, const Pass *p)
{
    if (!slot_is_filled(x, p))
        return NULL;
    return p->recorded ? x->slot.var : var_contiguous(var_const(x->slot.sum));
}

void var_grad_with(Var *y, Var *gy, Var *const *x, int n, GradMode mode, Var **grads)
{
    for (int i = 0; i < n; i++)
        var_check_input(x[i], i, "var_grad");
    pass_check(y, gy, "var_grad");
    size_t mark = tape_mark();
    Pass *p = pass_begin(mode == CREATE_GRAPH, true);
    pass_mark_needed(p, y, x, n);
    pass_run(p, y, gy);
    const Pass ended = *p; /* rewinding frees *p */
    p->first_leaf = NULL;  /* the gradients of leaves stay in their slots, to be returned */
    tape_scope_close(&pass_scope, "var_grad");
    if (!ended.recorded)
        tape_truncate(mark);
    for (int i = 0; i < n; i++)
        grads[i] = grad_result(x[i], &ended);
    for (int i = 0; i < n; i++)
        slot_clear(x[i]);
}

void var_grad(Var *y, Var *const *x, int n, GradMode mode, Var **grads)
{
    var_grad_with(y, NULL, x, n, mode, grads);
}

/* --- for the rest of autograd/ ---------------------------------------------------------------- */

const Var *tape_playing(void)
{
    for (const Var *scope = tape_scope_innermost(); scope; scope = scope->scope.outer)
        if (pass_of(scope))
            return pass_of(scope)->playing;
    return NULL;
}

void tape_pass_forget(const Var *param)
{
    for (const Var *scope = tape_scope_innermost(); scope; scope = scope->scope.outer) {
        Pass *p = pass_of(scope);
        for (Var **at = p ? &p->first_leaf : NULL; at && *at; at = &(*at)->slot.next_leaf)
            if (*at == param) {
                *at = param->slot.next_leaf;
                break;
            }
    }
}

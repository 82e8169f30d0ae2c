/* nn/module.c -- the tree of modules and the walks over it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/module.h"

#include <string.h>

#include "autograd/record.h"
#include "nn/check.h"
#include "tensor/memory.h"

/* --- adding parts ----------------------------------------------------------------------------- */

/* Returns the array with space for one more entry; its capacity doubles at each power of two. */
static void *module_grow(void *array, int count, size_t size)
{
    if (count & (count - 1)) /* not a power of two: there is space left */
        return array;
    void *bigger = memory_new_array(count ? 2 * (size_t)count : 1, size);
    if (count)
        memcpy(bigger, array, (size_t)count * size);
    memory_free(array);
    return bigger;
}

void slope_module_check(const Module *m, const char *function)
{
    if (!m)
        slope_fail(function, "the module is NULL");
}

static void module_check_name(const Module *m, const char *name, const char *function)
{
    if (!name || !name[0] || strchr(name, '.') || strlen(name) >= MODULE_NAME)
        slope_fail(function, "'%s' is not a valid name for a part of %s: expected 1 to %d "
                   "characters without a dot", name ? name : "NULL", m->type->name,
                   MODULE_NAME - 1);
    for (int i = 0; i < m->n_parts; i++)
        if (strcmp(m->part[i].name, name) == 0)
            slope_fail(function, "%s already has a part named '%s'", m->type->name, name);
}

/* Does everything about a new part that can fail. `value` is what the part will hold, if the caller
 * has it, or any pointer but NULL: the value is then created next. Only after that is the part
 * inserted, so that a failure leaves no part without a value. */
static void module_reserve(Module *m, const char *name, const void *value, const char *function)
{
    slope_module_check(m, function);
    module_check_name(m, name, function);
    if (!value)
        slope_fail(function, "'%s' is NULL", name);
    m->part = module_grow(m->part, m->n_parts, sizeof *m->part);
}

/* Inserts the reserved part after those of its kind; the caller sets its value. */
static ModulePart *module_insert(Module *m, PartKind kind, const char *name)
{
    int i = m->n_parts++;
    for (; i > 0 && m->part[i - 1].kind > kind; i--)
        m->part[i] = m->part[i - 1];
    m->part[i] = (ModulePart){.kind = kind, .owner = m};
    snprintf(m->part[i].name, MODULE_NAME, "%s", name);
    return &m->part[i];
}

/* --- evaluations ------------------------------------------------------------------------------ */

/* The mode that a module had before an evaluation began. An evaluation is a scope on the tape,
 * whose block is a list of these: first the module that was passed to module_eval_begin, then its
 * descendants. */
typedef struct ModuleMode {
    Module *module; /* NULL if it has been freed since */
    bool    training;
} ModuleMode;

static void module_restore_modes(const Var *scope);
static void module_forget_mode(const Var *scope, const void *module);
static const ScopeKind module_evaluation = {"module_eval_begin", module_restore_modes,
                                            module_forget_mode};

/* Returns the list of a scope and its length. The scope may be NULL; the length is 0 if it is of
 * another kind, or if there was no memory for the list. */
static ModuleMode *module_modes(const Var *scope, size_t *count)
{
    bool has_list = scope && scope->scope.kind == &module_evaluation && scope->block;
    *count = has_list ? scope->block_bytes / sizeof(ModuleMode) : 0;
    return has_list ? scope->block : NULL;
}

static void module_restore_modes(const Var *scope)
{
    size_t count;
    const ModuleMode *mode = module_modes(scope, &count);
    for (size_t i = 0; i < count; i++)
        if (mode[i].module)
            mode[i].module->training = mode[i].training;
}

static void module_forget_mode(const Var *scope, const void *module)
{
    size_t count;
    ModuleMode *mode = module_modes(scope, &count);
    for (size_t i = 0; i < count; i++)
        if (mode[i].module == module)
            mode[i].module = NULL;
}

/* --- creating and freeing --------------------------------------------------------------------- */

void *module_new(size_t bytes, const ModuleType *type)
{
    Module *m = memory_new(bytes);
    m->type = type;
    m->training = true;
    return m;
}

static void module_part_free(const ModulePart *part)
{
    switch (part->kind) {
        case PART_PARAM: var_param_free(part->param); break;
        case PART_BUFFER: tensor_free(part->buffer); break;
        case PART_COUNTER: memory_free(part->counter); break;
        case PART_RNG: memory_free(part->rng); break;
        case PART_CHILD: module_free(part->child); break;
    }
}

void module_free(Module *m)
{
    if (!m)
        return;
    tape_scope_forget(m);
    for (int i = 0; i < m->n_parts; i++)
        module_part_free(&m->part[i]);
    memory_free(m->part);
    memory_free(m);
}

Var *module_add_param(Module *m, const char *name, Tensor *value)
{
    module_reserve(m, name, value, "module_add_param");
    Var *param = var_param_new(value, name);
    return module_insert(m, PART_PARAM, name)->param = param;
}

Tensor *module_add_buffer(Module *m, const char *name, Tensor *value)
{
    module_reserve(m, name, value, "module_add_buffer");
    return module_insert(m, PART_BUFFER, name)->buffer = value;
}

int64_t *module_add_counter(Module *m, const char *name)
{
    module_reserve(m, name, m, "module_add_counter");
    int64_t *counter = memory_new(sizeof *counter);
    return module_insert(m, PART_COUNTER, name)->counter = counter;
}

Rng *module_add_rng(Module *m, const char *name, Rng start)
{
    module_reserve(m, name, m, "module_add_rng");
    Rng *rng = memory_new(sizeof *rng);
    *rng = start;
    return module_insert(m, PART_RNG, name)->rng = rng;
}

/* Prepends "prefix." to a name, unless the name would become too long. */
static void module_prefix_name(Var *v, const char *prefix)
{
    size_t n = strlen(prefix) + 1, length = strlen(v->name) + 1;
    if (n + length > sizeof v->name)
        return;
    memmove(v->name + n, v->name, length);
    memcpy(v->name, prefix, n - 1);
    v->name[n - 1] = '.';
}

static void module_prefix_names(const Module *m, const char *prefix)
{
    for (int i = 0; i < m->n_parts; i++)
        if (m->part[i].kind == PART_PARAM)
            module_prefix_name(m->part[i].param, prefix);
        else if (m->part[i].kind == PART_CHILD)
            module_prefix_names(m->part[i].child, prefix);
}

Module *module_add_child(Module *m, const char *name, Module *child)
{
    module_reserve(m, name, child, "module_add_child");
    if (child->has_parent)
        slope_fail("module_add_child", "'%s' already belongs to a module, which will free it; "
                   "create another one", name);
    module_insert(m, PART_CHILD, name)->child = child;
    child->has_parent = true;
    module_prefix_names(child, name);
    return child;
}

/* --- running ---------------------------------------------------------------------------------- */

Var *module_forward(Module *m, Var *x)
{
    slope_module_check(m, "module_forward");
    if (!m->type->forward)
        slope_fail("module_forward", "the type %s has no forward function; write one, or call "
                   "module_forward on the modules that it holds", m->type->name);
    var_check(x, m->type->name);
    Var *y = m->type->forward(m, x);
    if (!y)
        slope_fail(m->type->name, "its forward function returned NULL; expected a Var");
    m->output = var_shape(y);
    return y;
}

static void module_set_training(Module *m, bool training)
{
    m->training = training;
    for (int i = 0; i < m->n_parts; i++)
        if (m->part[i].kind == PART_CHILD)
            module_set_training(m->part[i].child, training);
}

void module_train(Module *m)
{
    slope_module_check(m, "module_train");
    module_set_training(m, true);
}

void module_eval(Module *m)
{
    slope_module_check(m, "module_eval");
    module_set_training(m, false);
}

/* The number of modules in the tree: m and its descendants. */
static size_t module_size(const Module *m)
{
    size_t size = 1;
    for (int i = 0; i < m->n_parts; i++)
        if (m->part[i].kind == PART_CHILD)
            size += module_size(m->part[i].child);
    return size;
}

/* Appends the modes of m and its descendants to the list; returns the list's end. */
static ModuleMode *module_list_modes(Module *m, ModuleMode *mode)
{
    *mode++ = (ModuleMode){m, m->training};
    for (int i = 0; i < m->n_parts; i++)
        if (m->part[i].kind == PART_CHILD)
            mode = module_list_modes(m->part[i].child, mode);
    return mode;
}

void module_eval_begin(Module *m)
{
    slope_module_check(m, "module_eval_begin");
    Var *scope = tape_scope_open(&module_evaluation, grad_enabled());
    var_alloc_block(scope, 0, module_size(m) * sizeof(ModuleMode));
    module_list_modes(m, scope->block);
    module_set_training(m, false);
}

void module_eval_end(Module *m)
{
    size_t count;
    const ModuleMode *mode = module_modes(tape_scope_innermost(), &count);
    if (count && mode[0].module != m)
        slope_fail("module_eval_end", "the innermost open evaluation was begun for another "
                   "module; end that one first");
    tape_scope_close(&module_evaluation, "module_eval_end");
}

/* --- visiting all parts ----------------------------------------------------------------------- */

static void module_walk(const Module *m, const char *prefix, ModuleVisit fn, void *ctx)
{
    char name[MODULE_PATH];
    for (int i = 0; i < m->n_parts; i++) {
        const ModulePart *part = &m->part[i];
        int length = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", part->name);
        if (length >= MODULE_PATH) /* truncated, it could be another part's name */
            slope_fail("module_visit", "the name '%s.%s' has more than %d characters", prefix,
                       part->name, MODULE_PATH - 1);
        if (part->kind == PART_CHILD)
            module_walk(part->child, name, fn, ctx);
        else
            fn(name, part, ctx);
    }
}

void module_visit(const Module *m, ModuleVisit fn, void *ctx)
{
    slope_module_check(m, "module_visit");
    module_walk(m, "", fn, ctx);
}

Tensor *module_part_tensor(const ModulePart *part)
{
    return part->kind == PART_PARAM    ? part->param->value
           : part->kind == PART_BUFFER ? part->buffer
                                       : NULL;
}

/* --- finding a part --------------------------------------------------------------------------- */

typedef struct PartNames {
    PartKind kind;
    int      end;
    char     text[MODULE_PATH]; /* " 'fc.weight', 'fc.bias'", as many as fit */
} PartNames;

static void module_add_name(const char *name, const ModulePart *part, void *ctx)
{
    PartNames *names = ctx;
    int left = MODULE_PATH - names->end;
    if (part->kind == names->kind && left > 1)
        names->end += snprintf(names->text + names->end, (size_t)left, "%s '%s'",
                               names->end ? "," : "", name);
    if (names->end >= MODULE_PATH)
        names->end = MODULE_PATH - 1;
}

static _Noreturn void module_fail_missing(const Module *m, PartKind kind, const char *name,
                                          const char *function)
{
    static const char *const kinds[] = {"parameter", "buffer", "counter", "random stream", "child"};
    PartNames names = {.kind = kind, .text = " none"};
    if (kind == PART_CHILD)
        for (int i = 0; i < m->n_parts; i++)
            module_add_name(m->part[i].name, &m->part[i], &names);
    else
        module_walk(m, "", module_add_name, &names);
    slope_fail(function, "%s has no %s '%s'; it has%s", m->type->name, kinds[kind], name,
               names.text);
}

static const ModulePart *module_find(const Module *m, PartKind kind, const char *name,
                                     const char *function)
{
    slope_module_check(m, function);
    if (!name)
        slope_fail(function, "the name is NULL");
    size_t length = strcspn(name, ".");
    bool descends = name[length] == '.'; /* what precedes a dot is a child's name */
    for (int i = 0; i < m->n_parts; i++) {
        const ModulePart *part = &m->part[i];
        if (part->kind == (descends ? PART_CHILD : kind) && strlen(part->name) == length &&
            memcmp(part->name, name, length) == 0)
            return descends ? module_find(part->child, kind, name + length + 1, function) : part;
    }
    module_fail_missing(m, kind, name, function);
}

const ModulePart *module_part(const Module *m, PartKind kind, const char *name)
{
    return module_find(m, kind, name, "module_part");
}

Var *module_param(const Module *m, const char *name)
{
    return module_find(m, PART_PARAM, name, "module_param")->param;
}

Module *module_child(const Module *m, const char *name)
{
    return module_find(m, PART_CHILD, name, "module_child")->child;
}

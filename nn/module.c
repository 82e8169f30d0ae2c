/* nn/module.c -- the tree of modules and the walks over it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/module.h"

#include <string.h>

#include "autograd/record.h"
#include "nn/layers.h"
#include "tensor/memory.h"

/* --- growing ---------------------------------------------------------------------------------- */

/* Room for one entry more in an array of `count`, which is doubled at each power of two. */
static void *module_grow(void *array, int count, size_t size)
{
    if (count & (count - 1)) /* not a power of two: there is room */
        return array;
    void *bigger = memory_new_array(count ? 2 * (size_t)count : 1, size);
    if (count)
        memcpy(bigger, array, (size_t)count * size);
    memory_free(array);
    return bigger;
}

static bool module_has_name(const Module *m, const char *name)
{
    bool found = false;
    for (int i = 0; i < m->n_params; i++)
        found = found || strcmp(m->param[i].name, name) == 0;
    for (int i = 0; i < m->n_buffers; i++)
        found = found || strcmp(m->buffer[i].name, name) == 0;
    for (int i = 0; i < m->n_counters; i++)
        found = found || strcmp(m->counter[i].name, name) == 0;
    for (int i = 0; i < m->n_rngs; i++)
        found = found || strcmp(m->rng[i].name, name) == 0;
    for (int i = 0; i < m->n_children; i++)
        found = found || strcmp(m->child[i].name, name) == 0;
    return found;
}

static void module_set_name(const Module *m, char to[MODULE_NAME], const char *name)
{
    if (!name[0] || strchr(name, '.') || strlen(name) >= MODULE_NAME)
        slope_fail("module_add", "'%s' is no name for a part of %s: expected 1 to %d characters "
                   "without a dot", name, m->type->name, MODULE_NAME - 1);
    if (module_has_name(m, name))
        slope_fail("module_add", "%s already has a part named '%s'", m->type->name, name);
    snprintf(to, MODULE_NAME, "%s", name);
}

/* --- making and freeing ----------------------------------------------------------------------- */

void *module_new(size_t bytes, const ModuleType *type)
{
    Module *m = memory_new(bytes);
    m->type = type;
    m->training = true;
    return m;
}

void module_free(Module *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->n_params; i++)
        var_param_free(m->param[i].var);
    for (int i = 0; i < m->n_buffers; i++)
        tensor_free(m->buffer[i].tensor);
    for (int i = 0; i < m->n_counters; i++)
        memory_free(m->counter[i].value);
    for (int i = 0; i < m->n_rngs; i++)
        memory_free(m->rng[i].rng);
    for (int i = 0; i < m->n_children; i++)
        module_free(m->child[i].module);
    memory_free(m->param);
    memory_free(m->buffer);
    memory_free(m->counter);
    memory_free(m->rng);
    memory_free(m->child);
    memory_free(m);
}

Var *module_add_param(Module *m, const char *name, Tensor *value)
{
    struct ModuleParam p;
    module_set_name(m, p.name, name);
    p.var = var_param_new(value, name);
    m->param = module_grow(m->param, m->n_params, sizeof *m->param);
    m->param[m->n_params++] = p;
    return p.var;
}

Tensor *module_add_buffer(Module *m, const char *name, Tensor *value)
{
    struct ModuleBuffer b = {.tensor = value};
    module_set_name(m, b.name, name);
    m->buffer = module_grow(m->buffer, m->n_buffers, sizeof *m->buffer);
    m->buffer[m->n_buffers++] = b;
    return value;
}

int64_t *module_add_counter(Module *m, const char *name)
{
    struct ModuleCounter c;
    module_set_name(m, c.name, name);
    c.value = memory_new(sizeof *c.value);
    m->counter = module_grow(m->counter, m->n_counters, sizeof *m->counter);
    m->counter[m->n_counters++] = c;
    return c.value;
}

Rng *module_add_rng(Module *m, const char *name, Rng start)
{
    struct ModuleRng r;
    module_set_name(m, r.name, name);
    r.rng = memory_new(sizeof *r.rng);
    *r.rng = start;
    m->rng = module_grow(m->rng, m->n_rngs, sizeof *m->rng);
    m->rng[m->n_rngs++] = r;
    return r.rng;
}

/* Puts "prefix." in front of a name; one that would become too long for a message stays. */
static void module_prefix_name(Var *v, const char *prefix)
{
    size_t n = strlen(prefix) + 1, length = strlen(v->name) + 1;
    if (n + length > sizeof v->name)
        return;
    memmove(v->name + n, v->name, length);
    memcpy(v->name, prefix, n - 1);
    v->name[n - 1] = '.';
}

static void module_prefix_names(Module *m, const char *prefix)
{
    for (int i = 0; i < m->n_params; i++)
        module_prefix_name(m->param[i].var, prefix);
    for (int i = 0; i < m->n_children; i++)
        module_prefix_names(m->child[i].module, prefix);
}

Module *module_add_child(Module *m, const char *name, Module *child)
{
    if (!child || child->has_parent)
        slope_fail("module_add_child", "'%s' %s", name,
                   child ? "already belongs to a module, which "
                           "will free it; make another one"
                         : "is NULL");
    struct ModuleChild c = {.module = child};
    module_set_name(m, c.name, name);
    child->has_parent = true;
    module_prefix_names(child, name);
    m->child = module_grow(m->child, m->n_children, sizeof *m->child);
    m->child[m->n_children++] = c;
    return child;
}

/* --- running ---------------------------------------------------------------------------------- */

Var *module_forward(Module *m, Var *x)
{
    if (!m)
        slope_fail("module_forward", "the module is NULL");
    var_check(x, m->type->name);
    Var *y = m->type->forward(m, x);
    m->output = var_shape(y);
    return y;
}

static void module_set_training(Module *m, bool training)
{
    m->training = training;
    for (int i = 0; i < m->n_children; i++)
        module_set_training(m->child[i].module, training);
}

void module_train(Module *m)
{
    module_set_training(m, true);
}

void module_eval(Module *m)
{
    module_set_training(m, false);
}

void module_eval_begin(Module *m)
{
    if (m->suspended++ == 0)
        m->resumes = m->training;
    m->training = false;
    for (int i = 0; i < m->n_children; i++)
        module_eval_begin(m->child[i].module);
}

void module_eval_end(Module *m)
{
    if (m->suspended > 0 && --m->suspended == 0)
        m->training = m->resumes;
    for (int i = 0; i < m->n_children; i++)
        module_eval_end(m->child[i].module);
}

/* --- all parameters --------------------------------------------------------------------------- */

/* The full name of a part; one that were cut could be another's. */
static const char *module_join(char name[MODULE_PATH], const char *prefix, const char *part)
{
    if (snprintf(name, MODULE_PATH, "%s%s%s", prefix, prefix[0] ? "." : "", part) >= MODULE_PATH)
        slope_fail("module_visit", "the name '%s.%s' has more than %d characters", prefix,
                   part, MODULE_PATH - 1);
    return name;
}

static void parameters_collect(Parameters *list, Module *m, const char *prefix)
{
    char path[MODULE_PATH];
    for (int i = 0; i < m->n_params; i++) {
        list->item = module_grow(list->item, list->count, sizeof *list->item);
        Parameter *p = &list->item[list->count++];
        *p = (Parameter){.var = m->param[i].var, .owner = m};
        module_join(p->name, prefix, m->param[i].name);
    }
    for (int i = 0; i < m->n_children; i++)
        parameters_collect(list, m->child[i].module, module_join(path, prefix, m->child[i].name));
}

Parameters module_parameters(Module *m)
{
    if (!m)
        slope_fail("module_parameters", "the module is NULL");
    Parameters list = {0};
    parameters_collect(&list, m, "");
    return list;
}

void parameters_free(Parameters *list)
{
    memory_free(list->item);
    *list = (Parameters){0};
}

static void module_walk(Module *m, const char *prefix, const ModuleVisitor *visitor, void *ctx)
{
    char name[MODULE_PATH];
    for (int i = 0; visitor->tensor && i < m->n_params; i++)
        visitor->tensor(module_join(name, prefix, m->param[i].name), m->param[i].var->value, ctx);
    for (int i = 0; visitor->tensor && i < m->n_buffers; i++)
        visitor->tensor(module_join(name, prefix, m->buffer[i].name), m->buffer[i].tensor, ctx);
    for (int i = 0; visitor->counter && i < m->n_counters; i++)
        visitor->counter(module_join(name, prefix, m->counter[i].name), m->counter[i].value, ctx);
    for (int i = 0; visitor->rng && i < m->n_rngs; i++)
        visitor->rng(module_join(name, prefix, m->rng[i].name), m->rng[i].rng, ctx);
    for (int i = 0; i < m->n_children; i++)
        module_walk(m->child[i].module, module_join(name, prefix, m->child[i].name), visitor, ctx);
}

void module_visit(Module *m, const ModuleVisitor *visitor, void *ctx)
{
    module_walk(m, "", visitor, ctx);
}

void module_each_tensor(Module *m, ModuleVisit fn, void *ctx)
{
    module_visit(m, &(ModuleVisitor){.tensor = fn}, ctx);
}

bool parameter_is_slope(const Parameter *p)
{
    return module_is_prelu(p->owner);
}

static ptrdiff_t module_count_if(const Module *m, bool slopes_only)
{
    ptrdiff_t count = 0;
    for (int i = 0; i < m->n_params && (!slopes_only || module_is_prelu(m)); i++)
        count += tensor_count(m->param[i].var->value);
    for (int i = 0; i < m->n_children; i++)
        count += module_count_if(m->child[i].module, slopes_only);
    return count;
}

ptrdiff_t module_count(Module *m)
{
    return module_count_if(m, false);
}

ptrdiff_t module_count_slopes(Module *m)
{
    return module_count_if(m, true);
}

/* nn/state.c -- the three passes, and the pieces that states are made of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/state.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "tensor/memory.h"

enum { STATE_NAME = 320 };

/* --- passes ----------------------------------------------------------------------------------- */

Safetensors *state_gather(StateWalk walk, void *ctx, const char *path, Error *err)
{
    State s = {.pass = STATE_SAVING, .err = err, .ok = true};
    s.list = memory_try_new(sizeof *s.list);
    if (!s.list) {
        error_set(err, path, -1, "out of memory while collecting the tensors to save");
        return NULL;
    }
    snprintf(s.list->file, sizeof s.list->file, "%s", path); /* for errors */
    walk(&s, ctx);
    if (s.ok)
        return s.list;
    safetensors_free(s.list);
    return NULL;
}

/* Reports the file's first tensor that the walk did not name. */
static void state_check_known(State *s, const char *owner)
{
    for (int i = 0; s->ok && i < s->list->count; i++) {
        if (s->entry[i].known)
            continue;
        state_refuse(s, "the file holds a tensor that the %s does not have", owner);
        error_expected(s->err, "only its own tensors", "'%s'", SHOWN(s->list->item[i].name));
        error_hint(s->err, "was it saved from a %s with more parts or with other names?", owner);
    }
}

/* The loading pass cannot fail: the checking pass has allocated what it needs. */
bool state_restore(const Safetensors *file, const char *owner, StateWalk walk, void *ctx,
                   Error *err)
{
    State s = {.pass = STATE_CHECKING, .list = (Safetensors *)file, .err = err, .ok = true};
    s.entry = memory_try_new((size_t)file->count * sizeof *s.entry);
    if (!s.entry)
        return error_set(err, file->file, -1, "out of memory while checking the file");
    walk(&s, ctx);
    state_check_known(&s, owner);
    s.pass = STATE_LOADING;
    if (s.ok)
        walk(&s, ctx);
    for (int i = 0; i < file->count; i++)
        tensor_free(s.entry[i].made);
    memory_free(s.entry);
    return s.ok;
}

void state_refuse(State *s, const char *problem, ...)
{
    char text[256];
    va_list args;
    va_start(args, problem);
    vsnprintf(text, sizeof text, problem, args);
    va_end(args);
    s->ok = error_set(s->err, s->list->file, -1, "%s", text);
}

/* --- finding a piece -------------------------------------------------------------------------- */

/* The file's tensor, marked as known; NULL if there is none. */
static const NamedTensor *state_find(State *s, const char *name)
{
    const NamedTensor *t = safetensors_find(s->list, name);
    if (t)
        s->entry[t - s->list->item].known = true;
    return t;
}

static void state_check(State *s, const char *name, const NamedTensor *t, Dtype dtype, Shape shape)
{
    if (!t) {
        state_refuse(s, "the file has no tensor '%s'", name);
        error_hint(s->err, "was it saved from a network with different parts or names?");
    } else if (t->dtype != dtype) {
        state_refuse(s, "the tensor '%s' has a different type in the file", name);
        error_expected(s->err, safetensors_dtype_name(dtype), "%s",
                       safetensors_dtype_name(t->dtype));
    } else if (!shape_equal(t->shape, shape)) {
        state_refuse(s, "the tensor '%s' has a different shape in the file", name);
        error_expected(s->err, SHAPE_TEXT(shape), "%s", SHAPE_TEXT(t->shape));
    }
}

static void state_no_memory(State *s, const char *name)
{
    state_refuse(s, "out of memory for the tensor '%s'", name);
}

static void *state_add(State *s, const char *name, Dtype dtype, Shape shape)
{
    void *data = s->ok ? safetensors_try_add(s->list, name, dtype, shape) : NULL;
    if (s->ok && !data)
        state_no_memory(s, name);
    return data;
}

void *state_data(State *s, const char *name, Dtype dtype, Shape shape)
{
    if (s->pass == STATE_SAVING)
        return state_add(s, name, dtype, shape);
    const NamedTensor *t = state_find(s, name);
    if (s->ok && s->pass == STATE_CHECKING)
        state_check(s, name, t, dtype, shape);
    return s->ok ? t->data : NULL;
}

/* --- tensors ---------------------------------------------------------------------------------- */

/* Which values may a tensor contain? A buffer may contain infinity on purpose, but NaN only in a
 * file written by another program. */
typedef enum StateValues { STATE_FINITE, STATE_OF_BUFFER } StateValues;

/* Only whether it is NaN or infinite matters, so 0 stands for every integer. */
static double state_value(const NamedTensor *t, ptrdiff_t i)
{
    return t->dtype == DTYPE_F32   ? (double)((const float *)t->data)[i]
           : t->dtype == DTYPE_F64 ? ((const double *)t->data)[i]
                                   : 0;
}

/* A network with NaN or infinity in a parameter computes nothing useful, so it is neither saved nor
 * loaded. */
static void state_check_values(State *s, const char *name, StateValues values)
{
    bool saving = s->pass == STATE_SAVING, buffer = values == STATE_OF_BUFFER;
    const NamedTensor *t = s->ok && (saving || !buffer) ? safetensors_find(s->list, name) : NULL;
    ptrdiff_t at = 0, n = t ? shape_count(t->shape) : 0;
    while (at < n && (buffer ? !isnan(state_value(t, at)) : isfinite(state_value(t, at))))
        at++;
    if (at == n)
        return;
    state_refuse(s, "the tensor '%s' is %s at element %td%s", name,
                 isnan(state_value(t, at)) ? "NaN" : "infinite", at,
                 saving ? ", so nothing was saved" : " in the file, so nothing was loaded");
    error_hint(s->err, saving
               ? "continue from the last good file with a lower learning rate or clipped "
                 "gradients; anomaly_mode(true) names the op that first produces NaN or infinity"
               : "load an older file; safetensors_read and safetensors_get read this one as it is");
}

static void state_save_tensor(State *s, const char *name, const Tensor *x, StateValues values)
{
    if (s->ok && !safetensors_try_add_tensor(s->list, name, x))
        state_no_memory(s, name);
    state_check_values(s, name, values);
}

static void state_check_tensor(State *s, const char *name, const Tensor *x, StateValues values)
{
    state_find(s, name);
    s->ok = s->ok && safetensors_check(s->list, name, x, s->err);
    state_check_values(s, name, values);
}

static void state_tensor_of(State *s, const char *name, Tensor *x, StateValues values)
{
    if (s->pass == STATE_SAVING)
        state_save_tensor(s, name, x, values);
    else if (s->pass == STATE_CHECKING)
        state_check_tensor(s, name, x, values);
    else
        safetensors_get(s->list, name, x, NULL); /* it has been checked */
}

void state_tensor(State *s, const char *name, Tensor *x)
{
    state_tensor_of(s, name, x, STATE_FINITE);
}

void state_buffer(State *s, const char *name, Tensor *x)
{
    state_tensor_of(s, name, x, STATE_OF_BUFFER);
}

static void state_save_optional(State *s, const char *name, const Tensor *x, Shape shape,
                                bool needed)
{
    if (x)
        state_save_tensor(s, name, x, STATE_FINITE);
    else if (needed)
        state_add(s, name, DTYPE_REAL, shape);
}

/* *x may be NULL, so the file is compared with `shape`. */
static void state_check_optional(State *s, const char *name, const Tensor *x, Shape shape,
                                 bool needed)
{
    const NamedTensor *t = state_find(s, name);
    if (!t && !needed)
        return;
    state_data(s, name, DTYPE_REAL, shape);
    state_check_values(s, name, STATE_FINITE);
    if (!s->ok || x)
        return;
    Tensor *made = s->entry[t - s->list->item].made = tensor_try_new(shape);
    if (!made)
        state_no_memory(s, name);
}

static void state_load_optional(State *s, const char *name, Tensor **x)
{
    const NamedTensor *t = state_find(s, name);
    Tensor **made = t ? &s->entry[t - s->list->item].made : NULL;
    if (!t) {
        tensor_free(*x);
        *x = NULL;
    } else {
        if (!*x)
            *x = *made, *made = NULL;
        state_tensor(s, name, *x);
    }
}

void state_optional_tensor(State *s, const char *name, Tensor **x, Shape shape, bool needed)
{
    if (s->pass == STATE_SAVING)
        state_save_optional(s, name, *x, shape, needed);
    else if (s->pass == STATE_CHECKING)
        state_check_optional(s, name, *x, shape, needed);
    else
        state_load_optional(s, name, x);
}

/* --- single values ---------------------------------------------------------------------------- */

/* Copies `bytes` bytes into the list or out of the file. */
static void state_copy(State *s, void *data, void *x, size_t bytes)
{
    if (s->pass == STATE_SAVING)
        memcpy(data, x, bytes);
    else if (s->pass == STATE_LOADING)
        memcpy(x, data, bytes);
}

void state_check_range(State *s, const char *name, int64_t value, int64_t low, int64_t high)
{
    char range[64];
    if (!s->ok || (value >= low && value <= high))
        return;
    snprintf(range, sizeof range, low == high ? "%lld" : "%lld to %lld", (long long)low,
             (long long)high);
    state_refuse(s, "the value of '%s' is out of range", name);
    error_expected(s->err, range, "%lld", (long long)value);
}

void state_int(State *s, const char *name, int64_t *x, int64_t low, int64_t high)
{
    int64_t *data = state_data(s, name, DTYPE_I64, SHAPE_SCALAR);
    if (!data)
        return;
    state_check_range(s, name, s->pass == STATE_SAVING ? *x : *data, low, high);
    state_copy(s, data, x, sizeof *x);
}

void state_flag(State *s, const char *name, bool *x)
{
    int64_t flag = *x;
    state_int(s, name, &flag, 0, 1);
    *x = flag != 0;
}

void state_double(State *s, const char *name, double *x)
{
    double *data = state_data(s, name, DTYPE_F64, SHAPE_SCALAR);
    if (data)
        state_copy(s, data, x, sizeof *x);
}

void state_real(State *s, const char *name, real *x)
{
    real *data = state_data(s, name, DTYPE_REAL, SHAPE_SCALAR);
    if (data)
        state_copy(s, data, x, sizeof *x);
}

void state_rng(State *s, const char *name, Rng *rng)
{
    uint8_t *data = state_data(s, name, DTYPE_U8, SHAPE(RNG_BYTES));
    if (data && s->pass == STATE_SAVING)
        rng_save(rng, data);
    else if (data && s->pass == STATE_LOADING)
        *rng = rng_load(data);
}

/* --- a network -------------------------------------------------------------------------------- */

typedef struct StateModule {
    State      *s;
    const char *prefix;
    StateParts  parts;
} StateModule;

static void state_visit(const char *name, const ModulePart *part, void *ctx)
{
    StateModule *m = ctx;
    char full[STATE_NAME];
    snprintf(full, sizeof full, "%s%s%s", m->prefix, m->prefix[0] ? "." : "", name);
    Tensor *x = module_part_tensor(part);
    if (m->parts == STATE_IN_FILE && !safetensors_find(m->s->list, full))
        return;
    if (x)
        state_tensor_of(m->s, full, x, part->kind == PART_BUFFER ? STATE_OF_BUFFER : STATE_FINITE);
    else if (part->kind == PART_COUNTER)
        state_int(m->s, full, part->counter, 0, INT64_MAX / 2); /* leaves headroom */
    else if (m->parts == STATE_WITH_RNGS)
        state_rng(m->s, full, part->rng);
}

void state_module(State *s, const char *prefix, Module *m, StateParts parts)
{
    StateModule ctx = {s, prefix, parts};
    module_visit(m, state_visit, &ctx);
}

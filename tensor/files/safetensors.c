/* tensor/files/safetensors.c -- the list in memory: building, finding, converting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/safetensors.h"

#include <math.h>
#include <string.h>

#include "tensor/files/json.h"
#include "tensor/files/safetensors_header.h"
#include "tensor/memory.h"

const FileDtype safetensors_dtype[FILE_DTYPES] = {
    [DTYPE_U8]  = {"U8", 1, DTYPE_U8},
    [DTYPE_I32] = {"I32", 4, DTYPE_I32},
    [DTYPE_F32] = {"F32", 4, DTYPE_F32},
    [DTYPE_F64] = {"F64", 8, DTYPE_F64},
    [DTYPE_I64] = {"I64", 8, DTYPE_I64},
    [FILE_F16]  = {"F16", 2, DTYPE_F32},
    [FILE_BF16] = {"BF16", 2, DTYPE_F32},
};

size_t safetensors_dtype_size(Dtype dtype)
{
    return safetensors_dtype[dtype].size;
}

const char *safetensors_dtype_name(Dtype dtype)
{
    return safetensors_dtype[dtype].name;
}

/* --- adding; NULL or false when out of memory ------------------------------------------------- */

void *safetensors_grow(void *array, int count, size_t size)
{
    if (count & (count - 1)) /* not a power of two: there is space for it */
        return array;
    void *bigger = memory_try_new((count ? 2 * (size_t)count : 1) * size);
    if (!bigger)
        return NULL;
    if (count)
        memcpy(bigger, array, (size_t)count * size);
    memory_free(array);
    return bigger;
}

static char *safetensors_try_copy(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = memory_try_new(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

NamedTensor *safetensors_append(Safetensors *s, const char *name, Dtype dtype, Shape shape)
{
    NamedTensor *items = safetensors_grow(s->item, s->count, sizeof *items);
    if (!items)
        return NULL;
    s->item = items;
    NamedTensor t = {.dtype = dtype, .shape = shape};
    t.name = safetensors_try_copy(name);
    t.data = memory_try_new((size_t)shape_count(shape) * safetensors_dtype_size(dtype));
    if (!t.name || !t.data) {
        memory_free(t.name);
        memory_free(t.data);
        return NULL;
    }
    items[s->count] = t;
    return &items[s->count++];
}

bool safetensors_append_text(Safetensors *s, const char *key, const char *value)
{
    NamedText *texts = safetensors_grow(s->text, s->n_texts, sizeof *texts);
    if (!texts)
        return false;
    s->text = texts;
    NamedText t = {safetensors_try_copy(key), safetensors_try_copy(value)};
    if (!t.key || !t.value) {
        memory_free(t.key);
        memory_free(t.value);
        return false;
    }
    texts[s->n_texts++] = t;
    return true;
}

/* --- building --------------------------------------------------------------------------------- */

Safetensors *safetensors_new(void)
{
    return memory_new(sizeof(Safetensors));
}

void safetensors_free(Safetensors *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->count; i++) {
        memory_free(s->item[i].name);
        memory_free(s->item[i].data);
    }
    for (int i = 0; i < s->n_texts; i++) {
        memory_free(s->text[i].key);
        memory_free(s->text[i].value);
    }
    memory_free(s->item);
    memory_free(s->text);
    memory_free(s);
}

static void safetensors_require_utf8(const char *function, const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t left = strlen(text), n = 0;
    for (; left > 0; p += n, left -= n) {
        n = slope_utf8_length(p, left);
        if (n == 0)
            slope_fail(function, "'%s' is not UTF-8", text);
    }
}

void *safetensors_try_add(Safetensors *s, const char *name, Dtype dtype, Shape shape)
{
    safetensors_require_utf8("safetensors_add", name);
    if (strcmp(name, "__metadata__") == 0)
        slope_fail("safetensors_add", "a tensor cannot be named __metadata__: a file keeps the "
                   "texts of safetensors_add_text there");
    if (safetensors_find(s, name))
        slope_fail("safetensors_add", "the list already has a tensor '%s'", name);
    NamedTensor *t = safetensors_append(s, name, dtype, shape);
    return t ? t->data : NULL;
}

void *safetensors_add(Safetensors *s, const char *name, Dtype dtype, Shape shape)
{
    void *data = safetensors_try_add(s, name, dtype, shape);
    if (!data)
        slope_fail("safetensors_add", "out of memory adding '%s' of shape %s", name,
                   SHAPE_TEXT(shape));
    return data;
}

/* Copies element by element if x is not contiguous: tensor_contiguous would allocate memory. */
bool safetensors_try_add_tensor(Safetensors *s, const char *name, const Tensor *x)
{
    tensor_check(x, "safetensors_add_tensor");
    real *data = safetensors_try_add(s, name, DTYPE_REAL, x->shape);
    const real *from = tensor_read(x);
    ptrdiff_t n = tensor_count(x);
    if (!data)
        return false;
    if (tensor_is_contiguous(x))
        memcpy(data, from, (size_t)n * sizeof *data);
    else
        for (ptrdiff_t i = 0; i < n; i++)
            memcpy(&data[i], &from[tensor_locate(x, i)], sizeof *data);
    return true;
}

void safetensors_add_tensor(Safetensors *s, const char *name, const Tensor *x)
{
    if (!safetensors_try_add_tensor(s, name, x))
        slope_fail("safetensors_add_tensor", "out of memory adding '%s' of shape %s", name,
                   SHAPE_TEXT(x->shape));
}

bool safetensors_try_add_text(Safetensors *s, const char *key, const char *value)
{
    safetensors_require_utf8("safetensors_add_text", key);
    safetensors_require_utf8("safetensors_add_text", value);
    if (safetensors_find_text(s, key))
        slope_fail("safetensors_add_text", "the list already has a text '%s'", key);
    return safetensors_append_text(s, key, value);
}

void safetensors_add_text(Safetensors *s, const char *key, const char *value)
{
    if (!safetensors_try_add_text(s, key, value))
        slope_fail("safetensors_add_text", "out of memory adding '%s'", key);
}

/* --- finding ---------------------------------------------------------------------------------- */

const NamedTensor *safetensors_find(const Safetensors *s, const char *name)
{
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->item[i].name, name) == 0)
            return &s->item[i];
    return NULL;
}

const char *safetensors_find_text(const Safetensors *s, const char *key)
{
    for (int i = 0; i < s->n_texts; i++)
        if (strcmp(s->text[i].key, key) == 0)
            return s->text[i].value;
    return NULL;
}

/* --- converting ------------------------------------------------------------------------------- */

/* Element i as a double: exact, except for integers beyond 2^53. */
static double safetensors_number(const NamedTensor *t, ptrdiff_t i)
{
    switch (t->dtype) {
    case DTYPE_U8:  return ((const uint8_t *)t->data)[i];
    case DTYPE_I32: return ((const int32_t *)t->data)[i];
    case DTYPE_F32: return (double)((const float *)t->data)[i];
    case DTYPE_F64: return ((const double *)t->data)[i];
    case DTYPE_I64: return (double)((const int64_t *)t->data)[i];
    }
    return 0;
}

/* The first finite element that is infinite as a real, or -1. */
static ptrdiff_t safetensors_find_overflow(const NamedTensor *t)
{
    if (t->dtype != DTYPE_F64 || DTYPE_REAL == DTYPE_F64)
        return -1;
    for (ptrdiff_t i = 0, n = shape_count(t->shape); i < n; i++) {
        double number = safetensors_number(t, i);
        if (isfinite(number) && !isfinite((real)number))
            return i;
    }
    return -1;
}

bool safetensors_check(const Safetensors *s, const char *name, const Tensor *x, Error *err)
{
    const NamedTensor *t = safetensors_find(s, name);
    tensor_check(x, "safetensors_check");
    if (!t) {
        error_set(err, s->file, -1, "the file has no tensor '%s'", name);
        return error_hint(err, "was it saved from a network with different parts or names?");
    }
    if (!shape_equal(t->shape, x->shape)) {
        error_set(err, s->file, -1, "the tensor '%s' has a different shape in the file", name);
        return error_expected(err, SHAPE_TEXT(x->shape), "%s", SHAPE_TEXT(t->shape));
    }
    ptrdiff_t i = safetensors_find_overflow(t);
    if (i < 0)
        return true;
    error_set(err, s->file, -1, "element %td of '%s' is too large for a %s", i, name, REAL_NAME);
    error_expected(err, "at most 3.4e38", "%g", safetensors_number(t, i));
    return error_hint(err, "a build with REAL=double can read it");
}

/* Elements of the same type are copied as bits: an assignment may change a signalling NaN. */
static void safetensors_copy(Tensor *x, const NamedTensor *t)
{
    real *to = tensor_write(x);
    for (ptrdiff_t i = 0, n = tensor_count(x); i < n; i++) {
        real *y = to + tensor_locate(x, i);
        if (t->dtype == DTYPE_REAL)
            memcpy(y, (const real *)t->data + i, sizeof *y);
        else
            *y = (real)safetensors_number(t, i);
    }
}

bool safetensors_get(const Safetensors *s, const char *name, Tensor *x, Error *err)
{
    tensor_check(x, "safetensors_get");
    if (!safetensors_check(s, name, x, err))
        return false;
    safetensors_copy(x, safetensors_find(s, name));
    return true;
}

/* lessons/assignments/solver/wire.c -- messages as bytes: a WireHeader, the text, the numbers, and
 * for each tensor a WireTensor and its elements. Both ends run on the same machine, so the bytes
 * are those in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/assignments/solver/wire.h"

#include <string.h>

enum { WIRE_MAGIC = 0x51093e01 };

typedef struct WireHeader {
    int32_t magic, text, numbers, tensors;
} WireHeader;

/* `span` elements follow, the first of which has index 0; ndim is -1 for a missing tensor. */
typedef struct WireTensor {
    int64_t ndim, span, dim[MAX_DIMS], stride[MAX_DIMS];
} WireTensor;

/* --- building --------------------------------------------------------------------------------- */

void message_add_number(Message *m, double x)
{
    if (m->numbers == WIRE_NUMBERS)
        slope_fail("message_add_number", "a message contains at most %d numbers", WIRE_NUMBERS);
    m->number[m->numbers++] = x;
}

void message_add_tensor(Message *m, const Tensor *x)
{
    if (m->tensors == WIRE_TENSORS)
        slope_fail("message_add_tensor", "a message contains at most %d tensors", WIRE_TENSORS);
    m->tensor[m->tensors++] = x ? tensor_ref(x) : NULL;
}

void message_clear(Message *m)
{
    for (int i = 0; i < m->tensors; i++)
        tensor_free(m->tensor[i]);
    memset(m, 0, sizeof *m);
}

/* --- writing ---------------------------------------------------------------------------------- */

ptrdiff_t wire_span(const Tensor *x)
{
    ptrdiff_t last = 0;
    for (int d = 0; d < x->shape.ndim; d++)
        last += (x->shape.dim[d] - 1) * x->stride[d];
    return tensor_count(x) > 0 ? last + 1 : 0;
}

static bool wire_write_tensor(WireWrite write, void *ctx, const Tensor *x)
{
    WireTensor head = {.ndim = x ? x->shape.ndim : -1, .span = x ? wire_span(x) : 0};
    for (int d = 0; d < head.ndim; d++)
        head.dim[d] = x->shape.dim[d], head.stride[d] = x->stride[d];
    return write(ctx, &head, sizeof head) &&
           (head.span == 0 || write(ctx, tensor_read(x), (size_t)head.span * sizeof(real)));
}

bool wire_write(WireWrite write, void *ctx, const Message *m)
{
    WireHeader head = {WIRE_MAGIC, (int32_t)strlen(m->text), m->numbers, m->tensors};
    bool good = write(ctx, &head, sizeof head) && write(ctx, m->text, (size_t)head.text) &&
                write(ctx, m->number, (size_t)m->numbers * sizeof(double));
    for (int i = 0; i < m->tensors && good; i++)
        good = wire_write_tensor(write, ctx, m->tensor[i]);
    return good;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool wire_between(int64_t x, int64_t least, int64_t most)
{
    return x >= least && x <= most;
}

/* Do all elements of the tensor lie within its span? No factor exceeds 2^22, so no product
 * overflows. */
static bool wire_fits(const WireTensor *head)
{
    int64_t count = 1, last = 0;
    if (!wire_between(head->ndim, 0, MAX_DIMS) || !wire_between(head->span, 0, WIRE_ELEMENTS))
        return false;
    for (int d = 0; d < head->ndim; d++) {
        if (!wire_between(head->dim[d], 0, WIRE_ELEMENTS) ||
            !wire_between(head->stride[d], 0, WIRE_ELEMENTS))
            return false;
        count *= head->dim[d];
        last += (head->dim[d] - 1) * head->stride[d];
        if (count > WIRE_ELEMENTS)
            return false;
    }
    return count == 0 ? head->span == 0 : last < head->span;
}

static bool wire_read_tensor(WireRead read, void *ctx, Message *m)
{
    WireTensor head;
    if (!read(ctx, &head, sizeof head) || (head.ndim != -1 && !wire_fits(&head)))
        return false;
    if (head.ndim == -1)
        return m->tensor[m->tensors++] = NULL, true;
    Tensor *all = tensor_new(SHAPE((ptrdiff_t)head.span)), *x = tensor_ref(all);
    m->tensor[m->tensors++] = x;
    bool good = head.span == 0 || read(ctx, tensor_write(all), (size_t)head.span * sizeof(real));
    tensor_free(all);
    x->shape.ndim = (int)head.ndim;
    for (int d = 0; d < head.ndim; d++)
        x->shape.dim[d] = (ptrdiff_t)head.dim[d], x->stride[d] = (ptrdiff_t)head.stride[d];
    return good;
}

static bool wire_read_all(WireRead read, void *ctx, Message *m)
{
    WireHeader head;
    if (!read(ctx, &head, sizeof head) || head.magic != WIRE_MAGIC ||
        !wire_between(head.text, 0, WIRE_TEXT - 1) ||
        !wire_between(head.numbers, 0, WIRE_NUMBERS) ||
        !wire_between(head.tensors, 0, WIRE_TENSORS) || !read(ctx, m->text, (size_t)head.text) ||
        !read(ctx, m->number, (size_t)head.numbers * sizeof(double)))
        return false;
    m->numbers = head.numbers;
    for (int i = 0; i < head.tensors; i++)
        if (!wire_read_tensor(read, ctx, m))
            return false;
    return true;
}

bool wire_read(WireRead read, void *ctx, Message *m)
{
    bool good = wire_read_all(read, ctx, m);
    if (!good)
        message_clear(m);
    return good;
}

/* autograd/tape.c -- the list of what was computed, the Vars on it, and the scopes.
 *
 * Vars are allocated in chunks that never move. The tape itself is an array of pointers to them.
 * Rewound Vars wait in a queue to be reused, in the order in which they were rewound. A waiting Var
 * is dead (its generation is odd), so the use of a stale pointer to it is reported. Once the Var is
 * reused, the pointer reads another value; at least TAPE_WAIT newer Vars are created before that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/tape.h"

#include <pthread.h>
#include <string.h>

#include "autograd/op.h"
#include "autograd/record.h"
#include "tensor/memory.h"
#include "tensor/poison.h"

#ifdef SLOPE_DEBUG
enum { TAPE_WAIT = 65536 };
#else
enum { TAPE_WAIT = 512 };
#endif
enum { TAPE_CHUNK = TAPE_WAIT + 256 };

typedef struct TapeChunk {
    struct TapeChunk *next;
    Var               var[TAPE_CHUNK];
} TapeChunk;

static _Thread_local struct {
    Var      **entry;
    size_t     count, capacity;
    Var       *free_first, *free_last; /* the queue of dead Vars, … */
    size_t     free_count;             /* … and its length */
    TapeChunk *chunks;
    Var       *scope; /* the innermost open scope */
    bool       anomaly;
} tape;

static pthread_key_t tape_key;
static pthread_once_t tape_once = PTHREAD_ONCE_INIT;

/* --- the end of a thread ---------------------------------------------------------------------- */

static void tape_at_thread_end(void *unused)
{
    (void)unused;
    tape_truncate(0);
    while (tape.chunks) {
        TapeChunk *chunk = tape.chunks;
        tape.chunks = chunk->next;
        memory_free(chunk);
    }
    memory_free(tape.entry);
    memset(&tape, 0, sizeof tape);
}

static void tape_make_key(void)
{
    pthread_key_create(&tape_key, tape_at_thread_end);
}

/* --- creating and freeing Vars ---------------------------------------------------------------- */

/* Makes the address sanitizer report any access to a rewound Var's contents. */
static void tape_poison(Var *v)
{
    MEMORY_POISON(&v->value, sizeof *v - offsetof(Var, value));
}

static void tape_queue_free(Var *v)
{
    tape_poison(v);
    v->next_free = NULL;
    if (tape.free_last)
        tape.free_last->next_free = v;
    else
        tape.free_first = v;
    tape.free_last = v;
    tape.free_count++;
}

static Var *tape_take_free(void)
{
    Var *v = tape.free_first;
    tape.free_first = v->next_free;
    if (!tape.free_first)
        tape.free_last = NULL;
    tape.free_count--;
    return v;
}

static void tape_add_chunk(void)
{
    TapeChunk *chunk = memory_new(sizeof *chunk);
    chunk->next = tape.chunks;
    tape.chunks = chunk;
    for (int i = 0; i < TAPE_CHUNK; i++) {
        chunk->var[i].generation = 1; /* not alive */
        tape_queue_free(&chunk->var[i]);
    }
}

static void tape_grow(void)
{
    size_t capacity = tape.capacity ? 2 * tape.capacity : 1024;
    Var **entry = memory_new_array(capacity, sizeof *entry);
    if (tape.count)
        memcpy(entry, tape.entry, tape.count * sizeof *entry);
    memory_free(tape.entry);
    tape.entry = entry;
    tape.capacity = capacity;
    pthread_once(&tape_once, tape_make_key);
    pthread_setspecific(tape_key, entry); /* not NULL, so that the key's destructor runs */
}

Var *tape_append(void)
{
    if (tape.count == tape.capacity)
        tape_grow();
    if (tape.free_count <= TAPE_WAIT)
        tape_add_chunk();
    Var *v = tape_take_free();
    uint32_t generation = v->generation + 1;
    MEMORY_UNPOISON(v, sizeof *v);
    memset(v, 0, sizeof *v);
    v->generation = generation;
    v->index = tape.count;
    v->n_out = 1;
    tape.entry[tape.count++] = v;
    return v;
}

void var_alloc_block(Var *y, int n_in, size_t attr_bytes)
{
    size_t inputs = (size_t)n_in * sizeof(Var *), versions = (size_t)n_in * sizeof(unsigned);
    y->block_bytes = attr_bytes + inputs + versions;
    if (y->block_bytes == 0)
        return;
    size_t attr_size = (attr_bytes + sizeof(Var *) - 1) / sizeof(Var *) * sizeof(Var *);
    y->block_bytes = attr_size + inputs + versions;
    y->block = memory_take(y->block_bytes);
    y->attr = y->block;
    y->in = (Var **)((char *)y->block + attr_size);
    y->in_version = (unsigned *)(y->in + n_in);
    y->n_in = n_in;
}

static void tape_scope_end(void)
{
    const Var *scope = tape.scope;
    tape.scope = scope->scope.outer;
    if (scope->scope.kind->end)
        scope->scope.kind->end(scope);
}

/* The op and the name are kept, so that a message can say what a dead Var was. */
void var_drop(Var *y)
{
    if (tape.scope == y)
        tape_scope_end();
    tensor_free(y->value);
    tensor_free(y->grad);
    tensor_free(y->slot.sum);
    memory_give(y->block, y->block_bytes);
    y->value = y->grad = y->slot.sum = NULL;
    y->block = NULL;
    y->in = NULL;
    y->n_in = 0;
}

void tape_truncate(size_t mark)
{
    while (tape.count > mark) {
        Var *v = tape.entry[--tape.count];
        var_drop(v);
        v->generation++;
        tape_queue_free(v);
    }
}

size_t tape_mark(void)
{
    return tape.count;
}

void tape_rewind(size_t mark)
{
    if (mark > tape.count)
        slope_fail("tape_rewind", "the mark %zu is beyond the tape's end %zu; was the tape "
                   "already rewound past it?", mark, tape.count);
    tape_truncate(mark);
}

bool tape_holds(const Var *x)
{
    return x->index < tape.count && tape.entry[x->index] == x;
}

Var *tape_at(size_t index)
{
    if (index >= tape.count)
        slope_fail("tape_at", "index %zu is beyond the tape's end %zu", index, tape.count);
    return tape.entry[index];
}

/* --- scopes ----------------------------------------------------------------------------------- */

Var *tape_scope_open(const ScopeKind *kind, bool records)
{
    Var *v = tape_append();
    v->scope.kind = kind;
    v->scope.records = records;
    v->scope.outer = tape.scope;
    tape.scope = v;
    return v;
}

void tape_scope_close(const ScopeKind *kind, const char *function)
{
    if (!tape.scope)
        slope_fail(function, "no such scope is open here: begin and end must pair up, and "
                   "tape_rewind closes the scopes opened since its mark");
    if (tape.scope->scope.kind != kind)
        slope_fail(function, "the innermost open scope was opened by %s; close that one first",
                   tape.scope->scope.kind->opener);
    tape_scope_end();
}

void tape_scope_forget(const void *object)
{
    for (const Var *scope = tape.scope; scope; scope = scope->scope.outer)
        if (scope->scope.kind->forget)
            scope->scope.kind->forget(scope, object);
}

Var *tape_scope_innermost(void)
{
    return tape.scope;
}

static const ScopeKind tape_no_grad = {"no_grad_begin", NULL, NULL};

void no_grad_begin(void)
{
    tape_scope_open(&tape_no_grad, false);
}

void no_grad_end(void)
{
    tape_scope_close(&tape_no_grad, "no_grad_end");
}

bool grad_enabled(void)
{
    return !tape.scope || tape.scope->scope.records;
}

/* --- anomaly mode ----------------------------------------------------------------------------- */

void anomaly_mode(bool on)
{
    tape.anomaly = on;
}

bool tape_anomaly_mode(void)
{
    return tape.anomaly;
}

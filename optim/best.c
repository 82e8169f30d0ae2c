/* optim/best.c -- the epoch with the lowest test loss, and its weights.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/best.h"

#include <math.h>

#include "tensor/memory.h"

/* --- snapshots -------------------------------------------------------------------------------- */

/* A copy of one part. Random streams are not copied: they continue from where they are. */
typedef struct SnapshotPart {
    PartKind kind;
    Tensor  *tensor; /* of a parameter or buffer */
    int64_t  counter;
} SnapshotPart;

struct Snapshot {
    int           count;
    SnapshotPart *part; /* in the order of module_visit */
};

/* A function to call for each part of the network and its copy, and what it needs. */
typedef struct SnapshotVisit SnapshotVisit;
struct SnapshotVisit {
    void (*fn)(SnapshotVisit *v, SnapshotPart *copy, const ModulePart *part, const char *name);
    const Snapshot *copy;
    int         at; /* number of the next part */
    bool        ok;
    State      *state;  /* for slope_snapshot_walk only */
    const char *prefix; /* the same */
};

static void snapshot_visit_part(const char *name, const ModulePart *part, void *ctx)
{
    SnapshotVisit *v = ctx;
    if (part->kind == PART_RNG)
        return;
    if (v->copy && v->at < v->copy->count)
        v->fn(v, &v->copy->part[v->at], part, name);
    v->at++;
}

static SnapshotVisit snapshot_visit(SnapshotVisit v, const Module *net)
{
    v.ok = true;
    module_visit(net, snapshot_visit_part, &v);
    return v;
}

static void snapshot_allocate(SnapshotVisit *v, SnapshotPart *copy, const ModulePart *part,
                              const char *name)
{
    const Tensor *x = module_part_tensor(part);
    (void)name;
    copy->kind = part->kind;
    copy->tensor = x ? tensor_try_new(x->shape) : NULL;
    v->ok = v->ok && (!x || copy->tensor);
}

Snapshot *slope_snapshot_try_new(const Module *net)
{
    Snapshot *s = memory_try_new(sizeof *s);
    size_t count = (size_t)snapshot_visit((SnapshotVisit){0}, net).at;
    SnapshotPart *part = s ? memory_try_new(count * sizeof *part) : NULL;
    if (part)
        *s = (Snapshot){(int)count, part};
    if (part && snapshot_visit((SnapshotVisit){.fn = snapshot_allocate, .copy = s}, net).ok)
        return s;
    slope_snapshot_free(s);
    return NULL;
}

void slope_snapshot_free(Snapshot *copy)
{
    for (int i = 0; copy && i < copy->count; i++)
        tensor_free(copy->part[i].tensor);
    memory_free(copy ? copy->part : NULL);
    memory_free(copy);
}

static void snapshot_compare(SnapshotVisit *v, SnapshotPart *copy, const ModulePart *part,
                             const char *name)
{
    const Tensor *x = module_part_tensor(part);
    (void)name;
    v->ok = v->ok && copy->kind == part->kind && (!x || shape_equal(x->shape, copy->tensor->shape));
}

bool slope_snapshot_fits(const Snapshot *copy, const Module *net)
{
    SnapshotVisit v = snapshot_visit((SnapshotVisit){.fn = snapshot_compare, .copy = copy}, net);
    return v.ok && v.at == copy->count;
}

static void snapshot_take(SnapshotVisit *v, SnapshotPart *copy, const ModulePart *part,
                          const char *name)
{
    (void)v, (void)name;
    if (copy->tensor)
        tensor_copy(copy->tensor, module_part_tensor(part));
    else
        copy->counter = *part->counter;
}

/* Exchanges the values, not the tensors: x may have views. Nothing is allocated, so it cannot fail
 * halfway. */
static void snapshot_exchange_tensor(Tensor *copy, Tensor *x)
{
    real *p = tensor_write(copy), *q = tensor_write(x);
    bool plain = tensor_is_contiguous(x);
    for (ptrdiff_t i = 0; i < tensor_count(copy); i++) {
        ptrdiff_t at = plain ? i : tensor_locate(x, i);
        real kept = p[i];
        p[i] = q[at], q[at] = kept;
    }
}

static void snapshot_exchange(SnapshotVisit *v, SnapshotPart *copy, const ModulePart *part,
                              const char *name)
{
    int64_t kept = copy->counter;
    (void)v, (void)name;
    if (copy->tensor)
        snapshot_exchange_tensor(copy->tensor, module_part_tensor(part));
    else
        copy->counter = *part->counter, *part->counter = kept;
}

static void snapshot_walk_part(SnapshotVisit *v, SnapshotPart *copy, const ModulePart *part,
                               const char *name)
{
    char full[MODULE_PATH + 32];
    snprintf(full, sizeof full, "%s.%s", v->prefix, name);
    if (part->kind == PART_PARAM)
        state_tensor(v->state, full, copy->tensor);
    else if (part->kind == PART_BUFFER)
        state_buffer(v->state, full, copy->tensor);
    else
        state_int(v->state, full, &copy->counter, 0, INT64_MAX / 2);
}

void slope_snapshot_walk(State *s, const char *prefix, Snapshot *copy, const Module *net)
{
    snapshot_visit((SnapshotVisit){.fn = snapshot_walk_part, .copy = copy, .state = s,
                                   .prefix = prefix}, net);
}

/* --- the best epoch --------------------------------------------------------------------------- */

bool slope_best_wanted(const Trainer *t)
{
    return t->patience > 0 || t->keep_best;
}

BestEpoch slope_best_of(const Trainer *t)
{
    BestEpoch best = t->best;
    if (t->keep_best && !best.weights && best.epoch > 0)
        return (BestEpoch){0};
    if (!t->keep_best)
        best.weights = NULL, best.in_net = false;
    return best;
}

bool slope_best_is_past(const Trainer *t)
{
    return t->patience > 0 && slope_best_of(t).waited >= t->patience;
}

static void best_exchange(Trainer *t)
{
    snapshot_visit((SnapshotVisit){.fn = snapshot_exchange, .copy = t->best.weights}, t->net);
    t->best.in_net = !t->best.in_net;
}

void slope_best_begin(Trainer *t)
{
    Snapshot *old = t->best.weights;
    if (t->keep_best && old && !slope_snapshot_fits(old, t->net))
        slope_fail("trainer_fit", "the network's parts have changed since its best weights were "
                   "copied; call trainer_clear before you train it further");
    Snapshot *copy = t->keep_best && !old ? slope_snapshot_try_new(t->net) : NULL;
    if (t->keep_best && !old && !copy)
        slope_fail("trainer_fit", "out of memory for a copy of the network, which .keep_best "
                   "needs");
    t->best = slope_best_of(t);
    if (!t->keep_best)
        slope_snapshot_free(old);
    if (copy)
        t->best.weights = copy;
    if (t->best.in_net)
        best_exchange(t);
    t->best.stopped = false;
}

/* A test loss that is not finite never counts as lower. */
bool slope_best_update(Trainer *t, double test_loss)
{
    BestEpoch *best = &t->best;
    bool better = isfinite(test_loss) && (best->epoch == 0 || test_loss < best->loss);
    best->waited = better ? 0 : best->waited + 1;
    if (!better)
        return false;
    best->epoch = t->epoch, best->loss = test_loss;
    if (t->keep_best)
        snapshot_visit((SnapshotVisit){.fn = snapshot_take, .copy = best->weights}, t->net);
    return true;
}

void slope_best_end(Trainer *t)
{
    if (t->keep_best && t->best.epoch > 0)
        best_exchange(t);
}

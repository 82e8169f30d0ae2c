/* datasets/split.c -- choosing the examples of a training set.
 *
 * The examples are visited in a random order. Each goes to the training part until that part has
 * its share of the example's group; later examples of the group go to the rest. The groups are the
 * classes; in a plain split, all examples form one group.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/split.h"

#include <math.h>

#include "datasets/select.h"
#include "tensor/memory.h"
#include "tensor/random.h"

/* Orders are drawn from a stream of their own ("split" in ASCII), so that they share no random
 * numbers with a loader of the same seed. */
#define SPLIT_STREAM ((uint64_t)0x73706c6974 << 16)

/* Shares are computed in billionths of an example, as integers, so that neither the rounding errors
 * of 0.7 * 10 nor fused multiply-adds make a difference. */
enum { SPLIT_UNIT = 1000000000 };

/* A group of examples, and how many of them go to the training part. */
typedef struct SplitGroup {
    ptrdiff_t count, share;
    int64_t   lost; /* what rounding down took from the share; -1 once it is rounded up instead */
} SplitGroup;

/* fraction * count in billionths; count < 2^31. */
static int64_t split_share(double fraction, ptrdiff_t count)
{
    return llround(fraction * (double)count * SPLIT_UNIT);
}

/* --- checks ----------------------------------------------------------------------------------- */

static void split_check_classes(const Dataset *data)
{
    if (data->targets)
        slope_fail("dataset_split", "%s has real-valued targets, but SPLIT_STRATIFIED needs "
                   "classes; use SPLIT_PLAIN", data->name);
    if (data->classes < 1)
        slope_fail("dataset_split", "SPLIT_STRATIFIED needs classes, but %s has none; use "
                   "SPLIT_PLAIN", data->name);
    for (ptrdiff_t i = 0; i < data->count; i++)
        if (data->labels.data[i] < 0 || data->labels.data[i] >= data->classes)
            slope_fail("dataset_split", "example %td of %s has label %d; expected 0 to %d", i,
                       data->name, (int)data->labels.data[i], data->classes - 1);
}

/* Returns the size of the training part. */
static ptrdiff_t split_check(const Dataset *data, double fraction, SplitKind kind)
{
    if (!data)
        slope_fail("dataset_split", "the dataset is NULL; did its reader report an Error?");
    if (kind != SPLIT_PLAIN && kind != SPLIT_STRATIFIED)
        slope_fail("dataset_split", "the kind is %d; expected SPLIT_PLAIN or SPLIT_STRATIFIED",
                   (int)kind);
    if (!(fraction > 0 && fraction < 1))
        slope_fail("dataset_split", "the fraction is %g; expected a number between 0 and 1, such "
                   "as 0.8", fraction);
    if (data->count < 2 || data->count > INT32_MAX)
        slope_fail("dataset_split", "the number of examples in %s is %td; expected 2 to %d",
                   data->name, data->count, INT32_MAX);
    if (kind == SPLIT_STRATIFIED)
        split_check_classes(data);
    int64_t share = split_share(fraction, data->count);
    ptrdiff_t train = (ptrdiff_t)((share + SPLIT_UNIT / 2) / SPLIT_UNIT);
    if (train < 1 || train >= data->count)
        slope_fail("dataset_split", "the training part would get %td of the %td examples of %s "
                   "(%g of them, rounded); both parts need at least one", train, data->count,
                   data->name, fraction);
    return train;
}

/* --- shares ----------------------------------------------------------------------------------- */

/* The group of an example. */
static int split_group(const Dataset *data, SplitKind kind, ptrdiff_t example)
{
    return kind == SPLIT_STRATIFIED ? data->labels.data[example] : 0;
}

/* Sets the shares of the groups, whose sum is `train`, by the largest remainder method. */
static void split_set_shares(SplitGroup *group, int groups, double fraction, ptrdiff_t train)
{
    for (int k = 0; k < groups; k++) {
        int64_t share = split_share(fraction, group[k].count);
        group[k].share = (ptrdiff_t)(share / SPLIT_UNIT);
        group[k].lost = share % SPLIT_UNIT;
        train -= group[k].share;
    }
    for (; train > 0; train--) {
        SplitGroup *most = group;
        for (int k = 1; k < groups; k++)
            if (group[k].lost > most->lost)
                most = &group[k];
        most->share++;
        most->lost = -1;
    }
}

/* Writes the examples of the training part to which[0 … train-1], and the others after them. */
static void split_choose(const Dataset *data, SplitKind kind, SplitGroup *group, ptrdiff_t train,
                         const int32_t *order, int32_t *which)
{
    ptrdiff_t next = 0, rest = train;
    for (ptrdiff_t i = 0; i < data->count; i++) {
        SplitGroup *g = &group[split_group(data, kind, order[i])];
        which[g->share > 0 ? next++ : rest++] = order[i];
        g->share -= g->share > 0;
    }
}

/* Returns the examples of the training part, then those of the rest; the caller frees the array. */
static int32_t *split_examples(const Dataset *data, double fraction, SplitKind kind, uint64_t seed,
                               ptrdiff_t train)
{
    int groups = kind == SPLIT_STRATIFIED ? data->classes : 1;
    SplitGroup *group = memory_new_array((size_t)groups, sizeof *group);
    int32_t *order = memory_new_array((size_t)data->count, sizeof *order);
    int32_t *which = memory_new_array((size_t)data->count, sizeof *which);
    Rng rng = rng_new(seed, SPLIT_STREAM);
    rng_permutation(&rng, data->count, order);
    for (ptrdiff_t i = 0; i < data->count; i++)
        group[split_group(data, kind, i)].count++;
    split_set_shares(group, groups, fraction, train);
    split_choose(data, kind, group, train, order, which);
    memory_free(group);
    memory_free(order);
    return which;
}

DatasetSplit dataset_split(const Dataset *data, double fraction, SplitKind kind, uint64_t seed)
{
    ptrdiff_t train = split_check(data, fraction, kind);
    int32_t *which = split_examples(data, fraction, kind, seed, train);
    DatasetSplit split = {slope_dataset_try_select(data, which, train),
                          slope_dataset_try_select(data, which + train, data->count - train)};
    memory_free(which);
    if (split.train && split.rest)
        return split;
    dataset_free(split.train);
    dataset_free(split.rest);
    slope_fail("dataset_split", "out of memory for the two parts of %s", data->name);
}

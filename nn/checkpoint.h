/* nn/checkpoint.h -- saving and loading a network.
 *
 *  - One safetensors file holds every parameter and buffer under its PyTorch name, in the build's
 *    `real`, and every counter as one 64-bit integer. A float build loads what a double
 *    build saved, and vice versa.
 *  - Random streams are not saved, because PyTorch has no place for them. trainer_save saves them
 *    too, with everything else that is needed to resume training.
 *  - Loading is strict: the file must hold exactly the network's tensors. module_load_with can also
 *    load part of a file, and can rename its tensors, because PyTorch puts a prefix before the
 *    names under torch.compile or DataParallel. In either case an error changes nothing.
 *  - A network with NaN or infinity in a parameter is neither saved nor loaded: it has diverged.
 *    Buffers may contain infinity, but one with NaN is not saved.
 *
 *      if (!module_save(net, "net.safetensors", &err)) …
 *      if (!module_load(net, "net.safetensors", &err)) …
 *
 *    tests/tensor/files/load_safetensors.py reads such a file into PyTorch.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_NN_CHECKPOINT_H
#define SLOPE_NN_CHECKPOINT_H

#include "nn/module.h"
#include "tensor/files/safetensors.h"

SLOPE_C_BEGIN

/* Replaces the file durably, as safetensors_write does. On failure, including when out of memory,
 * returns false, fills in *err and leaves the old file as it is. A parameter that contains NaN or
 * infinity, or a buffer that contains NaN, is a failure, too: a network that has diverged never
 * replaces a good one. */
bool module_save(Module *m, const char *path, Error *err);

/* Returns false, fills in *err and leaves the network unchanged if the file cannot be read, lacks
 * one of its tensors, or holds one that the network does not have, one of a different shape, or a
 * parameter that contains NaN or infinity, or when out of memory. safetensors_read does read a file
 * with such a parameter. */
bool module_load(Module *m, const char *path, Error *err);

/* --- other names, and part of a file ---------------------------------------------------------- */

/* With all fields zero, loading is as strict as with module_load. */
typedef struct LoadOptions {
    /* remove_prefix is removed from every name in the file that begins with it; then add_prefix is
     * put before every name. NULL or "" changes nothing. PyTorch writes "_orig_mod." before the
     * names of a network saved under torch.compile, and "module." under DataParallel. trainer_save
     * writes "model." before the names of the network and, with .keep_best, "best." before those of
     * a copy; its file holds more than the network, so .partial is needed as well. In a checkpoint
     * that trainer_fit writes, "model." has the last weights, and "best." those of the best epoch
     * so far. In one that you save after trainer_fit has ended, "model." has the best weights, and
     * "best." the last. */
    const char *remove_prefix, *add_prefix;
    bool        partial; /* load what fits, and leave the rest of the network as it is */
} LoadOptions;

/* The result for one tensor or counter. LOAD_DIFFERENT means that it has a different shape in the
 * file or, if it is a counter, an element type other than I64. */
typedef enum LoadResult { LOAD_LOADED, LOAD_MISSING, LOAD_UNEXPECTED, LOAD_DIFFERENT } LoadResult;

typedef struct LoadItem {
    LoadResult result;
    char       name[MODULE_PATH]; /* after renaming; truncated if it is longer */
    char       expected[128];     /* the network's shape, "(10, 512)", or "" if unexpected */
    char       found[128];        /* the file's, or "" if missing; for a counter, type and shape */
} LoadItem;

typedef struct LoadReport {
    int       loaded, missing, unexpected, different;
    LoadItem *item;  /* the file's tensors in their order, then the network's that are missing */
    int       count; /* the number of items: the sum of the four above */
} LoadReport;

/* Loads as the options say and, unless `report` is NULL, fills in *report, which you free with
 * load_report_free. On failure returns false, fills in *err and leaves the network unchanged and
 * *report empty. It fails in the same cases as module_load, except that with .partial, tensors may
 * be missing, unexpected or different. It also fails if renaming gives two tensors the same name,
 * or if a partial load would load nothing.
 *
 * One use is fine-tuning: the features of `net` come from a network that was trained under
 * torch.compile for 100 classes, and are frozen; only the new classifier of 10 classes is trained.
 *
 *      LoadReport report;
 *      LoadOptions options = {.remove_prefix = "_orig_mod.", .partial = true};
 *      if (!module_load_with(net, "trained.safetensors", options, &report, &err)) …
 *      load_report_print(stdout, &report);
 *      load_report_free(&report);
 *      module_freeze(module_child(net, "features"), NULL);
 *      module_eval(module_child(net, "features"));
 *
 *      6 loaded, 0 missing, 0 unexpected, 2 different
 *        different   classifier.bias (10,), in the file (100,)
 *        different   classifier.weight (10, 512), in the file (100, 512)   */
bool module_load_with(Module *m, const char *path, LoadOptions options, LoadReport *report,
                      Error *err);

/* Prints the four numbers, then one line for each tensor that was not loaded: first those that are
 * different, then the missing and finally the unexpected ones, of which there may be many. */
void load_report_print(FILE *out, const LoadReport *report);
void load_report_free(LoadReport *report); /* may be NULL; leaves it empty */

SLOPE_C_END

#endif

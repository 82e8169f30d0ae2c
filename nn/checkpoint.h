/* nn/checkpoint.h -- saving and loading a network.
 *
 *  - One safetensors file holds every parameter and buffer under its PyTorch name, in the build's
 *    `real`, and every counter as one 64-bit integer. A float build loads what a double
 *    build saved, and vice versa.
 *  - Random streams are not saved, because PyTorch has no place for them. trainer_save saves them
 *    too, with everything else that is needed to resume training.
 *  - Loading is strict: the file must hold exactly the network's tensors. module_load_with can
 *    also load part of a file, and renames its tensors: weights from PyTorch's torch.compile or
 *    DataParallel have a prefix. Either way it is all or nothing: an error changes nothing.
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

/* All zero: as module_load does. */
typedef struct LoadOptions {
    /* What the file's names lose where they begin with it, and what is then put before each of
     * them; NULL or "" for nothing. torch.compile saves names that begin with "_orig_mod.",
     * DataParallel with "module.", trainer_save with "model.". */
    const char *remove_prefix, *add_prefix;
    bool        partial; /* load the tensors that fit, leave the network's others as they are */
} LoadOptions;

/* What became of a tensor or counter. One that is different has another shape in the file or, if
 * it is a counter, another type than I64. */
typedef enum LoadResult { LOAD_LOADED, LOAD_MISSING, LOAD_UNEXPECTED, LOAD_DIFFERENT } LoadResult;

typedef struct LoadItem {
    LoadResult result;
    char       name[MODULE_PATH]; /* as in the network; a longer one, unexpected, is truncated */
    char       expected[128];     /* "(10, 512)" in the network, or "" if unexpected */
    char       found[128];        /* the same in the file, or "" if missing */
} LoadItem;

typedef struct LoadReport {
    int       loaded, missing, unexpected, different;
    LoadItem *item;  /* the file's tensors in its order, then the network's that are missing */
    int       count; /* of items: the sum of the four */
} LoadReport;

/* Loads as the options say, and fills in *report, which you free with load_report_free; it may be
 * NULL. On failure, which is any of module_load's except for tensors that a partial load may skip,
 * returns false, fills in *err and leaves the network unchanged and *report empty. These are
 * failures, too: two names that become the same, and a partial load that would load nothing.
 *
 * Fine-tuning: `net` has a new classifier; its features come from a network that was trained on
 * another task under torch.compile, and stay as they are.
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

/* Prints the four numbers, then one line for each tensor that was not loaded. */
void load_report_print(FILE *out, const LoadReport *report);
void load_report_free(LoadReport *report); /* NULL is fine; leaves it empty */

#endif

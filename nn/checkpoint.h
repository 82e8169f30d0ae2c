/* nn/checkpoint.h -- a network's numbers saved and loaded.
 *
 *  - One safetensors file holds every parameter and buffer under its PyTorch name, in the
 *    build's `real`, and every counter as one 64-bit integer; a float build loads what a double
 *    build saved, and the other way round.
 *  - Streams of random numbers are not in it: PyTorch has no place for them. trainer_save keeps
 *    those too, with all that training needs to go on.
 *  - Loading is strict and all or nothing: the file must hold exactly the network's tensors.
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

/* Replaces the file durably; false and *err if that fails, and the old file stays. */
bool module_save(Module *m, const char *path, Error *err);

/* False and *err, with the network unchanged, if the file cannot be read, lacks one of its tensors,
 * holds one that it does not have, or one of another shape. */
bool module_load(Module *m, const char *path, Error *err);

#endif

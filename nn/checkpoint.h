/* nn/checkpoint.h -- saving and loading a network.
 *
 *  - One safetensors file holds every parameter and buffer under its PyTorch name, in the build's
 *    `real`, and every counter as one 64-bit integer. A float build loads what a double
 *    build saved, and vice versa.
 *  - Random streams are not saved, because PyTorch has no place for them. trainer_save saves them
 *    too, with everything else that is needed to resume training.
 *  - Loading is strict and all or nothing: the file must hold exactly the network's tensors.
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

SLOPE_C_END

#endif

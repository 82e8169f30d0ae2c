/* slope.h -- all of Slope: tensors, reverse-mode gradients, networks, optimizers, data.
 *
 *  - Run `make`. Then link your program with build/libslope-float.a, or compile it with
 *    -DSLOPE_DOUBLE and link it with build/libslope-double.a. It needs nothing else but -lm and
 *    -pthread.
 *  - A C++ program needs C++17 or later: see lessons/examples/cpp.cpp.
 *  - Start at README.md, then lessons/01_prelu_forward.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_H
#define SLOPE_H

#include "autograd/backward.h"
#include "autograd/gradcheck.h"
#include "autograd/graph.h"
#include "autograd/op.h"
#include "autograd/products.h"
#include "autograd/tape.h"
#include "autograd/var.h"
#include "datasets/cifar.h"
#include "datasets/csv.h"
#include "datasets/dataset.h"
#include "datasets/generate.h"
#include "datasets/idx.h"
#include "datasets/loader.h"
#include "datasets/split.h"
#include "datasets/standardize.h"
#include "datasets/transform.h"
#include "nn/checkpoint.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "nn/module.h"
#include "nn/state.h"
#include "nn/summary.h"
#include "optim/confusion.h"
#include "optim/loss.h"
#include "optim/optimizer.h"
#include "optim/progress.h"
#include "optim/schedule.h"
#include "optim/trainer.h"
#include "tensor/error.h"
#include "tensor/files/safetensors.h"
#include "tensor/language.h"
#include "tensor/map.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

#endif

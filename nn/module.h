/* nn/module.h -- a piece of a network: its forward, its parameters, its children.
 *
 *  - A Module has a type (name, forward), named parameters, named buffers (tensors that are kept
 *    but not trained), counters, streams of random numbers, children, and a flag: training or
 *    evaluation.
 *  - module_free(net) frees the children with everything they hold.
 *  - Names are PyTorch's: a child's parameter is "fc1.weight" in its parent.
 *  - A module of your own is a struct that starts with `Module base;`, a forward, and one
 *    constructor:
 *
 *      typedef struct Net { Module base; Module *fc, *prelu; } Net;
 *
 *      static Var *net_forward(Module *self, Var *x)
 *      {
 *          Net *net = (Net *)self;
 *          return module_forward(net->prelu, module_forward(net->fc, x));
 *      }
 *
 *      Module *net_new(void)
 *      {
 *          static const ModuleType type = {"Net", net_forward, NULL};
 *          Net *net = module_new(sizeof *net, &type);
 *          net->fc = module_add_child(&net->base, "fc", linear_new(784, 10));
 *          net->prelu = module_add_child(&net->base, "prelu", prelu_new(10, 0.25));
 *          return &net->base;
 *      }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_NN_MODULE_H
#define SLOPE_NN_MODULE_H

#include "autograd/backward.h"
#include "tensor/random.h"

typedef struct Module Module;

typedef struct ModuleType {
    const char *name; /* "Linear" */
    Var *(*forward)(Module *self, Var *x);
    /* Writes what the summary shows in parentheses, "784, 256"; may be NULL. */
    void (*describe)(const Module *self, char *text, size_t size);
} ModuleType;

enum { MODULE_NAME = 32, MODULE_PATH = 256 }; /* of a part, and of all parts joined by dots */

struct Module {
    const ModuleType *type;
    bool  training;
    bool  has_parent; /* who frees it */
    int   suspended; /* module_eval_begin without its module_eval_end */
    bool  resumes;   /* what the last of these puts back */
    Shape output; /* of the last forward, for the summary */
    int   n_params, n_buffers, n_counters, n_rngs, n_children;
    struct ModuleParam { char name[MODULE_NAME]; Var *var; } *param;
    struct ModuleBuffer { char name[MODULE_NAME]; Tensor *tensor; } *buffer;
    struct ModuleCounter { char name[MODULE_NAME]; int64_t *value; } *counter;
    struct ModuleRng { char name[MODULE_NAME]; Rng *rng; } *rng;
    struct ModuleChild { char name[MODULE_NAME]; Module *module; } *child;
};

/* A zeroed struct of `bytes` that starts with a Module, in training mode. Every constructor's
 * first call. */
void *module_new(size_t bytes, const ModuleType *type);
void module_free(Module *m); /* NULL is fine. Rewind the tape first: what is on it may use m. */

/* Each returns what it was given or made from it. Names are at most 31 characters, without dots
 * and, within one module, different. The module owns what is added. */
Var *module_add_param(Module *m, const char *name, Tensor *value);
Tensor *module_add_buffer(Module *m, const char *name, Tensor *value);
Module *module_add_child(Module *m, const char *name, Module *child);

/* A count that is saved with the network, from 0, and a stream of random numbers that is saved
 * with a training state. The module owns both; the pointers stay good while it lives. */
int64_t *module_add_counter(Module *m, const char *name);
Rng *module_add_rng(Module *m, const char *name, Rng start);

Var *module_forward(Module *m, Var *x);

/* Sets the flag here and in all descendants. */
void module_train(Module *m);
void module_eval(Module *m);

/* Evaluation mode for a while, in the module and all its descendants; module_eval_end puts back
 * what each was before. Pairs nest. Like the training flag itself, this is not undone by
 * tape_rewind: after a failure in between, call module_eval_end. */
void module_eval_begin(Module *m);
void module_eval_end(Module *m);

/* --- all parameters, with their full names ---------------------------------------------------- */

typedef struct Parameter {
    char    name[MODULE_PATH]; /* "classifier.1.weight" */
    Var    *var;
    Module *owner;
} Parameter;

/* A list in the order in which things were added; parameters_free drops the list only. */
typedef struct Parameters {
    Parameter *item;
    int        count;
} Parameters;
Parameters module_parameters(Module *m);
void parameters_free(Parameters *list);

/* Walks over all that a network holds, with full names, in the order of PyTorch's state_dict: a
 * module's parameters, its buffers and counters, its streams of random numbers (which PyTorch does
 * not have), then its children. A NULL leaves its kind out. */
typedef void (*ModuleVisit)(const char *name, Tensor *x, void *ctx);
typedef struct ModuleVisitor {
    ModuleVisit tensor; /* parameters and buffers */
    void (*counter)(const char *name, int64_t *value, void *ctx);
    void (*rng)(const char *name, Rng *rng, void *ctx);
} ModuleVisitor;
void module_visit(Module *m, const ModuleVisitor *visitor, void *ctx);

/* The same for parameters and buffers alone. */
void module_each_tensor(Module *m, ModuleVisit fn, void *ctx);

/* Is it the learned slope of a PReLU? */
bool parameter_is_slope(const Parameter *p);

/* How many numbers are learned, and how many of them are slopes. */
ptrdiff_t module_count(Module *m);
ptrdiff_t module_count_slopes(Module *m);

#endif

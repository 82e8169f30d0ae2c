/* nn/module.h -- a piece of a network: its forward and its parts.
 *
 *  - A Module has a type (name, forward), a list of named parts and a flag: training or evaluation.
 *  - A part is a parameter, a buffer (a tensor that is saved but not trained), a counter, a
 *    random stream, or a child: another module.
 *  - module_free(net) frees net and its children, with everything they hold.
 *  - module_freeze keeps all parameters of a module, or some of them, from being trained.
 *  - Names follow PyTorch: a child's parameter is "fc1.weight" in its parent.
 *  - For a forward that takes several Vars, see nn/README.md.
 *  - To write a module of your own, you need a struct that starts with `Module base;`, a forward,
 *    and a constructor:
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

SLOPE_C_BEGIN

typedef struct Module Module;

typedef struct ModuleType {
    const char *name; /* "Linear" */
    Var *(*forward)(Module *self, Var *x);
    /* Writes what the summary shows in parentheses, "784, 256"; may be NULL. */
    void (*describe)(const Module *self, char *text, size_t size);
} ModuleType;

enum { MODULE_NAME = 32, MODULE_PATH = 256 }; /* bytes of a part's name; of a full name */

/* The kinds of parts, in the order in which a module keeps them. */
typedef enum PartKind { PART_PARAM, PART_BUFFER, PART_COUNTER, PART_RNG, PART_CHILD } PartKind;

typedef struct ModulePart {
    PartKind kind;
    char     name[MODULE_NAME];
    Module  *owner; /* the module that has this part */
    union {
        Var     *param;
        Tensor  *buffer;
        int64_t *counter;
        Rng     *rng;
        Module  *child;
    };
} ModulePart;

struct Module {
    const ModuleType *type;
    bool        training;
    bool        has_parent; /* which frees it */
    Shape       output;     /* of the last forward, for the summary */
    int         n_parts;
    ModulePart *part; /* sorted by kind, and within a kind in the order in which they were added */
};

/* A zeroed struct of `bytes` bytes that starts with a Module, in training mode. Every
 * constructor calls it first. */
void *module_new(size_t bytes, const ModuleType *type);
void module_free(Module *m); /* m may be NULL. Rewind the tape first: Vars on it may use m. */

/* Each returns what it was given, or the Var created from it. Names have at most 31 characters and
 * no dots, and are unique within a module. The module owns what is added. */
Var *module_add_param(Module *m, const char *name, Tensor *value);
Tensor *module_add_buffer(Module *m, const char *name, Tensor *value);
Module *module_add_child(Module *m, const char *name, Module *child);

/* A count, initially 0, that is saved with the network, and a random stream that is saved with the
 * training state. The module owns both; the pointers are valid as long as it exists. */
int64_t *module_add_counter(Module *m, const char *name);
Rng *module_add_rng(Module *m, const char *name, Rng start);

/* The part with this kind and name, such as "weight", or a descendant's, such as
 * "features.0.weight". Each fails, listing the parts that exist, if there is none. The ModulePart
 * is valid until another part is added to its module. */
const ModulePart *module_part(const Module *m, PartKind kind, const char *name);
Var *module_param(const Module *m, const char *name);
Module *module_child(const Module *m, const char *name);

Var *module_forward(Module *m, Var *x);

/* Set the mode of m and of all its descendants. In a network that is otherwise in training mode,
 * module_eval(part) puts only that part into evaluation mode: a batch norm in it then keeps its
 * statistics, and a dropout passes x through. trainer_fit leaves such a part in evaluation mode,
 * but still trains its parameters, unless module_freeze has frozen them. */
void module_train(Module *m);
void module_eval(Module *m);

/* Between the two calls, the module and all its descendants are in evaluation mode; module_eval_end
 * restores the mode that each had before. They open and close a scope on the tape, like
 * no_grad_begin and no_grad_end: pairs nest, and tape_rewind(mark) closes those opened since the
 * mark. So after a failure in between, the rewind that cleans up also restores the modes. */
void module_eval_begin(Module *m);
void module_eval_end(Module *m);

/* --- all parameters, with their full names ---------------------------------------------------- */

typedef struct Parameter {
    char    name[MODULE_PATH]; /* "classifier.1.weight" */
    Var    *var;
    Module *owner;
} Parameter;

/* A list in the order of module_visit; parameters_free frees only the list, which may be NULL. */
typedef struct Parameters {
    Parameter *item;
    int        count;
} Parameters;
Parameters module_parameters(Module *m);
void parameters_free(Parameters *list);

/* Calls fn for every part of the network except children, with its full name, in the order of
 * PyTorch's state_dict: a module's parameters, its buffers and counters, its random streams (which
 * PyTorch does not have), then the parts of its children. */
typedef void (*ModuleVisit)(const char *name, const ModulePart *part, void *ctx);
void module_visit(const Module *m, ModuleVisit fn, void *ctx);

/* The tensor of a parameter or a buffer; NULL for a part of another kind. */
Tensor *module_part_tensor(const ModulePart *part);

/* A condition by which functions select some of a network's parameters. */
typedef bool (*ParameterPredicate)(const Parameter *p);

/* Is it the learned slope of a PReLU? */
bool parameter_is_slope(const Parameter *p);

/* Freezes the parameters of m for which the predicate holds, or all of them if it is NULL:
 * module_freeze(module_child(net, "features"), NULL) freezes one part of a network. From the next
 * forward pass on, no gradient is computed for them. The gradient still passes through a frozen
 * layer to the layers before it, but only if a parameter there needs it. Freezing frees ->grad, and
 * a step does not change the parameters: weight decay does not apply to them, and the optimizer
 * keeps their state as it is. A frozen batch norm still updates its running statistics in training
 * mode; module_eval stops that.
 *
 * module_unfreeze is the reverse. A frozen parameter has ->requires_grad false, which training
 * checkpoints save and module_save does not. Both fail if the predicate holds for no parameter. */
void module_freeze(Module *m, ParameterPredicate predicate);
void module_unfreeze(Module *m, ParameterPredicate predicate);

/* The number of elements of all parameters, and how many of them are slopes. */
ptrdiff_t module_count(Module *m);
ptrdiff_t module_count_slopes(Module *m);

SLOPE_C_END

#endif

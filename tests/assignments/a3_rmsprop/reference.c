/* RMSprop: the solution that scores all points.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rmsprop.h"

#include <tgmath.h>

static bool rmsprop_has_momentum(const ParamGroup *o) { return o->momentum != 0; }
static bool rmsprop_is_centered(const ParamGroup *o) { return o->own[RMSPROP_CENTERED] != 0; }

static inline real rmsprop_mean(real alpha, real mean, real x)
{
    return alpha * mean + (1 - alpha) * x;
}

/* Only the settings say whether momentum and centring are on. A slot may also exist because its
 * setting was on before, or because a later slot is needed. */
static void rmsprop_update(const ParamGroup *o, const ParamRun *p)
{
    real alpha = o->own[RMSPROP_ALPHA], decay = o->weight_decay, lr = o->lr;
    real *theta = p->theta, *v = p->slot[RMSPROP_V];
    real *b = rmsprop_has_momentum(o) ? p->slot[RMSPROP_BUFFER] : NULL;
    real *m = rmsprop_is_centered(o) ? p->slot[RMSPROP_MEAN] : NULL;
    for (ptrdiff_t i = 0; i < p->n; i++) {
        real g = p->g[i] + decay * theta[i];
        v[i] = rmsprop_mean(alpha, v[i], g * g);
        real spread = v[i];
        if (m) {
            m[i] = rmsprop_mean(alpha, m[i], g);
            spread = fmax(v[i] - m[i] * m[i], (real)0); /* rounding can make it negative */
        }
        real d = g / (sqrt(spread) + o->eps);
        if (b)
            d = b[i] = o->momentum * b[i] + d;
        theta[i] -= lr * d;
    }
}

static int rmsprop_needs(const ParamGroup *o)
{
    return rmsprop_is_centered(o) ? 3 : rmsprop_has_momentum(o) ? 2 : 1;
}

const OptimizerType rmsprop_type = {
    .name = "RMSprop",
    .slots = 3,
    .update = rmsprop_update,
    .needs = rmsprop_needs,
    .own = {[RMSPROP_ALPHA] = {"alpha", (real)0.99}, [RMSPROP_CENTERED] = {"centered", 0}},
};

Optimizer *rmsprop_new(Module *net, real lr)
{
    return optimizer_new_with(net, &rmsprop_type, (ParamGroup){.lr = lr, .eps = (real)1e-8},
                              "rmsprop_new");
}

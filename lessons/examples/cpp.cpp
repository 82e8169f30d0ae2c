/* lessons/examples/cpp.cpp -- a PReLU network trained from C++17.
 *
 *  - slope.h is included as in C, and all its functions are C functions. An Owner frees what a
 *    ..._new function returned; owners are destroyed in reverse order, so declare each object after
 *    the objects that it borrows.
 *  - Options are set field by field. From C++20 on, designated initialisers can be used as in C if
 *    they are in the order of the fields.
 *  - A lambda without captures can be a callback; the data it needs is passed through `ctx`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <type_traits>

#include "slope.h"

template <typename T, void (*Free)(T *)>
using Owner = std::unique_ptr<T, std::integral_constant<void (*)(T *), Free>>;

int main()
{
    random_seed(0);
    Owner<Dataset, dataset_free> data(spirals_new(600, 2, real(0.03), 1));
    Owner<Module, module_free> net(
        SEQUENTIAL(linear_new(2, 32), prelu_new(32, real(0.25)), linear_new(32, 32),
                   prelu_new(32, real(0.25)), linear_new(32, data->classes)));
    Owner<Optimizer, optimizer_free> adam(adam_new(net.get(), real(0.01)));

    LoaderOptions options = {};
    options.batch = 50;
    options.shuffle = true;
    Owner<Loader, loader_free> loader(loader_new(data.get(), options));

    Trainer trainer = {};
    trainer.net = net.get();
    trainer.optimizer = adam.get();
    trainer.loss = loss_cross_entropy;
    trainer.train = loader.get();
    trainer.epochs = 60;
    trainer.bar_only = true;
    trainer_fit(&trainer);
    trainer_clear(&trainer);

    auto print = [](const char *name, const Tensor *slopes, void *ctx) {
        Stats stats = tensor_stats(slopes);
        std::printf("PReLU %s: %td slopes from %.3f to %.3f\n", name, stats.count, stats.min,
                    stats.max);
        *static_cast<ptrdiff_t *>(ctx) += stats.count;
    };
    ptrdiff_t slopes = 0;
    prelu_each(net.get(), print, &slopes);
    Evaluation e = trainer_evaluate(net.get(), loss_cross_entropy, loader.get(), nullptr);
    std::printf("%.1f %% of %td points are classified correctly, with %td slopes\n",
                100 * e.accuracy, data->count, slopes);
    return e.accuracy > 0.95 ? EXIT_SUCCESS : EXIT_FAILURE;
}

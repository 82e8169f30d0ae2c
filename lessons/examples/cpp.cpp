/* lessons/examples/cpp.cpp -- a PReLU network trained from C++17.
 *
 *  - slope.h is included as in C, and everything in it is a C function: what a ..._new function
 *    returns is held by a unique_ptr that calls the ..._free function. Objects are destroyed in
 *    reverse order, so declare an object before those that borrow it.
 *  - Options are set field by field. Since C++20 designated initialisers work, too, in the order of
 *    the fields.
 *  - A lambda without captures can be used as a callback; what it needs is passed through `ctx`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "slope.h"

template <typename T, void (*Free)(T *)>
using Owner = std::unique_ptr<T, std::integral_constant<void (*)(T *), Free>>;

struct Layer {
    std::string name;
    Stats       slopes;
};

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
    history_free(&trainer.history);

    std::vector<Layer> layers;
    auto add = [](const char *name, const Tensor *slopes, void *ctx) {
        static_cast<std::vector<Layer> *>(ctx)->push_back({name, tensor_stats(slopes)});
    };
    prelu_each(net.get(), add, &layers);
    for (const Layer &layer : layers)
        std::printf("PReLU %s: slopes from %.3f to %.3f, mean %.3f\n", layer.name.c_str(),
                    layer.slopes.min, layer.slopes.max, layer.slopes.mean);
    double accuracy =
        trainer_evaluate(net.get(), loss_cross_entropy, loader.get(), nullptr).accuracy;
    std::printf("%.1f %% of %td points are classified correctly\n", 100 * accuracy, data->count);
    return accuracy > 0.95 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* datasets/fashion_mnist.c -- finding the Fashion-MNIST files on this machine.
 *
 * Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
 * learning algorithms", 2017.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/idx.h"

#include "datasets/search.h"

const char *const fashion_mnist_classes[10] = {
    "T-shirt", "trouser", "pullover", "dress", "coat",
    "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot",
};

/* Finds one file of the set, raw or, failing that, gzipped; some unpackers write a dot before
 * "idx". Returns false if there is none; the path is then that of the first name, which is tried
 * again at the end. */
static bool fashion_file(char path[SEARCH_PATH], const char *folder, bool train, const char *part,
                         const char *idx)
{
    enum { NAMES = 4 };
    char name[64];
    for (int i = 0; i <= NAMES; i++) {
        snprintf(name, sizeof name, "%s-%s%s%s-ubyte%s", train ? "train" : "t10k", part,
                 i % 2 ? "." : "-", idx, i % NAMES / 2 ? ".gz" : "");
        if (slope_search_file(path, folder, name))
            return true;
    }
    return false;
}

/* The error of a search that found nothing: where it looked, and how to get the set. */
static Dataset *fashion_not_found(const Search *search, Error *err)
{
    slope_search_failed(search, "fashion-mnist", err);
    error_hint(err,
               "Debian, Ubuntu: apt-get install dataset-fashion-mnist\n"
               "  Elsewhere, put these four files, raw or as .gz, into %.160s: "
               "train-images-idx3-ubyte (47040016 bytes unpacked), "
               "train-labels-idx1-ubyte (60008), t10k-images-idx3-ubyte (7840016), "
               "t10k-labels-idx1-ubyte (10008)",
               search->folder[0]);
    return NULL;
}

/* Loads the two files. The images must be 28x28, as networks for this set expect. */
static Dataset *fashion_load(const char *images, const char *labels, bool train, Error *err)
{
    Dataset *data = idx_load_pair(train ? "fashion-mnist train" : "fashion-mnist test", images,
                                  labels, 10, err);
    if (!data)
        return NULL;
    if (!shape_equal(data->sample, SHAPE(1, 28, 28))) {
        error_set(err, images, 8, "these are not Fashion-MNIST images");
        error_expected(err, "28 by 28 pixels", "%td by %td", data->sample.dim[1],
                       data->sample.dim[2]);
        dataset_free(data);
        return NULL;
    }
    data->class_names = fashion_mnist_classes;
    data->mean = (real)0.2860;
    data->std = (real)0.3530;
    return data;
}

Dataset *fashion_mnist_load(const char *dir, bool train, Error *err)
{
    Search search;
    char images[SEARCH_PATH], labels[SEARCH_PATH];
    slope_search_folders(&search, dir, "fashion-mnist");
    for (int i = 0; i < search.count; i++) {
        bool has_images = fashion_file(images, search.folder[i], train, "images", "idx3");
        bool has_labels = fashion_file(labels, search.folder[i], train, "labels", "idx1");
        if (has_images || has_labels) /* half a set: loading it names the missing file */
            return fashion_load(images, labels, train, err);
    }
    return fashion_not_found(&search, err);
}

/* datasets/fashion_mnist.c -- finding the Fashion-MNIST files on this machine.
 *
 * Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
 * learning algorithms", 2017.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/idx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *const fashion_mnist_classes[10] = {
    "T-shirt", "trouser", "pullover", "dress", "coat",
    "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot",
};

enum { FASHION_FOLDERS = 3, FASHION_PATH = 4096 };

/* The folders to look in, in order. */
typedef struct FashionSearch {
    int  count;
    char folder[FASHION_FOLDERS][FASHION_PATH];
} FashionSearch;

/* "a/b" from "a" and "b"; false when it does not fit. */
static bool fashion_join(char path[FASHION_PATH], const char *folder, const char *name)
{
    int length = snprintf(path, FASHION_PATH, "%s/%s", folder, name);
    return length < FASHION_PATH;
}

/* Adds a folder to the search; one whose name is too long for a path cannot exist and is left
 * out. */
static void fashion_add(FashionSearch *search, const char *folder, const char *below)
{
    char *path = search->folder[search->count];
    search->count += snprintf(path, FASHION_PATH, "%s%s", folder, below) < FASHION_PATH;
}

static void fashion_folders(FashionSearch *search, const char *dir)
{
    const char *root = getenv("SLOPE_DATA");
    search->count = 0;
    if (dir) {
        fashion_add(search, dir, "");
        fashion_add(search, dir, "/fashion-mnist");
        return;
    }
    if (root && *root)
        fashion_add(search, root, "/fashion-mnist");
    fashion_add(search, "data", "/fashion-mnist");
    fashion_add(search, "/usr/share/datasets", "/fashion-mnist");
}

/* Is something there, even if it cannot be read? What may not be read should be reported as
 * such when it is opened, not as missing. */
static bool fashion_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ||
           (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG);
}

/* The path of one file of the set, raw or gzipped. False when neither is there; the path is
 * then the raw one's. */
static bool fashion_file(char path[FASHION_PATH], const char *folder, bool train, const char *part)
{
    char name[64];
    snprintf(name, sizeof name, "%s-%s-ubyte.gz", train ? "train" : "t10k", part);
    bool gzipped = fashion_join(path, folder, name) && fashion_exists(path);
    name[strlen(name) - strlen(".gz")] = '\0';

    char raw[FASHION_PATH];
    bool raw_exists = fashion_join(raw, folder, name) && fashion_exists(raw);
    if (raw_exists || !gzipped)
        memcpy(path, raw, sizeof raw);
    return raw_exists || gzipped;
}

/* The error of a search without result: where it looked, and how to get the set. */
static Dataset *fashion_not_found(const FashionSearch *search, const char *dir, Error *err)
{
    char places[512] = "";
    for (int i = 0; i < search->count; i++) {
        size_t used = strlen(places);
        snprintf(places + used, sizeof places - used, "%s%s", i ? ", " : "", search->folder[i]);
    }
    error_set(err, "fashion-mnist", -1, "the files were not found; looked in %s", places);
    error_hint(err,
               "Debian, Ubuntu: apt-get install dataset-fashion-mnist\n"
               "  Elsewhere put these four, raw or as .gz, into %.160s: "
               "train-images-idx3-ubyte (47040016 bytes unpacked), "
               "train-labels-idx1-ubyte (60008), t10k-images-idx3-ubyte (7840016), "
               "t10k-labels-idx1-ubyte (10008)",
               search->count > 0 ? search->folder[0] : dir);
    return NULL;
}

/* Loads the two files; the set's images are 28x28, and networks count on that. */
static Dataset *fashion_load(const char *images, const char *labels, bool train, Error *err)
{
    Dataset *data = idx_load_pair(train ? "fashion-mnist train" : "fashion-mnist test", images,
                                  labels, 10, err);
    if (!data)
        return NULL;
    if (!shape_equal(data->sample, SHAPE(1, 28, 28))) {
        error_set(err, images, 8, "these are not Fashion-MNIST's images");
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
    FashionSearch search;
    char images[FASHION_PATH], labels[FASHION_PATH];
    fashion_folders(&search, dir);
    for (int i = 0; i < search.count; i++) {
        bool has_images = fashion_file(images, search.folder[i], train, "images-idx3");
        bool has_labels = fashion_file(labels, search.folder[i], train, "labels-idx1");
        if (has_images || has_labels) /* half a set: loading it names the file that is missing */
            return fashion_load(images, labels, train, err);
    }
    return fashion_not_found(&search, dir, err);
}

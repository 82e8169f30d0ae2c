/* tests/fuzz/fuzz_csv.c -- feeds bytes to the CSV reader.
 *
 * The reader prints on stderr which classes it chose. -close_fd_mask=2 hides this, but also the
 * sanitizer's report, so run an input that crashes again without the option.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/csv.h"

#include <math.h>

#include "tests/fuzz/fuzz.h"

/* Every label is a class, with a name if there are names; every feature and target is finite; every
 * cell needs at least one byte. */
static void check(const Dataset *data, size_t size)
{
    ptrdiff_t values = data->count * shape_count(data->sample);
    ptrdiff_t targets = data->targets ? data->count * shape_count(data->target) : 0;
    require(data->count > 0 && values > 0);
    require((size_t)(values + data->labels.count + targets) <= size);
    require(data->labels.count == (data->targets ? 0 : data->count));
    for (ptrdiff_t i = 0; i < values; i++)
        require(isfinite(data->features[i]));
    for (ptrdiff_t i = 0; i < targets; i++)
        require(isfinite(data->targets[i]));
    for (ptrdiff_t i = 0; i < data->labels.count; i++) {
        int32_t label = data->labels.data[i];
        require(label >= 0 && label < data->classes);
        require(!data->class_names || strlen(data->class_names[label]) > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a", "b", "3"};
    const CsvOptions options[] = {
        {.label_column = 1}, {.label_column = -1, .separator = ';'}, {.header = true, .label = "y"},
        {.label_column = 1, .classes = 5}, {.label_column = 2, .classes = 3, .class_names = names},
        {.label_column = -1, .targets = 1}, {.header = true, .label = "y", .targets = 2},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        Error err = {0};
        Dataset *set = csv_parse(data, size, "fuzz", options[i], &err);
        if (set)
            check(set, size);
        else
            require_reason(&err);
        dataset_free(set);
    }
    return 0;
}

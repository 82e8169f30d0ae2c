/* tests/datasets/parsed.h -- shared by the tests of tables: parsing a text, printing a dataset.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_DATASETS_PARSED_H
#define SLOPE_TESTS_DATASETS_PARSED_H

#include "datasets/csv.h"
#include "tests/capture.h"
#include "tests/testing.h"

static const char *said; /* what the last call of parse_bytes printed on stderr */

/* A refusal must give a reason, print nothing and leave nothing behind. */
static inline Dataset *parse_bytes(const void *text, size_t size, CsvOptions options, Error *err)
{
    uint8_t *copy = testing_copy(text, size);
    uint64_t before = testing_blocks();
    *err = (Error){0};
    capture_begin();
    Dataset *data = csv_parse(copy, size, "memory", options, err);
    said = capture_end();
    free(copy);
    if (!data) {
        ck_assert_str_eq(said, "");
        testing_error(err, "memory");
        ck_assert_uint_eq(testing_blocks(), before);
    }
    return data;
}

static inline Dataset *parse_text(const char *text, CsvOptions options, Error *err)
{
    return parse_bytes(text, strlen(text), options, err);
}

/* Returns what dataset_print writes about a dataset; frees the dataset. */
static inline const char *printed(Dataset *data)
{
    static char text[1024];
    FILE *file = tmpfile();
    dataset_print(file, data);
    dataset_free(data);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

#endif

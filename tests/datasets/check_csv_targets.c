/* tests/datasets/check_csv_targets.c -- tables with columns of real numbers to predict.
 *
 * SPDX-License-Identifier: MIT
 */
#include <float.h>

#include "datasets/generate.h"
#include "tests/allocator.h"
#include "tests/datasets/parsed.h"
#include "tests/scratch.h"

/* Parses a table; compares its targets, and the first example's features, with these. Frees it. */
static void check_table(const char *text, CsvOptions options, ptrdiff_t each, const double *targets,
                        const double *features)
{
    Error err;
    Dataset *data = parse_text(text, options, &err);
    ck_assert_msg(data != NULL, "%s: %s", text, err.problem);
    ck_assert(data->classes == 0 && !data->class_names && data->labels.count == 0);
    ck_assert(shape_equal(data->target, SHAPE(each)) && data->mean == 0 && data->std == 1);
    for (ptrdiff_t i = 0; i < data->count * each; i++)
        ck_assert_msg(data->targets[i] == (real)targets[i], "target %td is %g", i,
                      (double)data->targets[i]);
    for (ptrdiff_t i = 0; i < shape_count(data->sample); i++)
        ck_assert(data->features[i] == (real)features[i]);
    dataset_free(data);
}

START_TEST(columns_of_a_table_become_targets)
{
    const char *plain = "1,2,3\n4,5,-6.5e1\n";
    check_table(plain, (CsvOptions){.label_column = -1, .targets = 1}, 1, (double[]){3, -65},
                (double[]){1, 2});
    check_table(plain, (CsvOptions){.label_column = 1, .targets = 1}, 1, (double[]){1, 4},
                (double[]){2, 3});
    check_table(plain, (CsvOptions){.label_column = -2, .targets = 2}, 2,
                (double[]){2, 3, 5, -65}, (double[]){1});
    check_table(plain, (CsvOptions){.label_column = 1, .targets = 2}, 2, (double[]){1, 2, 4, 5},
                (double[]){3});
    check_table("rooms,price,age\n6.5, 24.0 ,65\n", (CsvOptions){.header = true, .label = "price",
                .targets = 1}, 1, (double[]){24}, (double[]){6.5, 65});
    check_table("a;b;c;d\n1;2;3;4\n", (CsvOptions){.header = true, .label = "b", .targets = 2,
                .separator = ';'}, 2, (double[]){2, 3}, (double[]){1, 4});
}
END_TEST

START_TEST(the_note_names_the_columns)
{
    Error err;
    Dataset *data = parse_text("rooms,age,price\n6.5,65.2,24.0\n6.4,78.9,21.6\n", (CsvOptions){
                              .header = true, .label = "price", .targets = 1}, &err);
    ck_assert_str_eq(said, "slope: memory: 2 examples (2,), real-valued targets (1,)\n"
                     "  a header; target: column 3 of 3, 'price'\n");
    ck_assert_str_eq(data->note, "a header; target: column 3 of 3, 'price'");
    dataset_free(data);
    data = parse_text("1,2,3,4\n", (CsvOptions){.label_column = 2, .targets = 3}, &err);
    ck_assert_str_eq(data->note, "no header; targets: columns 2 to 4 of 4");
    dataset_free(data);
    data = parse_text("a,b,c\n1,2,3\n", (CsvOptions){.header = true, .label_column = -2,
                     .targets = 2}, &err);
    ck_assert_str_eq(data->note, "a header; targets: columns 2 to 3 of 3, from 'b'");
    dataset_free(data);
}
END_TEST

START_TEST(a_bad_target_is_reported_with_line_and_column)
{
    const CsvOptions last = {.label_column = -1, .targets = 1};
    const CsvOptions two = {.label_column = 1, .targets = 2};
    const struct { const char *text; CsvOptions options; const char *what, *hint; } bad[] = {
        {"1,2\n3,x\n", last, "line 2, column 2: this is not a number", "leave .targets out"},
        {"1,2\n3,nan\n", last, "line 2, column 2: this is not a number", "leave .targets out"},
        {"1,2\n3,\n", last, "line 2, column 2: the number is missing", ""},
        {"1,2,\n3,4,\n", last, "line 1, column 3: the number is missing", "every line"},
        {"1,1e999\n", last, "line 1, column 2: the number is too large", ""},
        {"x,y\n1,2\n", last, "line 1, column 1: this is not a number", "set .header"},
        {"1;2,5\n", {.label_column = -1, .targets = 1, .separator = ';'}, "column 2: this is not",
         "decimal point, not a comma"},
        {"1,2,3\n4,?,6\n", two, "line 2, column 2: this is not a number", "leave .targets out"},
        {"1,2,3\n4,5,?\n", two, "line 2, column 3: this is not a number", ""},
        {"1,2\n", two, "the targets should be 2 columns, starting with column 1, but there are "
         "2 columns", "left for a feature"},
        {"1,2,3\n", {.label_column = 1, .targets = INT32_MAX}, "the targets should be",
         "left for a feature"},
        {"1,2,3\n", {.label_column = -1, .targets = 2}, "2 columns, starting with column 3, "
         "but there are 3", "for the last 2 columns, set .label_column = -2"},
        {"1,2,3\n", {.label_column = 4, .targets = 1}, "the first target should be in column "
         "number 4, but there are 3", ""},
        {"1\n2\n", last, "two columns or more, one of them for a target", ""},
        {"x,y\n", {.header = true, .label = "y", .targets = 1}, "no examples", ""},
        /* numbers that would be targets, read as classes */
        {"1,0.5\n2,0.7\n", {.label_column = -1}, "the label is a number, but not a class",
         "to predict such numbers, set .targets = 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Error err;
        ck_assert_msg(!parse_text(bad[i].text, bad[i].options, &err), "%zu", i);
        ck_assert_msg(strstr(err.problem, bad[i].what) != NULL, "%zu: %s", i, err.problem);
        ck_assert_msg(*bad[i].hint ? strstr(err.hint, bad[i].hint) != NULL : !*err.hint,
                      "%zu: %s", i, err.hint);
    }
}
END_TEST

START_TEST(more_than_a_thousand_numbers_are_probably_targets)
{
    static char text[20000];
    Error err;
    size_t n = 0;
    for (int i = 0; i <= 1000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%d,%d.5\n", i, i);
    ck_assert_ptr_null(parse_text(text, (CsvOptions){.label_column = -1}, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "set .targets = 1"));
    dataset_free(parse_text(text, (CsvOptions){.label_column = -1, .targets = 1}, &err));
}
END_TEST

START_TEST(targets_and_classes_exclude_each_other)
{
    Error err;
    const uint8_t *text = (const uint8_t *)"1,2\n";
    ck_assert_fails(csv_parse(text, 4, "t", (CsvOptions){.label_column = 1, .targets = -1}, &err),
                    "csv_parse: -1 columns of real-valued targets");
    ck_assert_fails(csv_read("t", (CsvOptions){.label_column = 1, .targets = 1, .classes = 2},
                             &err), "csv_read: 1 columns of real-valued targets and 2 classes; a "
                    "table has either classes or 1 or more columns of targets");
    ck_assert_fails(csv_parse(text, 4, "t", (CsvOptions){.targets = 1}, &err),
                    "no column is chosen for the targets");
}
END_TEST

/* A number that is written with enough digits is read back with the same bits. */
START_TEST(a_table_that_was_written_reads_back_the_same)
{
    Error err;
    Dataset *data = sine_new(200, (real)0.3, 9);
    FILE *file = fopen(scratch_path("sine.csv"), "w");
    fprintf(file, "x,y\n");
    for (int i = 0; i < 200; i++)
        fprintf(file, "%.*g,%.*g\n", DBL_DECIMAL_DIG, (double)data->features[i], DBL_DECIMAL_DIG,
                (double)data->targets[i]);
    fclose(file);
    capture_begin();
    Dataset *back = csv_read(scratch_path("sine.csv"), (CsvOptions){.header = true, .label = "y",
                             .targets = 1}, &err);
    ck_assert_ptr_nonnull(strstr(capture_end(), "200 examples (1,), real-valued targets (1,)"));
    ck_assert_mem_eq(back->features, data->features, 200 * sizeof(real));
    ck_assert_mem_eq(back->targets, data->targets, 200 * sizeof(real));
    dataset_free(data), dataset_free(back);
}
END_TEST

START_TEST(running_out_of_memory_is_reported)
{
    static const char text[] = "1,2,3\n4,5,6\n";
    Dataset *data = NULL;
    Error err = {0};
    capture_begin();
    watch_begin();
    for (int i = 0; !data; i++) {
        watch.calls = 0, watch.fail_at = i;
        uint64_t before = testing_blocks();
        data = csv_parse((const uint8_t *)text, sizeof text - 1, "memory",
                         (CsvOptions){.label_column = 2, .targets = 2}, &err);
        ck_assert(data || strstr(err.problem, "out of memory"));
        ck_assert(data || testing_blocks() == before);
    }
    ck_assert_int_gt(watch.calls, 3);
    dataset_free(data);
    watch_end();
    capture_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("csv targets");
    testing_add(suite, "tables", 10, (const TTest *const[]){
        columns_of_a_table_become_targets, the_note_names_the_columns,
        a_bad_target_is_reported_with_line_and_column,
        more_than_a_thousand_numbers_are_probably_targets, targets_and_classes_exclude_each_other,
        a_table_that_was_written_reads_back_the_same, NULL});
    testing_add(suite, "scarce memory", 10, (const TTest *const[]){
        running_out_of_memory_is_reported, NULL});
    return scratch_main(suite);
}

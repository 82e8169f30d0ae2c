/* tests/datasets/check_csv.c -- tables of numbers and classes, good ones and bad ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/csv.h"

#include <locale.h>

#include "tests/scratch.h"
#include "tests/testing.h"

#define FIRST   ((CsvOptions){.label_column = 1})
#define LAST    ((CsvOptions){.label_column = -1})
#define SPECIES ((CsvOptions){.header = true, .label = "species"})

/* A refusal must give a reason and leave nothing behind. */
static Dataset *parse_bytes(const void *text, size_t size, CsvOptions options, Error *err)
{
    uint8_t *copy = testing_copy(text, size);
    uint64_t before = testing_blocks();
    *err = (Error){0};
    Dataset *data = csv_parse(copy, size, "memory", options, err);
    free(copy);
    if (!data) {
        testing_error(err, "memory");
        ck_assert_uint_eq(testing_blocks(), before);
    }
    return data;
}

static Dataset *parse(const char *text, CsvOptions options)
{
    Error err;
    Dataset *data = parse_bytes(text, strlen(text), options, &err);
    ck_assert_msg(data != NULL, "%s: %s", text, err.problem);
    return data;
}

static void assert_features(const Dataset *data, ptrdiff_t count, ptrdiff_t columns,
                            const double *values)
{
    ck_assert_int_eq(data->count, count);
    ck_assert(shape_equal(data->sample, SHAPE(columns)));
    ck_assert(data->mean == 0 && data->std == 1);
    for (ptrdiff_t i = 0; i < count * columns; i++)
        ck_assert_msg(data->features[i] == (real)values[i], "feature %td is %g", i,
                      (double)data->features[i]);
}

/* --- good tables ------------------------------------------------------------------------------ */

START_TEST(names_are_numbered_as_they_appear)
{
    Dataset *data = parse("sepal,petal,species\n5.1,1.4,setosa\r\n6.2,4.5,versicolor\n"
                          "-1,+2e1,setosa\n.5,5.,virginica", SPECIES);
    assert_features(data, 4, 2, (double[]){5.1, 1.4, 6.2, 4.5, -1, 20, 0.5, 5});
    ck_assert_int_eq(data->classes, 3);
    ck_assert_mem_eq(data->labels.data, ((int32_t[]){0, 1, 0, 2}), 16);
    ck_assert_str_eq(data->class_names[0], "setosa");
    ck_assert_str_eq(data->class_names[2], "virginica");
    Dataset *part = dataset_take(data, 2); /* with its own copy of the names */
    dataset_free(data);
    ck_assert_str_eq(part->class_names[1], "versicolor");
    ck_assert_int_eq(part->classes, 3);
    dataset_free(part);
}
END_TEST

START_TEST(whole_numbers_are_the_classes_themselves)
{
    Dataset *data = parse("3,1.5\n0,2.5\n12,-1\n", FIRST);
    assert_features(data, 3, 1, (double[]){1.5, 2.5, -1});
    ck_assert_int_eq(data->classes, 13);
    ck_assert_mem_eq(data->labels.data, ((int32_t[]){3, 0, 12}), 12);
    ck_assert_ptr_null(data->class_names);
    dataset_free(data);
    data = parse("3,1.5\n0,2.5\n", (CsvOptions){.label_column = 1, .classes = 10});
    ck_assert_int_eq(data->classes, 10);
    dataset_free(data);
}
END_TEST

START_TEST(other_numbers_are_names)
{
    static const char *const odd[] = {"1000", "-1", "07", "1.5", "x"};
    for (int i = 0; i < 5; i++) {
        char text[64];
        snprintf(text, sizeof text, "5,1\n%s,2\n5,3\n", odd[i]);
        Dataset *data = parse(text, FIRST);
        ck_assert_int_eq(data->classes, 2);
        ck_assert_mem_eq(data->labels.data, ((int32_t[]){0, 1, 0}), 12);
        ck_assert_str_eq(data->class_names[0], "5");
        ck_assert_str_eq(data->class_names[1], odd[i]);
        dataset_free(data);
    }
}
END_TEST

START_TEST(a_test_set_takes_the_training_sets_names)
{
    Error err;
    Dataset *train = parse("1,a\n2,b\n3,c\n", LAST);
    CsvOptions options = {.label_column = -1, .classes = train->classes,
                          .class_names = train->class_names};
    Dataset *test = parse("9,c\n8,a\n", options);
    dataset_free(train);
    ck_assert_int_eq(test->classes, 3);
    ck_assert_mem_eq(test->labels.data, ((int32_t[]){2, 0}), 8);
    ck_assert_str_eq(test->class_names[2], "c");
    options.class_names = test->class_names;
    ck_assert_ptr_null(parse_bytes("9,c\n8,d\n", 8, options, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "line 2, column 2"));
    ck_assert_str_eq(err.found, "'d'");
    dataset_free(test);
}
END_TEST

START_TEST(the_label_may_be_any_column)
{
    static const int32_t want[3] = {1, 2, 3};
    for (int column = 1; column <= 3; column++) {
        Dataset *first = parse("1,2,3\n", (CsvOptions){.label_column = column}),
                *last = parse("1,2,3\n", (CsvOptions){.label_column = column - 4});
        ck_assert_int_eq(first->labels.data[0], want[column - 1]);
        ck_assert_int_eq(last->labels.data[0], want[column - 1]);
        dataset_free(first), dataset_free(last);
    }
    Dataset *data = parse("x,species,y\n1,2,3\n", SPECIES);
    assert_features(data, 1, 2, (double[]){1, 3});
    ck_assert_int_eq(data->labels.data[0], 2);
    dataset_free(data);
}
END_TEST

START_TEST(quotes_are_those_of_rfc_4180)
{
    Dataset *data = parse("\"1\",\"a,\"\"b\"\"\r\nc\"\r\n\"2\",\"\"\"\"\r\n3,\"x\"", LAST);
    assert_features(data, 3, 1, (double[]){1, 2, 3});
    ck_assert_str_eq(data->class_names[0], "a,\"b\"\r\nc");
    ck_assert_str_eq(data->class_names[1], "\"");
    ck_assert_str_eq(data->class_names[2], "x");
    dataset_free(data);
}
END_TEST

START_TEST(blanks_empty_lines_and_a_mark_do_not_count)
{
    Dataset *data = parse("\xef\xbb\xbf\r\n x , species \n\n 1 , a b \n\n\t2\t,\ta b\n\r\n\n",
                          SPECIES);
    assert_features(data, 2, 1, (double[]){1, 2});
    ck_assert_int_eq(data->classes, 1);
    ck_assert_str_eq(data->class_names[0], "a b");
    dataset_free(data);
}
END_TEST

START_TEST(other_separators_will_do)
{
    Dataset *data = parse("1;\"2;\";3\n", (CsvOptions){.separator = ';', .label_column = 2});
    ck_assert_str_eq(data->class_names[0], "2;");
    dataset_free(data);
    data = parse("1\t2\n", (CsvOptions){.separator = '\t', .label_column = 1});
    assert_features(data, 1, 1, (double[]){2});
    dataset_free(data);
}
END_TEST

/* If the machine has no such locale, nothing is tested. */
START_TEST(a_point_is_a_point_in_any_locale)
{
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "de_DE"))
        return;
    Dataset *data = parse("0,1.5\n", FIRST);
    setlocale(LC_NUMERIC, "C");
    assert_features(data, 1, 1, (double[]){1.5});
    dataset_free(data);
}
END_TEST

/* --- bad tables ------------------------------------------------------------------------------- */

START_TEST(a_bad_cell_is_reported_with_line_and_column)
{
    static const struct { const char *text, *place, *what, *found; } bad[] = {
        {"1,2,a\n3,x,b\n", "line 2, column 2:", "not a number", "'x'"},
        {"1,2,a\n3,,b\n", "line 2, column 2:", "missing", "''"},
        {"1,2,a\n3,4,\n", "line 2, column 3:", "label is missing", "''"},
        {"1,2,a\n3,4\n", "line 2, column 2:", "fewer", "2"},
        {"1,2,a\n3,4,b,5\n", "line 2, column 3:", "more", "more"},
        {"1,2,a\n\n\n3,\"4\",\"b\nb\"\n5,6x,c", "line 6, column 2:", "not a number", "'6x'"},
        {"1,2,a\n3,\"4", "line 2, column 2:", "never closed", ""},
        {"1,2,a\n3,\"4\"4,b\n", "line 2, column 2:", "text follows", ""},
        {"1,2,a\n3,4\"4\",b\n", "line 2, column 2:", "quote within", ""},
        {"1,2,a\n3, \"4\",b\n", "line 2, column 2:", "quote within", ""},
        {"1,2,a\n3,4,b\rc\n", "line 2, column 3:", "carriage return", ""},
        {"1,1e999,a\n", "line 1, column 2:", "too large", "'1e999'"},
        {"a\nb\n", "line 1, column 1:", "two columns", ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Error err;
        ck_assert_ptr_null(parse_bytes(bad[i].text, strlen(bad[i].text), LAST, &err));
        ck_assert_msg(strstr(err.problem, bad[i].place) == err.problem, "%zu: %s", i, err.problem);
        ck_assert_msg(strstr(err.problem, bad[i].what) != NULL, "%zu: %s", i, err.problem);
        ck_assert_str_eq(err.found, bad[i].found);
    }
}
END_TEST

START_TEST(only_decimal_numbers_are_numbers)
{
    static const char *const bad[] = {
        "nan", "NaN", "inf", "-Infinity", "0x10", "1e",   "1.5e",  "1e+",   "1e1.5",
        "e5",  ".",   "-",   "+-1",       "--1",  "1 2",  "1.2.3", "1_000", "1,0",
        "1f",  "1d",  "0b1", "\xd9\xa1",  ".e1",  "1e5x", "(1)",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Error err;
        char text[64];
        snprintf(text, sizeof text, "\"%s\",a\n", bad[i]);
        ck_assert_msg(!parse_bytes(text, strlen(text), LAST, &err), "%s", bad[i]);
        ck_assert_ptr_nonnull(strstr(err.problem, "not a number"));
    }
    Dataset *data = parse("1e-400,-0.,1E+2,00012,.5e0,1e5,a\n", LAST);
    assert_features(data, 1, 6, (double[]){0, 0, 100, 12, 0.5, 1e5});
    dataset_free(data);
}
END_TEST

START_TEST(what_is_wrong_with_the_whole_is_said)
{
    static const struct { const char *text; CsvOptions options; const char *what; } bad[] = {
        {"", {.label_column = 1}, "no examples"},
        {"\n\r\n", {.label_column = 1}, "no examples"},
        {"x,y\n", {.header = true, .label_column = 1}, "no examples"},
        {"x,y\n1,2\n", {.header = true, .label = "z"}, "no column of the header has"},
        {"y,x,y\n1,2,3\n", {.header = true, .label = "y"}, "two columns have"},
        {"1,2\n", {.label_column = 3}, "in column number 3, but there are 2"},
        {"1,2\n", {.label_column = -3}, "column number -3"},
        {"3,1\n", {.label_column = 1, .classes = 3}, "not a class"},
        {"a,1\n", {.label_column = 1, .classes = 3}, "not a class"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Error err;
        ck_assert_ptr_null(parse_bytes(bad[i].text, strlen(bad[i].text), bad[i].options, &err));
        ck_assert_msg(strstr(err.problem, bad[i].what) != NULL, "%zu: %s", i, err.problem);
    }
}
END_TEST

START_TEST(limits_are_kept)
{
    static char text[20000];
    Error err;
    size_t n = 0;
    for (int i = 0; i <= 1000; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%d,c%d\n", i, i);
        if (i == 999)
            dataset_free(parse(text, LAST));
    }
    ck_assert_ptr_null(parse_bytes(text, n, LAST, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "line 1001, column 2"));
    memset(text, 'x', 1003);
    memcpy(text + 1000, ",1\n", 4);
    dataset_free(parse(text, FIRST));
    memset(text, 'x', 1004);
    memcpy(text + 1001, ",1\n", 4);
    ck_assert_ptr_null(parse_bytes(text, strlen(text), FIRST, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "longer than 1000"));
    ck_assert_ptr_null(parse_bytes("a\0b,1\n", 6, FIRST, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "byte 0"));
}
END_TEST

START_TEST(truncation_and_bit_flips_do_no_harm)
{
    char text[] = "x,\"species\"\r\n1.5,\"a \"\"b\"\"\"\r\n-2e3,c\r\n7,c\r\n";
    size_t size = sizeof text - 1;
    Error err;
    for (size_t n = 0; n <= size; n++)
        dataset_free(parse_bytes(text, n, SPECIES, &err));
    for (size_t bit = 0; bit < 8 * size; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        Dataset *data = parse_bytes(text, size, SPECIES, &err);
        for (ptrdiff_t i = 0; data && i < data->count; i++)
            ck_assert(data->labels.data[i] >= 0 && data->labels.data[i] < data->classes);
        dataset_free(data);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
}
END_TEST

START_TEST(misuse_stops_with_a_sentence)
{
    Error err;
    const uint8_t *text = (const uint8_t *)"1,2\n";
    ck_assert_fails(csv_parse(text, 4, "t", (CsvOptions){.label = "x"}, &err), "header");
    ck_assert_fails(csv_parse(text, 4, "t", (CsvOptions){.separator = '"'}, &err), "separator");
    ck_assert_fails(csv_parse(text, 4, "t", (CsvOptions){.classes = -1}, &err), "classes");
    ck_assert_fails(csv_parse(text, 4, "t", (CsvOptions){.class_names = &(const char *){"a"}},
                              &err), "classes");
    ck_assert_fails(csv_read("t", (CsvOptions){.label = "x"}, &err), "header");
    ck_assert_fails(csv_parse(text, 4, "t", (CsvOptions){.header = true}, &err),
                    "no column is chosen for the labels; set .label to its name or .label_column "
                    "to its number: 1 is the first, -1 the last");
}
END_TEST

START_TEST(files_are_read)
{
    Error err;
    Dataset *data = csv_read(scratch_write("a.csv", "1,2\n3,4\n", 8), FIRST, &err);
    ck_assert_ptr_nonnull(data);
    assert_features(data, 2, 1, (double[]){2, 4});
    dataset_free(data);
    ck_assert_ptr_null(csv_read(scratch_path("none.csv"), FIRST, &err));
    ck_assert_ptr_null(csv_read(scratch_folder, FIRST, &err));
    ck_assert_ptr_null(csv_read(scratch_write("e.csv", "", 0), FIRST, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "no examples"));
    ck_assert_ptr_null(csv_read(scratch_gzip("a.csv.gz", "1,2\n", 4), FIRST, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "gunzip"));
    ck_assert_ptr_null(csv_read(scratch_write("b.csv", "1,x\n", 4), FIRST, &err));
    ck_assert_str_eq(err.file, scratch_path("b.csv"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("csv");
    testing_add(suite, "good", 10, (const TTest *const[]){
        names_are_numbered_as_they_appear, whole_numbers_are_the_classes_themselves,
        other_numbers_are_names, a_test_set_takes_the_training_sets_names,
        the_label_may_be_any_column, quotes_are_those_of_rfc_4180,
        blanks_empty_lines_and_a_mark_do_not_count, other_separators_will_do,
        a_point_is_a_point_in_any_locale, NULL});
    testing_add(suite, "bad", 10, (const TTest *const[]){
        a_bad_cell_is_reported_with_line_and_column, only_decimal_numbers_are_numbers,
        what_is_wrong_with_the_whole_is_said, limits_are_kept, truncation_and_bit_flips_do_no_harm,
        misuse_stops_with_a_sentence, NULL});
    testing_add(suite, "files", 10, (const TTest *const[]){files_are_read, NULL});
    return scratch_main(suite);
}

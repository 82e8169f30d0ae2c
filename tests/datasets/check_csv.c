/* tests/datasets/check_csv.c -- tables of numbers and classes, good ones and bad ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/csv.h"

#include "tests/allocator.h"
#include "tests/datasets/parsed.h"
#include "tests/locale.h"
#include "tests/scratch.h"

#define FIRST   ((CsvOptions){.label_column = 1})
#define LAST    ((CsvOptions){.label_column = -1})
#define SPECIES ((CsvOptions){.header = true, .label = "species"})

static Dataset *parse(const char *text, CsvOptions options)
{
    Error err;
    Dataset *data = parse_text(text, options, &err);
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

START_TEST(names_are_numbered_in_byte_order)
{
    Dataset *data = parse("sepal,petal,species\n5.1,1.4,versicolor\r\n6.2,4.5,Virginica\n"
                          "-1,+2e1,versicolor\n.5,5.,setosa", SPECIES);
    assert_features(data, 4, 2, (double[]){5.1, 1.4, 6.2, 4.5, -1, 20, 0.5, 5});
    ck_assert_int_eq(data->classes, 3);
    ck_assert_mem_eq(data->labels.data, ((int32_t[]){2, 0, 2, 1}), 16);
    ck_assert_str_eq(data->class_names[0], "Virginica");
    ck_assert_str_eq(data->class_names[2], "versicolor");
    Dataset *part = dataset_take(data, 2); /* with its own copy of the names */
    dataset_free(data);
    ck_assert_str_eq(part->class_names[1], "setosa");
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

/* pandas writes 1 as 1.0 once the column has had a missing cell. */
START_TEST(a_whole_number_is_one_class_however_it_is_written)
{
    static const char *const seven[] = {"7", "7.0", "7.", "+7", "07", "7e0", "0.7e1", "70E-1"};
    for (int i = 0; i < 8; i++)
        for (int classes = 0; classes <= 8; classes += 8) {
            char text[64];
            snprintf(text, sizeof text, "%s,1\n0.0,2\n%s,3\n", seven[i], seven[7 - i]);
            Dataset *data = parse(text, (CsvOptions){.label_column = 1, .classes = classes});
            ck_assert_int_eq(data->classes, 8);
            ck_assert_mem_eq(data->labels.data, ((int32_t[]){7, 0, 7}), 12);
            ck_assert_ptr_null(data->class_names);
            dataset_free(data);
        }
}
END_TEST

START_TEST(a_number_that_is_not_a_class_is_refused_unless_it_is_a_name)
{
    static const char *const odd[] = {"1000", "-1", "0.5", "1e999", "-1e-9"};
    for (int i = 0; i < 5; i++) {
        char text[64];
        Error err;
        CsvOptions options = {.label_column = 1, .classes = 2,
                              .class_names = (const char *[]){odd[i], "5"}};
        snprintf(text, sizeof text, "5,1\n%s,2\n5,3\n", odd[i]);
        ck_assert_ptr_null(parse_bytes(text, strlen(text), FIRST, &err));
        ck_assert_ptr_nonnull(strstr(err.problem, "line 2, column 1: the label is a number, but"));
        ck_assert_str_eq(err.expected, "a whole number from 0 to 999");
        ck_assert_ptr_nonnull(strstr(err.hint, ".class_names"));
        Dataset *data = parse(text, options);
        ck_assert_mem_eq(data->labels.data, ((int32_t[]){1, 0, 1}), 12);
        dataset_free(data);
        snprintf(text, sizeof text, "5,1\n%s,2\nx,3\ny,4\n", odd[i]); /* all are names */
        data = parse(text, FIRST);
        ck_assert_int_eq(data->classes, 4);
        ck_assert_int_eq(data->labels.data[2], 2);
        dataset_free(data);
    }
}
END_TEST

START_TEST(files_with_the_same_labels_agree)
{
    static const char *const pairs[][2] = {{"1.0,4\n0.0,3\n", "0,3\n1,4\n"},
                                           {"yes,4\nno,3\n", "no,3\nyes,4\n"}};
    for (int i = 0; i < 2; i++) {
        Dataset *a = parse(pairs[i][0], FIRST), *b = parse(pairs[i][1], FIRST);
        ck_assert_int_eq(a->labels.data[0], b->labels.data[1]);
        ck_assert_int_eq(a->labels.data[1], b->labels.data[0]);
        ck_assert_int_eq(a->labels.data[0], 1);
        dataset_free(a);
        dataset_free(b);
    }
}
END_TEST

START_TEST(what_the_reader_decided_can_be_printed)
{
    CsvOptions given = {.label_column = 1, .classes = 2,
                        .class_names = (const char *[]){"b\033", "a"}};
    Dataset *whole = parse("x,species\n1,b\n2,a\n", SPECIES), *part = dataset_take(whole, 1);
    dataset_free(whole);
    ck_assert_str_eq(printed(part), "memory: 1 examples (1,), 2 classes: a, b\n  a header; "
                     "label: column 2 of 2, 'species'; classes: the names found, in byte order\n");
    ck_assert_str_eq(printed(parse("5,2.0\n6,1\n", LAST)), "memory: 2 examples (1,), 3 classes\n"
                     "  no header; label: column 2 of 2; classes: the labels' values\n");
    ck_assert_str_eq(printed(parse("a,2.0,1\n", given)), "memory: 1 examples (2,), 2 classes: "
                     "b?, a\n  no header; label: column 1 of 3; classes: the names given\n");
}
END_TEST

/* The reader says what it chose; a caller who chooses the classes sees nothing. */
START_TEST(what_the_options_leave_open_is_reported)
{
    const char *const names[] = {"a", "b"};
    dataset_free(parse("x,species\n1,b\n2,a\n", SPECIES));
    ck_assert_str_eq(said, "slope: memory: 2 examples (1,), 2 classes: a, b\n  a header; label: "
                     "column 2 of 2, 'species'; classes: the names found, in byte order\n");
    dataset_free(parse("5,2.0\n6,1\n", LAST));
    ck_assert_str_eq(said, "slope: memory: 2 examples (1,), 3 classes\n  no header; label: column "
                     "2 of 2; classes: the labels' values\n");
    dataset_free(parse("5,2.0\n6,1\n", (CsvOptions){.label_column = -1, .classes = 3}));
    ck_assert_str_eq(said, "");
    dataset_free(parse("x,y\n1,b\n2,a\n", (CsvOptions){.header = true, .label = "y", .classes = 2,
                                                       .class_names = names}));
    ck_assert_str_eq(said, "");
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

/* So many labels that some share a place in a hash table. */
START_TEST(every_one_of_many_names_has_its_own_number)
{
    enum { NAMES = 3000, FOUND = 1000 };
    static char text[NAMES][16], file[24 * NAMES];
    static const char *names[NAMES + 1];
    size_t size = 0;
    for (int i = 0; i < NAMES; i++) {
        snprintf(text[i], sizeof text[i], "c%04d", i);
        names[NAMES - 1 - i] = text[i];
        size += (size_t)snprintf(file + size, sizeof file - size, "%s,%d\n", text[i], i);
    }
    names[NAMES] = names[5]; /* never used, because the first one is */
    Dataset *given = parse(file, (CsvOptions){.label_column = 1, .classes = NAMES + 1,
                                              .class_names = names});
    for (int i = 0; i < NAMES; i++)
        ck_assert_int_eq(given->labels.data[i], NAMES - 1 - i);
    dataset_free(given);
    size = 0;
    for (int i = 0; i < 2 * FOUND; i++) /* downwards, each twice */
        size += (size_t)snprintf(file + size, sizeof file - size, "%s,1\n",
                                 text[(2 * FOUND - 1 - i) % FOUND]);
    Dataset *found = parse(file, FIRST);
    ck_assert_int_eq(found->classes, FOUND);
    for (int i = 0; i < 2 * FOUND; i++)
        ck_assert_int_eq(found->labels.data[i], (2 * FOUND - 1 - i) % FOUND);
    dataset_free(found);
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
    ck_assert_str_eq(data->class_names[data->labels.data[0]], "a,\"b\"\r\nc");
    ck_assert_str_eq(data->class_names[data->labels.data[1]], "\"");
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

START_TEST(numbers_have_a_decimal_point_in_every_locale)
{
    for (int i = 0; i < LOCALES; i++) {
        if (!locale_set(locale_names[i]))
            continue;
        Dataset *data = parse("1.0,1.5\n0.0,-2.25e1\n", FIRST);
        Error err;
        ck_assert_ptr_null(parse_bytes("0,\"1,5\"\n", 8, FIRST, &err));
        ck_assert_ptr_null(parse_bytes("0,1\xd9\xab" "5\n", 7, FIRST, &err));
        locale_restore();
        assert_features(data, 2, 1, (double[]){1.5, -22.5});
        ck_assert_int_eq(data->labels.data[0], 1);
        dataset_free(data);
    }
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
        {"a\nb\n", "line 1, column 1:", "two columns or more, one of them for labels", ""},
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

START_TEST(what_is_wrong_with_the_whole_file_is_reported)
{
    static const struct { const char *text; CsvOptions options; const char *what; } bad[] = {
        {"", {.label_column = 1}, "no examples"},
        {"\n\r\n", {.label_column = 1}, "no examples"},
        {"x,y\n", {.header = true, .label_column = 1}, "no examples"},
        {"x,y\n1,2\n", {.header = true, .label = "z"}, "no column is named 'z'; the"},
        {"y,x,y\n1,2,3\n", {.header = true, .label = "y"}, "columns 1 and 3 are both named 'y'"},
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

/* Asserts that a table is refused with this problem and with a hint that says what to do. */
static void assert_hint(const void *text, size_t size, CsvOptions options, const char *problem,
                        const char *hint)
{
    Error err;
    ck_assert_msg(!parse_bytes(text, size, options, &err), "%s", hint);
    ck_assert_msg(strstr(err.problem, problem) != NULL, "not \"%s\": %s", problem, err.problem);
    ck_assert_msg(strstr(err.hint, hint) != NULL, "not \"%s\": %s", hint, err.hint);
}

START_TEST(other_formats_of_spreadsheets_are_refused_with_a_hint)
{
    static const struct { const char *text; CsvOptions options; const char *what, *hint; } bad[] = {
        {"x;species\n1;a\n", {.header = true, .label_column = 1}, "two columns",
         ".separator = ';'"},
        {"1;2,5;a\n", {.label_column = -1}, "not a number", ".separator = ';'"},
        {"1\t2\ta\n", {.label_column = 1}, "two columns", ".separator = '\\t'"},
        {"1|2|a\n", {.label_column = 1}, "two columns", ".separator = '|'"},
        {"1,2\n", {.separator = ';', .label_column = 1}, "two columns", ".separator = ','"},
        {"1;2,5;a\n", {.separator = ';', .label_column = -1}, "column 2: this", "tr , . <FILE"},
        {"1;2\r3;4\r", {.separator = ';', .label_column = 1}, "carriage return",
         "tr '\\r' '\\n'"},
        {"\"-1,5e3\",a\n", {.label_column = -1}, "not a number", "decimal point, not a comma"},
        {"1,2,a\n1,2,5,b\n", {.label_column = -1}, "more cells", "not quoted"},
        {"sep=;\n1;a\n", {.separator = ';', .label_column = -1}, "\"sep=;\"", "delete that line"},
        {"SEP=,\r\n1,a\n", {.label_column = -1}, "\"sep=,\"", "delete that line"},
        {"\xef\xbb\xbfsep=\t\n1\ta\n", {.separator = '\t', .label_column = 1}, "\"sep=?\"",
         "delete that line"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_hint(bad[i].text, strlen(bad[i].text), bad[i].options, bad[i].what, bad[i].hint);
    assert_hint("\xff\xfe" "1\0,\0a\0\n", 10, LAST, "byte 0", "iconv -f UTF-16");
    assert_hint("\xfe\xff\0" "1\0,\0a\0\n", 10, LAST, "byte 0", "iconv -f UTF-16");
    assert_hint("1\0,\0a\0\n", 8, LAST, "byte 0", "iconv -f UTF-16");
    dataset_free(parse("sep=;,1\n", FIRST)); /* a label like any other */
}
END_TEST

/* Asserts that the table has no column with this name, and that the error is this one. */
static void assert_no_column(const char *text, const char *label, const char *problem,
                             const char *hint)
{
    Error err;
    CsvOptions options = {.header = true, .label = label, .targets = 1};
    ck_assert_ptr_null(parse_bytes(text, strlen(text), options, &err));
    ck_assert_str_eq(err.problem, problem);
    ck_assert_str_eq(err.hint, hint);
    ck_assert_str_eq(err.expected, "");
    ck_assert_int_eq(err.offset, -1); /* no cell is at fault */
}

START_TEST(an_unknown_column_is_reported_with_the_names_that_exist)
{
    char name[80], text[400], expected[256];
    assert_no_column("\nrooms,age,distance,price\n1,2,3,4\n", "cost", "no column is named 'cost'; "
                     "the columns are rooms, age, distance, price", "");
    assert_no_column("rooms,\"the price\"\n1,2\n", "The Price", "no column is named 'The Price'; "
                     "the columns are rooms, the price", "there is a column 'the price': "
                     "upper-case and lower-case letters differ");
    assert_no_column("a,\"\",\x1b[2J\n1,2,3\n", "\x1b", "no column is named '?'; the columns are "
                     "a, '', ?[2J", "");
    memset(name, 'n', sizeof name - 1), name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "%s,%s,y,z\n1,2,3,4\n", name, name);
    snprintf(expected, sizeof expected, "no column is named 'Z'; the columns are %.60s... and 3 "
             "more", name);
    assert_no_column(text, "Z", expected, "there is a column 'z': upper-case and lower-case "
                     "letters differ");
}
END_TEST

START_TEST(a_header_must_be_declared_and_must_look_like_one)
{
    static const struct { const char *text; CsvOptions options; const char *what, *hint; } bad[] = {
        {"\nx,species\n1,a\n", {.label_column = -1}, "line 2, column 1: this", "set .header"},
        {"0,1,species\n5,6,1\n7,8,0\n", {.label_column = -1}, "line 1, column 3: all labels but",
         "set .header"},
        {"species,x\n1,5\n0,6\n", {.label_column = 1}, "line 1, column 1: all labels but",
         "set .header"},
        {"species,x\n1,5\nnan,6\n0,7\n", {.header = true, .label_column = 1},
         "line 3, column 1: all labels but", "delete the line"},
        {"5.1,1.4,0\n6.2,4.5,1\n", {.header = true, .label_column = 1}, "all names",
         "do not set .header"},
        {",x,species\n0,1,a\n1,2,b\n", {.header = true, .label = "species"},
         "line 1, column 1: the column has no name", "index=False"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_hint(bad[i].text, strlen(bad[i].text), bad[i].options, bad[i].what, bad[i].hint);
    dataset_free(parse("0,1,2\n5,6,1\n", (CsvOptions){.header = true, .label = "2"}));
    dataset_free(parse("x,\n5,1\n", (CsvOptions){.header = true, .label_column = -1}));
    Dataset *data = parse("x,1\n5,2\n5,3\n", (CsvOptions){.label_column = 1, .classes = 2,
                          .class_names = (const char *[]){"5", "x"}});
    ck_assert_int_eq(data->count, 3);
    dataset_free(data);
}
END_TEST

/* Spreadsheets may write them. */
START_TEST(separators_at_the_ends_of_lines_are_recognised)
{
    static const char hint[] = "the last column is empty in every line: delete the separator at";
    static const struct { const char *text; CsvOptions options; const char *what; } bad[] = {
        {"1,2,a,\n3,4,b,\n", {.label_column = -1}, "line 1, column 4: the label is missing"},
        {"1,2,a,\r\n3,4,b, ", {.label_column = 3}, "line 1, column 4: the number is missing"},
        {"x,y,\n1,a,\n", {.header = true, .label = "y"}, "line 1, column 3: the column has no"},
        {"x,y,\n1,a,\n", {.header = true, .label_column = -1}, "line 2, column 3: the label is"},
        {"1;a;\n2;b;\n", {.separator = ';', .label_column = -1}, "line 1, column 3: the label"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_hint(bad[i].text, strlen(bad[i].text), bad[i].options, bad[i].what, hint);
    assert_hint("x,y\n1,a,\n", 9, (CsvOptions){.header = true, .label_column = 2}, "more cells",
                "does the line end with a separator?");
    static const char *const other[] = {"1,2,\n3,4,b\n", "1,2,b\n3,4,\n", "1,,a\n2,,b\n",
                                        "1,2,\n3,4,\n3,\"4"};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        Error err;
        ck_assert_ptr_null(parse_bytes(other[i], strlen(other[i]), LAST, &err));
        ck_assert_str_eq(err.hint, "");
    }
}
END_TEST

START_TEST(files_of_other_kinds_are_named)
{
    static const struct { const char *text; size_t size; const char *hint; } bad[] = {
        {"\r\n <!DOCTYPE html>\n<html>\n", 26, "a web page"},
        {"PK\x03\x04\x14\0\x06\0", 8, ".xlsx"},
        {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8, ".xls"},
        {"\x93NUMPY\x01\0", 8, "a NumPy array"},
        {"\x80\x04\x95\0", 4, "a Python pickle"},
        {"\x10\0\0\0\0\0\0\0{\"a\":", 13, "a safetensors file"},
        {"\0\0\x08\x03\0\0\0\1", 8, "an IDX file"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_hint(bad[i].text, bad[i].size, LAST, "", bad[i].hint);
    assert_hint("<5 mg,a\n1,x,2\n", 14, LAST, "more cells", "not quoted"); /* but this is a table */
    assert_hint("PAR1,a\n1,x,2\n", 13, LAST, "more cells", "not quoted");
    assert_hint("BZh,a\n1,x,2\n", 12, LAST, "more cells", "not quoted");
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

START_TEST(running_out_of_memory_is_reported)
{
    static const char text[] = "a,1\nb,2\n";
    Dataset *data = NULL;
    Error err = {0};
    capture_begin();
    watch_begin();
    for (int i = 0; !data; i++) {
        watch.calls = 0, watch.fail_at = i;
        uint64_t before = testing_blocks();
        data = csv_parse((const uint8_t *)text, sizeof text - 1, "memory", FIRST, &err);
        ck_assert(data || strstr(err.problem, "out of memory"));
        ck_assert(data || testing_blocks() == before);
    }
    ck_assert_int_gt(watch.calls, 5);
    dataset_free(data);
    watch_end();
    capture_end();
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
    ck_assert_fails(csv_read("t", (CsvOptions){.label = "x"}, &err), "slope: csv_read: the label");
    ck_assert_fails(csv_read("t", (CsvOptions){.label = "x", .targets = 1}, &err), "the target's "
                    "column is named 'x', and names need a header: set .header");
    ck_assert_fails(dataset_print(stdout, NULL), "dataset_print: the dataset is NULL");
    ck_assert_fails(dataset_take(NULL, 1), "dataset_take: the dataset is NULL");
    ck_assert_fails(csv_parse(text, 4, "t", (CsvOptions){.header = true}, &err),
                    "no column is chosen for the labels; set .label to its name or .label_column "
                    "to its number: 1 is the first, -1 the last");
}
END_TEST

START_TEST(files_are_read)
{
    Error err;
    Dataset *data = csv_read(scratch_write("a.csv", "1,2\n3,4\n", 8),
                             (CsvOptions){.label_column = 1, .classes = 4}, &err);
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
        names_are_numbered_in_byte_order, whole_numbers_are_the_classes_themselves,
        a_whole_number_is_one_class_however_it_is_written,
        a_number_that_is_not_a_class_is_refused_unless_it_is_a_name,
        files_with_the_same_labels_agree, what_the_reader_decided_can_be_printed,
        what_the_options_leave_open_is_reported,
        a_test_set_takes_the_training_sets_names, every_one_of_many_names_has_its_own_number,
        the_label_may_be_any_column, quotes_are_those_of_rfc_4180,
        blanks_empty_lines_and_a_mark_do_not_count, other_separators_will_do, NULL});
    testing_add(suite, "locales", 60,
                (const TTest *const[]){numbers_have_a_decimal_point_in_every_locale, NULL});
    testing_add(suite, "bad", 10, (const TTest *const[]){
        a_bad_cell_is_reported_with_line_and_column, only_decimal_numbers_are_numbers,
        what_is_wrong_with_the_whole_file_is_reported,
        other_formats_of_spreadsheets_are_refused_with_a_hint,
        a_header_must_be_declared_and_must_look_like_one,
        an_unknown_column_is_reported_with_the_names_that_exist,
        separators_at_the_ends_of_lines_are_recognised, files_of_other_kinds_are_named,
        limits_are_kept, truncation_and_bit_flips_do_no_harm,
        running_out_of_memory_is_reported, misuse_stops_with_a_sentence, NULL});
    testing_add(suite, "files", 10, (const TTest *const[]){files_are_read, NULL});
    return scratch_main(suite);
}

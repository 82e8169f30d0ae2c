/* tests/lessons/check_draw_confusion.c -- the script of the picture of a confusion matrix.
 *
 * The kit is compiled into this program, because the Makefile links tests with the library only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/story.c" /* first: it defines _GNU_SOURCE */

#include "lessons/kit/confusion.c"
#include "lessons/kit/lesson.c"
#include "lessons/kit/plot.c"
#include "lessons/kit/plot_alt.c"
#include "lessons/kit/plot_preview.c"
#include "lessons/kit/plot_series.c"
#include "lessons/kit/plot_shapes.c"

#include "tests/scratch.h"

enum { LARGEST = 1 << 16 };

/* A matrix in which one example of each class is correct, and one of class 0 is taken for 1. */
static Confusion matrix_of(int classes)
{
    int32_t labels[100], predicted[100];
    ck_assert_int_lt(classes, 100);
    for (int k = 0; k < classes; k++)
        labels[k] = predicted[k] = k;
    labels[classes] = 0, predicted[classes] = 1;
    return confusion_new(classes, &(Labels){labels, classes + 1}, predicted, -1);
}

/* Returns the script, or with ".dat" the data, of the picture of a matrix with these names. */
static const char *drawn(int classes, const char *const *names, const char *extension)
{
    static char text[LARGEST];
    char *argv[] = {"lesson", "--quiet", "--out", (char *)scratch_path("out"), NULL}, file[64];
    Lesson lesson = lesson_begin(4, argv, "99", "A test", 0);
    lesson.gnuplot[0] = '\0';
    Confusion c = matrix_of(classes);
    c.names = names;
    draw_confusion(&lesson, "matrix", "A matrix", &c);
    confusion_free(&c);
    lesson_end(&lesson);
    size_t size;
    snprintf(file, sizeof file, "out/matrix%s", extension);
    unsigned char *bytes = scratch_read(scratch_path(file), &size);
    ck_assert_uint_lt(size, LARGEST);
    memcpy(text, bytes, size);
    text[size] = '\0';
    free(bytes);
    return text;
}

static void assert_contains(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in:\n%s", part, text);
}

START_TEST(rows_are_true_and_columns_predicted_classes)
{
    static const char *const names[] = {"cat", "dog", "cow"};
    assert_contains(drawn(3, names, ".dat"), "3 x 3\n1 1 0\n0 1 0\n0 0 1\n");
    const char *script = drawn(3, names, ".gp");
    assert_contains(script, "set ylabel 'true class'");
    assert_contains(script, "set xlabel 'predicted class'");
    assert_contains(script, "set ytics ('cat' 0, 'dog' 1, 'cow' 2)");
    assert_contains(script, "set xtics ('cat' 0, 'dog' 1, 'cow' 2)");
    assert_contains(script, "with labels");
    assert_contains(script, "matrix.svg");
    assert_contains(drawn(3, NULL, ".gp"), "set xtics ('0' 0, '1' 1, '2' 2)");
}
END_TEST

/* A quote would end gnuplot's string, a percent sign would begin a format, and the other bytes
 * would make the SVG file invalid. */
START_TEST(every_name_can_be_drawn)
{
    static const char *const names[] = {"women's", "50% wool", "a\x01\n\x7f" "b", "caf\xe9!",
                                        "L\xc3\xb6wenzahn", "123456789012345678901234567890",
                                        "\xe8\x92\xb2\xe8\x92\xb2\xe8\x92\xb2\xe8\x92\xb2\xe8\x92"
                                        "\xb2\xe8\x92\xb2\xe8\x92\xb2\xe8\x92\xb2\xe8\x92\xb2\xe8"
                                        "\x92\xb2\xe8\x92\xb2", "12345678901234567890", ""};
    assert_contains(drawn(9, names, ".gp"),
                    "set xtics ('women\xe2\x80\x99s' 0, '50%% wool' 1, 'a???b' 2, 'caf?!' 3, "
                    "'L\xc3\xb6wenzahn' 4, '12345678901234567890...' 5, '\xe8\x92\xb2\xe8\x92\xb2"
                    "\xe8\x92\xb2\xe8\x92\xb2\xe8\x92\xb2\xe8\x92\xb2\xe8\x92\xb2\xe8\x92\xb2\xe8"
                    "\x92\xb2\xe8\x92\xb2\xe8\x92\xb2' 6, '12345678901234567890' 7, '' 8)");
}
END_TEST

START_TEST(many_classes_have_numbers_and_no_texts)
{
    const char *script = drawn(PLOT_CELLS, NULL, ".gp");
    assert_contains(script, "'25' 25)");
    assert_contains(script, "with image pixels notitle");
    assert_contains(script, "with labels");
    script = drawn(PLOT_CELLS + 1, NULL, ".gp");
    assert_contains(script, "matrix.png");
    assert_contains(script, "with image notitle");
    ck_assert_ptr_null(strstr(script, "with labels"));
    ck_assert_ptr_null(strstr(script, "set ytics ("));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("draw_confusion");
    testing_add(suite, "scripts", 20, (const TTest *const[]){
        rows_are_true_and_columns_predicted_classes, every_name_can_be_drawn,
        many_classes_have_numbers_and_no_texts, NULL});
    return scratch_main(suite);
}

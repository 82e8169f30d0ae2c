/* tests/check_names.c -- a program may use any name that slope.h does not declare.
 *
 * This program defines functions under names that a reader of the course might choose, and that
 * the library's internals might have used. A linker prefers the program's functions without a
 * warning, so the tests check both: that the program calls its own functions, and that the
 * library's results are still right.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "slope.h"
#include "tests/scratch.h"
#include "tests/testing.h"

enum { N = 4 };

static const real xs[N] = {-2, -1, 1, 2};

/* --- the program's own functions -------------------------------------------------------------- */

/* Each computes something that no function of the library computes, so the library's results
 * would be wrong if it called one of them. */
#define OWN_VOID(name)                                \
    void name(real *y, const real *x, real a, int n); \
    void name(real *y, const real *x, real a, int n)  \
    {                                                 \
        for (int i = 0; i < n; i++)                   \
            y[i] = 10 * x[i] + a;                     \
    }
#define OWN_INT(name)                    \
    int name(const char *text);          \
    int name(const char *text)           \
    {                                    \
        return (int)strlen(text) + 1000; \
    }

OWN_VOID(prelu_forward) OWN_VOID(prelu_backward) OWN_VOID(softmax_forward)
OWN_VOID(log_softmax_forward) OWN_VOID(linear_forward) OWN_VOID(conv2d_forward)
OWN_VOID(conv2d_grad_input) OWN_VOID(conv2d_grad_weight) OWN_VOID(max_pool2d_forward)
OWN_VOID(batch_norm_forward) OWN_VOID(batch_norm_backward) OWN_VOID(cross_entropy_forward)
OWN_VOID(cross_entropy_backward) OWN_VOID(gemm) OWN_VOID(reduce_sum) OWN_VOID(reduce_max)
OWN_VOID(relu) OWN_VOID(matmul) OWN_VOID(evaluate) OWN_VOID(scope_open) OWN_VOID(pool_take)
OWN_VOID(pool_give)

OWN_INT(json_string) OWN_INT(json_number) OWN_INT(utf8_length) OWN_INT(stream_open)
OWN_INT(stream_read) OWN_INT(search_file) OWN_INT(durable_open) OWN_INT(csv_text_next)
OWN_INT(clock_seconds) OWN_INT(count_correct)

typedef void (*OwnVoid)(real *, const real *, real, int);
typedef int (*OwnInt)(const char *);

START_TEST(the_program_gets_its_own_functions)
{
    static const OwnVoid voids[] = {
        prelu_forward, prelu_backward, softmax_forward, log_softmax_forward, linear_forward,
        conv2d_forward, conv2d_grad_input, conv2d_grad_weight, max_pool2d_forward,
        batch_norm_forward, batch_norm_backward, cross_entropy_forward, cross_entropy_backward,
        gemm, reduce_sum, reduce_max, relu, matmul, evaluate, scope_open, pool_take, pool_give};
    static const OwnInt ints[] = {json_string, json_number, utf8_length, stream_open, stream_read,
                                  search_file, durable_open, csv_text_next, clock_seconds,
                                  count_correct};
    for (size_t i = 0; i < sizeof voids / sizeof *voids; i++) {
        real y[N] = {0};
        voids[i](y, xs, 3, N);
        for (int k = 0; k < N; k++)
            ck_assert_close(y[k], 10 * xs[k] + 3, 0);
    }
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        ck_assert_int_eq(ints[i]("abc"), 1003);
}
END_TEST

/* --- the library's answers -------------------------------------------------------------------- */

START_TEST(prelu_and_sums_are_the_librarys)
{
    Var *x = var_leaf_from(SHAPE(N), xs), *a = var_leaf_from(SHAPE(1), (real[]){(real)0.25});
    Var *y = var_prelu(x, a);
    var_backward(var_sum(y, ALL_AXES, false));
    ck_assert_tensor(y->value, SHAPE(N), 0, -0.5, -0.25, 1, 2);
    ck_assert_tensor(x->grad, SHAPE(N), 0, 0.25, 0.25, 1, 1);
    ck_assert_tensor(a->grad, SHAPE(1), 0, -3);
    ck_assert_tensor(var_max(x, ALL_AXES, false)->value, SHAPE_SCALAR, 0, 2);
    tape_rewind(0);
}
END_TEST

START_TEST(products_and_convolutions_are_the_librarys)
{
    Var *m = var_leaf_from(SHAPE(2, 2), (real[]){1, 2, 3, 4});
    ck_assert_tensor(var_matmul(m, m)->value, SHAPE(2, 2), 0, 7, 10, 15, 22);
    Var *image = var_reshape(m, SHAPE(1, 1, 2, 2));
    Var *kernel = var_leaf_from(SHAPE(1, 1, 1, 2), (real[]){1, -1});
    Var *y = var_conv2d(image, kernel, NULL, CONV2D_DEFAULTS);
    ck_assert_tensor(y->value, SHAPE(1, 1, 2, 1), 0, -1, -1);
    var_backward(var_sum(y, ALL_AXES, false));
    ck_assert_tensor(m->grad, SHAPE(2, 2), 0, 1, -1, 1, -1);
    ck_assert_tensor(kernel->grad, SHAPE(1, 1, 1, 2), 0, 4, 6);
    Var *top = var_max_pool2d(image, (Pool2dOptions){.kernel = {2, 2}});
    ck_assert_tensor(top->value, SHAPE(1, 1, 1, 1), 0, 4);
    tape_rewind(0);
}
END_TEST

START_TEST(softmax_and_losses_are_the_librarys)
{
    Var *x = var_leaf_from(SHAPE(1, 2), (real[]){0, 0});
    Labels label = {.data = (int32_t[]){1}, .count = 1};
    ck_assert_tensor(var_softmax(x, 1)->value, SHAPE(1, 2), 1e-6, 0.5, 0.5);
    ck_assert_tensor(var_log_softmax(x, 1)->value, SHAPE(1, 2), 1e-6, -M_LN2, -M_LN2);
    Var *loss = var_cross_entropy(x, &label);
    var_backward(loss);
    ck_assert_close(var_item(loss), M_LN2, 1e-6);
    ck_assert_tensor(x->grad, SHAPE(1, 2), 1e-6, 0.5, -0.5);
    tape_rewind(0);
}
END_TEST

START_TEST(files_are_the_librarys)
{
    Error err = {0};
    Module *net = SEQUENTIAL(linear_new(2, 2), batch_norm1d_new(2), prelu_new(2, (real)0.25));
    const char *path = scratch_path("net.safetensors");
    ck_assert_msg(module_save(net, path, &err), "%s", err.problem);
    ck_assert_msg(module_load(net, path, &err), "%s", err.problem);
    module_free(net);
    ck_assert_ptr_null(fashion_mnist_load(scratch_folder, true, &err));
    ck_assert_str_ne(err.problem, "");
    const char *table = "1.5,0\n2.5,1\n";
    Dataset *data = csv_parse((const uint8_t *)table, strlen(table), "table",
                              (CsvOptions){.label_column = -1, .classes = 2}, &err);
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(data->count, 2);
    dataset_free(data);
}
END_TEST

START_TEST(training_is_the_librarys)
{
    random_seed(0);
    Dataset *data = spirals_new(64, 2, 0, 1);
    Loader *loader = loader_new(data, (LoaderOptions){.batch = 16});
    Module *net = SEQUENTIAL(linear_new(2, 8), prelu_new(8, (real)0.25), linear_new(8, 2));
    Evaluation e = trainer_evaluate(net, loss_cross_entropy, loader, NULL);
    ck_assert(e.loss > 0.1 && e.loss < 10);
    ck_assert(e.accuracy >= 0 && e.accuracy <= 1);
    ck_assert(slope_seconds() > 0);
    module_free(net), loader_free(loader), dataset_free(data);
}
END_TEST

int main(void)
{
    const TTest *const own[] = {the_program_gets_its_own_functions, NULL};
    const TTest *const library[] = {
        prelu_and_sums_are_the_librarys, products_and_convolutions_are_the_librarys,
        softmax_and_losses_are_the_librarys, files_are_the_librarys, training_is_the_librarys,
        NULL};
    Suite *suite = suite_create("names");
    testing_add(suite, "the program's", 4, own);
    testing_add(suite, "the library's", 20, library);
    return scratch_main(suite);
}

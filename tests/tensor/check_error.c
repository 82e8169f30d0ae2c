/* tests/tensor/check_error.c -- misuse stops with a sentence; other failures return an Error.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/error.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/capture.h"
#include "tests/testing.h"

/* --- slope_fail ------------------------------------------------------------------------------- */

/* The sentence is expected here and would only clutter the report. */
static void error_hush(void)
{
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
}

START_TEST(without_a_handler_a_failure_aborts)
{
    error_hush();
    slope_fail("the_function", "expected %d, found %s", 3, "four");
}
END_TEST

START_TEST(a_long_name_is_cut)
{
    char name[3000];
    memset(name, 'f', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_fails((slope_fail(name, "expected %d", 3), 0), "slope: fffff");
    ck_assert_uint_eq(strlen(testing_sentence), sizeof testing_sentence - 1);
}
END_TEST

static void handler_that_returns(const char *sentence, void *ctx)
{
    (void)sentence, (void)ctx;
}

START_TEST(a_handler_that_returns_is_not_believed)
{
    error_hush();
    slope_on_fail(handler_that_returns, NULL);
    slope_fail("f", "anything");
}
END_TEST

START_TEST(a_warning_is_printed_once)
{
    static atomic_bool warned;
    capture_begin();
    for (int i = 0; i < 3; i++)
        slope_warn_once(&warned, "the_function", "%d things were forgotten", i + 7);
    ck_assert_str_eq(capture_end(), "slope: the_function: warning: 7 things were forgotten\n");
}
END_TEST

/* Asserts what a child process writes to stderr before SIGABRT terminates it. */
static void abort_says(FailHandler handler, const char *expected)
{
    int pipe_ends[2], status = 0;
    char said[4096] = {0};
    ck_assert_int_eq(pipe(pipe_ends), 0);
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(pipe_ends[1], STDERR_FILENO);
        slope_on_fail(handler, NULL);
        slope_fail("the_function", "expected %d, found %s", 3, "four");
    }
    close(pipe_ends[1]);
    for (size_t n = 0; n < sizeof said - 1;) {
        ssize_t more = read(pipe_ends[0], said + n, sizeof said - 1 - n);
        if (more <= 0)
            break;
        n += (size_t)more;
    }
    close(pipe_ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    char *of_emulator = strstr(said, "qemu: uncaught target signal");
    if (of_emulator)
        *of_emulator = '\0';
    ck_assert_str_eq(said, expected);
}

START_TEST(the_sentence_goes_to_stderr)
{
    abort_says(NULL, "slope: the_function: expected 3, found four\n");
    abort_says(handler_that_returns,
               "slope: the_function: expected 3, found four\n"
               "slope: the fail handler returned; it must abort or longjmp\n");
}
END_TEST

/* --- the handler ------------------------------------------------------------------------------ */

typedef struct Caught {
    jmp_buf back;
    char    sentence[4096];
} Caught;

static void catch_handler(const char *sentence, void *ctx)
{
    Caught *caught = ctx;
    snprintf(caught->sentence, sizeof caught->sentence, "%s", sentence);
    longjmp(caught->back, 1);
}

/* The sentence of a failure with this text. */
static const char *caught_sentence(Caught *caught, const char *text)
{
    slope_on_fail(catch_handler, caught);
    if (setjmp(caught->back) == 0)
        slope_fail("f", "%s", text);
    slope_on_fail(NULL, NULL);
    return caught->sentence;
}

START_TEST(a_handler_gets_the_sentence_and_its_context)
{
    static Caught caught;
    ck_assert_str_eq(caught_sentence(&caught, "too bad"), "slope: f: too bad");
    ck_assert_str_eq(caught_sentence(&caught, "100% sure"), "slope: f: 100% sure");
    ck_assert_str_eq(caught_sentence(&caught, ""), "slope: f: ");
}
END_TEST

START_TEST(a_sentence_that_is_too_long_is_cut)
{
    static Caught caught;
    static char text[5000];
    memset(text, 'x', sizeof text - 1);
    const char *sentence = caught_sentence(&caught, text);
    ck_assert_uint_eq(strlen(sentence), 2047);
    ck_assert_int_eq(sentence[2046], 'x');
}
END_TEST

static void *fail_in_a_thread(void *ctx)
{
    static Caught own;
    (void)ctx;
    return (void *)(size_t)(strcmp(caught_sentence(&own, "elsewhere"), "slope: f: elsewhere") == 0);
}

/* Setting and removing a handler in another thread leaves this thread's in place. */
START_TEST(a_handler_belongs_to_its_thread)
{
    static Caught caught;
    pthread_t thread;
    void *right = NULL;
    slope_on_fail(catch_handler, &caught);
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_in_a_thread, NULL), 0);
    pthread_join(thread, &right);
    ck_assert_ptr_nonnull(right);
    if (setjmp(caught.back) == 0)
        slope_fail("f", "here");
    slope_on_fail(NULL, NULL);
    ck_assert_str_eq(caught.sentence, "slope: f: here");
}
END_TEST

/* --- errors as values ------------------------------------------------------------------------- */

static void prints(const Error *err, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    error_print(out, err);
    fclose(out);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(an_error_prints_as_a_sentence)
{
    Error err;
    ck_assert(!error_set(&err, "a.idx", -1, "the file is %s", "missing"));
    prints(&err, "a.idx: the file is missing\n");
    error_set(&err, "a.idx", 0, "wrong magic");
    prints(&err, "a.idx: at byte 0: wrong magic\n");
    ck_assert(!error_expected(&err, "0x803", "0x%x", 0x804u));
    prints(&err, "a.idx: at byte 0: wrong magic; expected 0x803, found 0x804\n");
    ck_assert(!error_hint(&err, "is it gzip%s?", "ped"));
    prints(&err, "a.idx: at byte 0: wrong magic; expected 0x803, found 0x804\n"
                 "  is it gzipped?\n");
}
END_TEST

START_TEST(setting_an_error_clears_the_last_one)
{
    Error err;
    memset(&err, 'x', sizeof err);
    error_set(&err, "b", (int64_t)1 << 40, "cut short");
    prints(&err, "b: at byte 1099511627776: cut short\n");
    error_expected(&err, "more", "less");
    error_hint(&err, "hint");
    error_set(&err, "c", -1, "gone");
    prints(&err, "c: gone\n");
    ck_assert_str_eq(err.expected, "");
    ck_assert_str_eq(err.found, "");
    ck_assert_str_eq(err.hint, "");
}
END_TEST

START_TEST(nobody_needs_to_take_an_error)
{
    ck_assert(!error_set(NULL, "a", 0, "b"));
    ck_assert(!error_expected(NULL, "a", "b"));
    ck_assert(!error_hint(NULL, "a"));
}
END_TEST

START_TEST(texts_that_do_not_fit_are_cut)
{
    static char text[3000];
    Error err;
    memset(text, 'y', sizeof text - 1);
    error_set(&err, text, 7, "%s", text);
    error_expected(&err, text, "%s", text);
    error_hint(&err, "%s", text);
    ck_assert_uint_eq(strlen(err.file), sizeof err.file - 1);
    ck_assert_uint_eq(strlen(err.problem), sizeof err.problem - 1);
    ck_assert_uint_eq(strlen(err.expected), sizeof err.expected - 1);
    ck_assert_uint_eq(strlen(err.found), sizeof err.found - 1);
    ck_assert_uint_eq(strlen(err.hint), sizeof err.hint - 1);
    ck_assert_int_eq(err.offset, 7);
}
END_TEST

/* Without forking (CK_FORK=no) a SIGABRT would terminate the whole program. */
static bool error_tests_fork(void)
{
    const char *fork_wanted = getenv("CK_FORK");
    return !fork_wanted || strcmp(fork_wanted, "no") != 0;
}

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *aborts = tcase_create("aborting");
    if (error_tests_fork()) {
        tcase_add_test_raise_signal(aborts, without_a_handler_a_failure_aborts, SIGABRT);
        tcase_add_test_raise_signal(aborts, a_handler_that_returns_is_not_believed, SIGABRT);
    }
    tcase_add_test(aborts, the_sentence_goes_to_stderr);
    suite_add_tcase(suite, aborts);
    testing_add(suite, "handler", 4, (const TTest *const[]){
        a_handler_gets_the_sentence_and_its_context, a_sentence_that_is_too_long_is_cut,
        a_long_name_is_cut, a_handler_belongs_to_its_thread, a_warning_is_printed_once, NULL});
    testing_add(suite, "values", 4, (const TTest *const[]){
        an_error_prints_as_a_sentence, setting_an_error_clears_the_last_one,
        nobody_needs_to_take_an_error, texts_that_do_not_fit_are_cut, NULL});
    return testing_main(suite);
}

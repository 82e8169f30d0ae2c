/* tests/tensor/check_processor.c -- a program built for a newer processor stops before main. Here
 * the processor is simulated; .ci/run also starts a test on an emulated older processor.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *pretended_lack __attribute__((unused)) = "";
#define __builtin_cpu_supports(name) (strcmp(name, pretended_lack) != 0)
#if defined(__x86_64__)
#include <cpuid.h>
#undef __cpuid
static unsigned pretended_bits; /* those that CPUID leaves out of ECX */
#define __cpuid(leaf, a, b, c, d) (a = ~0u, c = ~pretended_bits, (void)&b, (void)&d)
#endif
#include "tensor/processor.c"

#include "tests/capture.h"
#include "tests/testing.h"

#if defined(__x86_64__)

/* Asserts that the lack of `name` is reported if and only if the build may use it. */
static void assert_lack(const char *name, bool used)
{
    pretended_lack = name;
    const char *found = processor_lacks();
    ck_assert_msg(found ? used && strcmp(found, name) == 0 : !used,
                  "without %s, which the build %s, it reports %s", name,
                  used ? "may use" : "does not use", found ? found : "nothing");
}

START_TEST(only_instructions_that_the_build_uses_are_required)
{
    assert_lack("", false);
    assert_lack("sse2", true); /* every x86-64 build uses it */
#ifdef __AVX2__
    assert_lack("avx2", true);
#else
    assert_lack("avx2", false);
#endif
#ifdef __AVX512F__
    assert_lack("avx512f", true);
#else
    assert_lack("avx512f", false);
#endif
    pretended_bits = 1u << 5;
#ifdef __LZCNT__
    assert_lack("lzcnt", true);
#else
    assert_lack("lzcnt", false);
#endif
    pretended_bits = 1u << 29;
#ifdef __F16C__
    assert_lack("f16c", true);
#else
    assert_lack("f16c", false);
#endif
}
END_TEST

START_TEST(the_program_stops_with_one_message)
{
    int status = 0;
    capture_begin();
    pid_t child = fork();
    if (child == 0) {
        pretended_lack = "sse2", pretended_bits = 0; /* without forks, the first test has set it */
        processor_check();
        _exit(0);
    }
    waitpid(child, &status, 0);
    ck_assert_str_eq(capture_end(),
                     "slope: this library was built for a processor with sse2, which this one "
                     "lacks; build it again on this machine (make), or for any processor "
                     "(make ARCH=)\n");
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 2);
}
END_TEST

#endif

int main(void)
{
    Suite *suite = suite_create("processor");
    testing_add(suite, "x86", 10, (const TTest *const[]){
#if defined(__x86_64__)
        only_instructions_that_the_build_uses_are_required, the_program_stops_with_one_message,
#endif
        NULL});
    return testing_main(suite);
}

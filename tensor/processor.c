/* tensor/processor.c -- stops a program with a message if it was built for a newer processor.
 *
 *  - Without this check, the first instruction that the processor lacks kills the program (SIGILL).
 *    That happens when a library compiled with ARCH=native is used on another machine.
 *  - It runs before main. tensor/real.c, which every program links, refers to this file.
 *  - It knows x86 only.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

extern const char slope_processor_checked;
const char slope_processor_checked = 1;

#if defined(__x86_64__) || defined(__i386__)

/* The compiler defines `macro` as 1 if it may use the instructions that it calls `name`. The text
 * of a macro that is not defined is its own name. */
#define PROCESSOR_TEXT(macro)  PROCESSOR_TEXT_(macro)
#define PROCESSOR_TEXT_(macro) #macro
#define PROCESSOR_NEEDS(macro, name)                                                               \
    do {                                                                                           \
        if (PROCESSOR_TEXT(macro)[0] == '1' && !__builtin_cpu_supports(name))                      \
            return name;                                                                           \
    } while (0)

/* Returns the name of instructions that the build may use and this processor lacks, or NULL. The
 * list holds those that compilers generate from ordinary C. This function and the next must
 * themselves run on every processor; for a chain of tests of one bit each, a compiler has no use
 * for newer instructions. */
static const char *processor_lacks(void)
{
    PROCESSOR_NEEDS(__AVX512F__, "avx512f");
    PROCESSOR_NEEDS(__AVX512VL__, "avx512vl");
    PROCESSOR_NEEDS(__AVX512DQ__, "avx512dq");
    PROCESSOR_NEEDS(__AVX512BW__, "avx512bw");
    PROCESSOR_NEEDS(__AVX512CD__, "avx512cd");
    PROCESSOR_NEEDS(__AVX512VBMI__, "avx512vbmi");
    PROCESSOR_NEEDS(__AVX2__, "avx2");
    PROCESSOR_NEEDS(__BMI2__, "bmi2");
    PROCESSOR_NEEDS(__BMI__, "bmi");
    PROCESSOR_NEEDS(__FMA__, "fma");
    PROCESSOR_NEEDS(__FMA4__, "fma4");
    PROCESSOR_NEEDS(__XOP__, "xop");
    PROCESSOR_NEEDS(__AVX__, "avx");
    PROCESSOR_NEEDS(__POPCNT__, "popcnt");
    PROCESSOR_NEEDS(__SSE4_2__, "sse4.2");
    PROCESSOR_NEEDS(__SSE4_1__, "sse4.1");
    PROCESSOR_NEEDS(__SSSE3__, "ssse3");
    PROCESSOR_NEEDS(__SSE3__, "sse3");
    PROCESSOR_NEEDS(__SSE2__, "sse2");
    return NULL;
}

__attribute__((constructor)) static void processor_check(void)
{
    __builtin_cpu_init();
    const char *lacking = processor_lacks();
    if (!lacking)
        return;
    fprintf(stderr,
            "slope: this library was built for a processor with %s, which this one lacks; "
            "build it again on this machine (make), or for any processor (make ARCH=)\n",
            lacking);
    _Exit(2);
}

#endif

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

#include <cpuid.h>

/* What runs before the check is complete must itself run on every processor, whatever ARCH is. */
#define PROCESSOR_ANY                                                                              \
    __attribute__((target("no-sse3,no-popcnt,no-lzcnt,no-bmi,no-bmi2,no-movbe")))

/* Is this bit set in the register ECX that CPUID returns for the leaf? Only for instructions that
 * not every compiler's __builtin_cpu_supports knows. */
PROCESSOR_ANY static int processor_has_bit(unsigned leaf, int bit)
{
    unsigned eax, ebx, ecx, edx;
    __cpuid(leaf & 0x80000000, eax, ebx, ecx, edx); /* eax: the last leaf of this range */
    if (eax < leaf)
        return 0;
    __cpuid(leaf, eax, ebx, ecx, edx);
    return ecx >> bit & 1;
}

/* The compiler defines `macro` as 1 if it may use the instructions that it calls `name`. The text
 * of a macro that is not defined is its own name. */
#define PROCESSOR_TEXT(macro)  PROCESSOR_TEXT_(macro)
#define PROCESSOR_TEXT_(macro) #macro
#define PROCESSOR_NEEDS_IF(macro, name, has)                                                       \
    do {                                                                                           \
        if (PROCESSOR_TEXT(macro)[0] == '1' && !(has))                                             \
            return name;                                                                           \
    } while (0)
#define PROCESSOR_NEEDS(macro, name) PROCESSOR_NEEDS_IF(macro, name, __builtin_cpu_supports(name))

/* Returns the name of instructions that the build may use and this processor lacks, or NULL. The
 * list holds those that compilers generate from ordinary C. A processor without lzcnt does not stop
 * at it, but computes something else. */
PROCESSOR_ANY static const char *processor_lacks(void)
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
    PROCESSOR_NEEDS_IF(__F16C__, "f16c", processor_has_bit(1, 29));
    PROCESSOR_NEEDS_IF(__MOVBE__, "movbe", processor_has_bit(1, 22));
    PROCESSOR_NEEDS_IF(__LZCNT__, "lzcnt", processor_has_bit(0x80000001, 5));
    PROCESSOR_NEEDS(__POPCNT__, "popcnt");
    PROCESSOR_NEEDS(__SSE4_2__, "sse4.2");
    PROCESSOR_NEEDS(__SSE4_1__, "sse4.1");
    PROCESSOR_NEEDS(__SSSE3__, "ssse3");
    PROCESSOR_NEEDS(__SSE3__, "sse3");
    PROCESSOR_NEEDS(__SSE2__, "sse2");
    return NULL;
}

__attribute__((constructor)) PROCESSOR_ANY static void processor_check(void)
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

/* lessons/assignments/a7_matmul/tests.c -- what the product must do and how fast it must be;
 * points.txt assigns the points.
 *
 * Elements are uniform in -1 ... 1, so a sum of K products may be wrong by about one rounding error
 * per term, in whatever order the terms are added.
 *
 * Speed is CPU time, read by the judge, compared with that of two solvers of the assignment's own
 * (solvers/), which take turns with the submission: what slows down one slows down the others.
 * The least time of each counts, and what the submission does between two calls as part of the
 * next. Each call brings inputs that did not exist before, and its answer is compared, so no
 * product can be left out or computed before the clock is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "matmul.h"

#include <float.h>
#include <math.h>

#include "lessons/assignments/judge/judge.h"

/* Elements before and after C, as in services.c, and what they hold. */
enum { GUARD = 4096, GUARD_HOLDS = 77 };

/* --- the definition --------------------------------------------------------------------------- */

typedef enum Fault { NO_FAULT, B_TRANSPOSED, A_TRANSPOSED, ADDED, ZEROS_SKIPPED, FAULTS } Fault;

static const char *const fault_hint[FAULTS] = {
    [B_TRANSPOSED] = "B is read as if it were transposed: element (k, j) is B[k * N + j]",
    [A_TRANSPOSED] = "A is read as if it were transposed: element (i, k) is A[i * K + k]",
    [ADDED] = "the product is added to what C held: C must be overwritten",
    [ZEROS_SKIPPED] = "terms with a factor 0 are skipped, but 0 times NaN or infinity is NaN",
};

typedef struct Product {
    Var      *A, *B; /* (M,K), (K,N) */
    ptrdiff_t M, N, K;
    double    fill; /* what C holds before */
    bool      ends; /* memory ends after A, B and C */
} Product;

static double term(const Product *p, Fault fault, ptrdiff_t i, ptrdiff_t j, ptrdiff_t k)
{
    const real *A = tensor_read(p->A->value), *B = tensor_read(p->B->value);
    double a = (double)A[fault == A_TRANSPOSED ? k * p->M + i : i * p->K + k];
    double b = (double)B[fault == B_TRANSPOSED ? j * p->K + k : k * p->N + j];
    return fault == ZEROS_SKIPPED && (a == 0 || b == 0) ? 0 : a * b;
}

/* C as the definition says, or as it is with a fault. */
static Var *defined(const Product *p, Fault fault)
{
    Var *C = var_empty(SHAPE(p->M, p->N));
    real *to = tensor_write(C->value);
    for (ptrdiff_t i = 0; i < p->M; i++)
        for (ptrdiff_t j = 0; j < p->N; j++) {
            double sum = fault == ADDED ? p->fill : 0;
            for (ptrdiff_t k = 0; k < p->K; k++)
                sum += term(p, fault, i, j, k);
            *to++ = (real)sum;
        }
    return C;
}

/* --- asking and comparing --------------------------------------------------------------------- */

static Product product(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K)
{
    return (Product){judge_input(SHAPE(M, K), -1, 1), judge_input(SHAPE(K, N), -1, 1), M, N, K,
                     0, false};
}

/* C with the elements around it. */
static Var *ask(const Product *p)
{
    judge_suspect(p->M * p->N * p->K == 0 ? "are sizes of 0 handled?"
                  : p->ends ? "it reads or writes beyond the last element of A, B or C, say in a "
                              "micro-tile at the edge; or it needs aligned addresses; or the "
                              "packed blocks are too small: try -fsanitize=address"
                            : "are the packed blocks large enough (try -fsanitize=address)? Do all "
                              "loops end?");
    Var *room = judge_ask("product", VARS(p->A, p->B), NUMBERS(p->fill, p->ends, GUARD_HOLDS));
    ptrdiff_t n = GUARD + p->M * p->N + (p->ends ? 0 : GUARD);
    if (!room || !shape_equal(var_shape(room), SHAPE(n)))
        judge_fail("", "C was not computed");
    return room;
}

static double element(const Var *x, ptrdiff_t i)
{
    return (double)tensor_read(x->value)[i];
}

static bool is_off(double x, double expected, double bound)
{
    return isnan(expected) ? !isnan(x) : x != expected && !(fabs(x - expected) <= bound);
}

static bool is_within(const Var *C, const Var *expected, double bound)
{
    for (ptrdiff_t i = 0; i < tensor_count(C->value); i++)
        if (is_off(element(C, i), element(expected, i), bound))
            return false;
    return true;
}

/* The first wrong element that still holds its initial value; -1 if there is none. */
static ptrdiff_t unwritten(const Product *p, const Var *C, const Var *expected, double bound)
{
    for (ptrdiff_t i = 0; i < p->M * p->N; i++) {
        double x = element(C, i);
        if ((x == p->fill || (isnan(x) && isnan(p->fill))) &&
            is_off(x, element(expected, i), bound))
            return i;
    }
    return -1;
}

/* Are all elements around C untouched? */
static bool is_kept(const Product *p, const Var *room)
{
    for (ptrdiff_t i = 0; i < tensor_count(room->value); i++)
        if ((i < GUARD || i >= GUARD + p->M * p->N) && element(room, i) != GUARD_HOLDS)
            return false;
    return true;
}

/* If the first and the last element of C are sums from some k on, that k; otherwise 0. */
static ptrdiff_t missing_terms(const Product *p, const Var *C)
{
    double first = 0, last = 0;
    for (ptrdiff_t k = p->K - 1; k > 0; k--) {
        first += term(p, NO_FAULT, 0, 0, k);
        last += term(p, NO_FAULT, p->M - 1, p->N - 1, k);
        if (fabs(element(C, 0) - first) < 1e-9 &&
            fabs(element(C, p->M * p->N - 1) - last) < 1e-9)
            return k;
    }
    return 0;
}

static const char *unwritten_hint(const Product *p, ptrdiff_t i)
{
    static char text[192];
    int n = snprintf(text, sizeof text, "element (%td, %td) of C still holds %g: it was never "
                     "written", i / p->N, i % p->N, p->fill);
    snprintf(text + n, sizeof text - (size_t)n, "%s. Do the loops reach it? Are the distances "
             "between rows and between micro-panels right?",
             p->fill == 0 ? ", or was computed from zeros" : "");
    return text;
}

static const char *const tile_hint =
    "a micro-tile at the edge of C is written as a whole: write only the part that lies in C";

/* What is wrong with C, if none of the faults explains it. */
static const char *compare_hint(const Product *p, const Var *room, const Var *C,
                                const Var *expected, double bound)
{
    static char text[128];
    ptrdiff_t k = missing_terms(p, C);
    snprintf(text, sizeof text, "only the terms from k = %td on are in C: add to what the "
             "earlier blocks of k have stored", k);
    if (is_within(C, expected, (double)(p->K + 2) * 1e-6))
        return "right to about seven digits, as if added in float: use real";
    if (k > 0)
        return text;
    if (!is_kept(p, room))
        return tile_hint;
    ptrdiff_t i = unwritten(p, C, expected, bound);
    return i >= 0 ? unwritten_hint(p, i) : "";
}

static void compare(const Product *p, Var *room)
{
    char what[128];
    Var *C = var_contiguous(var_reshape(var_slice(room, 0, GUARD, GUARD + p->M * p->N, 1),
                                        SHAPE(p->M, p->N)));
    Var *expected = defined(p, NO_FAULT);
    double bound = (double)(p->K + 2) * DBL_EPSILON;
    Mistake mistake[FAULTS];
    int n = 0;
    bool within = is_within(C, expected, bound);
    for (int f = 1; !within && f < FAULTS; f++)
        mistake[n++] = (Mistake){defined(p, (Fault)f), p->K == 0 ? "a sum of no terms is 0: for "
                                 "K = 0, fill C with zeros" : fault_hint[f]};
    const char *hint = within ? "" : compare_hint(p, room, C, expected, bound);
    if (hint[0])
        mistake[n++] = (Mistake){C, hint};
    snprintf(what, sizeof what, "C (%td,%td) = A (%td,%td) B (%td,%td)", p->M, p->N, p->M, p->K,
             p->K, p->N);
    judge_compare(what, C, expected, (Tolerance){.absolute = bound}, mistake, n);
}

static void check(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K)
{
    Product p = product(M, N, K);
    compare(&p, ask(&p));
}

/* --- 1. the product --------------------------------------------------------------------------- */

START_TEST(product_small)
{
    for (ptrdiff_t n = 1; n <= 4; n++)
        check(n, n, n);
}
END_TEST

START_TEST(product_square)
{
    check(48, 48, 48);
    check(96, 144, 48);
}
END_TEST

START_TEST(product_primes)
{
    check(7, 11, 13);
    check(31, 37, 41);
    check(59, 53, 61);
    check(101, 97, 103);
}
END_TEST

START_TEST(product_thin)
{
    check(1, 67, 45);
    check(67, 1, 45);
    check(1, 1, 143);
    check(50, 40, 1);
    check(2, 66, 3);
}
END_TEST

START_TEST(product_long)
{
    check(5, 7, 1500);
    check(5, 1700, 7);
    check(1300, 5, 7);
    check(48, 48, 576);
}
END_TEST

START_TEST(product_dirty)
{
    const double held[] = {1000, (double)NAN, (double)INFINITY};
    for (int i = 0; i < 3; i++) {
        Product p = product(48, 48, i == 0 ? 48 : 480);
        p.fill = held[i];
        compare(&p, ask(&p));
    }
}
END_TEST

/* C holds zeros before the call, except where K is 0. Another test checks that C is overwritten. */
START_TEST(product_empty)
{
    const ptrdiff_t size[][3] = {{4, 4, 4}, {0, 4, 4}, {4, 0, 4}, {0, 0, 0}, {4, 4, 0}};
    for (int i = 0; i < 5; i++) {
        Product p = product(size[i][0], size[i][1], size[i][2]);
        p.fill = p.K == 0 ? 7 : 0;
        compare(&p, ask(&p));
    }
}
END_TEST

static void check_inputs(const Product *p)
{
    const Var *before[] = {p->A, p->B};
    for (int k = 0; k < 2; k++) {
        Var *after = judge_answer_var(1 + k);
        ptrdiff_t n = tensor_count(before[k]->value);
        if (!after || !shape_equal(var_shape(after), SHAPE(n)))
            judge_fail("", "an input is missing");
        for (ptrdiff_t i = 0; i < n; i++)
            if (element(after, i) != element(before[k], i))
                judge_fail("A and B are const", "element %td of %c was changed", i, "AB"[k]);
    }
}

/* The product is compared last: a wrong one costs this test its points, too, because a submission
 * that touches nothing at all must not pass. */
START_TEST(product_bounds)
{
    const ptrdiff_t size[][3] = {{48, 48, 48}, {23, 29, 31}, {1, 3, 2}, {97, 7, 300}};
    for (int i = 0; i < 8; i++) {
        Product p = product(size[i / 2][0], size[i / 2][1], size[i / 2][2]);
        p.ends = i % 2 == 1;
        Var *room = ask(&p);
        if (!is_kept(&p, room))
            judge_fail(tile_hint, "elements before or after C (%td,%td) were overwritten", p.M,
                       p.N);
        check_inputs(&p);
        compare(&p, room);
    }
}
END_TEST

/* --- 2. speed --------------------------------------------------------------------------------- */

typedef enum SpeedOf { PLAIN, LIBRARY, OWN, SPEEDS } SpeedOf;

/* The least CPU time of each solver for a layer: prelu(A Z) with A (M,M) and Z (M,N). */
typedef struct Speed {
    ptrdiff_t M, N;
    bool      measured;
    double    seconds[SPEEDS];
} Speed;

/* In each turn the solvers get the same A and X, and alternate in computing layers until they have
 * used this time, or have computed this many. */
enum { SPEED_TURNS = 6, SPEED_LAYERS = 12 };
static const double speed_seconds = 0.02, speed_slope = 0.25;

static void speed_ask(SpeedOf which, const char *service, Var *const *in, int n)
{
    static const char *const name[] = {"plain", "library", NULL};
    judge_use_solver(name[which]);
    judge_suspect("is it much slower than the plain loop? Are the packed blocks large enough "
                  "(try -fsanitize=address)?");
    judge_ask(service, in, n, NUMBERS(speed_slope));
}

/* r prelu(A Z) s, with row i of Z = d[i] times row i of X. */
static double speed_expected(Var *A, Var *X, Var *const drs[3])
{
    Var *Z = var_mul(X, var_reshape(drs[0], SHAPE(var_shape(X).dim[0], 1)));
    Var *Y = var_prelu(var_matmul(A, Z), var_full(SHAPE(1), (real)speed_slope));
    return element(var_dot(var_reshape(var_matmul(drs[1], Y), var_shape(drs[2])), drs[2]), 0);
}

static void speed_compare(double expected)
{
    const Message *answer = judge_answer();
    if (answer->numbers != 1 ||
        !(fabs(answer->number[0] - expected) <= 1e-9 * (1 + fabs(expected))))
        judge_fail("see the tests of part 1: the speed of a wrong product does not count",
                   "the product was wrong");
}

/* Gives A and X to each solver. No product is computed here. A submission that computes while the
 * others are measured takes caches and memory from them: what it does before a layer counts as part
 * of that layer (judge_seconds), and what it does after its last one shows here. */
static void speed_begin(Var *A, Var *X)
{
    double used[SPEEDS];
    for (int i = 0; i < SPEEDS; i++) {
        speed_ask((SpeedOf)i, "begin", VARS(A, X));
        used[i] = judge_seconds();
    }
    if (used[OWN] > used[PLAIN] + speed_seconds)
        judge_fail("a submission may compute only while matmul is called",
                   "it used %.3f s between two calls of matmul", used[OWN]);
}

static void speed_turn(Speed *s)
{
    double used[SPEEDS] = {0};
    Var *A = judge_input(SHAPE(s->M, s->M), -1, 1), *X = judge_input(SHAPE(s->M, s->N), -1, 1);
    speed_begin(A, X);
    for (int layer = 0; layer < SPEED_LAYERS; layer++) {
        Var *drs[] = {judge_input(SHAPE(1, s->M), -1, 1), judge_input(SHAPE(1, s->M), -1, 1),
                      judge_input(SHAPE(1, s->N), -1, 1)};
        for (int i = 0; i < SPEEDS; i++) {
            if (used[i] >= speed_seconds)
                continue;
            speed_ask((SpeedOf)i, "layer", drs, 3);
            used[i] += judge_seconds();
            s->seconds[i] = fmin(s->seconds[i], judge_seconds());
            if (i == OWN)
                speed_compare(speed_expected(A, X, drs));
        }
    }
}

static void speed_measure(Speed *s)
{
    for (int i = 0; i < SPEEDS; i++)
        s->seconds[i] = (double)INFINITY;
    for (int turn = 0; turn < SPEED_TURNS; turn++) {
        size_t mark = tape_mark();
        speed_turn(s);
        tape_rewind(mark);
    }
    s->measured = true;
}

/* Fails unless the submission has at least `least` times the speed of another solver. The report
 * shows the ratio in either case, rounded down, so that one that is too small also reads so. */
static void check_speed(Speed *s, SpeedOf other, double least, const char *hint)
{
    char text[192];
    if (!s->measured)
        speed_measure(s);
    double speed = s->seconds[other] / s->seconds[OWN];
    double flops = 2 * (double)(s->M * s->M * s->N) * 1e-9;
    snprintf(text, sizeof text,
             "%.1f GF/s, %.2f times the speed of the %s (%.1f GF/s); expected at least %g times",
             flops / s->seconds[OWN], floor(speed * 100) / 100,
             other == PLAIN ? "plain loop" : "library", flops / s->seconds[other], least);
    if (!(speed >= least))
        judge_fail(hint, "%s", text);
    judge_note("%s", text);
}

/* With more than 256 rows the library packs its operands, too (tensor/kernels/gemm.c). */
static Speed speed_even = {.M = 288, .N = 288};

START_TEST(speed_loop)
{
    check_speed(&speed_even, PLAIN, 2,
                "make j the innermost loop, so that it runs along rows of B and C (hint 1)");
}
END_TEST

START_TEST(speed_tile)
{
    check_speed(&speed_even, LIBRARY, 0.45,
                "keep a micro-tile of C in registers while k runs (hints 3 and 4)");
}
END_TEST

START_TEST(speed_most)
{
    check_speed(&speed_even, LIBRARY, 0.75,
                "choose a micro-tile with a margin in (4) and (5), then pack (hints 4 to 8)");
}
END_TEST

#if __has_include("hidden.c")
#include "hidden.c" /* defines hidden_tests */
#else
static void hidden_tests(void) {}
#endif

void judge_tests(void)
{
    JUDGE_TEST(product_small);
    JUDGE_TEST(product_square);
    JUDGE_TEST(product_primes);
    JUDGE_TEST(product_thin);
    JUDGE_TEST(product_long);
    JUDGE_TEST(product_dirty);
    JUDGE_TEST(product_empty);
    JUDGE_TEST(product_bounds);
    JUDGE_TEST(speed_loop);
    JUDGE_TEST(speed_tile);
    JUDGE_TEST(speed_most);
    hidden_tests();
}

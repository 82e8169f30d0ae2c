/* tests/bench/gemm_steps/packed.c -- steps 5 to 7: packed operands, vectors, threads.
 *
 * The scheme is Goto and van de Geijn's, "Anatomy of high-performance matrix multiplication", 2008:
 *
 *   DEPTH rows of B are packed into slivers, COLUMNS wide:     b (n / COLUMNS, DEPTH, COLUMNS)
 *   HEIGHT rows of A into strips, `rows` high, on their side:  a (HEIGHT / rows, DEPTH, rows)
 *   a tile of C, rows x COLUMNS, takes DEPTH steps of the sum from one strip and one sliver.
 *
 * Every sliver meets all strips before the next one comes: it (32 KB of floats) stays in the first
 * cache meanwhile, and a (64 KB) in the second, whence a strip comes in time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tensor/memory.h"
#include "tensor/parallel.h"
#include "tests/bench/gemm_steps/steps.h"

enum { DEPTH = 256, HEIGHT = 64 };

/* b[s][k][j] = B[k0 + k][from + s COLUMNS + j], for the columns from … to-1 */
static void steps_pack_b(real *b, int n, const real *B, int k0, int from, int to)
{
    for (int j0 = from; j0 < to; j0 += COLUMNS)
        for (int k = 0; k < DEPTH; k++, b += COLUMNS)
            memcpy(b, B + (k0 + k) * n + j0, COLUMNS * sizeof(real));
}

/* a[s][k][i] = A[i0 + s rows + i][k0 + k] */
static inline void steps_pack_a(real *a, int rows, int n, const real *A, int i0, int k0)
{
    for (int s = 0; s < HEIGHT; s += rows, a += DEPTH * rows)
        for (int i = 0; i < rows; i++)
            for (int k = 0; k < DEPTH; k++)
                a[k * rows + i] = A[(i0 + s + i) * n + k0 + k];
}

/* C[i][j] += sum over k of a[k][i] b[k][j], a whole tile, in plain C. A function of its own: amid
 * the loops that call it compilers keep fewer of the sums in registers. */
__attribute__((noinline)) static void tile_plain(int n, const real *a, const real *b, real *C)
{
    real sum[ROWS][COLUMNS] = {{0}};
    for (int k = 0; k < DEPTH; k++)
        for (int j = 0; j < COLUMNS; j++)
            for (int i = 0; i < ROWS; i++)
                sum[i][j] += a[k * ROWS + i] * b[k * COLUMNS + j];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            C[i * n + j] += sum[i][j];
}

/* The same with vectors for the columns: what lies in a register is said, not hoped for. So the
 * tile can be taller where there are 32 registers: TALL x VECTORS sums do not wait for one another,
 * and 8 is the least that keeps two multiply-adds a cycle going when each takes 4 (limits.c). */
#if defined(__AVX512F__)
enum { TALL = 8 };
#else
enum { TALL = ROWS };
#endif

static inline void tile_vector(int n, const real *a, const real *b, real *C)
{
    vec sum[TALL][VECTORS] = {{{0}}};
    for (int k = 0; k < DEPTH; k++, a += TALL, b += COLUMNS)
        for (int i = 0; i < TALL; i++)
            for (int v = 0; v < VECTORS; v++)
                sum[i][v] += a[i] * vec_load(b + v * VEC);
    for (int i = 0; i < TALL; i++)
        for (int v = 0; v < VECTORS; v++)
            vec_store(C + i * n + v * VEC, vec_load(C + i * n + v * VEC) + sum[i][v]);
}

/* HEIGHT rows of C from row i0 on: DEPTH steps of their sums. */
typedef void (*StepsTile)(int n, const real *a, const real *b, real *C);
static inline void steps_rows(StepsTile tile, int rows, int n, const real *A, const real *b,
                              real *C, int i0, int k0)
{
    real a[HEIGHT * DEPTH];
    steps_pack_a(a, rows, n, A, i0, k0);
    for (int j = 0; j < n; j += COLUMNS)
        for (int i = 0; i < HEIGHT; i += rows)
            tile(n, a + i * DEPTH, b + j * DEPTH, C + (i0 + i) * n + j);
}

/* Steps 5 and 6: B is packed DEPTH rows at a time, A HEIGHT rows at a time. */
static inline void steps_packed(StepsTile tile, int rows, int n, const real *A, const real *B,
                                real *C)
{
    real *b = memory_take(sizeof(real) * DEPTH * (size_t)n);
    memset(C, 0, sizeof(real) * (size_t)n * (size_t)n);
    for (int k0 = 0; k0 < n; k0 += DEPTH) {
        steps_pack_b(b, n, B, k0, 0, n);
        for (int i0 = 0; i0 < n; i0 += HEIGHT)
            steps_rows(tile, rows, n, A, b, C, i0, k0);
    }
    memory_give(b, sizeof(real) * DEPTH * (size_t)n);
}

/* 5. Packed. The tile reads A and B strictly forwards. Before, each step of k went to another page
 * of B, and lines that lie a power of two apart drove one another out of the cache. */
void step_packed(int n, const real *A, const real *B, real *C)
{
    steps_packed(tile_plain, ROWS, n, A, B, C);
}

/* 6. Vectors: step 5 with the other tile. */
void step_vector(int n, const real *A, const real *B, real *C)
{
    steps_packed(tile_vector, TALL, n, A, B, C);
}

/* 7. Threads. They share out the slivers to be packed, then the rows of C; each packs its own rows
 * of A, and all read the same b. */
typedef struct StepsJob {
    int         n, k0;
    const real *A, *B;
    real       *b, *C;
} StepsJob;

static void steps_job_pack(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const StepsJob *s = ctx;
    steps_pack_b(s->b + begin * DEPTH, s->n, s->B, s->k0, (int)begin, (int)end);
}

static void steps_job_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const StepsJob *s = ctx;
    for (ptrdiff_t i0 = begin; i0 < end; i0 += HEIGHT)
        steps_rows(tile_vector, TALL, s->n, s->A, s->b, s->C, (int)i0,
                   s->k0);
}

void step_threads(int n, const real *A, const real *B, real *C)
{
    real *b = memory_take(sizeof(real) * DEPTH * (size_t)n);
    memset(C, 0, sizeof(real) * (size_t)n * (size_t)n);
    for (int k0 = 0; k0 < n; k0 += DEPTH) {
        StepsJob job = {n, k0, A, B, b, C};
        parallel_for(n, 4 * COLUMNS, steps_job_pack, &job);
        parallel_for(n, HEIGHT, steps_job_rows, &job);
    }
    memory_give(b, sizeof(real) * DEPTH * (size_t)n);
}

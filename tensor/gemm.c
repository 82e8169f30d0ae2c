/* tensor/gemm.c -- C = A B, blocked for the caches and vectorised.
 *
 * The product is cut three times:
 *
 *   tile   TILE_M rows by TILE_N columns of C, held in registers while k runs: each step of k
 *          loads TILE_V vectors of B and TILE_M numbers of A and does TILE_M * TILE_V
 *          multiply-adds, so arithmetic and not loading sets the pace;
 *   block  BLOCK_K steps of k, so that the piece of A and B that a tile reads stays in cache;
 *   task   TASK_M rows by TASK_N columns of C, the unit that threads share out.
 *
 * Before a tile runs, its pieces of A and B are packed: copied so that it reads memory strictly
 * forwards, whatever the strides were. That is also what makes transposed operands free. B is
 * packed once, up front, by all threads; each task packs its own rows of A.
 *
 * Source of the scheme: Goto and van de Geijn, "Anatomy of high-performance matrix
 * multiplication", 2008.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tensor/matmul.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"
#include "tensor/vec.h"

/* TILE_M * TILE_V accumulators, TILE_V vectors of B and one number of A fill the registers:
 * 32 of them with AVX-512 and NEON, 16 otherwise. */
#if defined(__AVX512F__)
enum { TILE_M = 12, TILE_V = 2 };
#elif defined(__ARM_NEON)
enum { TILE_M = 6, TILE_V = 4 };
#else
enum { TILE_M = 6, TILE_V = 2 };
#endif

enum {
    TILE_N = TILE_V * VEC,
    BLOCK_K = 256,
    TASK_M = 24,           /* a multiple of every TILE_M */
    TASK_N = 8 * TILE_N,
    PANEL_N = 128 * TILE_N, /* columns of B packed at a time */
};

typedef struct Gemm {
    ptrdiff_t   M, N, K, first; /* this panel's N columns begin at column `first` of B */
    Matrix      A;
    GemmPack    pack; /* of columns of B */
    const void *ctx;
    real       *C;
    ptrdiff_t   c_row;
    bool        add;    /* to what C holds */
    real       *packed; /* B as slivers: (N/TILE_N, K, TILE_N), the last padded with zeros */
} Gemm;

static ptrdiff_t gemm_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static ptrdiff_t gemm_slivers(ptrdiff_t n)
{
    return (n + TILE_N - 1) / TILE_N;
}

/* --- packing ---------------------------------------------------------------------------------- */

/* A strip of `width` lanes (rows of A or columns of B) as (K, width): step after step, the lanes
 * side by side. `lanes` of them exist, the rest become zeros. The inner loop runs along whichever
 * stride is 1, so that memory is read in whole cache lines. */
static inline void gemm_pack(real *out, int width, const real *p, ptrdiff_t lanes,
                             ptrdiff_t lane_step, ptrdiff_t K, ptrdiff_t k_step)
{
    if (lanes < width)
        memset(out, 0, (size_t)(K * width) * sizeof(real));
    if (lane_step == 1 && lanes == width)
        for (ptrdiff_t k = 0; k < K; k++)
            memcpy(out + k * width, p + k * k_step, (size_t)width * sizeof(real));
    else if (lane_step == 1)
        for (ptrdiff_t k = 0; k < K; k++)
            memcpy(out + k * width, p + k * k_step, (size_t)lanes * sizeof(real));
    else
        for (ptrdiff_t i = 0; i < lanes; i++)
            for (ptrdiff_t k = 0; k < K; k++)
                out[k * width + i] = p[i * lane_step + k * k_step];
}

/* A GemmPack for a matrix in memory. */
typedef struct GemmMatrix {
    Matrix    m;
    ptrdiff_t K;
} GemmMatrix;

static void gemm_pack_columns(real *out, int width, ptrdiff_t first, ptrdiff_t lanes,
                              const void *ctx)
{
    const GemmMatrix *b = ctx;
    (void)width; /* always TILE_N, and as a constant it unrolls */
    gemm_pack(out, TILE_N, b->m.p + first * b->m.col, lanes, b->m.col, b->K, b->m.row);
}

static void gemm_pack_slivers(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Gemm *g = ctx;
    for (ptrdiff_t s = begin; s < end; s++)
        g->pack(g->packed + s * g->K * TILE_N, TILE_N, g->first + s * TILE_N,
                gemm_min(TILE_N, g->N - s * TILE_N), g->ctx);
}

/* `m` <= TASK_M rows of K columns of A as strips of TILE_M rows: (strips, K, TILE_M). */
static void gemm_pack_rows(real *out, const real *a, ptrdiff_t m, ptrdiff_t K, Matrix A)
{
    for (ptrdiff_t i = 0; i < m; i += TILE_M)
        gemm_pack(out + i * K, TILE_M, a + i * A.row, gemm_min(TILE_M, m - i), A.row, K, A.col);
}

/* --- the tile --------------------------------------------------------------------------------- */

/* C (TILE_M, TILE_N) = or += a (K, TILE_M)ᵀ b (K, TILE_N), both packed. */
static inline void gemm_tile(ptrdiff_t K, const real *a, const real *b, real *c, ptrdiff_t c_row,
                             bool add)
{
    vec acc[TILE_M][TILE_V];
    for (int i = 0; i < TILE_M; i++)
        for (int v = 0; v < TILE_V; v++)
            acc[i][v] = add ? vec_load(c + i * c_row + v * VEC) : (vec){0};
    for (ptrdiff_t k = 0; k < K; k++, a += TILE_M, b += TILE_N) {
        vec bk[TILE_V];
        for (int v = 0; v < TILE_V; v++)
            bk[v] = vec_load(b + v * VEC);
        for (int i = 0; i < TILE_M; i++)
            for (int v = 0; v < TILE_V; v++)
                acc[i][v] += a[i] * bk[v];
    }
    for (int i = 0; i < TILE_M; i++)
        for (int v = 0; v < TILE_V; v++)
            vec_store(c + i * c_row + v * VEC, acc[i][v]);
}

/* A tile that sticks out of C, m rows and n columns of which exist, goes through a copy. */
static void gemm_edge_tile(ptrdiff_t K, const real *a, const real *b, real *c, ptrdiff_t c_row,
                           bool add, ptrdiff_t m, ptrdiff_t n)
{
    real whole[TILE_M * TILE_N] = {0};
    for (ptrdiff_t i = 0; add && i < m; i++)
        memcpy(whole + i * TILE_N, c + i * c_row, (size_t)n * sizeof(real));
    gemm_tile(K, a, b, whole, TILE_N, add);
    for (ptrdiff_t i = 0; i < m; i++)
        memcpy(c + i * c_row, whole + i * TILE_N, (size_t)n * sizeof(real));
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* Rows [i, i+m) and columns [j, j+n) of C, steps [k, k+K) of the sum. */
static void gemm_block(const Gemm *g, const real *a, ptrdiff_t i, ptrdiff_t m, ptrdiff_t j,
                       ptrdiff_t n, ptrdiff_t k, ptrdiff_t K)
{
    bool add = g->add || k > 0;
    for (ptrdiff_t q = 0; q < n; q += TILE_N) {
        const real *b = g->packed + (j + q) * g->K + k * TILE_N;
        for (ptrdiff_t p = 0; p < m; p += TILE_M) {
            real *c = g->C + (i + p) * g->c_row + j + q;
            ptrdiff_t rows = gemm_min(TILE_M, m - p), cols = gemm_min(TILE_N, n - q);
            if (rows == TILE_M && cols == TILE_N)
                gemm_tile(K, a + p * K, b, c, g->c_row, add);
            else
                gemm_edge_tile(K, a + p * K, b, c, g->c_row, add, rows, cols);
        }
    }
}

static void gemm_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Gemm *g = ctx;
    ptrdiff_t across = (g->N + TASK_N - 1) / TASK_N;
    real a[TASK_M * BLOCK_K];
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t i = t / across * TASK_M, m = gemm_min(TASK_M, g->M - i);
        ptrdiff_t j = t % across * TASK_N, n = gemm_min(TASK_N, g->N - j);
        for (ptrdiff_t k = 0; k < g->K; k += BLOCK_K) {
            ptrdiff_t K = gemm_min(BLOCK_K, g->K - k);
            gemm_pack_rows(a, g->A.p + i * g->A.row + k * g->A.col, m, K, g->A);
            gemm_block(g, a, i, m, j, n, k, K);
        }
    }
}

/* As many columns of C as one packing of B covers. */
static void gemm_panel(Gemm *g)
{
    ptrdiff_t slivers = gemm_slivers(g->N);
    ptrdiff_t tasks = (g->M + TASK_M - 1) / TASK_M * ((g->N + TASK_N - 1) / TASK_N);
    parallel_for(slivers, 1 + 16384 / (g->K * TILE_N), gemm_pack_slivers, g);
    parallel_for(tasks, 1, gemm_tasks, g);
}

static void gemm_zero(ptrdiff_t M, ptrdiff_t N, real *C, ptrdiff_t c_row)
{
    for (ptrdiff_t i = 0; i < M; i++)
        memset(C + i * c_row, 0, (size_t)N * sizeof(real));
}

size_t gemm_room(ptrdiff_t N, ptrdiff_t K)
{
    return (size_t)(gemm_slivers(gemm_min(N, PANEL_N)) * TILE_N * K);
}

void gemm_packed(real *room, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, GemmPack pack,
                 const void *ctx, real *C, ptrdiff_t c_row, bool add)
{
    if (M == 0 || N == 0)
        return;
    if (K == 0 && !add)
        gemm_zero(M, N, C, c_row);
    for (ptrdiff_t j = 0; j < N && K > 0; j += PANEL_N) {
        Gemm g = {.M = M, .N = gemm_min(PANEL_N, N - j), .K = K, .first = j, .A = A, .pack = pack,
                  .ctx = ctx, .C = C + j, .c_row = c_row, .add = add, .packed = room};
        gemm_panel(&g);
    }
}

void gemm_in(real *room, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, real *C,
             ptrdiff_t c_row, bool add)
{
    GemmMatrix b = {B, K};
    gemm_packed(room, M, N, K, A, gemm_pack_columns, &b, C, c_row, add);
}

void gemm(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, real *C, ptrdiff_t c_row)
{
    size_t bytes = gemm_room(N, K) * sizeof(real);
    real *room = pool_take(bytes);
    gemm_in(room, M, N, K, A, B, C, c_row, false);
    pool_give(room, bytes);
}

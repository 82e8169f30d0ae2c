/* tensor/kernels/gemm.c -- C = A B, blocked for the caches and divided among the threads.
 *
 * The product is cut, from the inside out, into
 *
 *   micro-tiles   of up to GEMM_MR rows by GEMM_NR columns of C, whose sums the micro-kernel keeps
 *                 in registers (tensor/kernels/gemm_micro_kernel.c);
 *   micro-panels  of A and of B: the rows of A and the columns of B that a micro-tile needs, for at
 *                 most GEMM_KC terms of its sums;
 *   blocks of B   of some micro-panels, usually packed, that is, copied into a workspace in the
 *                 order in which the micro-kernel reads them. The macro-kernel multiplies rows of A
 *                 by a block (tensor/kernels/gemm_macro_kernel.c): the block stays in the
 *                 second-level cache, and each micro-panel of A stays in the first-level cache
 *                 while it meets all micro-panels of B, so that C is visited along its rows;
 *   tasks         of some rows and columns of C, with all terms of their sums. A thread takes one
 *                 task at a time.
 *
 * If C has few rows, each element of B is used too rarely for packing to pay. Then the product is
 * computed by dot products, or B is read in place, or the transpose of C is computed instead.
 *
 * The scheme is from Goto and van de Geijn, "Anatomy of high-performance matrix multiplication",
 * ACM TOMS 34(3), 2008; the terms are from Van Zee and van de Geijn, "BLIS: A framework for rapidly
 * instantiating BLAS functionality", ACM TOMS 41(3), 2015. MATMUL.md explains both.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/gemm.h"

#include "tensor/cut.h"
#include "tensor/kernels/transpose.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

/* All of these values were measured. */
enum {
    TASKS = 8,           /* a product is cut into at least this many tasks, … */
    TASK_MIN_ROWS = 48,  /* … unless tasks would have fewer rows of C than about this */
    TASK_MAX_ROWS = 512, /* no task has more rows of C than this */
    MIN_DEPTH = 32,      /* for shorter sums, blocks of B are no wider than for this many terms */
    TASK_WORK = 65536,   /* multiply-adds that justify waking a thread */
    DOT = 4,             /* dot products are computed this many at a time, … */
    DOT_ROWS = 8,        /* … if C has at most this many rows */
    NEAR = (1 << 21) / sizeof(real), /* B may stay unpacked up to this many elements, 2 MB, … */
    NEAR_ROWS = 256,     /* … if C has at most this many rows */
    TRANSPOSE_RATIO = 8, /* the transpose of C is computed if N and K are this many times M */
};

typedef struct Gemm {
    ptrdiff_t M, N, K;
    Matrix    A, B;
    GemmOut   C;
    real     *workspace; /* GEMM_WORKSPACE elements per worker */
    ptrdiff_t across;    /* tasks side by side */
    ptrdiff_t cols;      /* of C per task; the last tasks have fewer */
    ptrdiff_t rows;      /* of C per task, likewise */
} Gemm;

/* The value that element (i, j) of C starts from. */
static real gemm_start(const GemmOut *C, ptrdiff_t i, ptrdiff_t j)
{
    if (C->add)
        return C->p[i * C->row + j];
    return C->row_bias ? C->row_bias[i] : C->col_bias ? C->col_bias[j] : 0;
}

/* --- dot products ----------------------------------------------------------------------------- */

/* DOT elements of a row of C, if the row of A and the columns of B are contiguous: nothing is
 * packed, and the vectors run along the sum. */
static void dot_few(ptrdiff_t K, const real *a, const real *b, ptrdiff_t b_col, real out[DOT])
{
    vec sum[DOT] = {{0}};
    ptrdiff_t k = 0;
    for (; k + VEC <= K; k += VEC)
        for (int j = 0; j < DOT; j++)
            sum[j] += vec_load(a + k) * vec_load(b + j * b_col + k);
    for (int j = 0; j < DOT; j++) {
        out[j] = vec_sum(sum[j]);
        for (ptrdiff_t rest = k; rest < K; rest++)
            out[j] += a[rest] * b[j * b_col + rest];
    }
}

/* Task: DOT columns of C, all rows. The last task starts further left, overlapping the columns of
 * the task before, and stores only its own. */
static void dot_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Gemm *g = ctx;
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t j = min_size(t * DOT, g->N - DOT), fresh = t * DOT - j;
        for (ptrdiff_t i = 0; i < g->M; i++) {
            real sum[DOT], *c = g->C.p + i * g->C.row + j;
            dot_few(g->K, g->A.p + i * g->A.row, g->B.p + j * g->B.col, g->B.col, sum);
            for (ptrdiff_t q = fresh; q < DOT; q++)
                c[q] = sum[q] + gemm_start(&g->C, i, j + q);
        }
    }
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* True if n columns of B are packed for m rows of A. B is read in place only if its rows are
 * contiguous and consist of whole vectors, and if either a single micro-panel of A uses it, or few
 * do and B is small enough to stay in a nearby cache. */
static bool gemm_packs(const Gemm *g, ptrdiff_t m, ptrdiff_t n)
{
    bool near = g->M <= NEAR_ROWS && g->K * g->N <= NEAR;
    return g->B.col != 1 || n % VEC != 0 || (m > GEMM_MR && !near);
}

/* The micro-panels of B (K,n) for m rows of A: packed into the workspace, or in place. */
static MicroPanels gemm_panels(const Gemm *g, real *workspace, ptrdiff_t m, ptrdiff_t n,
                               ptrdiff_t K, Matrix B)
{
    if (!gemm_packs(g, m, n))
        return micro_panels_in_place(B);
    tensor_gemm_pack(workspace, K, n, B);
    return micro_panels_packed(workspace, K);
}

/* Adds the GEMM_KC terms from k on to the sums in rows [i, i + m) and columns [j, j + n) of C. */
static void gemm_block(const Gemm *g, real *workspace, ptrdiff_t i, ptrdiff_t m, ptrdiff_t j,
                       ptrdiff_t n, ptrdiff_t k)
{
    ptrdiff_t K = min_size(GEMM_KC, g->K - k);
    Matrix A = matrix_at(g->A, i, k), B = matrix_at(g->B, k, j);
    GemmRows rows = {.p = A.p, .row = A.row, .col = A.col, .run = K};
    GemmOut C = gemm_out_at(g->C, i, j);
    C.add = C.add || k > 0;
    tensor_gemm_macro_kernel(m, n, K, &rows, gemm_panels(g, workspace, m, n, K, B), C);
}

/* Tasks begin to end - 1, on the calling thread. */
static void gemm_part(const Gemm *g, real *workspace, ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t i = t / g->across * g->rows, j = t % g->across * g->cols, k = 0;
        do
            gemm_block(g, workspace, i, min_size(g->rows, g->M - i), j,
                       min_size(g->cols, g->N - j), k);
        while ((k += GEMM_KC) < g->K);
    }
}

static void gemm_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Gemm *g = ctx;
    gemm_part(g, g->workspace + (ptrdiff_t)parallel_worker() * GEMM_WORKSPACE, begin, end);
}

/* Cuts the product into tasks, in a way that does not depend on the number of threads, and returns
 * their number. Narrow blocks of B divide more evenly among threads; with wide ones, longer pieces
 * of the rows of B and C are contiguous, and each micro-panel of A is copied less often. With
 * AVX-512, 1024 x 1024 floats are 8 tasks: 4 across, of 8 micro-panels or 256 columns each, times 2
 * down, of 512 rows each. */
static ptrdiff_t gemm_cut(Gemm *g)
{
    ptrdiff_t panels = ceil_div(g->N, GEMM_NR);
    ptrdiff_t depth = max_size(MIN_DEPTH, min_size(g->K, GEMM_KC));
    ptrdiff_t most = GEMM_WORKSPACE / GEMM_NR / depth; /* micro-panels in a block of B */
    /* First choose full width if that makes at least four blocks, else TASKS narrow blocks; … */
    ptrdiff_t narrow = panels < 4 * most ? ceil_div(panels, TASKS) : most;
    /* … then cut the rows until there are TASKS, within the limits on the rows of a task; … */
    ptrdiff_t down = ceil_div(TASKS, ceil_div(panels, narrow));
    down = max_size(min_size(down, ceil_div(g->M, TASK_MIN_ROWS)), ceil_div(g->M, TASK_MAX_ROWS));
    /* … then widen the blocks while at least TASKS tasks remain. */
    ptrdiff_t wide = min_size(most, ceil_div(panels, ceil_div(TASKS, down)));
    ptrdiff_t width = max_size(narrow, wide);
    g->rows = ceil_div(g->M, down);
    g->cols = width * GEMM_NR;
    g->across = ceil_div(panels, width);
    return ceil_div(g->M, g->rows) * g->across;
}

void tensor_gemm_in_workspace(real *workspace, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A,
                              Matrix B, GemmOut C)
{
    Gemm g = {.M = M, .N = N, .K = K, .A = A, .B = B, .C = C};
    if (M > 0 && N > 0)
        gemm_part(&g, workspace, 0, gemm_cut(&g));
}

/* The workspace of g must be large enough for `workers` workers. */
static void gemm_run(Gemm *g, int workers)
{
    ptrdiff_t tasks = gemm_cut(g), grain = 1 + TASK_WORK / (g->rows * g->cols * (g->K + 1));
    parallel_for_workers(workers, tasks, grain, gemm_tasks, g);
}

/* --- the transpose instead -------------------------------------------------------------------- */

/* If C has few rows compared with its columns, each element of B is used too rarely for packing to
 * pay. The transpose of C is the transpose of B times the transpose of A: computed this way, A is
 * packed, and B is read once, by micro-panels. The result is written to a buffer and transposed.
 * This writes and reads M * N more elements, which is little if the sums are long. */
static bool transpose_pays(const Gemm *g)
{
    bool along = g->A.col == 1 && g->B.row == 1;
    return along && !g->C.add && g->N >= TRANSPOSE_RATIO * g->M && g->K >= TRANSPOSE_RATIO * g->M;
}

/* out (cols,rows) is the transpose of in (rows,cols), which is contiguous. */
typedef struct Transpose {
    const real *in;
    real       *out;
    ptrdiff_t   rows, cols, out_row;
} Transpose;

/* Task: VEC rows of in. */
static void transpose_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Transpose *t = ctx;
    for (ptrdiff_t i = begin * VEC; i < min_size(end * VEC, t->rows); i += VEC)
        transpose_rows(t->out + i, t->out_row, t->in + i * t->cols, t->cols,
                       min_size(VEC, t->rows - i), t->cols);
}

/* C = A B, computed as its transpose in a buffer c of N M elements. */
static void gemm_by_transpose(const Gemm *g, int workers, real *c)
{
    GemmOut C = {.p = c, .row = g->M, .row_bias = g->C.col_bias, .col_bias = g->C.row_bias};
    Gemm swapped = {.M = g->N, .N = g->M, .K = g->K, .A = matrix_transpose(g->B),
                    .B = matrix_transpose(g->A), .C = C, .workspace = g->workspace};
    Transpose back = {.in = c, .out = g->C.p, .rows = g->N, .cols = g->M, .out_row = g->C.row};
    gemm_run(&swapped, workers);
    parallel_for(ceil_div(g->N, VEC), 1 + TASK_WORK / (VEC * g->M), transpose_tasks, &back);
}

void tensor_gemm(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, GemmOut C)
{
    if (M == 0 || N == 0)
        return;
    Gemm g = {.M = M, .N = N, .K = K, .A = A, .B = B, .C = C};
    if (M <= DOT_ROWS && N >= DOT && A.col == 1 && B.row == 1) {
        parallel_for(ceil_div(N, DOT), 1 + TASK_WORK / (M * DOT * (K + 1)), dot_tasks, &g);
        return;
    }
    bool transpose = transpose_pays(&g);
    int workers = parallel_threads();
    size_t numbers = (size_t)workers * GEMM_WORKSPACE;
    size_t bytes = (numbers + (transpose ? (size_t)(M * N) : 0)) * sizeof(real);
    g.workspace = memory_take(bytes);
    if (transpose)
        gemm_by_transpose(&g, workers, g.workspace + numbers);
    else
        gemm_run(&g, workers);
    memory_give(g.workspace, bytes);
}

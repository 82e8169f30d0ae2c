/* lessons/assignments/a7_matmul/services.c -- what the judge can call in a submission.
 *
 * SPDX-License-Identifier: MIT
 */
#include "matmul.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lessons/assignments/solver/solver.h"

enum { MATMUL_GUARD = 4096 }; /* elements before and after C, also in tests.c */

/* Memory for n elements. The page after the last one cannot be accessed, so reading or writing
 * beyond the elements ends the solver. The memory is not freed, because the solver ends soon. */
static real *matmul_protected(ptrdiff_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = (size_t)n * sizeof(real);
    size_t most = (bytes + page - 1) / page * page;
    char *p = mmap(NULL, most + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + most, page, PROT_NONE) != 0)
        slope_fail("product", "there is no memory for a matrix of %td elements", n);
    return (real *)(p + most - bytes);
}

static Tensor *matmul_copy(const real *x, ptrdiff_t n)
{
    Tensor *copy = tensor_new(SHAPE(n));
    if (n > 0)
        memcpy(tensor_write(copy), x, (size_t)n * sizeof(real));
    return copy;
}

static void matmul_add(Message *answer, Tensor *x)
{
    message_add_tensor(answer, x);
    tensor_free(x);
}

/* The product of tensors 0 and 1. Number 0 is what C holds initially, number 1 is whether memory
 * ends after A, B and C, and number 2 is what the elements before and after C hold. The answer is C
 * with the elements around it, of which only those before C exist if memory ends; and A and B after
 * the call. */
static void matmul_product(const Message *call, Message *answer)
{
    ptrdiff_t M = call->tensor[0]->shape.dim[0], K = call->tensor[0]->shape.dim[1];
    ptrdiff_t N = call->tensor[1]->shape.dim[1];
    bool ends = call->number[1] != 0;
    ptrdiff_t after = ends ? 0 : MATMUL_GUARD, n = MATMUL_GUARD + M * N + after;
    Tensor *room = tensor_new(SHAPE(n));
    real *C = ends ? matmul_protected(n) : tensor_write(room);
    real *A = tensor_write(call->tensor[0]), *B = tensor_write(call->tensor[1]);
    if (ends) {
        A = memcpy(matmul_protected(M * K), A, (size_t)(M * K) * sizeof(real));
        B = memcpy(matmul_protected(K * N), B, (size_t)(K * N) * sizeof(real));
    }
    for (ptrdiff_t i = 0; i < n; i++)
        C[i] = (real)call->number[i < MATMUL_GUARD || i >= MATMUL_GUARD + M * N ? 2 : 0];
    matmul(C + MATMUL_GUARD, A, B, M, N, K);
    matmul_add(answer, matmul_copy(C, n));
    matmul_add(answer, matmul_copy(A, M * K));
    matmul_add(answer, matmul_copy(B, K * N));
    tensor_free(room);
}

/* --- speed ------------------------------------------------------------------------------------ */

static Tensor *matmul_A, *matmul_X, *matmul_Z, *matmul_Y; /* A (M,M), the others (M,N) */

/* Keeps tensors 0 and 1 as A and X. */
static void matmul_begin(const Message *call, Message *answer)
{
    (void)answer;
    tensor_free(matmul_A), tensor_free(matmul_X), tensor_free(matmul_Z), tensor_free(matmul_Y);
    matmul_A = tensor_ref(call->tensor[0]);
    matmul_X = tensor_ref(call->tensor[1]);
    matmul_Z = tensor_clone(matmul_X);
    matmul_Y = tensor_clone(matmul_X);
}

/* The answer is the number r prelu(A Z) s, where row i of Z is d[i] times row i of X; d (M), r (M)
 * and s (N) are tensors 0 to 2, and the slope is number 0. A Z cannot be computed before d is
 * known, and because of PReLU the number cannot be computed without it. */
static void matmul_layer(const Message *call, Message *answer)
{
    ptrdiff_t M = matmul_X->shape.dim[0], N = matmul_X->shape.dim[1];
    const real *d = tensor_read(call->tensor[0]), *r = tensor_read(call->tensor[1]),
               *s = tensor_read(call->tensor[2]), *X = tensor_read(matmul_X);
    real *Z = tensor_write(matmul_Z), *Y = tensor_write(matmul_Y), sum = 0;
    const real slope = (real)call->number[0];
    for (ptrdiff_t i = 0; i < M; i++)
        for (ptrdiff_t j = 0; j < N; j++)
            Z[i * N + j] = d[i] * X[i * N + j], Y[i * N + j] = 0;
    matmul(Y, tensor_read(matmul_A), Z, M, N, M);
    Tensor *rows = tensor_full(SHAPE(N), 0);
    real *row = tensor_write(rows);
    for (ptrdiff_t i = 0; i < M; i++, Y += N)
        for (ptrdiff_t j = 0; j < N; j++)
            row[j] += r[i] * (Y[j] > 0 ? Y[j] : slope * Y[j]);
    for (ptrdiff_t j = 0; j < N; j++)
        sum += row[j] * s[j];
    message_add_number(answer, (double)sum);
    tensor_free(rows);
}

const Service solver_services[] = {
    {"product", matmul_product}, {"begin", matmul_begin}, {"layer", matmul_layer}, {NULL, NULL},
};

/* A matrix product on one thread: the starter. It scores 0 points.
 *
 * lessons/assignments/a7_matmul/README.md explains the steps and says how to measure them.
 */
#include "matmul.h"

#include "tensor/kernels/vec.h"

/* TODO: the sizes of the micro-tile and of the blocks, by (4) to (7). */

/* TODO: pack a block of A and a block of B. */

/* TODO: the micro-kernel, which keeps a micro-tile of C in registers. */

void matmul(real *C, const real *A, const real *B, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K)
{
    /* TODO: begin with three loops, make every test of part 1 pass, then make it fast. */
    (void)C, (void)A, (void)B, (void)M, (void)N, (void)K;
}

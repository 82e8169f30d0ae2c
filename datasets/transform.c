/* datasets/transform.c -- a window over a padded image, read row by row.
 *
 * The padded image is never built. A window is its rows top … top+size-1 and its columns
 * left … left+size-1: pixel (y, x) of the window is pixel (y + top - pad, x + left - pad) of the
 * image, and black outside it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/transform.h"

#include "tensor/parallel.h"
#include "tensor/random.h"

/* Random numbers are drawn from streams of their own ("images" in ASCII, then the epoch), so that
 * none are shared with orders, weights or masks drawn from the same seed. */
#define TRANSFORM_STREAM ((uint64_t)0x696d61676573 << 16)

typedef struct TransformRead {
    DatasetValues  values;
    Transform      transform;
    uint64_t       seed, stream;
    const int32_t *which;    /* (count), or NULL */
    Shape          in, out;  /* (C,H,W) of an example before and after */
    real           black;
    real          *x;        /* (count, out) */
} TransformRead;

/* --- shapes ----------------------------------------------------------------------------------- */

static bool transform_is_none(Transform t)
{
    return t.pad == 0 && t.crop == 0 && !t.flip;
}

/* (H,W) is one channel. */
static Shape transform_channels(Shape s)
{
    return s.ndim == 3 ? s : SHAPE(1, s.dim[0], s.dim[1]);
}

Shape transform_shape(Transform t, Shape sample)
{
    enum { LARGEST = 1 << 20 };
    if (transform_is_none(t))
        return sample;
    if (sample.ndim < 2 || sample.ndim > 3)
        slope_fail("transform_shape", "examples of shape %s are not images (H,W) or (C,H,W)",
                   SHAPE_TEXT(sample));
    if (t.pad < 0 || t.pad > LARGEST || t.crop < 0)
        slope_fail("transform_shape", "pad = %d and crop = %d; expected 0 or more, and pad at most "
                   "%d", t.pad, t.crop, LARGEST);
    for (int axis = sample.ndim - 2; axis < sample.ndim; axis++) {
        ptrdiff_t padded = sample.dim[axis] + 2 * t.pad;
        if (t.crop > padded)
            slope_fail("transform_shape", "a window of %d does not fit into images of shape %s "
                       "padded by %d pixels", t.crop, SHAPE_TEXT(sample), t.pad);
        sample.dim[axis] = t.crop ? t.crop : padded;
    }
    return shape_new(sample.ndim, sample.dim); /* which checks for overflow */
}

/* --- one image -------------------------------------------------------------------------------- */

/* The random choices for an image, from one 64-bit word: bit 0 is the flip, bits 1 to 31 and
 * 32 to 62 are the position. */
typedef struct TransformDraw {
    ptrdiff_t top, left; /* of the window in the image; negative above and left of it */
    bool      flip;
} TransformDraw;

/* 0 … places-1 from a number below 2^31. Some are more likely than others,
 * by at most places / 2^31. */
static ptrdiff_t transform_place(uint64_t word31, ptrdiff_t places, bool center)
{
    return center ? (places - 1) / 2 : (ptrdiff_t)(word31 * (uint64_t)places >> 31);
}

static TransformDraw transform_draw(const TransformRead *job, ptrdiff_t example)
{
    uint64_t word = rng_word(job->seed, job->stream, (uint64_t)example), mask = 0x7fffffff;
    Transform t = job->transform;
    ptrdiff_t down = job->in.dim[1] + 2 * t.pad - job->out.dim[1] + 1;
    ptrdiff_t across = job->in.dim[2] + 2 * t.pad - job->out.dim[2] + 1;
    return (TransformDraw){
        .top = transform_place(word >> 1 & mask, down, t.center) - t.pad,
        .left = transform_place(word >> 32 & mask, across, t.center) - t.pad,
        .flip = t.flip && (word & 1),
    };
}

static void transform_fill(real *x, ptrdiff_t count, real value)
{
    for (ptrdiff_t i = 0; i < count; i++)
        x[i] = value;
}

static void transform_mirror(real *x, ptrdiff_t count)
{
    for (ptrdiff_t i = 0, j = count - 1; i < j; i++, j--) {
        real swap = x[i];
        x[i] = x[j];
        x[j] = swap;
    }
}

static ptrdiff_t transform_clamp(ptrdiff_t i, ptrdiff_t most)
{
    return i < 0 ? 0 : i > most ? most : i;
}

/* One row of the window: black, pixels begin … end-1 of the image's row, black. `row` is the
 * index of that row's first value in the dataset, or -1 above and below the image. */
static void transform_row(const TransformRead *job, ptrdiff_t row, ptrdiff_t left, real *x)
{
    ptrdiff_t width = job->in.dim[2], size = job->out.dim[2];
    ptrdiff_t begin = transform_clamp(left, width), end = transform_clamp(left + size, width);
    if (row < 0)
        end = begin;
    ptrdiff_t before = begin == end ? size : begin - left, inside = end - begin;
    transform_fill(x, before, job->black);
    if (inside > 0)
        dataset_values_copy(&job->values, row + begin, inside, x + before);
    transform_fill(x + before + inside, size - before - inside, job->black);
}

static void transform_image(const TransformRead *job, ptrdiff_t example, real *x)
{
    TransformDraw draw = transform_draw(job, example);
    ptrdiff_t height = job->in.dim[1], width = job->in.dim[2], size = job->out.dim[2];
    for (ptrdiff_t c = 0; c < job->in.dim[0]; c++)
        for (ptrdiff_t y = 0; y < job->out.dim[1]; y++, x += size) {
            ptrdiff_t from = y + draw.top, plane = example * job->in.dim[0] + c;
            bool inside = from >= 0 && from < height;
            transform_row(job, inside ? (plane * height + from) * width : -1, draw.left, x);
            if (draw.flip)
                transform_mirror(x, size);
        }
}

/* --- a batch ---------------------------------------------------------------------------------- */

static void transform_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const TransformRead *job = ctx;
    ptrdiff_t each = shape_count(job->out);
    for (ptrdiff_t row = begin; row < end; row++)
        transform_image(job, job->which ? job->which[row] : row, job->x + row * each);
}

/* The blocks are as in dataset_read. */
void transform_read(const Dataset *data, Transform transform, uint64_t seed, int epoch,
                    const int32_t *which, ptrdiff_t count, real *x, int32_t *labels)
{
    enum { VALUES_A_BLOCK = 1 << 14 };
    if (transform_is_none(transform)) {
        dataset_read(data, which, count, x, labels);
        return;
    }
    Shape out = transform_shape(transform, data->sample);
    TransformRead job = {.values = dataset_values(data), .transform = transform, .seed = seed,
                         .stream = TRANSFORM_STREAM + (uint64_t)epoch, .which = which,
                         .in = transform_channels(data->sample), .out = transform_channels(out),
                         .black = (0 - data->mean) / data->std, .x = x};
    dataset_read_labels(data, which, count, labels);
    parallel_for(count, 1 + VALUES_A_BLOCK / (shape_count(out) + 1), transform_rows, &job);
}

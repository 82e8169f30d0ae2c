/* datasets/transform.c -- a window over a padded image, read row by row.
 *
 * The padded image is never built. A window is its rows top … top+size-1 and its columns
 * left … left+size-1: pixel (y, x) of the window is pixel (y + top - pad, x + left - pad) of the
 * image, and black outside it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/transform.h"

#include "tensor/check.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

/* Random numbers are drawn from streams of their own ("images" in ASCII, then the epoch), so that
 * none are shared with orders, weights or masks drawn from the same seed. */
#define TRANSFORM_STREAM ((uint64_t)0x696d61676573 << 16)
#define TRANSFORM_FLIPS ((uint64_t)1 << 63) /* added to a stream: gives that of the second words */

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

static bool transform_crops(Transform t)
{
    return t.crop[0] != 0 || t.crop[1] != 0;
}

static bool transform_is_none(Transform t)
{
    return t.pad == 0 && !transform_crops(t) && t.flip_probability == 0;
}

/* (H,W) is one channel. */
static Shape transform_channels(Shape s)
{
    return s.ndim == 3 ? s : SHAPE(1, s.dim[0], s.dim[1]);
}

static void transform_check(Transform t)
{
    enum { LARGEST = 1 << 20 };
    if (t.pad < 0 || t.pad > LARGEST)
        slope_fail("transform_shape", "pad is %d; expected 0 to %d pixels", t.pad, LARGEST);
    if (transform_crops(t) && (t.crop[0] < 1 || t.crop[1] < 1))
        slope_fail("transform_shape", "crop is {%d, %d}; expected a window of at least {1, 1}, or "
                   "{0, 0} for no cropping%s", t.crop[0], t.crop[1],
                   PAIR_HINT(t.crop[0] > 0 && t.crop[1] == 0));
    if (!(t.flip_probability >= 0 && t.flip_probability <= 1))
        slope_fail("transform_shape", "flip_probability is %g; expected a number from 0 to 1",
                   t.flip_probability);
}

Shape transform_shape(Transform t, Shape sample)
{
    if (transform_is_none(t))
        return sample;
    if (sample.ndim < 2 || sample.ndim > 3)
        slope_fail("transform_shape", "examples of shape %s are not images (H,W) or (C,H,W)",
                   SHAPE_TEXT(sample));
    transform_check(t);
    ptrdiff_t *size = sample.dim + sample.ndim - 2; /* height and width */
    ptrdiff_t padded[2] = {size[0] + 2 * t.pad, size[1] + 2 * t.pad};
    if (t.crop[0] > padded[0] || t.crop[1] > padded[1])
        slope_fail("transform_shape", "a window of {%d, %d} does not fit into images of shape %s "
                   "padded by %d pixels", t.crop[0], t.crop[1], SHAPE_TEXT(sample), t.pad);
    for (int axis = 0; axis < 2; axis++)
        size[axis] = transform_crops(t) ? t.crop[axis] : padded[axis];
    return shape_new(sample.ndim, sample.dim); /* which checks for overflow */
}

/* --- one image -------------------------------------------------------------------------------- */

/* The random choices for an image. In a 64-bit word, bit 0 is for the flip, and bits 1 to 31 and 32
 * to 62 are for the position. */
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

/* Is a random number in [0, 1) less than the probability? Its first binary digit is the inverse of
 * bit 0 of the word; if the probability is 1/2, this digit alone decides. The other 52 digits are
 * from a second word. */
static bool transform_flips(const TransformRead *job, ptrdiff_t example, uint64_t word)
{
    uint64_t second = rng_word(job->seed, job->stream + TRANSFORM_FLIPS, (uint64_t)example);
    uint64_t digits = (~word & 1) << 52 | second >> 12;
    return (double)digits * 0x1p-53 < job->transform.flip_probability;
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
        .flip = t.flip_probability > 0 && transform_flips(job, example, word),
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

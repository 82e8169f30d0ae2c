/* datasets/glyphs.c -- the ten digits, drawn by a hand that never draws the same one twice.
 *
 * A digit is a few strokes, lines and arcs of ellipses, in its own box: x points right, y down, the
 * middle is (0, 0), top and bottom are at -1 and 1. To draw an image, its strokes are divided into
 * short segments, the ends of these are bent and placed according to a random style, and each pixel
 * is inked by its distance to the nearest segment, so that edges are smooth.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/generate.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "tensor/parallel.h"
#include "tensor/random.h"

enum { GLYPH_SIZE = 28, GLYPH_PIXELS = GLYPH_SIZE * GLYPH_SIZE, GLYPH_STROKES = 3 };
enum { GLYPH_STEPS = 12 }; /* segments per stroke */

/* Image i is drawn from stream GLYPH_STREAM + i ("glyph" in ASCII): it depends on the seed and i
 * alone, so images are drawn in parallel, and a larger set begins with the same images. */
#define GLYPH_STREAM ((uint64_t)0x676c797068 << 24)

/* --- the alphabet ----------------------------------------------------------------------------- */

typedef struct GlyphStroke {
    enum { GLYPH_NONE, GLYPH_LINE, GLYPH_ARC } kind;
    real p[6]; /* line: x0 y0 x1 y1; arc: centre x y, radii x y, first and last angle */
} GlyphStroke;

/* Angles are in degrees; because y points down, they run clockwise from the right. */
#define LINE(x0, y0, x1, y1) {GLYPH_LINE, {(real)x0, (real)y0, (real)x1, (real)y1}}
#define ARC(x, y, rx, ry, from, to) \
    {GLYPH_ARC, {(real)x, (real)y, (real)rx, (real)ry, (real)from, (real)to}}

static const GlyphStroke glyph_digits[10][GLYPH_STROKES] = {
    {ARC(0, 0, .6, 1, -90, 270)},
    {LINE(-.3, -.6, .05, -1), LINE(.05, -1, .05, 1)},
    {ARC(0, -.46, .52, .54, 190, 390), LINE(.45, -.19, -.55, 1), LINE(-.55, 1, .6, 1)},
    {ARC(0, -.5, .48, .5, 200, 450), ARC(0, .5, .56, .5, 270, 520)},
    {LINE(.25, -1, -.6, .35), LINE(-.6, .35, .62, .35), LINE(.25, -1, .25, 1)},
    {LINE(.5, -1, -.4, -1), LINE(-.4, -1, -.46, -.1), ARC(-.03, .36, .58, .64, 225, 500)},
    {ARC(.45, .45, 1, 1.45, 260, 180), ARC(0, .45, .55, .55, 0, 360)},
    {LINE(-.55, -1, .55, -1), LINE(.55, -1, -.15, 1)},
    {ARC(0, -.5, .45, .5, 90, 450), ARC(0, .5, .56, .5, -90, 270)},
    {ARC(0, -.45, .55, .55, 0, 360), ARC(-.45, -.45, 1, 1.45, 0, 80)},
};

static const char *const glyph_names[10] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

typedef struct GlyphPoint {
    real x, y;
} GlyphPoint;

/* The point of a stroke at time t, 0 … 1. */
static GlyphPoint glyph_on_stroke(const GlyphStroke *stroke, real t)
{
    const real *p = stroke->p;
    if (stroke->kind == GLYPH_LINE)
        return (GlyphPoint){p[0] + t * (p[2] - p[0]), p[1] + t * (p[3] - p[1])};
    real angle = (p[4] + t * (p[5] - p[4])) * (real)(M_PI / 180);
    return (GlyphPoint){p[0] + p[2] * cos(angle), p[1] + p[3] * sin(angle)};
}

/* --- the style of one image ------------------------------------------------------------------- */

typedef struct GlyphStyle {
    real xx, xy, yx, yy;   /* from box coordinates to pixels: size, slant and rotation */
    real shift_x, shift_y; /* the position of the middle of the box, in pixels */
    real bend_x, bend_y;   /* how far strokes are bent out of shape, in box units */
    real phase_x, phase_y;
    real radius; /* half the width of the pen, in pixels */
    real ink;    /* the brightest value, 0 … 1 */
} GlyphStyle;

static real glyph_between(Rng *rng, double low, double high)
{
    return (real)low + (real)(high - low) * rng_uniform(rng);
}

static GlyphStyle glyph_style(Rng *rng)
{
    real height = glyph_between(rng, 7, 10.5), width = height * glyph_between(rng, .75, 1.15);
    real slant = glyph_between(rng, -.15, .45), turn = glyph_between(rng, -.18, .18);
    GlyphStyle s = {
        /* rotation (cos -sin; sin cos) times slant and size (width -slant*height; 0 height) */
        .xx = cos(turn) * width,
        .xy = -height * (cos(turn) * slant + sin(turn)),
        .yx = sin(turn) * width,
        .yy = height * (cos(turn) - sin(turn) * slant),
    };
    s.shift_x = (real)(GLYPH_SIZE - 1) / 2 + glyph_between(rng, -2, 2);
    s.shift_y = (real)(GLYPH_SIZE - 1) / 2 + glyph_between(rng, -2, 2);
    s.bend_x = glyph_between(rng, -.18, .18);
    s.bend_y = glyph_between(rng, -.18, .18);
    s.phase_x = glyph_between(rng, 0, 2 * M_PI);
    s.phase_y = glyph_between(rng, 0, 2 * M_PI);
    s.radius = glyph_between(rng, .6, 1.7);
    s.ink = glyph_between(rng, .65, 1);
    return s;
}

/* Bends a point of the box by a slow wave, the same for all strokes so that they still
 * meet, then maps it to pixels. */
static GlyphPoint glyph_place(const GlyphStyle *s, GlyphPoint p)
{
    real x = p.x + s->bend_x * sin(3 * p.y + s->phase_x);
    real y = p.y + s->bend_y * sin(3 * p.x + s->phase_y);
    return (GlyphPoint){s->shift_x + s->xx * x + s->xy * y, s->shift_y + s->yx * x + s->yy * y};
}

/* --- drawing ---------------------------------------------------------------------------------- */

static real glyph_clamp(real x, real low, real high)
{
    return x < low ? low : x > high ? high : x;
}

/* The distance from (x, y) to the segment pq: to its nearest point p + t(q - p), 0 <= t <= 1. */
static real glyph_distance(real x, real y, GlyphPoint p, GlyphPoint q)
{
    real dx = q.x - p.x, dy = q.y - p.y, length2 = dx * dx + dy * dy;
    real t = length2 > 0 ? ((x - p.x) * dx + (y - p.y) * dy) / length2 : 0;
    t = glyph_clamp(t, 0, 1);
    real ex = p.x + t * dx - x, ey = p.y + t * dy - y;
    return sqrt(ex * ex + ey * ey);
}

/* The rows or columns that a segment from a to b can reach. */
static void glyph_reach(real a, real b, real radius, int *first, int *last)
{
    *first = (int)glyph_clamp(floor(fmin(a, b) - radius), 0, GLYPH_SIZE - 1);
    *last = (int)glyph_clamp(ceil(fmax(a, b) + radius), 0, GLYPH_SIZE - 1);
}

/* Inks what the segment covers: fully within the pen's radius, fading over one pixel. Where
 * segments overlap the stronger ink counts, so joints do not show. */
static void glyph_draw_segment(real *canvas, GlyphPoint p, GlyphPoint q, real radius)
{
    int x0, x1, y0, y1;
    glyph_reach(p.x, q.x, radius + 1, &x0, &x1);
    glyph_reach(p.y, q.y, radius + 1, &y0, &y1);
    for (int y = y0; y <= y1; y++) {
        for (int x = x0; x <= x1; x++) {
            real away = glyph_distance((real)x, (real)y, p, q);
            real cover = glyph_clamp(radius + (real)0.5 - away, 0, 1);
            if (cover > canvas[y * GLYPH_SIZE + x])
                canvas[y * GLYPH_SIZE + x] = cover;
        }
    }
}

static void glyph_draw(real canvas[GLYPH_PIXELS], int digit, const GlyphStyle *style)
{
    for (int i = 0; i < GLYPH_STROKES; i++) {
        const GlyphStroke *stroke = &glyph_digits[digit][i];
        if (stroke->kind == GLYPH_NONE)
            return;
        GlyphPoint from = glyph_place(style, glyph_on_stroke(stroke, 0));
        for (int step = 1; step <= GLYPH_STEPS; step++) {
            GlyphPoint to = glyph_place(style, glyph_on_stroke(stroke, (real)step / GLYPH_STEPS));
            glyph_draw_segment(canvas, from, to, style->radius);
            from = to;
        }
    }
}

/* Noise of standard deviation 16/255. The sum of four random bytes is nearly normal (mean 510,
 * standard deviation 147.8), and far cheaper than a logarithm per pixel:
 * one word serves two pixels. */
static void glyph_develop(uint8_t *image, const real *canvas, real ink, Rng *rng)
{
    uint64_t word = 0;
    for (int i = 0; i < GLYPH_PIXELS; i++, word >>= 32) {
        if (i % 2 == 0)
            word = rng_next(rng);
        int sum = (int)((word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24 & 255));
        real noise = (real)(sum - 510) * (real)(16 / 147.8);
        image[i] = (uint8_t)(glyph_clamp(255 * ink * canvas[i] + noise, 0, 255) + (real)0.5);
    }
}

/* --- the set ---------------------------------------------------------------------------------- */

typedef struct GlyphJob {
    Dataset *data;
    uint64_t seed;
} GlyphJob;

static void glyphs_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const GlyphJob *job = ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        real canvas[GLYPH_PIXELS] = {0};
        Rng rng = rng_new(job->seed, GLYPH_STREAM + (uint64_t)i);
        GlyphStyle style = glyph_style(&rng);
        int digit = (int)(i % 10);
        glyph_draw(canvas, digit, &style);
        glyph_develop(job->data->bytes + i * GLYPH_PIXELS, canvas, style.ink, &rng);
        job->data->labels.data[i] = digit;
    }
}

Dataset *glyphs_new(ptrdiff_t count, uint64_t seed)
{
    Dataset *data = dataset_new("glyphs", DATASET_BYTES, count, SHAPE(1, GLYPH_SIZE, GLYPH_SIZE),
                                10);
    data->class_names = glyph_names;
    /* Measured once, over 100,000 images. They are constants, so that training and test images,
     * generated from different seeds, are normalised alike. */
    data->mean = (real)0.1179;
    data->std = (real)0.2397;
    GlyphJob job = {.data = data, .seed = seed};
    parallel_for(count, 64, glyphs_block, &job);
    return data;
}

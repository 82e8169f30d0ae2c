/* tests/tensor/files/check_stream_gzip.c -- gzipped files that are whole, truncated, damaged or
 * hostile; gzip must leave nothing behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "datasets/idx.h"
#include "tests/allocator.h"
#include "tests/capture.h"
#include "tests/scratch.h"
#include "tests/testing.h"

/* An IDX file of labels: a header for `declared` bytes, then `present` of them. */
static uint8_t *labels_file(uint32_t declared, size_t present)
{
    uint8_t *file = calloc(1, 8 + present);
    ck_assert_ptr_nonnull(file);
    file[2] = 8;
    file[3] = 1;
    for (int i = 0; i < 4; i++)
        file[4 + i] = (uint8_t)(declared >> (24 - 8 * i));
    for (size_t i = 0; i < present; i++)
        file[8 + i] = (uint8_t)(i * i >> 3);
    return file;
}

/* The same, gzipped. */
static const char *gzip_labels(uint32_t declared, size_t present)
{
    uint8_t *file = labels_file(declared, present);
    const char *path = scratch_gzip("labels.gz", file, 8 + present);
    free(file);
    return path;
}

/* The lowest free descriptor; a leaked descriptor would raise it. */
static int lowest_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

/* Reads labels; whatever the outcome, no descriptor or process is left behind, and after an error
 * no array. */
static bool read_labels(const char *path, IdxArray *out, Error *err)
{
    int before = lowest_descriptor();
    bool ok = idx_read(path, 1, out, err);
    ck_assert_int_eq(lowest_descriptor(), before);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    if (!ok) {
        ck_assert_ptr_null(out->bytes);
        testing_error(err, path);
    }
    return ok;
}

/* --- whole files ------------------------------------------------------------------------------ */

START_TEST(gzip_gives_the_bytes_of_the_raw_file)
{
    static const uint32_t sizes[] = {0, 1, 65535, 65536, 65537, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        IdxArray a;
        Error err;
        uint8_t *file = labels_file(sizes[i], sizes[i]);
        const char *path = scratch_gzip("labels.gz", file, 8 + sizes[i]);
        ck_assert_msg(read_labels(path, &a, &err), "%s", err.problem);
        ck_assert_int_eq(a.dim[0], sizes[i]);
        ck_assert_int_eq(memcmp(a.bytes, file + 8, sizes[i]), 0);
        idx_free(&a);
        free(file);
    }
}
END_TEST

START_TEST(first_bytes_decide_not_the_name)
{
    IdxArray a;
    Error err;
    uint8_t *file = labels_file(5, 5);
    ck_assert(read_labels(scratch_write("raw.gz", file, 13), &a, &err));
    idx_free(&a);
    ck_assert(read_labels(scratch_gzip("packed", file, 13), &a, &err));
    idx_free(&a);
    free(file);
}
END_TEST

/* A file name is never a command. */
START_TEST(names_are_not_parsed_by_a_shell)
{
    IdxArray a;
    Error err;
    size_t size;
    unsigned char *packed = scratch_read(gzip_labels(5, 5), &size);
    ck_assert(read_labels(scratch_write("-r; `echo` $(x) 'y\"", packed, size), &a, &err));
    idx_free(&a);
    free(packed);
}
END_TEST

/* --- bad files -------------------------------------------------------------------------------- */

START_TEST(every_truncation_is_refused)
{
    IdxArray a;
    Error err;
    size_t size;
    unsigned char *packed = scratch_read(gzip_labels(5, 5), &size);
    for (size_t n = 0; n < size; n++)
        ck_assert_msg(!read_labels(scratch_write("cut.gz", packed, n), &a, &err), "%zu bytes", n);
    ck_assert_ptr_nonnull(strstr(err.problem, "gzip"));
    ck_assert_str_eq(err.found, "1");
    free(packed);
}
END_TEST

/* Damage that leaves the length right shows only in gzip's exit status. The last eight bytes
 * are the checksum and the length. */
START_TEST(a_wrong_checksum_is_refused)
{
    IdxArray a;
    Error err;
    size_t size;
    unsigned char *packed = scratch_read(gzip_labels(3000, 3000), &size);
    for (size_t i = size - 8; i < size; i++) {
        packed[i] ^= 1;
        ck_assert_msg(!read_labels(scratch_write("bad.gz", packed, size), &a, &err), "byte %zu", i);
        ck_assert_ptr_nonnull(strstr(err.problem, "gzip"));
        packed[i] ^= 1;
    }
    packed[size / 2] ^= 16;
    ck_assert(!read_labels(scratch_write("bad.gz", packed, size), &a, &err));
    free(packed);
}
END_TEST

START_TEST(two_magic_bytes_do_not_make_a_gzip_file)
{
    IdxArray a;
    Error err;
    ck_assert(!read_labels(scratch_write("no.gz", "\x1f\x8bhello, world", 14), &a, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "gzip"));
}
END_TEST

START_TEST(bytes_after_the_gzipped_data_are_refused)
{
    IdxArray a;
    Error err;
    size_t size;
    unsigned char *packed = scratch_read(gzip_labels(5, 5), &size);
    packed[size] = 'x'; /* scratch_read allocates one extra byte */
    ck_assert(!read_labels(scratch_write("more.gz", packed, size + 1), &a, &err));
    free(packed);
}
END_TEST

START_TEST(unpacked_sizes_must_be_the_declared_ones)
{
    IdxArray a;
    Error err;
    ck_assert(!read_labels(gzip_labels(5, 4), &a, &err));
    ck_assert_str_eq(err.found, "4");
    ck_assert(!read_labels(gzip_labels(5, 6), &a, &err));
    ck_assert_int_eq(err.offset, 13);
    ck_assert_ptr_nonnull(strstr(err.problem, "more bytes"));
}
END_TEST

/* --- hostile files ---------------------------------------------------------------------------- */

/* The size of the largest block that reading a file requests. */
static size_t largest_block(const char *path)
{
    IdxArray a;
    Error err;
    watch_begin();
    bool ok = read_labels(path, &a, &err);
    watch_end();
    ck_assert(!ok);
    return watch.largest;
}

/* 8 MB that compress to 8 KB, after a header that declares 1000 bytes; then the reverse, a header
 * that declares 4 GB before 1000 bytes. In the first case gzip is stopped. */
START_TEST(memory_is_bounded_by_what_is_declared_and_by_what_is_there)
{
    ck_assert_uint_le(largest_block(gzip_labels(1000, 8 << 20)), 1000);
    ck_assert_uint_le(largest_block(gzip_labels(1 << 26, 1000)), 1 << 16);
}
END_TEST

/* 64 MiB and a byte of zeros compress to 65 KB. They are refused before any memory is allocated for
 * them, and what the hint says works. A larger file may declare more. */
START_TEST(memory_is_bounded_by_the_size_of_the_gzipped_file)
{
    enum { MOST = 64 << 20, LARGE = 5 << 20 };
    IdxArray a;
    Error err;
    uint8_t *zeros = calloc(1, 8 + MOST + 1);
    ck_assert_ptr_nonnull(zeros);
    memcpy(zeros, (uint8_t[]){0, 0, 8, 1, 4, 0, 0, 1}, 8);
    const char *bomb = scratch_gzip("bomb.gz", zeros, 8 + MOST + 1);
    ck_assert_uint_eq(largest_block(bomb), 0);
    ck_assert(!read_labels(bomb, &a, &err));
    ck_assert_str_eq(err.expected, "at most 67108864 bytes");
    ck_assert_str_eq(err.found, "67108865");
    ck_assert_ptr_nonnull(strstr(err.hint, "gunzip"));
    ck_assert(read_labels(scratch_write("unpacked", zeros, 8 + MOST + 1), &a, &err));
    idx_free(&a);
    zeros[7] = 0;
    ck_assert(read_labels(scratch_gzip("bomb.gz", zeros, 8 + MOST), &a, &err));
    idx_free(&a);
    uint32_t noise = 1;
    for (size_t i = 8; i < LARGE; i++)
        zeros[i] = (uint8_t)((noise = noise * 1664525 + 1013904223) >> 24);
    memcpy(zeros + 4, (uint8_t[]){5, 0, 0, 0}, 4); /* 80 MiB */
    ck_assert(!read_labels(scratch_gzip("large.gz", zeros, LARGE), &a, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "ends before its data"));
    free(zeros);
}
END_TEST

START_TEST(no_memory_is_an_error)
{
    Error err;
    ByteStream stream;
    uint8_t *file = labels_file(0, 0);
    ck_assert(slope_stream_open(&stream, scratch_gzip("labels.gz", file, 8), GZIP_UNPACK, &err));
    ck_assert_ptr_null(slope_stream_take(&stream, SIZE_MAX, &err));
    slope_stream_close(&stream);
    free(file);
}
END_TEST

/* --- the environment -------------------------------------------------------------------------- */

START_TEST(no_gzip_program_is_a_sentence_that_says_so)
{
    IdxArray a;
    Error err;
    const char *packed = gzip_labels(5, 5);
    char *path = strdup(getenv("PATH"));
    setenv("PATH", scratch_folder, 1);
    bool ok = read_labels(packed, &a, &err);
    setenv("PATH", path, 1);
    free(path);
    ck_assert(!ok);
    ck_assert_ptr_nonnull(strstr(err.problem, "no gzip program"));
    ck_assert_ptr_nonnull(strstr(err.hint, "apt-get install gzip"));
}
END_TEST

START_TEST(gzip_is_silent)
{
    IdxArray a;
    Error err;
    const char *bad = scratch_write("no.gz", "\x1f\x8bhello, world", 14);
    capture_begin();
    bool ok = idx_read(bad, 1, &a, &err);
    const char *said = capture_end();
    ck_assert(!ok);
    ck_assert_str_eq(said, "");
}
END_TEST

/* A program that ignores SIGPIPE passes that on to its children; gzip must stop nevertheless. One
 * that ignores SIGCHLD gets no exit status; the file is then refused, not trusted. */
START_TEST(ignored_signals_do_no_harm)
{
    IdxArray a;
    Error err;
    const char *packed = gzip_labels(1000, 8 << 20);
    signal(SIGPIPE, SIG_IGN);
    ck_assert(!read_labels(packed, &a, &err));
    signal(SIGPIPE, SIG_DFL);
    ck_assert_ptr_nonnull(strstr(err.problem, "more bytes"));

    packed = gzip_labels(5, 5);
    signal(SIGCHLD, SIG_IGN);
    bool ok = read_labels(packed, &a, &err);
    signal(SIGCHLD, SIG_DFL);
    ck_assert(!ok);
}
END_TEST

/* If descriptor 0 is free, the file itself gets it, although it is also gzip's standard input. */
START_TEST(a_closed_standard_input_does_no_harm)
{
    IdxArray a;
    Error err;
    const char *packed = gzip_labels(5, 5);
    int saved = dup(STDIN_FILENO);
    close(STDIN_FILENO);
    bool ok = idx_read(packed, 1, &a, &err);
    if (saved >= 0)
        dup2(saved, STDIN_FILENO), close(saved);
    ck_assert_msg(ok, "%s", err.problem);
    idx_free(&a);
}
END_TEST

static void *read_many(void *path)
{
    size_t good = 0;
    for (int i = 0; i < 10; i++) {
        IdxArray a;
        good += idx_read(path, 1, &a, NULL);
        idx_free(&a);
    }
    return (void *)good;
}

START_TEST(threads_may_read_at_the_same_time)
{
    pthread_t thread[4];
    char path[SCRATCH_PATH];
    strcpy(path, gzip_labels(200000, 200000));
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, read_many, path), 0);
    for (int i = 0; i < 4; i++) {
        void *good;
        pthread_join(thread[i], &good);
        ck_assert_uint_eq((size_t)good, 10);
    }
}
END_TEST

/* ------------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("gzipped streams");
    testing_add(suite, "gzip", 60, (const TTest *const[]){
        gzip_gives_the_bytes_of_the_raw_file, first_bytes_decide_not_the_name,
        names_are_not_parsed_by_a_shell, every_truncation_is_refused, a_wrong_checksum_is_refused,
        two_magic_bytes_do_not_make_a_gzip_file, bytes_after_the_gzipped_data_are_refused,
        unpacked_sizes_must_be_the_declared_ones,
        memory_is_bounded_by_what_is_declared_and_by_what_is_there,
        memory_is_bounded_by_the_size_of_the_gzipped_file, no_memory_is_an_error,
        no_gzip_program_is_a_sentence_that_says_so, gzip_is_silent, ignored_signals_do_no_harm,
        a_closed_standard_input_does_no_harm, threads_may_read_at_the_same_time, NULL});
    return scratch_main(suite);
}

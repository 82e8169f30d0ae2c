/* tests/tensor/files/check_stream.c -- bytes from memory and from files. check_stream_gzip.c tests
 * files that gzip unpacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/stream.h"

#include <fcntl.h>

#include "tensor/memory.h"
#include "tests/scratch.h"
#include "tests/testing.h"

/* The lowest free descriptor; a leaked descriptor would raise it. */
static int lowest_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

/* Reads "0123456789" from a stream of any kind, and then past its end. */
static void read_ten(ByteStream *s)
{
    Error err;
    size_t got;
    uint8_t bytes[20];
    ck_assert_int_eq(slope_stream_left(s), 10);
    ck_assert(slope_stream_fill(s, bytes, 3, &err));
    ck_assert_mem_eq(bytes, "012", 3);
    ck_assert_uint_eq(slope_stream_start(s, bytes, 2), 2);
    ck_assert_mem_eq(bytes, "01", 2);
    ck_assert_uint_eq(slope_stream_start(s, bytes, sizeof bytes), 10);
    uint8_t *taken = slope_stream_take(s, 4, &err);
    ck_assert_mem_eq(taken, "3456", 4);
    memory_free(taken);
    ck_assert(!slope_stream_expect_end(s, &err));
    ck_assert_str_eq(err.expected, "7 bytes in all");
    ck_assert_str_eq(err.found, "10");
    ck_assert_int_eq(slope_stream_left(s), 2);
    uint64_t before = memory_counts().allocations;
    ck_assert_ptr_null(slope_stream_take(s, SIZE_MAX, &err));
    ck_assert_uint_eq(memory_counts().allocations, before);
    ck_assert_str_eq(err.found, "2");
    ck_assert(slope_stream_read(s, bytes, sizeof bytes, &got, &err));
    ck_assert_uint_eq(got, 2);
    ck_assert_mem_eq(bytes, "89", 2);
    ck_assert(slope_stream_fill(s, bytes, 0, &err));
    ck_assert(!slope_stream_fill(s, bytes, 1, &err));
    ck_assert_str_eq(err.file, s->name);
    ck_assert_str_eq(err.expected, "1 more bytes");
    ck_assert(slope_stream_expect_end(s, &err));
    slope_stream_close(s);
}

START_TEST(memory_and_a_raw_file_read_alike)
{
    static const GzipChoice choices[] = {GZIP_UNPACK, GZIP_REFUSE, GZIP_IGNORE};
    const char *text = "0123456789", *path = scratch_write("ten", text, 10);
    ByteStream s = slope_stream_of_memory((const uint8_t *)text, 10, "memory");
    int before = lowest_descriptor();
    read_ten(&s);
    for (int i = 0; i < 3; i++) {
        Error err;
        ck_assert(slope_stream_open(&s, path, choices[i], &err));
        read_ten(&s);
        ck_assert_int_eq(lowest_descriptor(), before);
    }
}
END_TEST

START_TEST(empty_memory_is_at_its_end)
{
    Error err;
    ByteStream s = slope_stream_of_memory(NULL, 0, "memory");
    ck_assert(slope_stream_expect_end(&s, &err));
    ck_assert_uint_eq(slope_stream_start(&s, (uint8_t[1]){0}, 1), 0);
    uint8_t *nothing = slope_stream_take(&s, 0, &err);
    ck_assert_ptr_nonnull(nothing);
    memory_free(nothing);
}
END_TEST

/* gzip is not started in either case: it is not in $PATH. */
START_TEST(a_gzipped_file_is_refused_or_read_as_it_is)
{
    Error err;
    ByteStream s;
    uint8_t magic[2];
    const char *packed = scratch_gzip("ten.gz", "0123456789", 10);
    char *path = strdup(getenv("PATH"));
    setenv("PATH", scratch_folder, 1);
    ck_assert(!slope_stream_open(&s, packed, GZIP_REFUSE, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "gunzip"));
    ck_assert(slope_stream_open(&s, packed, GZIP_IGNORE, &err));
    ck_assert(slope_stream_fill(&s, magic, 2, &err));
    ck_assert_mem_eq(magic, "\x1f\x8b", 2);
    slope_stream_close(&s);
    setenv("PATH", path, 1);
    free(path);
}
END_TEST

START_TEST(only_regular_files_are_opened)
{
    Error err;
    ByteStream s;
    int before = lowest_descriptor();
    ck_assert(!slope_stream_open(&s, scratch_path("missing"), GZIP_IGNORE, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "No such file"));
    ck_assert(!slope_stream_open(&s, scratch_folder, GZIP_IGNORE, &err));
    ck_assert_str_eq(err.problem, "this is a folder, not a file");
    ck_assert_int_eq(mkfifo(scratch_path("fifo"), 0600), 0);
    ck_assert(!slope_stream_open(&s, scratch_path("fifo"), GZIP_IGNORE, &err));
    ck_assert_str_eq(err.problem, "this is a pipe or a device, not a file");
    ck_assert(!slope_stream_open(&s, "/dev/zero", GZIP_IGNORE, &err));
    ck_assert_str_eq(err.file, "/dev/zero");
    ck_assert_int_eq(lowest_descriptor(), before);
}
END_TEST

/* The size is that at the time when the file was opened. */
START_TEST(a_file_that_shrinks_is_an_error)
{
    Error err;
    ByteStream s;
    const char *path = scratch_write("shrinks", "0123456789", 10);
    ck_assert(slope_stream_open(&s, path, GZIP_REFUSE, &err));
    ck_assert_int_eq(truncate(path, 4), 0);
    ck_assert_ptr_null(slope_stream_take(&s, 10, &err));
    ck_assert_str_eq(err.expected, "10 more bytes");
    ck_assert_str_eq(err.found, "4");
    slope_stream_close(&s);
}
END_TEST

/* ------------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("stream");
    testing_add(suite, "memory and files", 10, (const TTest *const[]){
        memory_and_a_raw_file_read_alike, empty_memory_is_at_its_end,
        a_gzipped_file_is_refused_or_read_as_it_is, only_regular_files_are_opened,
        a_file_that_shrinks_is_an_error, NULL});
    return scratch_main(suite);
}

/* tests/nn/check_checkpoint.c -- saving and loading networks.
 *
 * With a folder as its argument it instead saves a network there, with an input and the network's
 * output, for tests/tensor/files/load_safetensors.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/checkpoint.h"

#include <check.h>
#include <math.h>

#include "nn/layers.h"
#include "tensor/random.h"
#include "tests/allocator.h"
#include "tests/scratch.h"
#include "tests/testing.h"

/* --- networks --------------------------------------------------------------------------------- */

/* A small version of the document's network, with buffers, a counter and a nested child. */
static Module *network_new(uint64_t seed, ptrdiff_t hidden, const char *last)
{
    random_seed(seed);
    Module *net = sequential_new(NULL, 0); /* with names instead of numbers */
    module_add_child(net, "fc1", linear_new(3, hidden));
    module_add_child(net, "prelu1", prelu_new(hidden, (real)0.25));
    module_add_child(net, "block", SEQUENTIAL(linear_new(hidden, 4), prelu_new(1, (real)-0.5)));
    Module *fc = module_add_child(net, last, linear_new_without_bias(4, 2));
    module_add_buffer(fc, "seen", tensor_scalar((real)seed));
    *module_add_counter(fc, "count") = ((int64_t)1 << 60) + (int64_t)seed;
    module_add_rng(net, "rng", random_stream());
    module_add_buffer(net, "mean", tensor_full(SHAPE(3), (real)(0.1 * (double)seed)));
    return net;
}

static void tensor_hash(const char *name, const ModulePart *part, void *ctx)
{
    uint64_t *hash = ctx;
    const Tensor *x = module_part_tensor(part);
    if (!x)
        return;
    const uint8_t *p = (const uint8_t *)tensor_read(x);
    for (; *name; name++)
        *hash = (*hash ^ (uint8_t)*name) * 0x100000001b3;
    for (size_t i = 0; i < (size_t)tensor_count(x) * sizeof(real); i++)
        *hash = (*hash ^ p[i]) * 0x100000001b3;
}

/* Changes with every bit of every tensor and with every name. */
static uint64_t hash_of(Module *m)
{
    uint64_t hash = 0xcbf29ce484222325;
    module_visit(m, tensor_hash, &hash);
    return hash;
}

static void collect_name(const char *name, const ModulePart *part, void *ctx)
{
    if (module_part_tensor(part))
        strcat(strcat(ctx, name), " ");
}

START_TEST(names_are_those_of_a_state_dict)
{
    char names[512] = "";
    Module *net = network_new(1, 5, "fc2");
    module_visit(net, collect_name, names);
    ck_assert_str_eq(names, "mean fc1.weight fc1.bias prelu1.weight block.0.weight block.0.bias "
                     "block.1.weight fc2.weight fc2.seen ");
    module_free(net);
}
END_TEST

START_TEST(a_network_comes_back_to_the_bit)
{
    Error err;
    Module *a = network_new(1, 5, "fc2"), *b = network_new(2, 5, "fc2");
    tensor_write(module_part(a, PART_BUFFER, "mean")->buffer)[2] = (real)HUGE_VAL;
    tensor_write(module_param(a, "fc1.bias")->value)[3] = (real)-0.0;
    ck_assert(hash_of(a) != hash_of(b));
    ck_assert(module_save(a, scratch_path("net"), &err));
    ck_assert_msg(module_load(b, scratch_path("net"), &err), "%s", err.problem);
    ck_assert(hash_of(a) == hash_of(b));
    module_free(a), module_free(b);
}
END_TEST

/* Counters are exact, even beyond the integers that a double can represent. PyTorch's strict
 * loading would reject streams. */
START_TEST(counters_are_in_the_file_and_streams_are_not)
{
    Error err;
    Module *a = network_new(1, 5, "fc2"), *b = network_new(2, 5, "fc2");
    Rng *rng = module_part(b, PART_RNG, "rng")->rng, before = *rng;
    ck_assert(module_save(a, scratch_path("net"), &err));
    Safetensors *s = safetensors_read(scratch_path("net"), SAFETENSORS_HEADER, &err);
    const NamedTensor *count = safetensors_find(s, "fc2.count");
    ck_assert(count && count->dtype == DTYPE_I64 && count->shape.ndim == 0);
    ck_assert_ptr_null(safetensors_find(s, "rng"));
    ck_assert_int_eq(s->count, 10);
    ck_assert_msg(module_load(b, scratch_path("net"), &err), "%s", err.problem);
    ck_assert(*module_part(b, PART_COUNTER, "fc2.count")->counter == ((int64_t)1 << 60) + 1);
    ck_assert_mem_eq(&before, rng, sizeof before);
    safetensors_free(s);
    module_free(a), module_free(b);
}
END_TEST

static void write_part(const char *name, const ModulePart *part, void *list)
{
    (void)part;
    strcat(strcat(list, name), " ");
}

START_TEST(a_visit_is_in_the_order_of_a_state_dict)
{
    char names[512] = "";
    Module *net = network_new(1, 5, "fc2");
    module_visit(net, write_part, names);
    ck_assert_str_eq(names, "mean rng fc1.weight fc1.bias prelu1.weight block.0.weight "
                     "block.0.bias block.1.weight fc2.weight fc2.seen fc2.count ");
    module_free(net);
}
END_TEST

/* The tape must be able to detect that a recorded parameter was changed. */
START_TEST(loading_counts_as_a_write)
{
    Error err;
    Module *a = network_new(1, 5, "fc2");
    Var *w = module_param(a, "fc1.weight");
    ck_assert(module_save(a, scratch_path("net"), &err));
    unsigned version = w->value->storage->version;
    ck_assert(module_load(a, scratch_path("net"), &err));
    ck_assert(w->value->storage->version != version);
    module_free(a);
}
END_TEST

/* --- a network that has become NaN ------------------------------------------------------------ */

/* Asserts that the save is refused with this problem, and that the good file is kept. */
static void assert_not_saved(Module *m, Tensor *x, ptrdiff_t element, double value,
                             const char *problem)
{
    Error err;
    size_t size, size_after;
    ck_assert(module_save(m, scratch_path("good"), &err));
    unsigned char *before = scratch_read(scratch_path("good"), &size);
    real number = tensor_read(x)[element];
    tensor_write(x)[element] = (real)value;
    ck_assert(!module_save(m, scratch_path("good"), &err));
    ck_assert_str_eq(err.problem, problem);
    ck_assert_str_eq(err.file, scratch_path("good"));
    ck_assert_ptr_nonnull(strstr(err.hint, "lower learning rate"));
    unsigned char *after = scratch_read(scratch_path("good"), &size_after);
    ck_assert_uint_eq(size, size_after);
    ck_assert_mem_eq(before, after, size);
    tensor_write(x)[element] = number;
    free(before), free(after);
}

START_TEST(nan_never_replaces_a_good_file)
{
    Module *m = network_new(1, 5, "fc2");
    Tensor *weight = module_param(m, "fc1.weight")->value;
    assert_not_saved(m, weight, 7, (double)NAN,
                     "the tensor 'fc1.weight' is NaN at element 7, so nothing was saved");
    assert_not_saved(m, weight, 3, HUGE_VAL,
                     "the tensor 'fc1.weight' is infinite at element 3, so nothing was saved");
    assert_not_saved(m, weight, 0, -HUGE_VAL,
                     "the tensor 'fc1.weight' is infinite at element 0, so nothing was saved");
    assert_not_saved(m, module_part(m, PART_BUFFER, "fc2.seen")->buffer, 0, (double)NAN,
                     "the tensor 'fc2.seen' is NaN at element 0, so nothing was saved");
    module_free(m);
}
END_TEST

/* Saves m to `path`, then changes this element of a tensor in the file. */
static void save_with(Module *m, const char *path, const char *name, int element, double value)
{
    Error err;
    ck_assert(module_save(m, path, &err));
    Safetensors *s = safetensors_read(path, SAFETENSORS_HEADER, &err);
    ((real *)safetensors_find(s, name)->data)[element] = (real)value;
    ck_assert(safetensors_write(s, path, &err));
    safetensors_free(s);
}

/* The same is true of infinity. */
START_TEST(nan_in_a_parameter_is_not_loaded)
{
    Error err;
    const char *path = scratch_path("nan");
    Module *a = network_new(1, 5, "fc2"), *b = network_new(2, 5, "fc2");
    uint64_t before = hash_of(b);
    for (int infinite = 0; infinite < 2; infinite++) {
        char expected[128];
        save_with(a, path, "fc1.weight", 7, infinite ? HUGE_VAL : (double)NAN);
        ck_assert(!module_load(b, path, &err));
        snprintf(expected, sizeof expected, "the tensor 'fc1.weight' is %s at element 7 in the "
                 "file, so nothing was loaded", infinite ? "infinite" : "NaN");
        ck_assert_str_eq(err.problem, expected);
        ck_assert_str_eq(err.file, path);
        ck_assert_ptr_nonnull(strstr(err.hint, "load an older file"));
        ck_assert(hash_of(b) == before);
    }
    module_free(a), module_free(b);
}
END_TEST

/* A file written by another program may use NaN for "not set". */
START_TEST(nan_in_a_buffer_is_loaded)
{
    Error err;
    Module *m = network_new(1, 5, "fc2");
    save_with(m, scratch_path("nan"), "fc2.seen", 0, (double)NAN);
    ck_assert(module_load(m, scratch_path("nan"), &err));
    ck_assert(isnan(tensor_item(module_part(m, PART_BUFFER, "fc2.seen")->buffer)));
    module_free(m);
}
END_TEST

START_TEST(null_is_refused_by_name)
{
    Error err;
    Module *m = network_new(1, 5, "fc2");
    ck_assert_fails(module_save(NULL, "net", &err), "module_save: the module is NULL");
    ck_assert_fails(module_save(m, NULL, &err), "module_save: the path is NULL");
    ck_assert_fails(module_load(NULL, "net", &err), "module_load: the module is NULL");
    ck_assert_fails(module_load(m, NULL, &err), "module_load: the path is NULL");
    module_free(m);
}
END_TEST

/* --- from the other precision ----------------------------------------------------------------- */

static void add_as(const char *name, const Tensor *x, void *ctx, Dtype dtype)
{
    if (!x)
        return;
    void *data = safetensors_add(ctx, name, dtype, x->shape);
    for (ptrdiff_t i = 0; i < tensor_count(x); i++)
        if (dtype == DTYPE_F64)
            ((double *)data)[i] = (double)tensor_read(x)[i];
        else
            ((float *)data)[i] = (float)tensor_read(x)[i];
}

static void add_as_float(const char *name, const ModulePart *part, void *ctx)
{
    add_as(name, module_part_tensor(part), ctx, DTYPE_F32);
}

static void add_as_double(const char *name, const ModulePart *part, void *ctx)
{
    add_as(name, module_part_tensor(part), ctx, DTYPE_F64);
}

static void assert_close_to(const char *name, const ModulePart *part, void *ctx)
{
    const Tensor *x = module_part_tensor(part);
    if (!x)
        return;
    Tensor *y = tensor_zeros(x->shape);
    ck_assert(safetensors_get(ctx, name, y, NULL));
    ck_assert(tensor_all_close(x, y, 0, 1e-7));
    tensor_free(y);
}

START_TEST(both_precisions_load)
{
    Error err;
    ModuleVisit add[] = {add_as_float, add_as_double};
    for (int i = 0; i < 2; i++) {
        Module *a = network_new(1, 5, "fc2"), *b = network_new(2, 5, "fc2");
        Safetensors *s = safetensors_new();
        module_visit(a, add[i], s);
        *(int64_t *)safetensors_add(s, "fc2.count", DTYPE_I64, SHAPE_SCALAR) = 3;
        ck_assert(safetensors_write(s, scratch_path("net"), &err));
        ck_assert_msg(module_load(b, scratch_path("net"), &err), "%s", err.problem);
        module_visit(b, assert_close_to, s);
        ck_assert_int_eq(hash_of(a) == hash_of(b), i == 1 || sizeof(real) == 4);
        safetensors_free(s);
        module_free(a), module_free(b);
    }
}
END_TEST

/* A file from another program may hold integers. All bits of a -1 are set, as in some NaNs. */
START_TEST(integers_load)
{
    Error err;
    const Dtype types[] = {DTYPE_U8, DTYPE_I32, DTYPE_I64};
    const double expected[] = {255, -1, -1};
    for (int i = 0; i < 3; i++) {
        Module *m = prelu_new(8, (real)0.25);
        Safetensors *s = safetensors_new();
        void *data = safetensors_add(s, "weight", types[i], SHAPE(8));
        memset(data, 0xff, 8 * safetensors_dtype_size(types[i]));
        ck_assert(safetensors_write(s, scratch_path("integers"), &err));
        ck_assert_msg(module_load(m, scratch_path("integers"), &err), "%s", err.problem);
        for (int k = 0; k < 8; k++)
            ck_assert((double)tensor_read(module_param(m, "weight")->value)[k] == expected[i]);
        safetensors_free(s);
        module_free(m);
    }
}
END_TEST

/* --- what does not fit ------------------------------------------------------------------------ */

/* Loading the saved network into the other fails and leaves it unchanged. */
static void assert_refused(Module *saved, Module *m, Error *err)
{
    uint64_t before = hash_of(m);
    ck_assert(module_save(saved, scratch_path("other"), err));
    ck_assert(!module_load(m, scratch_path("other"), err));
    ck_assert(hash_of(m) == before);
    ck_assert_str_eq(err->file, scratch_path("other"));
    module_free(saved), module_free(m);
}

START_TEST(another_shape_is_refused_with_both)
{
    Error err;
    assert_refused(network_new(1, 6, "fc2"), network_new(2, 5, "fc2"), &err);
    ck_assert_ptr_nonnull(strstr(err.problem, "'fc1.weight'"));
    ck_assert_str_eq(err.expected, "(5, 3)");
    ck_assert_str_eq(err.found, "(6, 3)");
}
END_TEST

START_TEST(another_name_is_refused)
{
    Error err;
    assert_refused(network_new(1, 5, "fc3"), network_new(2, 5, "fc2"), &err);
    ck_assert_ptr_nonnull(strstr(err.problem, "no tensor 'fc2.weight'"));
}
END_TEST

START_TEST(a_name_too_many_is_refused)
{
    Error err;
    Module *more = network_new(1, 5, "fc2");
    module_add_child(more, "fc3", linear_new(2, 2));
    assert_refused(more, network_new(2, 5, "fc2"), &err);
    ck_assert_ptr_nonnull(strstr(err.problem, "does not have"));
    ck_assert_str_eq(err.found, "'fc3.bias'");
}
END_TEST

START_TEST(a_number_too_large_is_refused)
{
    Error err;
    Module *m = network_new(2, 5, "fc2");
    Safetensors *s = safetensors_new();
    uint64_t before = hash_of(m);
    module_visit(m, add_as_double, s);
    safetensors_add(s, "fc2.count", DTYPE_I64, SHAPE_SCALAR);
    ((double *)safetensors_find(s, "fc2.weight")->data)[3] = -1e300;
    ck_assert(safetensors_write(s, scratch_path("large"), &err));
    bool is_double = sizeof(real) == 8;
    ck_assert_int_eq(module_load(m, scratch_path("large"), &err), is_double);
    ck_assert_int_eq(hash_of(m) == before, !is_double);
    if (!is_double)
        ck_assert_ptr_nonnull(strstr(err.problem, "element 3 of 'fc2.weight'"));
    safetensors_free(s);
    module_free(m);
}
END_TEST

START_TEST(a_counter_of_another_type_or_shape_is_refused)
{
    Error err;
    Module *m = network_new(2, 5, "fc2");
    for (int i = 0; i < 3; i++) {
        Safetensors *s = safetensors_new();
        module_visit(m, add_as_float, s);
        if (i > 0)
            safetensors_add(s, "fc2.count", i == 1 ? DTYPE_F32 : DTYPE_I64,
                            i == 1 ? SHAPE_SCALAR : SHAPE(1));
        ck_assert(safetensors_write(s, scratch_path("count"), &err));
        ck_assert(!module_load(m, scratch_path("count"), &err));
        ck_assert_ptr_nonnull(strstr(err.problem, "'fc2.count'"));
        ck_assert_str_eq(err.found, i == 0 ? "" : i == 1 ? "F32" : "(1,)");
        safetensors_free(s);
    }
    ck_assert(*module_part(m, PART_COUNTER, "fc2.count")->counter == ((int64_t)1 << 60) + 2);
    module_free(m);
}
END_TEST

START_TEST(a_damaged_file_changes_nothing)
{
    Error err;
    size_t size;
    Module *m = network_new(1, 5, "fc2");
    ck_assert(module_save(m, scratch_path("whole"), &err));
    unsigned char *bytes = scratch_read(scratch_path("whole"), &size);
    Module *other = network_new(2, 5, "fc2");
    uint64_t before = hash_of(other);
    for (size_t cut = 0; cut < size; cut += 7) {
        ck_assert(!module_load(other, scratch_write("cut", bytes, cut), &err));
        ck_assert(hash_of(other) == before);
    }
    free(bytes);
    module_free(m), module_free(other);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    Error err;
    Module *m = network_new(1, 5, "fc2");
    ck_assert(!module_load(m, scratch_path("missing"), &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "No such file"));
    ck_assert(!module_load(m, scratch_subfolder("folder"), &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "folder"));
    ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0600), 0);
    ck_assert(!module_load(m, scratch_path("pipe"), &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "pipe"));
    module_free(m);
}
END_TEST

/* --- out of memory ---------------------------------------------------------------------------- */

/* Saves `from` or, if `to` is not NULL, loads into `to`, while call n of the allocator fails, and
 * all later ones too unless `once`. Returns the smallest n for which that succeeds. */
static int without_memory(Module *from, Module *to, const char *path, bool once)
{
    Error err;
    uint64_t before = to ? hash_of(to) : 0;
    for (int n = 0;; n++) {
        uint64_t blocks = testing_blocks();
        watch.fail_at = watch.calls + n, watch.once = once;
        bool ok = to ? module_load(to, path, &err) : module_save(from, path, &err);
        watch.fail_at = -1;
        ck_assert_uint_eq(testing_blocks(), blocks);
        if (ok)
            return n;
        ck_assert_msg(strstr(err.problem, "out of memory") != NULL, "%s", err.problem);
        ck_assert_str_eq(err.file, path);
        ck_assert(to ? hash_of(to) == before : access(path, F_OK) == -1);
    }
}

/* fc1.bias is replaced by a tensor that is not contiguous, which saving must not copy first. */
START_TEST(out_of_memory_changes_nothing)
{
    Module *a = network_new(1, 5, "fc2"), *b = network_new(2, 5, "fc2");
    Var *bias = module_param(a, "fc1.bias");
    Tensor *wide = tensor_arange(10), *every_other = tensor_slice(wide, 0, 0, 10, 2);
    tensor_free(wide), tensor_free(bias->value);
    bias->value = every_other;
    watch_begin();
    for (int once = 0; once < 2; once++) {
        const char *path = scratch_path(once ? "memory once" : "memory");
        ck_assert_int_gt(without_memory(a, NULL, path, once), 20);
        ck_assert_int_gt(without_memory(NULL, b, path, once), 20);
    }
    watch_end();
    ck_assert(tensor_same_bits(module_param(b, "fc1.bias")->value, every_other));
    ck_assert(tensor_same_bits(module_param(b, "fc2.weight")->value,
                               module_param(a, "fc2.weight")->value));
    module_free(a), module_free(b);
}
END_TEST

/* ------------------------------------------------------------------------------------------ */

/* Saves a network, an input, and the network's output for it. */
static int save_example(const char *folder)
{
    char path[SCRATCH_PATH];
    Error err;
    Safetensors *run = safetensors_new();
    Module *net = network_new(1, 5, "fc2");
    Tensor *x = tensor_from(SHAPE(2, 3), (real[]){1, -2, (real)0.5, -1, 3, (real)-0.25});
    size_t mark = tape_mark();
    safetensors_add_tensor(run, "x", x);
    safetensors_add_tensor(run, "y", module_forward(net, var_const(x))->value);
    tape_rewind(mark);
    snprintf(path, sizeof path, "%s/net.safetensors", folder);
    bool ok = module_save(net, path, &err);
    snprintf(path, sizeof path, "%s/run.safetensors", folder);
    ok = ok && safetensors_write(run, path, &err);
    if (!ok)
        error_print(stderr, &err);
    tensor_free(x);
    module_free(net);
    safetensors_free(run);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return save_example(argv[1]);
    Suite *suite = suite_create("checkpoint");
    testing_add(suite, "networks", 10, (const TTest *const[]){
        names_are_those_of_a_state_dict, a_visit_is_in_the_order_of_a_state_dict,
        a_network_comes_back_to_the_bit, counters_are_in_the_file_and_streams_are_not,
        loading_counts_as_a_write, nan_never_replaces_a_good_file,
        nan_in_a_parameter_is_not_loaded, nan_in_a_buffer_is_loaded, both_precisions_load,
        integers_load, out_of_memory_changes_nothing, NULL});
    testing_add(suite, "refusing", 10, (const TTest *const[]){
        another_shape_is_refused_with_both, another_name_is_refused, a_name_too_many_is_refused,
        a_number_too_large_is_refused, a_counter_of_another_type_or_shape_is_refused,
        a_damaged_file_changes_nothing, what_is_no_file_is_refused, null_is_refused_by_name, NULL});
    return scratch_main(suite);
}

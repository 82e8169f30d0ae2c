/* tests/nn/check_load_with.c -- loading under other names, and only what fits.
 *
 * With a folder as its argument it instead loads networks that PyTorch wrapped, for
 * tests/nn/torch_exchange.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <math.h>

#include "nn/checkpoint.h"
#include "tests/allocator.h"
#include "tests/conv_net.h"
#include "tests/optim/run.h"
#include "tests/scratch.h"
#include "tests/xor.h"

/* --- networks and files ----------------------------------------------------------------------- */

static Error err;
static LoadReport report;

/* Nine tensors and one counter, all of whose values depend on the seed, and a random stream. */
static Module *network_new(uint64_t seed, ptrdiff_t classes)
{
    random_seed(seed);
    Module *net = sequential_new(NULL, 0), *norm = batch_norm1d_new(4);
    module_add_child(net, "features", SEQUENTIAL(linear_new(2, 4), prelu_new(4, (real)seed), norm));
    module_add_child(net, "classifier", linear_new(4, classes));
    tensor_fill(module_part(norm, PART_PARAM, "weight")->param->value, (real)seed + 1);
    tensor_fill(module_part(norm, PART_PARAM, "bias")->param->value, (real)seed + 2);
    tensor_fill(module_part(norm, PART_BUFFER, "running_mean")->buffer, (real)seed + 3);
    tensor_fill(module_part(norm, PART_BUFFER, "running_var")->buffer, (real)seed + 4);
    *module_part(norm, PART_COUNTER, "num_batches_tracked")->counter = (int64_t)seed + 5;
    module_add_rng(net, "rng", random_stream());
    return net;
}

typedef struct Listing {
    Safetensors *list;
    const char  *prefix;
    const char  *without; /* skip names that contain this; NULL: none */
} Listing;

static void list_part(const char *name, const ModulePart *part, void *ctx)
{
    Listing *l = ctx;
    char full[MODULE_PATH + 64];
    snprintf(full, sizeof full, "%s%s", l->prefix, name);
    if (part->kind == PART_RNG || (l->without && strstr(name, l->without)))
        return;
    if (part->kind == PART_COUNTER)
        *(int64_t *)safetensors_add(l->list, full, DTYPE_I64, SHAPE_SCALAR) = *part->counter;
    else
        safetensors_add_tensor(l->list, full, module_part_tensor(part));
}

/* The network's tensors and counters, with this prefix. */
static Safetensors *list_of(const Module *m, const char *prefix, const char *without)
{
    Listing l = {safetensors_new(), prefix, without};
    module_visit(m, list_part, &l);
    return l.list;
}

/* Writes and frees the list; returns its path. */
static const char *written(Safetensors *s)
{
    const char *path = scratch_path("file");
    ck_assert_msg(safetensors_write(s, path, &err), "%s", err.problem);
    safetensors_free(s);
    return path;
}

static bool same_tensor(const NamedTensor *a, const NamedTensor *b)
{
    size_t bytes = (size_t)shape_count(a->shape) * safetensors_dtype_size(a->dtype);
    return a->dtype == b->dtype && shape_equal(a->shape, b->shape)
           && memcmp(a->data, b->data, bytes) == 0;
}

/* How many of the network's tensors and counters have the bits that they have in the list? */
static int count_same(const Module *m, const Safetensors *s)
{
    int same = 0;
    Safetensors *own = list_of(m, "", NULL);
    for (int i = 0; i < own->count; i++) {
        const NamedTensor *t = safetensors_find(s, own->item[i].name);
        same += t && same_tensor(&own->item[i], t);
    }
    safetensors_free(own);
    return same;
}

/* Asserts that loading succeeds. The caller frees `report`. */
static void load(Module *m, const char *path, LoadOptions options)
{
    bool ok = module_load_with(m, path, options, &report, &err);
    ck_assert_msg(ok, "%s; expected %s, found %s", err.problem, err.expected, err.found);
    ck_assert_int_eq(report.loaded + report.missing + report.unexpected + report.different,
                     report.count);
}

/* Asserts that loading fails with these texts and changes nothing. */
static void refuse(Module *m, const char *path, LoadOptions options, const char *problem,
                   const char *hint)
{
    Safetensors *before = list_of(m, "", NULL);
    memset(&report, 0xff, sizeof report);
    ck_assert(!module_load_with(m, path, options, &report, &err));
    ck_assert_str_eq(err.file, path);
    ck_assert_str_eq(err.problem, problem);
    ck_assert_msg(strstr(err.hint, hint) != NULL, "the hint is \"%s\"", err.hint);
    ck_assert(!report.item && report.count == 0 && report.loaded == 0 && report.missing == 0
              && report.unexpected == 0 && report.different == 0);
    ck_assert_int_eq(count_same(m, before), before->count);
    safetensors_free(before);
}

static const LoadItem *item_of(const char *name)
{
    for (int i = 0; i < report.count; i++)
        if (strcmp(report.item[i].name, name) == 0)
            return &report.item[i];
    ck_abort_msg("the report lacks '%s'", name);
    return NULL;
}

/* Asserts the report's text. */
static void assert_printed(const char *expected)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    load_report_print(out, &report);
    fclose(out);
    ck_assert_str_eq(text, expected);
    free(text);
}

/* --- names ------------------------------------------------------------------------------------ */

static const struct Renaming {
    const char *saved; /* the prefix in the file */
    LoadOptions options;
} renamings[] = {
    {"", {0}},
    {"", {.remove_prefix = "", .add_prefix = ""}},
    {"_orig_mod.", {.remove_prefix = "_orig_mod."}},
    {"module._orig_mod.", {.remove_prefix = "module._orig_mod."}},
    {"module.module.", {.remove_prefix = "module.module."}},
    {"", {.remove_prefix = "_orig_mod."}}, /* a prefix that no name has */
    {"old.", {.remove_prefix = "old.features.", .add_prefix = "features.", .partial = true}},
};

START_TEST(a_prefix_is_removed_from_names_and_added_to_them)
{
    const struct Renaming *r = &renamings[_i];
    Module *a = network_new(1, 3), *b = network_new(2, 3);
    Safetensors *saved = list_of(a, "", NULL);
    load(b, written(list_of(a, r->saved, NULL)), r->options);
    int expected = r->options.partial ? 8 : 10; /* the last one renames the features only */
    ck_assert_int_eq(report.loaded, expected);
    ck_assert_int_eq(count_same(b, saved), expected);
    load_report_free(&report);
    safetensors_free(saved);
    module_free(a), module_free(b);
}
END_TEST

/* The weights of a part, saved alone, are loaded into the whole. */
START_TEST(an_added_prefix_places_a_part_in_the_network)
{
    Module *a = network_new(1, 3), *b = network_new(2, 3);
    Safetensors *saved = list_of(a, "", NULL);
    const char *path = written(list_of(module_child(a, "features"), "", NULL));
    load(b, path, (LoadOptions){.add_prefix = "features.", .partial = true});
    ck_assert_int_eq(count_same(b, saved), 8);
    assert_printed("8 loaded, 2 missing, 0 unexpected, 0 different\n"
                   "  missing     classifier.weight (3, 4)\n"
                   "  missing     classifier.bias (3,)\n");
    load_report_free(&report);
    safetensors_free(saved);
    module_free(a), module_free(b);
}
END_TEST

/* The first file holds both 'classifier.bias' and 'module.classifier.bias', the second a name that
 * is nothing but the prefix. */
START_TEST(names_that_become_the_same_are_refused)
{
    Module *a = network_new(1, 3), *b = network_new(2, 3);
    for (int partial = 0; partial < 2; partial++) {
        Safetensors *s = list_of(a, "module.", NULL);
        safetensors_add(s, "classifier.bias", DTYPE_REAL, SHAPE(3));
        LoadOptions o = {.remove_prefix = "module.", .partial = partial};
        refuse(b, written(s), o,
               "without the prefix 'module.', two tensors are named 'classifier.bias'",
               "load the file without .remove_prefix");
    }
    Safetensors *s = list_of(a, "module.", NULL);
    safetensors_add(s, "module.", DTYPE_REAL, SHAPE(1));
    load(b, written(s), (LoadOptions){.remove_prefix = "module.", .partial = true});
    assert_printed("10 loaded, 0 missing, 1 unexpected, 0 different\n  unexpected   (1,)\n");
    load_report_free(&report);
    module_free(a), module_free(b);
}
END_TEST

/* --- files with no name in common with the network -------------------------------------------- */

START_TEST(a_prefix_common_to_all_names_is_the_hint)
{
    static const char problem[] = "the file and the network have no name in common";
    static const char other[] = "different parts or names?";
    Module *a = network_new(1, 3), *b = network_new(2, 3);
    const char *path = written(list_of(a, "module._orig_mod.", NULL));
    for (int partial = 0; partial < 2; partial++) {
        LoadOptions o = {.partial = partial};
        const char *hint = "every name in the file begins with 'module._orig_mod.'; pass it to "
                           "module_load_with as .remove_prefix";
        refuse(b, path, o, problem, hint);
        ck_assert_str_eq(err.expected, "'features.0.weight'");
        ck_assert_str_eq(err.found, "'module._orig_mod.features.2.num_batches_tracked'");
        o.remove_prefix = "module"; /* without the dot */
        refuse(b, path, o, problem, hint);
        o.remove_prefix = "module.";
        refuse(b, path, o, problem, hint);
        o.add_prefix = "net.";
        refuse(b, path, o, problem, hint);
        o.remove_prefix = "module._orig_mod.";
        refuse(b, path, o, problem, other); /* no longer the hint: it has been followed */
    }
    ck_assert(!module_load(b, path, &err));
    ck_assert_str_eq(err.problem, problem);
    ck_assert_ptr_nonnull(strstr(err.hint, "'module._orig_mod.'"));
    path = written(list_of(a, "module_", NULL)); /* not a whole name */
    refuse(b, path, (LoadOptions){.partial = true}, problem, other);
    module_free(a), module_free(b);
}
END_TEST

START_TEST(a_prefix_of_some_names_is_no_hint)
{
    static const char problem[] = "the file and the network have no name in common";
    Module *a = network_new(1, 3), *b = network_new(2, 3);
    Safetensors *s = list_of(a, "module.", NULL);
    safetensors_add(s, "moment", DTYPE_REAL, SHAPE(1));
    refuse(b, written(s), (LoadOptions){0}, problem, "different parts or names?");
    s = safetensors_new();
    safetensors_add(s, "classifier", DTYPE_REAL, SHAPE(3)); /* a single name, without a dot */
    refuse(b, written(s), (LoadOptions){0}, problem, "different parts or names?");
    module_free(a), module_free(b);
}
END_TEST

/* Only a strict load of an empty file into a network without tensors succeeds. */
START_TEST(nothing_is_loaded_in_silence)
{
    static const char none[] = "the file and the network have no name in common";
    Module *m = network_new(1, 3), *relu = relu_new();
    const char *path = written(safetensors_new());
    refuse(m, path, (LoadOptions){.partial = true}, none, "different parts");
    ck_assert_str_eq(err.found, "none");
    refuse(m, path, (LoadOptions){0}, "the file has no tensor 'features.0.weight'", "different");
    refuse(relu, path, (LoadOptions){.partial = true}, none, "different parts");
    ck_assert_str_eq(err.expected, "none");
    load(relu, path, (LoadOptions){0});
    ck_assert_int_eq(report.count, 0);
    load_report_free(&report);
    path = written(list_of(m, "", NULL));
    refuse(relu, path, (LoadOptions){.partial = true}, none, "different parts");
    refuse(relu, path, (LoadOptions){0},
           "the file holds a tensor that the network does not have", "more parts");
    module_free(m), module_free(relu);
}
END_TEST

START_TEST(a_file_of_which_no_shape_fits_is_refused)
{
    Module *a = network_new(1, 3), *b = network_new(2, 5);
    const char *path = written(list_of(a, "", "features"));
    refuse(b, path, (LoadOptions){.partial = true},
           "none of the network's tensors in the file fits; 'classifier.bias', for example, has a "
           "different shape or type", "of a different size?");
    ck_assert_str_eq(err.expected, "(5,)");
    ck_assert_str_eq(err.found, "(3,)");
    refuse(b, path, (LoadOptions){0}, "the file has no tensor 'features.0.weight'", "different");
    module_free(a), module_free(b);
}
END_TEST

/* --- loading what fits ------------------------------------------------------------------------ */

START_TEST(what_does_not_fit_is_left_alone_and_reported)
{
    Module *a = network_new(1, 3), *b = network_new(2, 5);
    Safetensors *s = list_of(a, "", "running"), *before = list_of(b, "", NULL);
    Safetensors *saved = list_of(a, "", NULL);
    Rng *rng = module_part(b, PART_RNG, "rng")->rng, rng_before = *rng;
    safetensors_add(s, "head.weight", DTYPE_U8, SHAPE(2, 0));
    safetensors_add(s, "rng", DTYPE_U8, SHAPE(RNG_BYTES));
    load(b, written(s), (LoadOptions){.partial = true});
    ck_assert_int_eq(report.loaded, 6);
    ck_assert_int_eq(report.missing, 2);
    ck_assert_int_eq(report.unexpected, 2);
    ck_assert_int_eq(report.different, 2);
    assert_printed("6 loaded, 2 missing, 2 unexpected, 2 different\n"
                   "  different   classifier.bias (5,), in the file (3,)\n"
                   "  different   classifier.weight (5, 4), in the file (3, 4)\n"
                   "  missing     features.2.running_mean (4,)\n"
                   "  missing     features.2.running_var (4,)\n"
                   "  unexpected  head.weight (2, 0)\n"
                   "  unexpected  rng (24,)\n");
    const LoadItem *bias = item_of("features.0.bias");
    ck_assert(bias->result == LOAD_LOADED);
    ck_assert_str_eq(bias->expected, "(4,)");
    ck_assert_str_eq(bias->found, "(4,)");
    ck_assert_int_eq(count_same(b, saved), 6);
    ck_assert_int_eq(count_same(b, before), 4);
    ck_assert_mem_eq(rng, &rng_before, sizeof rng_before);
    load_report_free(&report);
    ck_assert(!report.item && report.count == 0 && report.loaded == 0);
    safetensors_free(before), safetensors_free(saved);
    module_free(a), module_free(b);
}
END_TEST

/* The same file, loaded strictly: as module_load reports it. */
START_TEST(strict_loading_refuses_what_a_partial_load_skips)
{
    Module *a = network_new(1, 3), *b = network_new(2, 5);
    const char *path = written(list_of(a, "old.", NULL));
    refuse(b, path, (LoadOptions){.remove_prefix = "old."},
           "the tensor 'classifier.weight' has a different shape in the file",
           "call module_load_with with .partial = true");
    path = written(list_of(b, "old.", "bias"));
    refuse(b, path, (LoadOptions){.remove_prefix = "old."},
           "the file has no tensor 'features.0.bias'", "different parts or names?");
    Safetensors *s = list_of(b, "old.", NULL);
    safetensors_add(s, "old.head", DTYPE_REAL, SHAPE(1));
    refuse(b, written(s), (LoadOptions){.remove_prefix = "old."},
           "the file holds a tensor that the network does not have", "more parts");
    ck_assert_str_eq(err.found, "'head'");
    module_free(a), module_free(b);
}
END_TEST

START_TEST(a_counter_of_another_type_or_shape_is_different)
{
    static const char name[] = "features.2.num_batches_tracked";
    const char *const found[] = {"F32 ()", "I64 (1,)"};
    Module *m = network_new(2, 3);
    for (int i = 0; i < 2; i++) {
        Safetensors *s = list_of(m, "", "num_batches");
        safetensors_add(s, name, i ? DTYPE_I64 : DTYPE_F32, i ? SHAPE(1) : SHAPE_SCALAR);
        load(m, written(s), (LoadOptions){.partial = true});
        ck_assert(item_of(name)->result == LOAD_DIFFERENT);
        ck_assert_str_eq(item_of(name)->expected, "I64 ()");
        ck_assert_str_eq(item_of(name)->found, found[i]);
        ck_assert_int_eq(report.loaded, 9);
        ck_assert_int_eq((int)*module_part(m, PART_COUNTER, name)->counter, 7);
        load_report_free(&report);
    }
    module_free(m);
}
END_TEST

START_TEST(every_type_fits_a_tensor)
{
    Module *m = network_new(2, 3);
    for (Dtype type = DTYPE_U8; type <= DTYPE_I64; type++) {
        Safetensors *s = safetensors_new();
        safetensors_add(s, "features.1.weight", type, SHAPE(4)); /* zeros */
        tensor_fill(module_param(m, "features.1.weight")->value, 1);
        load(m, written(s), (LoadOptions){.partial = true});
        ck_assert_int_eq(report.loaded, 1);
        for (int i = 0; i < 4; i++)
            ck_assert(tensor_read(module_param(m, "features.1.weight")->value)[i] == 0);
        load_report_free(&report);
    }
    module_free(m);
}
END_TEST

START_TEST(the_report_is_optional)
{
    Module *a = network_new(1, 3), *b = network_new(2, 5);
    Safetensors *saved = list_of(a, "", NULL);
    const char *path = written(list_of(a, "", NULL));
    ck_assert(module_load_with(b, path, (LoadOptions){.partial = true}, NULL, &err));
    ck_assert_int_eq(count_same(b, saved), 8);
    ck_assert(!module_load_with(b, path, (LoadOptions){0}, NULL, NULL));
    load_report_free(NULL);
    safetensors_free(saved);
    module_free(a), module_free(b);
}
END_TEST

/* The tape must be able to detect that a recorded parameter was changed, and only that. */
START_TEST(only_what_is_loaded_counts_as_written)
{
    Module *a = network_new(1, 3), *b = network_new(2, 5);
    Tensor *loaded = module_param(b, "features.0.weight")->value;
    Tensor *skipped = module_param(b, "classifier.weight")->value;
    unsigned before[] = {loaded->storage->version, skipped->storage->version};
    load(b, written(list_of(a, "", NULL)), (LoadOptions){.partial = true});
    ck_assert(loaded->storage->version != before[0]);
    ck_assert(skipped->storage->version == before[1]);
    load_report_free(&report);
    module_free(a), module_free(b);
}
END_TEST

/* A training checkpoint holds the network's random streams, the optimizer and the history, too. */
START_TEST(a_network_is_loaded_from_a_training_checkpoint)
{
    Module *net = network_new(1, 2), *other = network_new(2, 2);
    Run r = run_of(xor_points(8, 0), net, adam_new(net, (real)0.01), 4);
    trainer_fit(&r.t);
    ck_assert(trainer_save(&r.t, scratch_path("run"), &err));
    load(other, scratch_path("run"), (LoadOptions){.remove_prefix = "model.", .partial = true});
    Safetensors *trained = list_of(net, "", NULL);
    ck_assert_int_eq(count_same(other, trained), 10);
    ck_assert_int_eq(report.loaded, 10);
    ck_assert_int_eq(report.missing + report.different, 0);
    ck_assert(item_of("rng")->result == LOAD_UNEXPECTED);
    ck_assert(item_of("trainer.step")->result == LOAD_UNEXPECTED);
    load_report_free(&report);
    safetensors_free(trained);
    run_free(&r);
    module_free(other);
}
END_TEST

/* The example of nn/checkpoint.h: features of a network of three classes, a classifier of two. */
START_TEST(a_new_classifier_is_trained_on_loaded_features)
{
    Module *a = network_new(1, 3), *net = network_new(2, 2);
    Safetensors *trained = list_of(a, "", NULL), *new = list_of(net, "", NULL);
    const char *path = written(list_of(a, "_orig_mod.", NULL));
    load(net, path, (LoadOptions){.remove_prefix = "_orig_mod.", .partial = true});
    assert_printed("8 loaded, 0 missing, 0 unexpected, 2 different\n"
                   "  different   classifier.bias (2,), in the file (3,)\n"
                   "  different   classifier.weight (2, 4), in the file (3, 4)\n");
    load_report_free(&report);
    module_freeze(module_child(net, "features"), NULL);
    module_eval(module_child(net, "features"));
    Run r = run_of(xor_points(8, 0), net, adam_new(net, (real)0.01), 4);
    trainer_fit(&r.t);
    ck_assert_int_eq(count_same(net, trained), 8);
    ck_assert_int_eq(count_same(net, new), 0);
    safetensors_free(trained), safetensors_free(new);
    run_free(&r);
    module_free(a);
}
END_TEST

/* --- values that cannot be loaded ------------------------------------------------------------- */

/* A file of network `a` in which element 0 of this tensor, of the build's type, is the value. */
static const char *with_value(const Module *a, const char *name, double value)
{
    Safetensors *s = list_of(a, "", NULL);
    *(real *)safetensors_find(s, name)->data = (real)value;
    return written(s);
}

START_TEST(nan_is_refused_in_a_parameter_that_would_be_loaded)
{
    Module *a = network_new(1, 3), *b = network_new(2, 5);
    LoadOptions partial = {.partial = true};
    refuse(b, with_value(a, "features.1.weight", (double)NAN), partial, "the tensor "
           "'features.1.weight' is NaN at element 0 in the file, so nothing was loaded", "older");
    refuse(b, with_value(a, "features.0.bias", HUGE_VAL), partial, "the tensor 'features.0.bias' "
           "is infinite at element 0 in the file, so nothing was loaded", "older");
    load(b, with_value(a, "classifier.weight", (double)NAN), partial); /* which is skipped */
    ck_assert_int_eq(report.loaded, 8);
    load_report_free(&report);
    load(b, with_value(a, "features.2.running_mean", (double)NAN), partial); /* a buffer */
    ck_assert_int_eq(report.loaded, 8);
    load_report_free(&report);
    module_free(a), module_free(b);
}
END_TEST

START_TEST(a_number_out_of_range_is_refused)
{
    static const char counter[] = "features.2.num_batches_tracked";
    Module *m = network_new(2, 3);
    LoadOptions partial = {.partial = true};
    Safetensors *s = safetensors_new();
    *(int64_t *)safetensors_add(s, counter, DTYPE_I64, SHAPE_SCALAR) = -1;
    refuse(m, written(s), partial,
           "the value of 'features.2.num_batches_tracked' is out of range", "");
    s = safetensors_new();
    *(double *)safetensors_add(s, "features.0.bias", DTYPE_F64, SHAPE(4)) = 1e300;
    if (sizeof(real) == 4)
        refuse(m, written(s), partial, "element 0 of 'features.0.bias' is too large for a float",
               "REAL=double");
    else
        safetensors_free(s);
    module_free(m);
}
END_TEST

START_TEST(a_damaged_or_missing_file_changes_nothing)
{
    size_t size;
    Module *a = network_new(1, 3), *b = network_new(2, 3);
    LoadOptions options = {.remove_prefix = "module.", .partial = true};
    const char *whole = written(list_of(a, "module.", NULL));
    unsigned char *bytes = scratch_read(whole, &size);
    Safetensors *before = list_of(b, "", NULL);
    for (size_t cut = 0; cut < size; cut += 5) {
        const char *path = scratch_write("cut", bytes, cut);
        ck_assert(!module_load_with(b, path, options, &report, &err));
        ck_assert_ptr_null(report.item);
        ck_assert_int_eq(count_same(b, before), before->count);
    }
    ck_assert(!module_load_with(b, scratch_path("absent"), options, &report, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "No such file"));
    free(bytes);
    safetensors_free(before);
    module_free(a), module_free(b);
}
END_TEST

/* A type that is not read makes the whole file unreadable, even if the network does not need it. */
START_TEST(a_type_that_cannot_be_read_is_refused)
{
    static const char file[] = "\x43\0\0\0\0\0\0\0{\"features.1.weight\":{\"dtype\":\"BOOL\","
                               "\"shape\":[4],\"data_offsets\":[0,4]}}  \0\0\0";
    Module *m = network_new(1, 3);
    const char *path = scratch_write("bool", file, sizeof file);
    refuse(m, path, (LoadOptions){.partial = true},
           "unsupported element type in tensor 'features.1.weight'", "");
    ck_assert_str_eq(err.found, "'BOOL'");
    module_free(m);
}
END_TEST

/* Prefixes and names of any length, with characters that would control a terminal. */
START_TEST(hostile_names_are_shown_safely)
{
    static char prefix[1000], expected[512];
    Module *m = network_new(1, 3);
    memset(prefix, 'x', sizeof prefix - 2);
    memcpy(prefix, "\x1b[2J", 4);
    prefix[sizeof prefix - 2] = '.';
    Safetensors *s = safetensors_new();
    safetensors_add(s, prefix, DTYPE_REAL, SHAPE(3));
    const char *path = written(s);
    snprintf(expected, sizeof expected, "begins with '?[2J%.56s...'", prefix + 4);
    refuse(m, path, (LoadOptions){.partial = true},
           "the file and the network have no name in common", expected);
    s = list_of(m, "", NULL);
    safetensors_add(s, prefix, DTYPE_REAL, SHAPE(3));
    load(m, written(s), (LoadOptions){.partial = true});
    snprintf(expected, sizeof expected, "10 loaded, 0 missing, 1 unexpected, 0 different\n"
             "  unexpected  ?[2J%.56s... (3,)\n", prefix + 4);
    assert_printed(expected);
    load_report_free(&report);
    module_free(m);
}
END_TEST

START_TEST(null_is_refused_by_function)
{
    Module *m = network_new(1, 3);
    LoadOptions o = {0};
    ck_assert_fails(module_load_with(NULL, "net", o, &report, &err),
                    "module_load_with: the module is NULL");
    ck_assert_fails(module_load_with(m, NULL, o, &report, &err),
                    "module_load_with: the path is NULL");
    ck_assert_fails(load_report_print(stdout, NULL), "load_report_print: the report is NULL");
    ck_assert_fails(load_report_print(NULL, &report), "load_report_print: the FILE is NULL");
    module_free(m);
}
END_TEST

/* --- out of memory ---------------------------------------------------------------------------- */

/* Loads while call n of the allocator fails, and all later ones too unless `once`. Returns the
 * smallest n for which that succeeds. */
static int without_memory(Module *m, const char *path, LoadOptions options, bool once)
{
    Safetensors *before = list_of(m, "", NULL);
    for (int n = 0;; n++) {
        uint64_t blocks = testing_blocks();
        watch.fail_at = watch.calls + n, watch.once = once;
        bool ok = module_load_with(m, path, options, &report, &err);
        watch.fail_at = -1;
        if (ok) {
            load_report_free(&report);
            ck_assert_uint_eq(testing_blocks(), blocks);
            safetensors_free(before);
            return n;
        }
        ck_assert_uint_eq(testing_blocks(), blocks);
        ck_assert_msg(strstr(err.problem, "out of memory") != NULL, "%s", err.problem);
        ck_assert_ptr_null(strstr(err.hint, "prefix"));
        ck_assert_ptr_null(report.item);
        ck_assert_int_eq(count_same(m, before), before->count);
    }
}

START_TEST(out_of_memory_changes_nothing)
{
    Module *a = network_new(1, 3), *b = network_new(2, 5);
    Safetensors *saved = list_of(a, "", NULL);
    const char *path = written(list_of(a, "module.", NULL));
    LoadOptions options = {.remove_prefix = "module.", .add_prefix = "", .partial = true};
    watch_begin();
    for (int once = 0; once < 2; once++)
        ck_assert_int_gt(without_memory(b, path, options, once), 30);
    watch_end();
    ck_assert_int_eq(count_same(b, saved), 8);
    safetensors_free(saved);
    module_free(a), module_free(b);
}
END_TEST

/* --- exchange with PyTorch -------------------------------------------------------------------- */

static const struct Wrapped {
    const char *name, *prefix;
} wrapped[] = {
    {"compiled", "_orig_mod."},
    {"parallel", "module."},
    {"parallel_compiled", "module._orig_mod."},
    {"compiled_parallel", "_orig_mod.module."},
};
enum { WRAPPED = sizeof wrapped / sizeof wrapped[0] };

/* Loads the file without the prefix, which must fail with it as the hint, and then with it. */
static bool exchange_load(Module *net, const char *path, const char *prefix)
{
    LoadOptions options = {.remove_prefix = prefix};
    bool refused = !module_load(net, path, &err);
    if (!refused || !strstr(err.hint, prefix))
        return error_set(&err, path, -1, "module_load did not name the prefix '%s'", prefix);
    error_print(stdout, &err);
    if (!module_load_with(net, path, options, &report, &err))
        return false;
    load_report_print(stdout, &report);
    load_report_free(&report);
    return true;
}

/* Adds the network's output for x in evaluation mode. */
static void exchange_run(Safetensors *out, const char *name, Module *net, const Tensor *x)
{
    size_t mark = tape_mark();
    module_eval(net);
    safetensors_add_tensor(out, name, module_forward(net, var_const(x))->value);
    tape_rewind(mark);
}

/* For every wrapped network whose file exists, adds the output of ours under the file's name. */
static bool exchange_all(const char *folder, const Tensor *x, Safetensors *out)
{
    char path[SCRATCH_PATH];
    bool ok = true;
    for (int i = 0; ok && i < WRAPPED; i++) {
        snprintf(path, sizeof path, "%s/%s.safetensors", folder, wrapped[i].name);
        if (access(path, F_OK) != 0)
            continue;
        Module *net = conv_net_new(conv_net_small); /* with different weights each time */
        ok = exchange_load(net, path, wrapped[i].prefix);
        exchange_run(out, wrapped[i].name, net, x);
        module_free(net);
    }
    return ok;
}

/* Reads the file input and those of the wrapped networks; writes outputs. */
static int exchange(const char *folder)
{
    char input[SCRATCH_PATH], outputs[SCRATCH_PATH];
    snprintf(input, sizeof input, "%s/input.safetensors", folder);
    snprintf(outputs, sizeof outputs, "%s/outputs.safetensors", folder);
    Tensor *x = tensor_zeros(SHAPE(6, 2, 8, 8));
    Safetensors *out = safetensors_new(), *in = safetensors_read(input, SAFETENSORS_HEADER, &err);
    bool ok = in && safetensors_get(in, "x", x, &err) && exchange_all(folder, x, out)
              && safetensors_write(out, outputs, &err);
    if (!ok)
        error_print(stderr, &err);
    safetensors_free(in), safetensors_free(out);
    tensor_free(x);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return exchange(argv[1]);
    Suite *suite = suite_create("load with");
    TCase *names = testing_add(suite, "names", 20, (const TTest *const[]){
        an_added_prefix_places_a_part_in_the_network, names_that_become_the_same_are_refused,
        a_prefix_common_to_all_names_is_the_hint, a_prefix_of_some_names_is_no_hint,
        nothing_is_loaded_in_silence, a_file_of_which_no_shape_fits_is_refused, NULL});
    tcase_add_loop_test(names, a_prefix_is_removed_from_names_and_added_to_them, 0,
                        sizeof renamings / sizeof renamings[0]);
    testing_add(suite, "loading", 20, (const TTest *const[]){
        what_does_not_fit_is_left_alone_and_reported,
        strict_loading_refuses_what_a_partial_load_skips,
        a_counter_of_another_type_or_shape_is_different, every_type_fits_a_tensor,
        the_report_is_optional,
        only_what_is_loaded_counts_as_written, a_network_is_loaded_from_a_training_checkpoint,
        a_new_classifier_is_trained_on_loaded_features, NULL});
    testing_add(suite, "refusing", 20, (const TTest *const[]){
        nan_is_refused_in_a_parameter_that_would_be_loaded, a_number_out_of_range_is_refused,
        a_damaged_or_missing_file_changes_nothing, a_type_that_cannot_be_read_is_refused,
        hostile_names_are_shown_safely, null_is_refused_by_function,
        out_of_memory_changes_nothing, NULL});
    return scratch_main(suite);
}

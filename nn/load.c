/* nn/load.c -- module_load and module_load_with.
 *
 *  - The file's tensors are renamed as the options say, and every name is compared with the
 *    network's; the report lists the outcome.
 *  - What fits is then loaded by state_restore, which is strict and all or nothing. In a partial
 *    load, everything else is hidden from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/checkpoint.h"

#include <string.h>

#include "nn/check.h"
#include "nn/state.h"
#include "tensor/memory.h"

/* --- names ------------------------------------------------------------------------------------ */

/* Writes the longest prefix that all names in the file have in common and that ends with a dot, or
 * "" if there is none. */
static void load_common_prefix(const Safetensors *file, char text[MODULE_PATH])
{
    const char *first = file->count ? file->item[0].name : "";
    size_t n = strlen(first);
    for (int i = 1; i < file->count; i++) {
        size_t common = 0;
        while (common < n && file->item[i].name[common] == first[common])
            common++;
        n = common;
    }
    while (n > 0 && first[n - 1] != '.')
        n--;
    snprintf(text, MODULE_PATH, "%.*s", (int)n, first);
}

static bool load_rename_tensor(NamedTensor *t, const char *remove, const char *add)
{
    size_t n = strlen(remove);
    const char *rest = strncmp(t->name, remove, n) == 0 ? t->name + n : t->name;
    size_t bytes = strlen(add) + strlen(rest) + 1;
    char *name = memory_try_new(bytes);
    if (!name)
        return false;
    snprintf(name, bytes, "%s%s", add, rest);
    memory_free(t->name);
    t->name = name;
    return true;
}

/* A name that never had the prefix may equal one that has lost it. */
static bool load_check_distinct(const Safetensors *file, const char *removed, Error *err)
{
    for (int i = 0; i < file->count; i++) {
        const char *name = file->item[i].name;
        if (safetensors_find(file, name) == &file->item[i])
            continue;
        error_set(err, file->file, -1, "without the prefix '%s', two tensors are named '%s'",
                  SHOWN(removed), SHOWN(name));
        return error_hint(err, "one of them has the prefix in the file and the other does not; "
                          "load the file without .remove_prefix");
    }
    return true;
}

static bool load_rename(Safetensors *file, LoadOptions o, Error *err)
{
    const char *remove = o.remove_prefix ? o.remove_prefix : "";
    const char *add = o.add_prefix ? o.add_prefix : "";
    if (!*remove && !*add)
        return true;
    for (int i = 0; i < file->count; i++)
        if (!load_rename_tensor(&file->item[i], remove, add))
            return error_set(err, file->file, -1, "out of memory while renaming the tensors");
    return load_check_distinct(file, remove, err);
}

/* --- comparing the names ---------------------------------------------------------------------- */

typedef struct LoadMatch {
    const Safetensors *file;
    LoadReport        *report;
} LoadMatch;

static void load_count_part(const char *name, const ModulePart *part, void *count)
{
    (void)name;
    *(int *)count += part->kind != PART_RNG;
}

/* A tensor of the network accepts any element type, but a counter only a single I64. */
static bool load_fits(const ModulePart *part, const NamedTensor *t)
{
    const Tensor *x = module_part_tensor(part);
    return x ? shape_equal(t->shape, x->shape) : t->dtype == DTYPE_I64 && t->shape.ndim == 0;
}

static void load_match_part(const char *name, const ModulePart *part, void *ctx)
{
    LoadMatch *match = ctx;
    const Tensor *x = module_part_tensor(part);
    if (part->kind == PART_RNG)
        return;
    const NamedTensor *t = safetensors_find(match->file, name);
    LoadItem *item = &match->report->item[t ? t - match->file->item : match->report->count++];
    snprintf(item->name, sizeof item->name, "%s", name);
    snprintf(item->expected, sizeof item->expected, "%s", x ? SHAPE_TEXT(x->shape) : "I64 ()");
    if (t && !x)
        snprintf(item->found, sizeof item->found, "%s %s", safetensors_dtype_name(t->dtype),
                 SHAPE_TEXT(t->shape));
    item->result = !t ? LOAD_MISSING : load_fits(part, t) ? LOAD_LOADED : LOAD_DIFFERENT;
}

static void load_count_results(LoadReport *r)
{
    int *const count[] = {[LOAD_LOADED] = &r->loaded, [LOAD_MISSING] = &r->missing,
                          [LOAD_UNEXPECTED] = &r->unexpected, [LOAD_DIFFERENT] = &r->different};
    for (int i = 0; i < r->count; i++)
        ++*count[r->item[i].result];
}

/* Item i of the report is the file's tensor i; the network's tensors that are missing follow. */
static bool load_compare(const Module *m, const Safetensors *file, LoadReport *r, Error *err)
{
    int parts = 0;
    module_visit(m, load_count_part, &parts);
    r->item = memory_try_new(((size_t)file->count + (size_t)parts) * sizeof *r->item);
    if (!r->item)
        return error_set(err, file->file, -1, "out of memory while comparing the names");
    for (; r->count < file->count; r->count++) {
        const NamedTensor *t = &file->item[r->count];
        LoadItem *item = &r->item[r->count];
        item->result = LOAD_UNEXPECTED;
        snprintf(item->name, sizeof item->name, "%s", t->name);
        snprintf(item->found, sizeof item->found, "%s", SHAPE_TEXT(t->shape));
    }
    module_visit(m, load_match_part, &(LoadMatch){file, r});
    load_count_results(r);
    return true;
}

/* --- a file in which nothing fits ------------------------------------------------------------- */

static const LoadItem *load_first(const LoadReport *r, LoadResult result)
{
    for (int i = 0; i < r->count; i++)
        if (r->item[i].result == result)
            return &r->item[i];
    return NULL;
}

enum { LOAD_EXAMPLE = ERROR_SHOWN + 2 };

static const char *load_example(const LoadReport *r, LoadResult result, char text[LOAD_EXAMPLE])
{
    const LoadItem *item = load_first(r, result);
    if (!item)
        return "none";
    snprintf(text, LOAD_EXAMPLE, "'%s'", SHOWN(item->name));
    return text;
}

/* All names in the file begin with `prefix`, which may be "". */
static bool load_refuse_names(const Safetensors *file, const LoadReport *r, const char *prefix,
                              LoadOptions o, Error *err)
{
    char ours[LOAD_EXAMPLE], theirs[LOAD_EXAMPLE];
    bool removed = o.remove_prefix && strcmp(o.remove_prefix, prefix) == 0;
    error_set(err, file->file, -1, "the file and the network have no name in common");
    error_expected(err, load_example(r, LOAD_MISSING, ours), "%s",
                   load_example(r, LOAD_UNEXPECTED, theirs));
    if (prefix[0] && !removed)
        return error_hint(err, "every name in the file begins with '%s'; pass it to "
                          "module_load_with as .remove_prefix", SHOWN(prefix));
    return error_hint(err, "was it saved from a network with different parts or names? "
                      "module_load_with can remove a prefix from its names or add one");
}

static bool load_refuse_shapes(const Safetensors *file, const LoadReport *r, Error *err)
{
    const LoadItem *first = load_first(r, LOAD_DIFFERENT);
    error_set(err, file->file, -1, "none of the network's tensors in the file fits; '%s', for "
              "example, has a different shape or type", SHOWN(first->name));
    error_expected(err, first->expected, "%s", first->found);
    return error_hint(err, "was it saved from a network of a different size?");
}

/* An empty file or an empty network is left to strict loading. */
static bool load_check_common(const Safetensors *file, const LoadReport *r, const char *prefix,
                              LoadOptions o, Error *err)
{
    if (r->loaded + r->different == 0 && (o.partial || (r->missing && r->unexpected)))
        return load_refuse_names(file, r, prefix, o, err);
    if (r->loaded == 0 && o.partial)
        return load_refuse_shapes(file, r, err);
    return true;
}

/* If strict loading has just refused a tensor for its shape or type, but others would fit, says how
 * to load those. Other refusals have a hint, or expected nothing. */
static bool load_hint_partial(const LoadReport *r, Error *err)
{
    if (err && err->expected[0] && !err->hint[0] && r->loaded > 0 && r->different > 0)
        error_hint(err, "to load the tensors that fit and leave the others as they are, call "
                   "module_load_with with .partial = true");
    return false;
}

/* --- loading ---------------------------------------------------------------------------------- */

static void load_walk_all(State *s, void *net)
{
    state_module(s, "", net, STATE_WITHOUT_RNGS);
}

static void load_walk_file(State *s, void *net)
{
    state_module(s, "", net, STATE_IN_FILE);
}

/* The file as if it held only the tensors to be loaded. Reorders the tensors of `file`. */
static Safetensors load_fitting(Safetensors *file, const LoadReport *r)
{
    Safetensors fitting = *file;
    fitting.count = 0;
    for (int i = 0; i < file->count; i++) {
        if (r->item[i].result != LOAD_LOADED)
            continue;
        NamedTensor t = file->item[i], *to = &file->item[fitting.count++];
        file->item[i] = *to;
        *to = t;
    }
    return fitting;
}

static bool load_file(Module *m, Safetensors *file, LoadOptions o, LoadReport *r, Error *err)
{
    char prefix[MODULE_PATH];
    load_common_prefix(file, prefix);
    if (!load_rename(file, o, err) || !load_compare(m, file, r, err)
        || !load_check_common(file, r, prefix, o, err))
        return false;
    if (!o.partial)
        return state_restore(file, "network", load_walk_all, m, err) || load_hint_partial(r, err);
    Safetensors fitting = load_fitting(file, r);
    return state_restore(&fitting, "network", load_walk_file, m, err);
}

static bool load_path(Module *m, const char *path, LoadOptions o, LoadReport *report, Error *err,
                      const char *function)
{
    slope_module_check(m, function);
    if (!path)
        slope_fail(function, "the path is NULL");
    LoadReport r = {0};
    Safetensors *file = safetensors_read(path, SAFETENSORS_HEADER, err);
    bool ok = file && load_file(m, file, o, &r, err);
    safetensors_free(file);
    if (!ok || !report)
        load_report_free(&r);
    if (report)
        *report = r;
    return ok;
}

bool module_load(Module *m, const char *path, Error *err)
{
    return load_path(m, path, (LoadOptions){0}, NULL, err, "module_load");
}

bool module_load_with(Module *m, const char *path, LoadOptions options, LoadReport *report,
                      Error *err)
{
    return load_path(m, path, options, report, err, "module_load_with");
}

/* --- the report ------------------------------------------------------------------------------- */

static void load_print_item(FILE *out, const LoadItem *item)
{
    static const char *const results[] = {
        [LOAD_LOADED] = "loaded", [LOAD_MISSING] = "missing",
        [LOAD_UNEXPECTED] = "unexpected", [LOAD_DIFFERENT] = "different"};
    fprintf(out, "  %-10s  %s %s", results[item->result], SHOWN(item->name),
            item->expected[0] ? item->expected : item->found);
    if (item->result == LOAD_DIFFERENT)
        fprintf(out, ", in the file %s", item->found);
    fprintf(out, "\n");
}

void load_report_print(FILE *out, const LoadReport *r)
{
    if (!out || !r)
        slope_fail("load_report_print", "the %s is NULL", out ? "report" : "FILE");
    fprintf(out, "%d loaded, %d missing, %d unexpected, %d different\n", r->loaded, r->missing,
            r->unexpected, r->different);
    static const LoadResult order[] = {LOAD_DIFFERENT, LOAD_MISSING, LOAD_UNEXPECTED};
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < r->count; i++)
            if (r->item[i].result == order[k])
                load_print_item(out, &r->item[i]);
}

void load_report_free(LoadReport *r)
{
    if (!r)
        return;
    memory_free(r->item);
    *r = (LoadReport){0};
}

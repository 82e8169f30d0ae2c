/* tests/cpp/program.cpp -- every macro of the public headers, used from C++.
 *
 * tests/cpp/run compiles it with all warnings, in float and in double, and partly under the
 * sanitizers, which detect it if a list or a text from a macro does not live long enough.
 *
 * SPDX-License-Identifier: MIT
 */
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "autograd/pointwise.h"
#include "slope.h"

namespace {

int failed;

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            std::fprintf(stderr, "line %d: not %s\n", __LINE__, #condition);   \
            failed = 1;                                                        \
        }                                                                      \
    } while (0)

bool is_equal(const Tensor *x, Shape shape, std::vector<real> values)
{
    Tensor *expected = tensor_from(shape, values.data());
    bool equal = tensor_same_bits(x, expected);
    tensor_free(expected);
    return equal;
}

/* --- shapes and texts ------------------------------------------------------------------------- */

void shapes()
{
    std::vector<real> values = {1, 2, 3, 4, 5, 6};
    unsigned char three = 3;
    Shape s = SHAPE(2, values.size() / 2); /* int and size_t, both converted to ptrdiff_t */
    CHECK(shape_equal(s, SHAPE(2L, three)));
    CHECK(shape_count(SHAPE_SCALAR) == 1 && SHAPE_SCALAR.ndim == 0);
    CHECK(AXES(0, -1).n == 2 && AXES(0, -1).axis[1] == -1 && ALL_AXES.n == -1);

    CHECK(std::string(SHAPE_TEXT(s)) + SHAPE_TEXT(SHAPE(7)) == "(2, 3)(7,)");
    CHECK(std::strcmp(SHOWN("a\nb"), "a?b") == 0);

    Var *x = var_const_from(s, values.data());
    CHECK(is_equal(var_sum(x, AXES(0), false)->value, SHAPE(3), {5, 7, 9}));
    CHECK(var_item(var_sum(x, ALL_AXES, false)) == 21);
    CHECK(std::string(VAR_TEXT(var_square(x))).find("(2, 3)") != std::string::npos);
    tape_rewind(0);
}

/* A tensor's storage holds counters that the library reads as C's atomics. */
void atomics()
{
    Tensor *x = tensor_zeros(SHAPE(2)), *y = tensor_ref(x);
    unsigned before = x->storage->version.load();
    tensor_write(y);
    CHECK(x->storage->refs.load() == 2 && x->storage->version.load() == before + 1);
    tensor_free(y);
    CHECK(x->storage->refs.load() == 1 && tensor_owns_storage(x));
    tensor_free(x);

    static std::atomic<bool> warned(true);
    slope_warn_once(&warned, "cpp", "this must not appear");
    CHECK(warned.load());
}

/* --- networks --------------------------------------------------------------------------------- */

int created;

Module *numbered_new(int expected)
{
    CHECK(created++ == expected);
    return relu_new();
}

struct Twice {
    Module  base;
    Module *part;
};

Var *twice_forward(Module *self, Var *x)
{
    Module *part = reinterpret_cast<Twice *>(self)->part;
    return module_forward(part, module_forward(part, x));
}

Module *twice_new(Module *part)
{
    static const ModuleType type = {"Twice", twice_forward, nullptr};
    Twice *twice = static_cast<Twice *>(module_new(sizeof *twice, &type));
    twice->part = module_add_child(&twice->base, "part", part);
    return &twice->base;
}

void networks()
{
    Module *net = SEQUENTIAL(numbered_new(0), numbered_new(1), SEQUENTIAL(numbered_new(2)),
                             twice_new(numbered_new(3)), prelu_new(1, real(0.5)),
                             activation_new("Plus", [](Var *x) { return var_add(x, x); }));
    CHECK(created == 4);
    const real values[] = {-1, 2};
    Var *y = module_forward(net, var_const_from(SHAPE(2), values));
    CHECK(is_equal(y->value, SHAPE(2), {0, 4}));
    tape_rewind(0);
    module_free(net);
}

/* --- gradients and ops ------------------------------------------------------------------------ */

Var *product(Var **in, void *) { return var_mul(in[0], var_prelu(in[0], in[1])); }

void gradients()
{
    const real values[] = {-3, 2}, slope[] = {real(0.25)};
    Var *x = var_leaf_from(SHAPE(2), values), *a = var_leaf_from(SHAPE(1), slope);
    Var *in[] = {x, a}, *g[2], *gg[1];
    var_grad(var_sum(product(in, nullptr), ALL_AXES, false), VARS(x, a), CREATE_GRAPH, g);
    CHECK(is_equal(g[0]->value, SHAPE(2), {real(-1.5), 4}) && var_item(g[1]) == 9);
    var_grad(var_sum(g[0], ALL_AXES, false), VARS(x), GRAD_ONLY, gg);
    CHECK(is_equal(gg[0]->value, SHAPE(2), {real(0.5), 2}));

    GradCheckOptions options = GRADCHECK_DEFAULTS;
    options.max_kinks = 0;
    CHECK(gradcheck(product, nullptr, in, 2, options).verdict == GRAD_PASS);
    tape_rewind(0);
}

} // namespace

UNARY(cube, x *x *x, var_mul(gy, var_scale(var_square(x), 3)), IN(-2, 2), SMOOTH)
UNARY(root, sqrt(x), var_div(gy, var_scale(y, 2)), IN(1, 2), SMOOTH)
UNARY_WITH(steep, x > 0 ? x : c *x, var_where(var_is_positive(x), gy, var_scale(gy, c)),
           OFF(-2, -1), SIGN_OF_X, 3)
BINARY(larger, a > b ? a : b, var_mul(gy, var_is_positive(var_sub(a, b))),
       var_mul(gy, var_is_positive(var_sub(b, a))), IN(-2, 2), ORDER_OF_A_B)

namespace {

bool passes(const Op *op)
{
    GradCheckOptions options = GRADCHECK_DEFAULTS;
    options.order = 2;
    GradReport report = op_check(op, options);
    if (report.verdict == GRAD_FAIL)
        std::fprintf(stderr, "%s\n", report.message);
    return report.verdict != GRAD_FAIL;
}

void ops()
{
    CHECK(op_steep.sample.in[0].both_signs && op_steep.branch_hash == op_branch_by_sign);
#ifdef SLOPE_DOUBLE /* finite differences in float are too inaccurate for the second order */
    CHECK(passes(&op_cube) && passes(&op_root) && passes(&op_steep) && passes(&op_larger));
#else
    (void)passes;
#endif
    const real values[] = {-3, 2};
    Var *x = var_const_from(SHAPE(2), values);
    CHECK(is_equal(var_cube(x)->value, SHAPE(2), {-27, 8}));
    CHECK(is_equal(var_steep(x, 10)->value, SHAPE(2), {-30, 2}));
    CHECK(is_equal(var_larger(x, var_scalar(1))->value, SHAPE(2), {1, 2}));
    tape_rewind(0);
}

inline real half(real x) { return x / 2; }
inline real minus(real x, real y) { return x - y; }
inline real blend(real x, real y, real w) { return w * x + (1 - w) * y; }
MAP1(half_map, half)
MAP2(minus_map, minus)
MAP3(blend_map, blend)
MAP1C(less_map, minus)

void maps()
{
    const real values[] = {2, 4};
    Tensor *x = tensor_from(SHAPE(2), values), *y = tensor_new(SHAPE(2));
    half_map(y, x);
    CHECK(is_equal(y, SHAPE(2), {1, 2}));
    minus_map(y, x, y);
    CHECK(is_equal(y, SHAPE(2), {1, 2}));
    blend_map(y, x, y, x);
    CHECK(is_equal(y, SHAPE(2), {3, 10}));
    less_map(y, x, 1);
    CHECK(is_equal(y, SHAPE(2), {1, 3}));
    tensor_free(x), tensor_free(y);
}

/* --- failures --------------------------------------------------------------------------------- */

std::jmp_buf caught;
char sentence[512];

void handler(const char *text, void *)
{
    std::snprintf(sentence, sizeof sentence, "%s", text);
    std::longjmp(caught, 1);
}

void failures()
{
    slope_on_fail(handler, nullptr);
    size_t mark = tape_mark();
    if (setjmp(caught) == 0) {
        bool has_returned = var_add(var_full(SHAPE(2), 0), var_full(SHAPE(3), 0));
        CHECK(!has_returned);
    }
    tape_rewind(mark);
    slope_on_fail(nullptr, nullptr);
    CHECK(std::strstr(sentence, "var_add") && std::strstr(sentence, "(2,)"));

    Error err;
    CsvOptions options = {};
    options.label_column = -1;
    CHECK(!csv_read("/no/such/file.csv", options, &err) && err.problem[0]);
}

} // namespace

int main()
{
    shapes();
    atomics();
    networks();
    gradients();
    ops();
    maps();
    failures();
    return failed;
}

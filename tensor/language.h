/* tensor/language.h -- what C and C++ write differently, so that one set of headers serves both.
 *
 *  - SLOPE_C_BEGIN and SLOPE_C_END enclose the declarations of every header, so that a C++ program
 *    calls the functions as C functions, which they are.
 *  - The other macros replace constructs of C that C++ lacks; SHAPE, AXES, VARS and the like are
 *    built from them.
 *  - In C++, a list or a character array that such a macro creates lives until the end of the full
 *    expression, not of the block: pass SHAPE_TEXT(s) to a function, but do not keep the pointer.
 *  - <complex> declares a function std::real, so `using namespace std` makes the name `real`
 *    ambiguous. Write `using std::vector` and the like instead.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_LANGUAGE_H
#define SLOPE_TENSOR_LANGUAGE_H

#ifndef __cplusplus

#include <stdatomic.h>

#define SLOPE_C_BEGIN
#define SLOPE_C_END

/* Begins the declaration of a function that does not return. */
#define SLOPE_NORETURN _Noreturn

/* The type of an atomic variable. */
#define SLOPE_ATOMIC(type) _Atomic(type)

/* Begins an expression whose value is a struct: SLOPE_STRUCT(Axes){1, {0}}. */
#define SLOPE_STRUCT(type) (type)

/* The listed values as a constant array; their number, without evaluating any of them; and
 * f(array, number), which evaluates each of them once. */
#define SLOPE_LIST(type, ...)    ((type const[]){__VA_ARGS__})
#define SLOPE_COUNT(type, ...)   ((int)(sizeof((type const[]){__VA_ARGS__}) / sizeof(type)))
#define SLOPE_PASS(f, type, ...) f(SLOPE_LIST(type, __VA_ARGS__), SLOPE_COUNT(type, __VA_ARGS__))

/* An array of `size` characters, initially 0. */
#define SLOPE_TEXT(size) ((char[size]){0})

#else

#if __cplusplus < 201703L
#error "Slope's headers need C++17 or later: compile with -std=c++17."
#endif

#include <array>
#include <atomic>
#include <type_traits>

#define SLOPE_C_BEGIN extern "C" {
#define SLOPE_C_END   }

#define SLOPE_NORETURN [[noreturn]]
#define SLOPE_STRUCT(type) type

/* The library is written in C and accesses these variables as _Atomic int and the like. */
#define SLOPE_ATOMIC(type) std::atomic<type>
static_assert(sizeof(std::atomic<int>) == sizeof(int) && alignof(std::atomic<int>) == alignof(int),
              "std::atomic<int> does not have the layout of _Atomic int in C");
static_assert(sizeof(std::atomic<bool>) == 1 && std::atomic<int>::is_always_lock_free,
              "std::atomic does not have the layout of _Atomic in C");

namespace slope_cpp {

template <typename T> struct Type {};

/* Braces evaluate the values from left to right; each is then converted, as in C. */
template <typename T, typename... Value> struct List {
    T value[sizeof...(Value)];
    List(Type<T>, Value... v) : value{static_cast<T>(v)...} {}
    const T *begin() const { return value; }
    template <typename Result> Result pass_to(Result (*f)(const T *, int)) const
    {
        return f(value, static_cast<int>(sizeof...(Value)));
    }
};

template <typename... Value> std::integral_constant<int, sizeof...(Value)> count(const Value &...);

} // namespace slope_cpp

#define SLOPE_LIST(type, ...)  (slope_cpp::List{slope_cpp::Type<type>(), __VA_ARGS__}.begin())
#define SLOPE_COUNT(type, ...) (decltype(slope_cpp::count(__VA_ARGS__))::value)
#define SLOPE_PASS(f, type, ...) \
    (slope_cpp::List{slope_cpp::Type<type>(), __VA_ARGS__}.pass_to(f))

#define SLOPE_TEXT(size) (std::array<char, (size)>{}.data())

#endif

#endif

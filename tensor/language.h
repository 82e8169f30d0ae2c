/* tensor/language.h -- what C and C++ write differently, so that one set of headers serves both.
 *
 *  - SLOPE_C_BEGIN and SLOPE_C_END enclose the declarations of every header, so that C++ calls the
 *    functions as what they are, C functions.
 *  - The other macros replace constructs of C that C++ lacks; SHAPE, AXES, VARS and the like are
 *    made of them.
 *  - In C++ a list or a text that such a macro creates lives until the end of the full expression,
 *    not of the block: pass SHAPE_TEXT(s) to a function, but do not keep the pointer.
 *  - <complex> has a function std::real. So write `using std::vector` and the like in place of
 *    `using namespace std`, which would make the name `real` ambiguous.
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

/* Begins a struct as an expression: SLOPE_STRUCT(Axes){1, {0}}. */
#define SLOPE_STRUCT(type) (type)

/* The values of a list as an array of constants; their number, which evaluates none of them; and
 * f(list, number), which evaluates each of them once. */
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

/* The library is C, and reads these as _Atomic int and the like. */
#define SLOPE_ATOMIC(type) std::atomic<type>
static_assert(sizeof(std::atomic<int>) == sizeof(int) && alignof(std::atomic<int>) == alignof(int),
              "std::atomic<int> is not stored as C stores _Atomic int");
static_assert(sizeof(std::atomic<bool>) == 1 && std::atomic<int>::is_always_lock_free,
              "std::atomic is not stored as C stores _Atomic");

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

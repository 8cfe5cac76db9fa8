// The C++ types that view the elements of each dtype.

#ifndef LIGHTWATCH_CHECKPOINT_ELEMENT_HPP
#define LIGHTWATCH_CHECKPOINT_ELEMENT_HPP

#include <complex>
#include <cstddef>
#include <type_traits>

#include "lightwatch/checkpoint/dtype.hpp"

namespace lightwatch {

/// Says which dtypes a type views: `Element<T>::holds(dtype)`.
///
/// - `double`, `float`, `std::complex<float>`, `std::complex<double>`: the dtype of that name;
/// - integers: the dtype of their width and sign; `std::uint16_t` also the raw bits of float16 and
///   bfloat16,
///   `std::uint8_t` those of whatever is narrower (packed, below eight bits), and the bytes of bool (a
///   byte other than 0 and 1 is none of C++'s bool);
/// - `std::byte`: every dtype, as bytes.
///
/// A type of your own for a narrow float is added by a specialization:
///
///     template <> struct lightwatch::Element<Half> {
///       static constexpr bool holds(DType dtype) { return dtype == DType::float16; }
///     };
///
/// The type has to be trivially copyable, and as wide as the dtype's elements.
template <class T, class Enable = void>
struct Element;

namespace detail {

/// Whether a dtype is viewed as numbers of this kind that are as wide as T.
template <class T>
constexpr bool is_viewed(DType dtype, ViewKind kind) noexcept {
  const DTypeRow &row = dtype_row(dtype);
  return row.view == kind && row.view_size == sizeof(T);
}

}  // namespace detail

template <>
struct Element<double> {
  static constexpr bool holds(DType dtype) noexcept {
    return detail::is_viewed<double>(dtype, detail::ViewKind::float_number);
  }
};

template <>
struct Element<float> {
  static constexpr bool holds(DType dtype) noexcept {
    return detail::is_viewed<float>(dtype, detail::ViewKind::float_number);
  }
};

template <>
struct Element<std::complex<float>> {
  static constexpr bool holds(DType dtype) noexcept {
    return detail::is_viewed<std::complex<float>>(dtype, detail::ViewKind::complex_number);
  }
};

template <>
struct Element<std::complex<double>> {
  static constexpr bool holds(DType dtype) noexcept {
    return detail::is_viewed<std::complex<double>>(dtype, detail::ViewKind::complex_number);
  }
};

template <>
struct Element<std::byte> {
  static constexpr bool holds(DType) noexcept { return true; }
};

namespace detail {

/// Integers that are numbers: neither bool nor a character type.
template <class T>
constexpr bool is_number =
    std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char> &&
    !std::is_same_v<T, wchar_t> && !std::is_same_v<T, char16_t> && !std::is_same_v<T, char32_t>;

}  // namespace detail

template <class T>
struct Element<T, std::enable_if_t<detail::is_number<T> && !std::is_const_v<T>>> {
  static constexpr bool holds(DType dtype) noexcept {
    constexpr auto kind =
        std::is_signed_v<T> ? detail::ViewKind::int_number : detail::ViewKind::uint_number;
    return detail::is_viewed<T>(dtype, kind);
  }
};

}  // namespace lightwatch

#endif

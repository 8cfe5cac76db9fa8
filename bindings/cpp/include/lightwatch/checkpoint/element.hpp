// Which type of C++ views the elements of which dtype.

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
///   `std::uint8_t` those of float8, the packed bits of float6 and float4, and the bytes of bool (a byte
///   other than 0 and 1 is none of C++'s bool);
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

template <>
struct Element<double> {
  static constexpr bool holds(DType dtype) noexcept { return dtype == DType::float64; }
};

template <>
struct Element<float> {
  static constexpr bool holds(DType dtype) noexcept { return dtype == DType::float32; }
};

template <>
struct Element<std::complex<float>> {
  static constexpr bool holds(DType dtype) noexcept { return dtype == DType::complex64; }
};

template <>
struct Element<std::complex<double>> {
  static constexpr bool holds(DType dtype) noexcept { return dtype == DType::complex128; }
};

template <>
struct Element<std::byte> {
  static constexpr bool holds(DType) noexcept { return true; }
};

namespace detail {

/// Integers that are numbers: not bool, and none of the types for characters.
template <class T>
constexpr bool is_number =
    std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char> &&
    !std::is_same_v<T, wchar_t> && !std::is_same_v<T, char16_t> && !std::is_same_v<T, char32_t>;

}  // namespace detail

template <class T>
struct Element<T, std::enable_if_t<detail::is_number<T> && !std::is_const_v<T>>> {
  static constexpr bool holds(DType dtype) noexcept {
    constexpr bool is_signed = std::is_signed_v<T>;
    switch (dtype) {
      case DType::int8: return is_signed && sizeof(T) == 1;
      case DType::int16: return is_signed && sizeof(T) == 2;
      case DType::int32: return is_signed && sizeof(T) == 4;
      case DType::int64: return is_signed && sizeof(T) == 8;
      case DType::uint32: return !is_signed && sizeof(T) == 4;
      case DType::uint64: return !is_signed && sizeof(T) == 8;
      case DType::uint16:
      case DType::float16:
      case DType::bfloat16: return !is_signed && sizeof(T) == 2;
      case DType::uint8:
      case DType::boolean:
      case DType::float8_e4m3fn:
      case DType::float8_e5m2:
      case DType::float8_e4m3fnuz:
      case DType::float8_e5m2fnuz:
      case DType::float8_e8m0fnu:
      case DType::float6_e2m3fn:
      case DType::float6_e3m2fn:
      case DType::float4_e2m1fn: return !is_signed && sizeof(T) == 1;
      case DType::float64:
      case DType::float32:
      case DType::complex64:
      case DType::complex128: return false;
    }
    return false;
  }
};

}  // namespace lightwatch

#endif

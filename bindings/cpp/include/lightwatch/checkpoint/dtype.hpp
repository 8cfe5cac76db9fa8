// The dtypes: their names, and the width of an element.

#ifndef LIGHTWATCH_CHECKPOINT_DTYPE_HPP
#define LIGHTWATCH_CHECKPOINT_DTYPE_HPP

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

#include "lightwatch/checkpoint/safe_integer.hpp"
#include "lightwatch/checkpoint/span.hpp"
#include "lightwatch/checkpoint/tables.hpp"

namespace lightwatch {

namespace detail {

/// The row of a dtype; without a name if it is not one.
constexpr const DTypeRow &dtype_row(DType dtype) noexcept {
  const auto code = static_cast<std::size_t>(dtype);
  return dtype_rows[code < std::size(dtype_rows) ? code : 0];
}

}  // namespace detail

/// The name of a dtype, as in PyTorch and ml_dtypes; null if it is not one.
constexpr const char *dtype_name(DType dtype) noexcept { return detail::dtype_row(dtype).name; }

/// Bits of an element; 0 if it is not a dtype.
constexpr unsigned dtype_bits(DType dtype) noexcept { return detail::dtype_row(dtype).bits; }

namespace detail {

/// Number of elements of a shape, or nothing beyond 2^53 - 1. A zero dimension makes it zero, but
/// only if the product of the others is in range as well: a zero must not hide a huge dimension.
inline std::optional<std::uint64_t> element_count(Span<const std::uint64_t> shape) {
  std::uint64_t count = 1;
  bool empty = false;
  for (const std::uint64_t length : shape) {
    if (length > max_safe_integer) return std::nullopt;
    if (length == 0) {
      empty = true;
    } else {
      if (count > max_safe_integer / length) return std::nullopt;
      count *= length;
    }
  }
  return empty ? 0 : count;
}

/// Bytes that a tensor takes, or nothing beyond 2^53 - 1, or if the bits of a packed dtype exceed
/// that or do not fill whole bytes.
inline std::optional<std::uint64_t> tensor_byte_length(DType dtype,
                                                       Span<const std::uint64_t> shape) {
  const std::optional<std::uint64_t> count = element_count(shape);
  if (!count) return std::nullopt;
  const unsigned bits = dtype_bits(dtype);
  const bool packed = bits % 8 != 0;
  const std::uint64_t width = packed ? bits : bits / 8;
  if (*count > max_safe_integer / width) return std::nullopt;
  const std::uint64_t total = *count * width;
  if (!packed) return total;
  if (total % 8 != 0) return std::nullopt;
  return total / 8;
}

}  // namespace detail
}  // namespace lightwatch

#endif

// The dtypes: their names, and how wide an element is.

#ifndef LIGHTWATCH_CHECKPOINT_DTYPE_HPP
#define LIGHTWATCH_CHECKPOINT_DTYPE_HPP

#include <cstdint>
#include <optional>

#include "lightwatch/checkpoint/safe_integer.hpp"
#include "lightwatch/checkpoint/span.hpp"

namespace lightwatch {

/// The type of a tensor's elements; the numbers are those of the file.
enum class DType : std::uint8_t {
  float64 = 1,
  float32 = 2,
  float16 = 3,
  /// The upper half of a float32.
  bfloat16 = 4,
  float8_e4m3fn = 5,
  float8_e5m2 = 6,
  float8_e4m3fnuz = 7,
  float8_e5m2fnuz = 8,
  /// A power of two: the scale of the OCP microscaling formats.
  float8_e8m0fnu = 9,
  /// Six and four bits, packed from the least significant bit of each byte upwards without gaps.
  float6_e2m3fn = 10,
  float6_e3m2fn = 11,
  float4_e2m1fn = 12,
  int8 = 16,
  int16 = 17,
  int32 = 18,
  int64 = 19,
  uint8 = 20,
  uint16 = 21,
  uint32 = 22,
  uint64 = 23,
  /// "bool" in the file: a byte an element, 0 is false and anything else true.
  boolean = 24,
  /// Two float32, or two float64: the real part, then the imaginary one.
  complex64 = 25,
  complex128 = 26
};

/// The name of a dtype, as PyTorch and ml_dtypes have it; null for what is none.
constexpr const char *dtype_name(DType dtype) noexcept {
  switch (dtype) {
    case DType::float64: return "float64";
    case DType::float32: return "float32";
    case DType::float16: return "float16";
    case DType::bfloat16: return "bfloat16";
    case DType::float8_e4m3fn: return "float8_e4m3fn";
    case DType::float8_e5m2: return "float8_e5m2";
    case DType::float8_e4m3fnuz: return "float8_e4m3fnuz";
    case DType::float8_e5m2fnuz: return "float8_e5m2fnuz";
    case DType::float8_e8m0fnu: return "float8_e8m0fnu";
    case DType::float6_e2m3fn: return "float6_e2m3fn";
    case DType::float6_e3m2fn: return "float6_e3m2fn";
    case DType::float4_e2m1fn: return "float4_e2m1fn";
    case DType::int8: return "int8";
    case DType::int16: return "int16";
    case DType::int32: return "int32";
    case DType::int64: return "int64";
    case DType::uint8: return "uint8";
    case DType::uint16: return "uint16";
    case DType::uint32: return "uint32";
    case DType::uint64: return "uint64";
    case DType::boolean: return "bool";
    case DType::complex64: return "complex64";
    case DType::complex128: return "complex128";
  }
  return nullptr;
}

/// Bits that an element takes; 0 for what is no dtype.
constexpr unsigned dtype_bits(DType dtype) noexcept {
  switch (dtype) {
    case DType::complex128: return 128;
    case DType::float64:
    case DType::int64:
    case DType::uint64:
    case DType::complex64: return 64;
    case DType::float32:
    case DType::int32:
    case DType::uint32: return 32;
    case DType::float16:
    case DType::bfloat16:
    case DType::int16:
    case DType::uint16: return 16;
    case DType::float8_e4m3fn:
    case DType::float8_e5m2:
    case DType::float8_e4m3fnuz:
    case DType::float8_e5m2fnuz:
    case DType::float8_e8m0fnu:
    case DType::int8:
    case DType::uint8:
    case DType::boolean: return 8;
    case DType::float6_e2m3fn:
    case DType::float6_e3m2fn: return 6;
    case DType::float4_e2m1fn: return 4;
  }
  return 0;
}

namespace detail {

/// Number of elements of a shape, or nothing where it is beyond 2^53 - 1. A zero anywhere makes it
/// zero, but only if the product of the others is within as well: a huge dimension cannot hide.
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

/// Bytes that a tensor takes, or nothing where they are beyond 2^53 - 1 or (packed dtypes) its bits
/// are, or do not fill whole bytes.
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

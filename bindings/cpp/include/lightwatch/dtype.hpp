/// The dtypes: what the elements of a tensor are, and how wide.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "lightwatch/generated/checkpoint_generated.h"

namespace lightwatch {

/// Numbers as in the file; names are those of PyTorch and ml_dtypes.
using DType = format::DType;

namespace detail {

/// Bits an element, or 0 for a number that no dtype has.
inline unsigned dtype_bits(DType dtype) {
  switch (static_cast<unsigned>(dtype)) {
    case 1: case 19: case 23: case 25: return 64;
    case 2: case 18: case 22: return 32;
    case 3: case 4: case 17: case 21: return 16;
    case 5: case 6: case 7: case 8: case 9: case 16: case 20: case 24: return 8;
    case 10: case 11: return 6;
    case 12: return 4;
    case 26: return 128;
    default: return 0;
  }
}

}  // namespace detail

/// The name of a dtype (`float32`).
inline std::string_view dtype_name(DType dtype) {
  // flatc adds an underscore to what is a word of C++.
  return static_cast<unsigned>(dtype) == 24 ? "bool" : format::EnumNameDType(dtype);
}

/// Whether elements of a dtype are read as T: the type itself, or unsigned integers as the raw bits of
/// a dtype that C++ has no type for (uint16_t for float16 and bfloat16, uint8_t for bool and all that are
/// narrower), or float and double for the parts of complex numbers.
template <typename T>
bool holds(DType dtype) {
  const auto code = static_cast<unsigned>(dtype);
  if constexpr (std::is_same_v<T, double>) return code == 1 || code == 26;
  else if constexpr (std::is_same_v<T, float>) return code == 2 || code == 25;
  else if constexpr (std::is_same_v<T, std::int8_t>) return code == 16;
  else if constexpr (std::is_same_v<T, std::int16_t>) return code == 17;
  else if constexpr (std::is_same_v<T, std::int32_t>) return code == 18;
  else if constexpr (std::is_same_v<T, std::int64_t>) return code == 19;
  else if constexpr (std::is_same_v<T, std::uint8_t>) return code == 20 || code == 24 || (code >= 5 && code <= 12);
  else if constexpr (std::is_same_v<T, std::uint16_t>) return code == 21 || code == 3 || code == 4;
  else if constexpr (std::is_same_v<T, std::uint32_t>) return code == 22;
  else if constexpr (std::is_same_v<T, std::uint64_t>) return code == 23;
  else static_assert(!sizeof(T), "no dtype is read as this type");
}

}  // namespace lightwatch

// Numbers at a position of a buffer. The format is little-endian, and the machine must be too.

#ifndef LIGHTWATCH_CHECKPOINT_LITTLE_ENDIAN_HPP
#define LIGHTWATCH_CHECKPOINT_LITTLE_ENDIAN_HPP

#include <cstdint>
#include <cstring>

#include "lightwatch/checkpoint/error.hpp"

namespace lightwatch {
namespace detail {

/// Reads a T from anywhere in memory, aligned or not.
template <class T>
T read_number(const std::uint8_t *at) noexcept {
  T number;
  std::memcpy(&number, at, sizeof number);
  return number;
}

/// Throws CKPT_BIG_ENDIAN on a machine where tensors could not be viewed in place.
inline void require_little_endian() {
  constexpr std::uint16_t one = 1;
  std::uint8_t first = 0;
  std::memcpy(&first, &one, 1);
  if (first != 1) {
    throw CheckpointError(ErrorCode::big_endian,
                          "expected a little-endian machine, found a big-endian one");
  }
}

}  // namespace detail
}  // namespace lightwatch

#endif

// The integers of the format: those that a double represents exactly.

#ifndef LIGHTWATCH_CHECKPOINT_SAFE_INTEGER_HPP
#define LIGHTWATCH_CHECKPOINT_SAFE_INTEGER_HPP

#include <cstdint>

#include "lightwatch/checkpoint/tables.hpp"

namespace lightwatch {
namespace detail {

constexpr bool is_safe(std::uint64_t number) noexcept { return number <= max_safe_integer; }

constexpr bool is_safe(std::int64_t number) noexcept {
  constexpr auto limit = static_cast<std::int64_t>(max_safe_integer);
  return number >= -limit && number <= limit;
}

}  // namespace detail
}  // namespace lightwatch

#endif

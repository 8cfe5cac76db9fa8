// The integers of the format: those that a double holds exactly.

#ifndef LIGHTWATCH_CHECKPOINT_SAFE_INTEGER_HPP
#define LIGHTWATCH_CHECKPOINT_SAFE_INTEGER_HPP

#include <cstdint>

namespace lightwatch {
namespace detail {

/// 2^53 - 1, the largest number that a position, a length, an epoch or an Integer may be.
constexpr std::uint64_t max_safe_integer = (std::uint64_t{1} << 53) - 1;

constexpr bool is_safe(std::uint64_t number) noexcept { return number <= max_safe_integer; }

constexpr bool is_safe(std::int64_t number) noexcept {
  constexpr auto limit = static_cast<std::int64_t>(max_safe_integer);
  return number >= -limit && number <= limit;
}

}  // namespace detail
}  // namespace lightwatch

#endif

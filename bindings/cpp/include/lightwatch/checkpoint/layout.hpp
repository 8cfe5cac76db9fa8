// The layout of a file: the metadata first, then one segment for each distinct tensor. The
// positions follow from the lengths alone.

#ifndef LIGHTWATCH_CHECKPOINT_LAYOUT_HPP
#define LIGHTWATCH_CHECKPOINT_LAYOUT_HPP

#include <cstddef>
#include <cstdint>

#include "lightwatch/checkpoint/tables.hpp"

namespace lightwatch {
namespace detail {

/// The longest gap before a segment, in bytes.
constexpr std::size_t max_gap = segment_alignment + length_bytes - 1;

/// The position of a segment if what precedes it ends at `end`, which is at most 2^54.
constexpr std::uint64_t segment_start(std::uint64_t end) noexcept {
  return (end + length_bytes + segment_alignment - 1) / segment_alignment * segment_alignment;
}

/// Whether a file of this length is one plain FlatBuffer, in which tensors are vectors as well.
constexpr bool is_plain_flatbuffer(std::uint64_t file_length) noexcept {
  return file_length < flatbuffer_limit;
}

}  // namespace detail
}  // namespace lightwatch

#endif

// Where everything lies in a file: the metadata first, then one segment per distinct tensor. The
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

/// Where a segment starts when what stands before it ends at `end`, which is at most 2^54.
constexpr std::uint64_t segment_start(std::uint64_t end) noexcept {
  return (end + length_bytes + segment_alignment - 1) / segment_alignment * segment_alignment;
}

/// Whether the tensors of a file of this length are FlatBuffers vectors as well.
constexpr bool is_plain_flatbuffer(std::uint64_t file_length) noexcept {
  return file_length < flatbuffer_limit;
}

}  // namespace detail
}  // namespace lightwatch

#endif

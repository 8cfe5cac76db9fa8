// Where everything lies in a file: the metadata first, then one segment per distinct tensor. The
// positions follow from the lengths alone.

#ifndef LIGHTWATCH_CHECKPOINT_LAYOUT_HPP
#define LIGHTWATCH_CHECKPOINT_LAYOUT_HPP

#include <cstddef>
#include <cstdint>

namespace lightwatch {
namespace detail {

/// Every segment starts at a multiple of this, in bytes: a cache line, and any SIMD width in use.
constexpr std::uint64_t segment_alignment = 64;

/// Bytes before a segment that are kept for its length.
constexpr std::uint64_t length_bytes = 4;

/// The longest gap before a segment, in bytes.
constexpr std::size_t max_gap = segment_alignment + length_bytes - 1;

/// Files shorter than this are one plain FlatBuffer: FLATBUFFERS_MAX_BUFFER_SIZE, which verifiers
/// take for the first length that is too long.
constexpr std::uint64_t flatbuffer_limit = (std::uint64_t{1} << 31) - 1;

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

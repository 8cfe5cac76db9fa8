// The bytes of one tensor, or of several over the same memory.

#ifndef LIGHTWATCH_CHECKPOINT_SEGMENT_HPP
#define LIGHTWATCH_CHECKPOINT_SEGMENT_HPP

#include <cstdint>

namespace lightwatch {
namespace detail {

/// Lengths and positions in bytes, from the start of the file.
struct Segment {
  /// End of the bytes before the segment. The gap reaches from there to `offset`.
  std::uint64_t gap_start;
  std::uint64_t offset;
  std::uint64_t byte_length;
  std::uint32_t crc32;
};

}  // namespace detail
}  // namespace lightwatch

#endif

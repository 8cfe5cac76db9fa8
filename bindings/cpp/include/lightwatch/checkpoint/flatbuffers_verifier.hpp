// FlatBuffers' own verifier, a second opinion after ours: generated accessors never read what it
// refuses.

#ifndef LIGHTWATCH_CHECKPOINT_FLATBUFFERS_VERIFIER_HPP
#define LIGHTWATCH_CHECKPOINT_FLATBUFFERS_VERIFIER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "lightwatch/checkpoint/checkpoint_generated.h"
#include "lightwatch/checkpoint/layout.hpp"
#include "lightwatch/checkpoint/verifier.hpp"

namespace lightwatch {
namespace detail {

/// Whether FlatBuffers' verifier takes `length` bytes for a Checkpoint. `bytes` are aligned to
/// eight. Its limits are generous: of `metadata_length` bytes that our verifier has passed it
/// refuses none for its limits.
inline bool passes_flatbuffers(const std::uint8_t *bytes, std::uint64_t length,
                               std::uint64_t metadata_length) {
  // From this length on it would assert instead of answering.
  if (!is_plain_flatbuffer(length)) return false;
  // A table takes at least 16 bytes of our budget: its offset to the vtable, the two numbers at the
  // start of the vtable, the vtable, and itself, of four bytes each.
  constexpr std::uint64_t bytes_per_table = 16;
  const std::uint64_t most_tables =
      (budget_per_byte * metadata_length + budget_base) / bytes_per_table;
  flatbuffers::Verifier::Options options;
  options.max_depth = max_depth;
  options.max_tables = static_cast<flatbuffers::uoffset_t>(
      std::min<std::uint64_t>(most_tables, std::numeric_limits<flatbuffers::uoffset_t>::max()));
  flatbuffers::Verifier verifier(bytes, static_cast<std::size_t>(length), options);
  return format::VerifyCheckpointBuffer(verifier);
}

}  // namespace detail
}  // namespace lightwatch

#endif

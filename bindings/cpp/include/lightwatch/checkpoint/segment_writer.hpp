// Writes the gaps and segments of a file in order. Each piece is copied into the library's own
// memory, and summed and written from there, so that the checksum is that of the written bytes.

#ifndef LIGHTWATCH_CHECKPOINT_SEGMENT_WRITER_HPP
#define LIGHTWATCH_CHECKPOINT_SEGMENT_WRITER_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "lightwatch/checkpoint/save_content.hpp"
#include "lightwatch/checkpoint/concurrency.hpp"
#include "lightwatch/checkpoint/crc32.hpp"
#include "lightwatch/checkpoint/encode.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/file_commit.hpp"
#include "lightwatch/checkpoint/layout.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/staging.hpp"

namespace lightwatch {
namespace detail {

/// Copies the gaps and segments into pieces, and sums the segments. Calls `hand_over(length)` for
/// each piece with `length` bytes in it; that returns the memory of the next piece, or null to
/// stop.
template <class HandOver>
class SegmentCopier {
 public:
  SegmentCopier(std::uint8_t *piece, const HandOver &hand_over)
      : hand_over_(hand_over), piece_(piece) {}

  /// Returns the checksums of the segments; fewer if the copying was stopped.
  std::vector<std::uint32_t> copy(const std::vector<SegmentSource> &sources,
                                  const UnsealedMetadata &metadata) {
    std::vector<std::uint32_t> checksums;
    std::uint64_t end = metadata.length();
    for (std::size_t i = 0; i < sources.size(); i++) {
      const SegmentSource &source = sources[i];
      const std::uint64_t offset = metadata.offsets()[i];
      std::array<std::uint8_t, max_gap> gap{};
      const auto gap_length = static_cast<std::size_t>(offset - end);
      if (metadata.plain()) {
        const auto length = static_cast<std::uint32_t>(source.byte_length);
        std::memcpy(gap.data() + gap_length - length_bytes, &length, sizeof length);
      }
      append(gap.data(), gap_length);
      const std::uint32_t checksum = append(source.bytes, source.byte_length);
      if (piece_ == nullptr) return checksums;
      checksums.push_back(checksum);
      end = offset + source.byte_length;
    }
    if (filled_ > 0) hand_over_(filled_);
    return checksums;
  }

 private:
  /// Copies bytes and returns the checksum of the copy.
  std::uint32_t append(const std::uint8_t *bytes, std::uint64_t length) {
    std::uint32_t crc = 0;
    while (length > 0 && piece_ != nullptr) {
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(length, piece_length - filled_));
      std::uint8_t *copy = piece_ + filled_;
      std::memcpy(copy, bytes, count);
      crc = crc32(copy, count, crc);
      filled_ += count;
      bytes += count;
      length -= count;
      if (filled_ < piece_length) continue;
      piece_ = hand_over_(filled_);
      filled_ = 0;
    }
    return crc;
  }

  const HandOver &hand_over_;
  std::uint8_t *piece_;
  std::size_t filled_ = 0;
};

/// Writes everything after the metadata and returns the checksums of the segments. For more than
/// one piece, another thread copies while this one writes. Throws CKPT_NOT_COMMITTED.
inline std::vector<std::uint32_t> write_segments(FileCommit &file,
                                                 const std::vector<SegmentSource> &sources,
                                                 const UnsealedMetadata &metadata) {
  std::uint64_t position = metadata.length();
  const auto write = [&](const std::uint8_t *bytes, std::size_t length) {
    file.write(bytes, length, position);
    position += length;
  };
  std::vector<std::uint32_t> checksums;
  StagingRing ring;
  std::exception_ptr failure;
  std::thread copier;
  if (metadata.file_length() - metadata.length() > piece_length) {
    copier = start_thread([&] {
      const auto hand_over = [&](std::size_t length) {
        ring.give(length);
        return ring.room();
      };
      try {
        checksums = SegmentCopier(ring.room(), hand_over).copy(sources, metadata);
      } catch (...) {
        // There was no memory for a piece.
        failure = std::current_exception();
      }
      ring.end();
    });
  }
  if (!copier.joinable()) {
    std::vector<std::uint8_t> piece(piece_length);
    const auto hand_over = [&](std::size_t length) {
      write(piece.data(), length);
      return piece.data();
    };
    return SegmentCopier(piece.data(), hand_over).copy(sources, metadata);
  }
  try {
    for (auto piece = ring.take(); piece.data() != nullptr; piece = ring.take()) {
      write(piece.data(), piece.size());
      ring.release();
    }
  } catch (...) {
    ring.stop();
    copier.join();
    throw;
  }
  copier.join();
  if (failure) std::rethrow_exception(failure);
  return checksums;
}

/// Throws CKPT_TENSOR_CHANGED if the trainer's memory no longer holds what was written. Training in
/// another thread would otherwise leave a file with some old and some new weights.
inline void check_unchanged(const std::vector<SegmentSource> &sources,
                            const std::vector<std::uint32_t> &checksums) {
  for (std::size_t i = 0; i < sources.size(); i++) {
    const SegmentSource &source = sources[i];
    if (!source.changeable) continue;
    const auto length = static_cast<std::size_t>(source.byte_length);
    if (crc32(source.bytes, length) == checksums[i]) continue;
    ErrorDetails details;
    details.state = source.state;
    details.tensor = source.tensor;
    throw CheckpointError(ErrorCode::tensor_changed,
                          "nothing was saved: " + quote(source.tensor) + " (" +
                              quote(source.state) + ") was changed while the save was running",
                          details);
  }
}

}  // namespace detail
}  // namespace lightwatch

#endif

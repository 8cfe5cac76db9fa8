// Writes the gaps and segments of a file one after the other. Each piece is copied into memory of
// our own, and summed and written from there: what is written is what was summed.

#ifndef LIGHTWATCH_CHECKPOINT_SEGMENT_WRITER_HPP
#define LIGHTWATCH_CHECKPOINT_SEGMENT_WRITER_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "lightwatch/checkpoint/save_content.hpp"
#include "lightwatch/checkpoint/crc32.hpp"
#include "lightwatch/checkpoint/encode.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/file_commit.hpp"
#include "lightwatch/checkpoint/layout.hpp"

namespace lightwatch {
namespace detail {

class SegmentWriter {
 public:
  /// Writes from `position` of the file on.
  SegmentWriter(FileCommit &file, std::uint64_t position)
      : file_(file), position_(position), piece_(piece_length) {}

  /// Writes everything behind the metadata and returns the checksums of the segments. Throws
  /// CKPT_NOT_COMMITTED.
  std::vector<std::uint32_t> write(const std::vector<SegmentSource> &sources,
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
      checksums.push_back(append(source.bytes, source.byte_length));
      end = offset + source.byte_length;
    }
    flush();
    return checksums;
  }

 private:
  /// In bytes: a piece stays in the processor's cache until it has been summed and written.
  static constexpr std::size_t piece_length = 1024 * 1024;

  /// Returns the checksum of what was copied.
  std::uint32_t append(const std::uint8_t *bytes, std::uint64_t length) {
    std::uint32_t crc = 0;
    while (length > 0) {
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(length, piece_length - filled_));
      std::uint8_t *copy = piece_.data() + filled_;
      std::memcpy(copy, bytes, count);
      crc = crc32(copy, count, crc);
      filled_ += count;
      bytes += count;
      length -= count;
      if (filled_ == piece_length) flush();
    }
    return crc;
  }

  void flush() {
    file_.write(piece_.data(), filled_, position_);
    position_ += filled_;
    filled_ = 0;
  }

  FileCommit &file_;
  std::uint64_t position_;
  std::vector<std::uint8_t> piece_;
  std::size_t filled_ = 0;
};

/// Throws CKPT_TENSOR_CHANGED where the trainer's memory does not hold any more what was written:
/// training that goes on in another thread would leave a file of some old and some new weights.
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

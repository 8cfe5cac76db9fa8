// The content of a checkpoint and of everything taken from it: the memory, the metadata, and which
// segments have been verified. It lives as long as any of them.

#ifndef LIGHTWATCH_CHECKPOINT_CONTENTS_HPP
#define LIGHTWATCH_CHECKPOINT_CONTENTS_HPP

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/crc32.hpp"
#include "lightwatch/checkpoint/decode.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/file_image.hpp"
#include "lightwatch/checkpoint/flatbuffers_verifier.hpp"
#include "lightwatch/checkpoint/layout.hpp"
#include "lightwatch/checkpoint/load_options.hpp"
#include "lightwatch/checkpoint/metadata.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/read_metadata.hpp"
#include "lightwatch/checkpoint/rules.hpp"
#include "lightwatch/checkpoint/segment.hpp"

namespace lightwatch {
namespace detail {

/// The caller of a segment, for messages.
struct Asker {
  const StateRecord &state;
  const TensorRecord &tensor;
};

/// Safe for use by several threads at once.
class Contents {
 public:
  /// Takes ownership of a file whose metadata is `metadata`, as `read_metadata` returns it. Throws
  /// CKPT_FORMAT, CKPT_FLATBUFFER, CKPT_TENSOR_TOO_LARGE, CKPT_READ.
  Contents(RegularFile file, const OwnedBytes &metadata, const LoadOptions &options,
           std::string path)
      : path_(std::move(path)),
        verify_(options.verify),
        image_(std::move(file), options.map, metadata.view()),
        metadata_(Decoder(image_.data()).decode()),
        segments_(Rules(metadata_).check()),
        ready_(new std::atomic<bool>[segments_.size()]()) {
    ask_flatbuffers();
  }

  const Metadata &metadata() const noexcept { return metadata_; }
  const std::vector<Segment> &segments() const noexcept { return segments_; }
  bool mapped() const noexcept { return image_.mapped(); }

  /// The bytes of a tensor's segment, verified the first time. Throws CKPT_FORMAT (rule `gap`),
  /// CKPT_TENSOR_CHECKSUM, CKPT_READ or CKPT_FILE_CHANGED.
  const std::uint8_t *bytes(const Asker &asker) const {
    const std::uint32_t number = asker.tensor.segment;
    const Segment &segment = segments_[number];
    const std::uint8_t *at = image_.data() + segment.offset;
    if (ready_[number].load(std::memory_order_acquire)) return at;
    // One thread at a time: others must not read memory that is being filled.
    const std::lock_guard<std::mutex> lock(filling_);
    if (ready_[number].load(std::memory_order_relaxed)) return at;
    image_.load(segment.gap_start, segment.offset + segment.byte_length - segment.gap_start);
    if (verify_) {
      check_gap(asker, image_.data() + segment.gap_start);
      check_sum(asker, crc32(at, static_cast<std::size_t>(segment.byte_length)));
    }
    ready_[number].store(true, std::memory_order_release);
    return at;
  }

  /// Verifies a tensor's gap and checksum, whatever the options say, and even if that was done
  /// before.
  void check(const Asker &asker) const {
    const Segment &segment = segments_[asker.tensor.segment];
    std::array<std::uint8_t, max_gap> gap{};
    image_.copy(gap.data(), segment.offset - segment.gap_start, segment.gap_start);
    check_gap(asker, gap.data());
    if (image_.mapped()) {
      check_sum(asker, crc32(image_.data() + segment.offset,
                             static_cast<std::size_t>(segment.byte_length)));
      return;
    }
    constexpr std::uint64_t piece = 1 << 20;
    std::vector<std::uint8_t> buffer(
        static_cast<std::size_t>(std::min(piece, segment.byte_length)));
    std::uint32_t crc = 0;
    for (std::uint64_t done = 0; done < segment.byte_length;) {
      const std::uint64_t length = std::min(piece, segment.byte_length - done);
      image_.copy(buffer.data(), length, segment.offset + done);
      crc = crc32(buffer.data(), static_cast<std::size_t>(length), crc);
      done += length;
    }
    check_sum(asker, crc);
  }

  /// Copies a tensor's bytes to memory of the same length. They are verified as they are copied, so
  /// that a change of the file does not matter.
  void copy(const Asker &asker, std::uint8_t *target) const {
    const Segment &segment = segments_[asker.tensor.segment];
    if (verify_) {
      std::array<std::uint8_t, max_gap> gap{};
      image_.copy(gap.data(), segment.offset - segment.gap_start, segment.gap_start);
      check_gap(asker, gap.data());
    }
    // In pieces that are summed while they are in the processor's cache.
    constexpr std::uint64_t piece = 1 << 20;
    std::uint32_t crc = 0;
    for (std::uint64_t done = 0; done < segment.byte_length;) {
      const std::uint64_t length = std::min(piece, segment.byte_length - done);
      image_.copy(target + done, length, segment.offset + done);
      if (verify_) crc = crc32(target + done, static_cast<std::size_t>(length), crc);
      done += length;
    }
    if (verify_) check_sum(asker, crc);
  }

  /// Calls `use` with each segment's number and the first tensor that has it, in the order of the
  /// file.
  template <class Use>
  void for_each_segment(const Use &use) const {
    std::uint32_t next = 0;
    for (const StateRecord &state : metadata_.states) {
      for (const TensorRecord &tensor : state.tensors) {
        if (tensor.segment != next) continue;
        use(Asker{state, tensor});
        next++;
      }
    }
  }

 private:
  /// Has FlatBuffers' verifier check the whole file, or the metadata alone if there is no `data`.
  void ask_flatbuffers() {
    const bool plain = is_plain_flatbuffer(image_.size());
    const std::uint64_t length = plain ? image_.size() : metadata_.metadata_length;
    if (plain && !image_.mapped()) {
      // Besides the metadata it reads the lengths in the gaps.
      for (const Segment &segment : segments_) {
        image_.load(segment.offset - length_bytes, length_bytes);
      }
    }
    if (passes_flatbuffers(image_.data(), length, metadata_.metadata_length)) return;
    // What our rules have passed fails at a length that leads out of the file.
    for_each_segment([this](const Asker &asker) {
      std::array<std::uint8_t, max_gap> gap{};
      const Segment &segment = segments_[asker.tensor.segment];
      image_.copy(gap.data(), segment.offset - segment.gap_start, segment.gap_start);
      check_gap(asker, gap.data());
    });
    ErrorDetails details;
    details.rule = "flatbuffer.verifier";
    throw CheckpointError(ErrorCode::flatbuffer,
                          "the verifier of FlatBuffers refuses the file", details);
  }

  void check_gap(const Asker &asker, const std::uint8_t *gap) const {
    const Segment &segment = segments_[asker.tensor.segment];
    const auto length = static_cast<std::size_t>(segment.offset - segment.gap_start);
    std::array<std::uint8_t, max_gap> expected{};
    if (is_plain_flatbuffer(image_.size())) {
      const auto segment_length = static_cast<std::uint32_t>(segment.byte_length);
      std::memcpy(expected.data() + length - length_bytes, &segment_length, sizeof segment_length);
    }
    const auto differs = std::mismatch(gap, gap + length, expected.begin());
    if (differs.first == gap + length) return;
    ErrorDetails details = about(asker);
    details.rule = rule::gap;
    details.offset = segment.gap_start + static_cast<std::uint64_t>(differs.first - gap);
    throw CheckpointError(ErrorCode::format,
                          "the bytes before " + quote(asker.tensor.name) + " (" +
                              quote(asker.state.name) + ") are damaged: byte " +
                              std::to_string(*details.offset) + " is " +
                              std::to_string(*differs.first) + ", and has to be " +
                              std::to_string(*differs.second),
                          details);
  }

  void check_sum(const Asker &asker, std::uint32_t actual) const {
    const Segment &segment = segments_[asker.tensor.segment];
    if (actual == segment.crc32) return;
    ErrorDetails details = about(asker);
    details.offset = segment.offset;
    throw CheckpointError(ErrorCode::tensor_checksum,
                          "the bytes of " + quote(asker.tensor.name) + " (" +
                              quote(asker.state.name) + ") are damaged: their checksum is " +
                              hexadecimal(actual, 8) + ", and should be " +
                              hexadecimal(segment.crc32, 8),
                          details);
  }

  ErrorDetails about(const Asker &asker) const {
    ErrorDetails details;
    details.path = path_;
    details.state = asker.state.name;
    details.tensor = asker.tensor.name;
    return details;
  }

  const std::string path_;
  const bool verify_;
  // If the file is not mapped, its bytes change under the lock.
  mutable FileImage image_;
  Metadata metadata_;
  std::vector<Segment> segments_;
  /// Whether a segment's bytes are present and, unless the options say otherwise, verified.
  std::unique_ptr<std::atomic<bool>[]> ready_;
  mutable std::mutex filling_;
};

}  // namespace detail
}  // namespace lightwatch

#endif

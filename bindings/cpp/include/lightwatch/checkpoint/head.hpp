// The head of a file: whether it is a checkpoint, in a known version, and as long as it says.
// Reading it needs only the first few kilobytes. It comes first, because a newer version may give
// other fields another meaning.

#ifndef LIGHTWATCH_CHECKPOINT_HEAD_HPP
#define LIGHTWATCH_CHECKPOINT_HEAD_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lightwatch/checkpoint/crc32.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/layout.hpp"
#include "lightwatch/checkpoint/little_endian.hpp"
#include "lightwatch/checkpoint/checkpoint_generated.h"
#include "lightwatch/checkpoint/span.hpp"
#include "lightwatch/checkpoint/tables.hpp"

namespace lightwatch {

namespace detail {

struct Head {
  std::uint32_t version;
  /// In bytes, as all of them.
  std::uint32_t metadata_length;
  /// CRC-32 of the metadata, with the checksum's own four bytes taken as zero.
  std::uint32_t metadata_crc32;
  /// Position of the checksum.
  std::uint32_t crc_offset;
  std::uint64_t file_length;
};

/// Guesses from its first bytes what a file is that is not a checkpoint.
inline std::string looks_like(Span<const std::uint8_t> start, std::uint64_t file_length) {
  const auto byte = [&](std::size_t i) { return i < start.size() ? start[i] : -1; };
  if (file_length == 0) return "the file is empty";
  // Safetensors comes first: the length of its header can begin like any other format.
  if (byte(8) == '{' && byte(6) == 0 && byte(7) == 0) return "it looks like a safetensors file";
  if (byte(0) == 'P' && byte(1) == 'K') return "it is a zip archive (PyTorch and NumPy save these)";
  if (byte(0) == 0x80 && byte(1) >= 2 && byte(1) <= 5) return "it looks like a Python pickle";
  if (byte(0) == 0x89 && byte(1) == 'H' && byte(4) == '\r' && byte(5) == '\n') {
    return "it looks like an HDF5 file";
  }
  if (byte(0) == '{' || byte(0) == '[') return "it looks like JSON";
  return std::string("expected ") + file_identifier + " at byte 4";
}

/// Reads the head from the first bytes of a file.
class HeadReader {
 public:
  /// `start`: the first `head_length` bytes of the file, or all of a shorter file.
  HeadReader(Span<const std::uint8_t> start, std::uint64_t file_length)
      : start_(start), file_length_(file_length) {}

  /// Throws CKPT_NOT_A_CHECKPOINT, CKPT_VERSION, CKPT_FILE_LENGTH or CKPT_FORMAT.
  Head read() {
    check_identifier();
    find_vtable();
    Head head{};
    head.version = number<std::uint32_t>(position(format::Checkpoint::VT_VERSION, 4, "version"));
    check_version(head.version);
    const auto declared =
        number<std::uint64_t>(position(format::Checkpoint::VT_FILE_LENGTH, 8, "file_length"));
    check_file_length(declared);
    head.file_length = file_length_;
    head.metadata_length =
        number<std::uint32_t>(position(format::Checkpoint::VT_METADATA_LENGTH, 4, "metadata_length"));
    // The verifier would refuse longer metadata too, but only after all of it had been read.
    const std::uint64_t longest = std::min(file_length_, flatbuffer_limit - 1);
    if (head.metadata_length < min_buffer_length || head.metadata_length > longest) {
      refuse(ErrorCode::format, rule::metadata_length,
             "the metadata claims " + std::to_string(head.metadata_length) +
                 " bytes, in a file of " + std::to_string(file_length_));
    }
    const std::int64_t crc_at =
        position(format::Checkpoint::VT_METADATA_CRC32, 4, "metadata_crc32");
    head.metadata_crc32 = number<std::uint32_t>(crc_at);
    head.crc_offset = static_cast<std::uint32_t>(crc_at);
    if (crc_at + 4 > std::int64_t{head.metadata_length}) {
      refuse(ErrorCode::format, rule::metadata_length, "the checksum of the metadata lies outside the metadata");
    }
    return head;
  }

 private:
  template <class T>
  T number(std::int64_t at) const noexcept {
    return read_number<T>(start_.data() + at);
  }

  bool within(std::int64_t at, std::int64_t length) const noexcept {
    return at >= 0 && at + length <= static_cast<std::int64_t>(start_.size());
  }

  void check_identifier() const {
    const bool fits = start_.size() >= 8 && std::equal(start_.begin() + 4, start_.begin() + 8,
                                                       std::string_view(file_identifier).begin());
    if (!fits) {
      refuse(ErrorCode::not_a_checkpoint, "",
             "not a .ckpt file: " + looks_like(start_, file_length_));
    }
    if (file_length_ < min_buffer_length) {
      refuse(ErrorCode::file_length, "",
             "the file was cut short: it begins like a checkpoint, but ends after " +
                 std::to_string(file_length_) + " bytes");
    }
  }

  void find_vtable() {
    root_ = number<std::uint32_t>(0);
    if (root_ < 8 || root_ % 4 != 0 || !within(root_, 4)) bad("the root table");
    vtable_ = root_ - number<std::int32_t>(root_);
    if (vtable_ < 8 || vtable_ % 2 != 0 || !within(vtable_, 4)) bad("its vtable");
    vtable_length_ = number<std::uint16_t>(vtable_);
    if (!within(vtable_, vtable_length_)) bad("its vtable");
  }

  /// Position of a field of the root table.
  std::int64_t position(std::uint16_t slot, std::int64_t size, const char *name) const {
    const std::int64_t entry =
        slot + 2 <= vtable_length_ ? number<std::uint16_t>(vtable_ + slot) : 0;
    const std::int64_t at = root_ + entry;
    if (entry < 4 || at % size != 0) {
      refuse(ErrorCode::format, rule::head, std::string("the root table has no ") + name);
    }
    if (!within(at, size)) bad(name);
    return at;
  }

  static void check_version(std::uint32_t version) {
    if (version > format_version) {
      refuse(ErrorCode::version, "",
             "the file has format version " + std::to_string(version) +
                 ", and this library reads up to version " + std::to_string(format_version) +
                 ": update lightwatch-checkpoint");
    }
    if (version == 0) {
      refuse(ErrorCode::format, rule::version, "the file has format version 0, which does not exist");
    }
  }

  void check_file_length(std::uint64_t declared) const {
    if (declared == file_length_) return;
    refuse(ErrorCode::file_length, "",
           std::string("the file ") +
               (declared > file_length_ ? "was cut short" : "has something appended to it") +
               ": it is " + std::to_string(file_length_) + " bytes long, and says that it has " +
               std::to_string(declared));
  }

  /// An inconsistent head means a file that was cut short, if the file is short; otherwise a
  /// damaged one.
  [[noreturn]] void bad(const char *what) const {
    if (file_length_ < head_length) {
      refuse(ErrorCode::file_length, rule::head,
             std::string("the file was cut short or is damaged: ") + what +
                 " does not lie within its " + std::to_string(file_length_) + " bytes");
    }
    refuse(ErrorCode::format, rule::head,
           std::string(what) + " does not lie within the first " + std::to_string(head_length) +
               " bytes of the file");
  }

  [[noreturn]] static void refuse(ErrorCode code, const char *rule, const std::string &message) {
    ErrorDetails details;
    details.rule = rule;
    throw CheckpointError(code, message, details);
  }

  Span<const std::uint8_t> start_;
  std::uint64_t file_length_;
  std::int64_t root_ = 0;
  std::int64_t vtable_ = 0;
  std::int64_t vtable_length_ = 0;
};

/// CRC-32 of metadata, with the four bytes at `crc_offset` taken as zero.
inline std::uint32_t metadata_checksum(Span<const std::uint8_t> metadata,
                                       std::uint32_t crc_offset) {
  constexpr std::uint8_t zeros[4] = {};
  std::uint32_t crc = crc32(metadata.data(), crc_offset);
  crc = crc32(zeros, sizeof zeros, crc);
  const std::size_t rest = std::size_t{crc_offset} + sizeof zeros;
  return crc32(metadata.data() + rest, metadata.size() - rest, crc);
}

}  // namespace detail
}  // namespace lightwatch

#endif

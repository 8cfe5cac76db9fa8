// Reads the metadata of an open file into the library's own memory, and verifies it in full.
// Touches no tensor.

#ifndef LIGHTWATCH_CHECKPOINT_READ_METADATA_HPP
#define LIGHTWATCH_CHECKPOINT_READ_METADATA_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/head.hpp"
#include "lightwatch/checkpoint/regular_file.hpp"
#include "lightwatch/checkpoint/span.hpp"
#include "lightwatch/checkpoint/verifier.hpp"

namespace lightwatch {
namespace detail {

/// Bytes with a length, aligned to eight.
struct OwnedBytes {
  std::unique_ptr<std::uint8_t[]> bytes;
  std::size_t length;

  Span<const std::uint8_t> view() const noexcept { return {bytes.get(), length}; }
};

/// Reads the metadata and verifies the head, the checksum and the structure. Throws
/// CKPT_NOT_A_CHECKPOINT, CKPT_VERSION, CKPT_FILE_LENGTH, CKPT_FORMAT, CKPT_METADATA_CHECKSUM,
/// CKPT_FLATBUFFER, CKPT_READ or CKPT_FILE_CHANGED.
inline OwnedBytes read_metadata(const RegularFile &file) {
  std::uint8_t start[head_length];
  const auto start_length =
      static_cast<std::size_t>(std::min<std::uint64_t>(head_length, file.size()));
  file.read(start, start_length, 0);
  const Head head = HeadReader({start, start_length}, file.size()).read();

  // At most as long as the file, because the head has been compared with it.
  OwnedBytes metadata{std::unique_ptr<std::uint8_t[]>(new std::uint8_t[head.metadata_length]),
                      head.metadata_length};
  // The start is not read again, because another process could have changed it.
  const std::size_t known = std::min(start_length, metadata.length);
  std::memcpy(metadata.bytes.get(), start, known);
  file.read(metadata.bytes.get() + known, metadata.length - known, known);

  const std::uint32_t checksum = metadata_checksum(metadata.view(), head.crc_offset);
  if (checksum != head.metadata_crc32) {
    throw CheckpointError(ErrorCode::metadata_checksum,
                          "the metadata is damaged: checksum mismatch, found " + hexadecimal(checksum, 8) +
                              ", expected " + hexadecimal(head.metadata_crc32, 8));
  }
  verify_flatbuffer(metadata.bytes.get(), metadata.length);
  return metadata;
}

}  // namespace detail
}  // namespace lightwatch

#endif

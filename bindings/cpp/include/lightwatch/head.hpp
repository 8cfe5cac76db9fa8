/// The first look at a file: is it a checkpoint, of a version that is known, and as long as it says?
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "lightwatch/crc32.hpp"
#include "lightwatch/error.hpp"
#include "lightwatch/flatbuffer_verifier.hpp"

namespace lightwatch::detail {

/// The newest version of the format that this library reads.
constexpr std::uint32_t kFormatVersion = 1;

/// The root table and its vtable lie within this many bytes from the start of a file.
constexpr std::int64_t kHeadLength = 4096;

struct Head {
  std::uint32_t metadata_length;
  std::uint32_t metadata_crc32;
  /// Position of that checksum.
  std::int64_t crc_offset;
};

/// Throws CKPT_NOT_A_CHECKPOINT, CKPT_VERSION, CKPT_FILE_LENGTH or CKPT_FORMAT.
inline Head read_head(const std::uint8_t* data, std::uint64_t file_length) {
  if (file_length < 8 || std::memcmp(data + 4, "LWCK", 4) != 0) {
    throw CheckpointError("CKPT_NOT_A_CHECKPOINT", "",
                          "this is no checkpoint: the bytes 4 to 7 are not LWCK");
  }
  if (file_length < 12) {
    throw CheckpointError("CKPT_FILE_LENGTH", "", "the file was cut short");
  }
  const std::int64_t length = std::min<std::int64_t>(
      kHeadLength, static_cast<std::int64_t>(std::min<std::uint64_t>(file_length, kHeadLength)));
  const auto within = [&](std::int64_t at, std::int64_t size) {
    return at >= 0 && at + size <= length;
  };
  const auto bad = [&](const std::string& what) {
    if (file_length < static_cast<std::uint64_t>(kHeadLength)) {
      return CheckpointError("CKPT_FILE_LENGTH", "head",
                             "the file was cut short or is damaged: " + what + " lies outside");
    }
    return CheckpointError("CKPT_FORMAT", "head",
                           what + " does not lie within the first 4096 bytes of the file");
  };
  const auto u16 = [&](std::int64_t at) {
    std::uint16_t v;
    std::memcpy(&v, data + at, sizeof v);
    return v;
  };
  const auto u32 = [&](std::int64_t at) {
    std::uint32_t v;
    std::memcpy(&v, data + at, sizeof v);
    return v;
  };
  const std::int64_t root = u32(0);
  if (root < 8 || root % 4 != 0 || !within(root, 4)) throw bad("the root table");
  const std::int64_t vtable = root - static_cast<std::int32_t>(u32(root));
  if (vtable < 8 || vtable % 2 != 0 || !within(vtable, 4)) throw bad("its vtable");
  const std::int64_t vtable_length = u16(vtable);
  if (!within(vtable, vtable_length)) throw bad("its vtable");
  const auto position = [&](std::int64_t slot, std::int64_t size, const std::string& name) {
    const std::int64_t entry = slot + 2 <= vtable_length ? u16(vtable + slot) : 0;
    if (entry < 4 || (root + entry) % size != 0) {
      fail_format("head", "the root table has no " + name);
    }
    if (!within(root + entry, size)) throw bad(name);
    return root + entry;
  };
  using format::Checkpoint;
  const std::uint32_t version = u32(position(Checkpoint::VT_VERSION, 4, "version"));
  if (version > kFormatVersion) {
    throw CheckpointError("CKPT_VERSION", "",
                          "the file has format version " + std::to_string(version) +
                              ", and this library reads up to version 1");
  }
  if (version == 0) fail_format("version", "the file has format version 0, which never was");
  std::uint64_t declared = 0;
  std::memcpy(&declared, data + position(Checkpoint::VT_FILE_LENGTH, 8, "file_length"), 8);
  if (declared != file_length) {
    throw CheckpointError("CKPT_FILE_LENGTH", "",
                          "the file is " + std::to_string(file_length) +
                              " bytes long, and says that it has " + std::to_string(declared));
  }
  Head head{};
  head.metadata_length = u32(position(Checkpoint::VT_METADATA_LENGTH, 4, "metadata_length"));
  const std::uint64_t longest =
      std::min<std::uint64_t>(file_length, static_cast<std::uint64_t>(kFlatBufferLimit - 1));
  if (head.metadata_length < 12 || head.metadata_length > longest) {
    fail_format("metadata_length", "the metadata is said to be " +
                                       std::to_string(head.metadata_length) + " bytes long");
  }
  head.crc_offset = position(Checkpoint::VT_METADATA_CRC32, 4, "metadata_crc32");
  head.metadata_crc32 = u32(head.crc_offset);
  if (head.crc_offset + 4 > static_cast<std::int64_t>(head.metadata_length)) {
    fail_format("metadata_length", "the checksum of the metadata lies behind it");
  }
  return head;
}

/// CRC-32 of metadata, with the four bytes of the checksum taken as zero.
inline std::uint32_t metadata_checksum(const std::uint8_t* data, std::size_t length,
                                       std::int64_t crc_offset) {
  const std::uint8_t zeros[4] = {0, 0, 0, 0};
  const auto at = static_cast<std::size_t>(crc_offset);
  const std::uint32_t crc = crc32(zeros, 4, crc32(data, at));
  return crc32(data + at + 4, length - at - 4, crc);
}

}  // namespace lightwatch::detail

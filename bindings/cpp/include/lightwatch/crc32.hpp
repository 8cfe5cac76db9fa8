/// CRC-32/ISO-HDLC, the checksum of zlib, gzip and PNG.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lightwatch::detail {

using CrcTables = std::array<std::array<std::uint32_t, 256>, 16>;

inline const CrcTables& crc_tables() {
  // Slicing by 16 (Kounavis and Berry, 2005). Table k: a byte followed by k zero bytes.
  static const CrcTables tables = [] {
    CrcTables made{};
    for (std::uint32_t byte = 0; byte < 256; byte++) {
      std::uint32_t crc = byte;
      for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xedb88320u : crc >> 1;
      made[0][byte] = crc;
    }
    for (std::size_t k = 1; k < made.size(); k++) {
      for (std::size_t byte = 0; byte < 256; byte++) {
        const std::uint32_t before = made[k - 1][byte];
        made[k][byte] = (before >> 8) ^ made[0][before & 0xff];
      }
    }
    return made;
  }();
  return tables;
}

/// CRC-32 of `length` bytes, or, with the CRC of what came before, of both together.
inline std::uint32_t crc32(const std::uint8_t* data, std::size_t length, std::uint32_t before = 0) {
  const CrcTables& t = crc_tables();
  std::uint32_t crc = ~before;
  for (; length >= 16; data += 16, length -= 16) {
    std::uint32_t w[4];
    std::memcpy(w, data, sizeof w);
    w[0] ^= crc;
    crc = 0;
    for (std::size_t i = 0; i < 4; i++) {
      for (std::size_t k = 0; k < 4; k++) crc ^= t[15 - 4 * i - k][(w[i] >> (8 * k)) & 0xff];
    }
  }
  for (; length > 0; data++, length--) crc = (crc >> 8) ^ t[0][(crc ^ *data) & 0xff];
  return ~crc;
}

}  // namespace lightwatch::detail

// CRC-32/ISO-HDLC, the one of zlib, gzip and PNG.

#ifndef LIGHTWATCH_CHECKPOINT_CRC32_HPP
#define LIGHTWATCH_CHECKPOINT_CRC32_HPP

#include <array>
#include <cstddef>
#include <cstdint>

#include "lightwatch/checkpoint/crc32_arm.hpp"
#include "lightwatch/checkpoint/crc32_folding.hpp"
#include "lightwatch/checkpoint/little_endian.hpp"

namespace lightwatch {
namespace detail {

/// Table k gives what a byte does to a checksum when k zero bytes follow it.
using CrcTables = std::array<std::array<std::uint32_t, 256>, 16>;

constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (std::uint32_t byte = 0; byte < 256; byte++) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
    tables[0][byte] = crc;
  }
  for (std::size_t byte = 0; byte < 256; byte++) {
    for (std::size_t k = 1; k < tables.size(); k++) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

inline constexpr CrcTables crc_tables = make_crc_tables();

/// What four bytes do to a checksum when k bytes follow them.
inline std::uint32_t crc32_of_word(std::uint32_t word, std::size_t k) noexcept {
  const CrcTables &t = crc_tables;
  return t[k + 3][word & 0xff] ^ t[k + 2][(word >> 8) & 0xff] ^ t[k + 1][(word >> 16) & 0xff] ^
         t[k][word >> 24];
}

/// Sixteen bytes a step, on any machine. `state` is the checksum without its final inversion.
inline std::uint32_t crc32_by_tables(const std::uint8_t *bytes, std::size_t length,
                                     std::uint32_t state) noexcept {
  while (length >= 16) {
    state = crc32_of_word(state ^ read_number<std::uint32_t>(bytes), 12) ^
            crc32_of_word(read_number<std::uint32_t>(bytes + 4), 8) ^
            crc32_of_word(read_number<std::uint32_t>(bytes + 8), 4) ^
            crc32_of_word(read_number<std::uint32_t>(bytes + 12), 0);
    bytes += 16;
    length -= 16;
  }
  for (; length > 0; length--) state = (state >> 8) ^ crc_tables[0][(state ^ *bytes++) & 0xff];
  return state;
}

/// The checksum of `length` bytes that follow those whose checksum is `before` (0 for none).
inline std::uint32_t crc32(const std::uint8_t *bytes, std::size_t length,
                           std::uint32_t before = 0) noexcept {
  std::uint32_t state = ~before;
#ifdef LIGHTWATCH_CRC32_FOLDING
  if (length >= crc32_folding_minimum && crc32_can_fold()) {
    const std::size_t folded = length / 16 * 16;
    state = crc32_by_folding(bytes, folded, state);
    bytes += folded;
    length -= folded;
  }
#endif
#ifdef LIGHTWATCH_CRC32_ARM
  if (crc32_has_instructions()) return ~crc32_by_instructions(bytes, length, state);
#endif
  return ~crc32_by_tables(bytes, length, state);
}

}  // namespace detail
}  // namespace lightwatch

#endif

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <lightwatch/checkpoint/crc32.hpp>
#include <string>
#include <vector>

namespace {

using lightwatch::detail::crc32;
using lightwatch::detail::crc32_by_tables;

std::uint32_t crc_of(const std::string &text) {
  return crc32(reinterpret_cast<const std::uint8_t *>(text.data()), text.size());
}

/// The definition of the polynomial, bit by bit.
std::uint32_t slow_crc(const std::uint8_t *bytes, std::size_t length) {
  std::uint32_t crc = 0xffffffff;
  for (std::size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

std::vector<std::uint8_t> some_bytes(std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  std::uint32_t state = 1;
  for (auto &byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return bytes;
}

TEST(Crc32, IsThatOfZlib) {
  EXPECT_EQ(crc_of(""), 0u);
  EXPECT_EQ(crc_of("123456789"), 0xcbf43926u);
  EXPECT_EQ(crc_of("The quick brown fox jumps over the lazy dog"), 0x414fa339u);
}

TEST(Crc32, IsTheSameInEveryWayAtEveryLengthAndAlignment) {
  const auto bytes = some_bytes(600);
  for (std::size_t start = 0; start < 17; start++) {
    for (std::size_t length = 0; start + length <= bytes.size(); length++) {
      const std::uint8_t *at = bytes.data() + start;
      const std::uint32_t expected = slow_crc(at, length);
      ASSERT_EQ(crc32(at, length), expected) << start << " " << length;
      ASSERT_EQ(~crc32_by_tables(at, length, 0xffffffff), expected) << start << " " << length;
    }
  }
}

TEST(Crc32, GoesOnFromAnother) {
  const auto bytes = some_bytes(1000);
  const std::uint32_t expected = slow_crc(bytes.data(), bytes.size());
  for (std::size_t cut = 0; cut <= bytes.size(); cut++) {
    const std::uint32_t first = crc32(bytes.data(), cut);
    ASSERT_EQ(crc32(bytes.data() + cut, bytes.size() - cut, first), expected) << cut;
  }
}

}  // namespace

// Random errors in the metadata, with correct checksums. A file that is accepted must be readable
// in full and must pass FlatBuffers' verifier. Run this with sanitizers to find reads out of
// bounds.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <lightwatch/checkpoint.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "files.hpp"
#include "refusal.hpp"
#include "report.hpp"

namespace {

using lightwatch::detail::read_number;

template <class T>
void put(Bytes &bytes, std::size_t at, T number) {
  std::memcpy(bytes.data() + at, &number, sizeof number);
}

/// Corrects the checksum of the metadata, if its position can still be found.
void seal(Bytes &bytes) {
  try {
    const std::size_t start = std::min<std::size_t>(bytes.size(), lightwatch::detail::head_length);
    const auto head = lightwatch::detail::HeadReader({bytes.data(), start}, bytes.size()).read();
    put(bytes, head.crc_offset,
        lightwatch::detail::metadata_checksum({bytes.data(), head.metadata_length},
                                              head.crc_offset));
  } catch (const lightwatch::CheckpointError &) {
    // The head is invalid, so the file is refused anyway.
  }
}

/// Changes one to three numbers of the metadata to critical values.
Bytes mutation(const Bytes &of, std::size_t metadata_length, std::mt19937 &random) {
  Bytes bytes = of;
  const auto below = [&random](std::size_t n) { return random() % n; };
  constexpr std::array<std::uint32_t, 12> numbers = {
      0, 1, 2, 4, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff};
  for (std::size_t changes = 1 + below(3); changes > 0; changes--) {
    const std::size_t at = below(metadata_length - 8);
    switch (below(6)) {
      case 0: bytes[at] = static_cast<std::uint8_t>(random()); break;
      case 1: bytes[at] ^= static_cast<std::uint8_t>(1u << below(8)); break;
      case 2: put(bytes, at & ~1u, static_cast<std::uint16_t>(numbers[below(numbers.size())])); break;
      case 3: put(bytes, at & ~3u, numbers[below(numbers.size())]); break;
      // Slightly larger or smaller: offsets to neighbouring values.
      case 4:
        put(bytes, at & ~3u,
            read_number<std::uint32_t>(bytes.data() + (at & ~3u)) +
                static_cast<std::uint32_t>(below(65)) * 4 - 128);
        break;
      // A copy from another place: tables and vtables of another type.
      default: {
        const std::size_t length = 1 + below(24);
        const std::size_t from = below(metadata_length - 8);
        const std::size_t most = metadata_length - std::max(at, from);
        std::memmove(bytes.data() + at, of.data() + from, std::min(length, most));
      }
    }
  }
  seal(bytes);
  return bytes;
}

TEST(Mutations, AreRefusedOrReadInFull) {
  const char *wanted = std::getenv("LIGHTWATCH_MUTATIONS");
  const int count = wanted == nullptr ? 4000 : std::atoi(wanted);
  const Scratch scratch;
  const std::string path = scratch.path("mutation.ckpt");
  std::map<std::string, int> outcomes;
  for (const Bytes &of : {read_bytes(corpus("valid/example.ckpt")), read_bytes(golden_path()),
                          read_bytes(corpus("valid/attributes.ckpt"))}) {
    write_bytes(path, of);
    const auto metadata_length =
        static_cast<std::size_t>(lightwatch::load_checkpoint(path).metadata_length());
    std::mt19937 random(20'260'101);
    for (int i = 0; i < count; i++) {
      const Bytes bytes = mutation(of, metadata_length, random);
      write_bytes(path, bytes);
      const std::string refused = refusal_of(path);
      outcomes[refused]++;
      lightwatch::LoadOptions read;
      read.map = false;
      ASSERT_EQ(refusal_of(path, false), refused) << i;
      ASSERT_EQ(reporter::report(path), reporter::report(path, read)) << i;
      if (refused.empty()) {
        ASSERT_TRUE(lightwatch::detail::passes_flatbuffers(bytes.data(), bytes.size(), bytes.size()))
            << i;
      }
    }
  }
  // With fewer outcomes this would test only the head.
  EXPECT_GE(outcomes.size(), 20u);
  EXPECT_GE(outcomes[""], count / 20);
  EXPECT_EQ(outcomes.count("CKPT_FLATBUFFER flatbuffer.verifier"), 0u);
}

}  // namespace

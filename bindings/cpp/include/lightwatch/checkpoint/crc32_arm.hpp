// CRC-32 by the instructions that ARMv8 has for it, eight bytes each; where the processor has them.

#ifndef LIGHTWATCH_CHECKPOINT_CRC32_ARM_HPP
#define LIGHTWATCH_CHECKPOINT_CRC32_ARM_HPP

#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__)) && \
    (defined(__linux__) || defined(__ARM_FEATURE_CRC32))
#define LIGHTWATCH_CRC32_ARM 1

#if defined(__linux__) && !defined(__ARM_FEATURE_CRC32)
#include <sys/auxv.h>
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lightwatch {
namespace detail {

/// Whether this processor can do it; asked once.
inline bool crc32_has_instructions() noexcept {
#ifdef __ARM_FEATURE_CRC32
  return true;
#else
  // HWCAP_CRC32, which older headers lack.
  static const bool has = (::getauxval(AT_HWCAP) & (1ul << 7)) != 0;
  return has;
#endif
}

#ifdef __ARM_FEATURE_CRC32
#define LIGHTWATCH_TARGET_CRC
#elif defined(__clang__)
#define LIGHTWATCH_TARGET_CRC __attribute__((target("crc")))
#else
#define LIGHTWATCH_TARGET_CRC __attribute__((target("+crc")))
#endif

/// `state` is the checksum without its final inversion.
LIGHTWATCH_TARGET_CRC inline std::uint32_t crc32_by_instructions(const std::uint8_t *bytes,
                                                                 std::size_t length,
                                                                 std::uint32_t state) noexcept {
  // As assembly: the intrinsics are declared only where the whole program is built for them.
  for (; length >= sizeof(std::uint64_t); bytes += 8, length -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    __asm__("crc32x %w[state], %w[state], %x[word]" : [state] "+r"(state) : [word] "r"(word));
  }
  for (; length > 0; bytes++, length--) {
    const std::uint32_t byte = *bytes;
    __asm__("crc32b %w[state], %w[state], %w[byte]" : [state] "+r"(state) : [byte] "r"(byte));
  }
  return state;
}

#undef LIGHTWATCH_TARGET_CRC

}  // namespace detail
}  // namespace lightwatch

#endif

#endif

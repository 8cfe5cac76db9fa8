// CRC-32 by carry-less multiplication (PCLMULQDQ), several times as fast as tables; where the
// compiler and the processor have it. The method is that of V. Gopal et al., "Fast CRC Computation
// for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009), in its bit-reflected form.

#ifndef LIGHTWATCH_CHECKPOINT_CRC32_FOLDING_HPP
#define LIGHTWATCH_CHECKPOINT_CRC32_FOLDING_HPP

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#define LIGHTWATCH_CRC32_FOLDING 1

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace lightwatch {
namespace detail {

/// Fewer bytes than this are not worth it, and four blocks of 16 are the least that it takes.
constexpr std::size_t crc32_folding_minimum = 64;

/// Whether this processor can do it; asked once.
inline bool crc32_can_fold() noexcept {
  static const bool can = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  return can;
}

/// Multiplies a block by x^n modulo the polynomial, in two halves, and adds the block that is n
/// bits on.
__attribute__((target("pclmul,sse4.1"))) inline __m128i crc32_fold(__m128i block, __m128i next,
                                                                   __m128i powers) noexcept {
  const __m128i low = _mm_clmulepi64_si128(block, powers, 0x00);
  const __m128i high = _mm_clmulepi64_si128(block, powers, 0x11);
  return _mm_xor_si128(next, _mm_xor_si128(low, high));
}

__attribute__((target("pclmul,sse4.1"))) inline __m128i crc32_load(
    const std::uint8_t *bytes) noexcept {
  return _mm_loadu_si128(static_cast<const __m128i *>(static_cast<const void *>(bytes)));
}

/// `length` is a multiple of 16, and at least 64. `state` is the checksum without its final
/// inversion.
__attribute__((target("pclmul,sse4.1"))) inline std::uint32_t crc32_by_folding(
    const std::uint8_t *bytes, std::size_t length, std::uint32_t state) noexcept {
  // Powers of x modulo the polynomial, reflected: across 64 bytes, across 16, and for the end.
  const __m128i across64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
  const __m128i across16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
  const __m128i last = _mm_set_epi64x(0, 0x0163cd6124);
  const __m128i polynomial = _mm_set_epi64x(0x01f7011641, 0x01db710641);
  const __m128i lower = _mm_setr_epi32(-1, 0, -1, 0);

  __m128i a = _mm_xor_si128(crc32_load(bytes), _mm_cvtsi32_si128(static_cast<int>(state)));
  __m128i b = crc32_load(bytes + 16);
  __m128i c = crc32_load(bytes + 32);
  __m128i d = crc32_load(bytes + 48);
  for (bytes += 64, length -= 64; length >= 64; bytes += 64, length -= 64) {
    a = crc32_fold(a, crc32_load(bytes), across64);
    b = crc32_fold(b, crc32_load(bytes + 16), across64);
    c = crc32_fold(c, crc32_load(bytes + 32), across64);
    d = crc32_fold(d, crc32_load(bytes + 48), across64);
  }
  a = crc32_fold(a, b, across16);
  a = crc32_fold(a, c, across16);
  a = crc32_fold(a, d, across16);
  for (; length >= 16; bytes += 16, length -= 16) a = crc32_fold(a, crc32_load(bytes), across16);

  // From 128 bits to 64.
  a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, across16, 0x10));
  a = _mm_xor_si128(_mm_srli_si128(a, 4),
                    _mm_clmulepi64_si128(_mm_and_si128(a, lower), last, 0x00));
  // To 32, by Barrett's reduction.
  __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(a, lower), polynomial, 0x10);
  quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, lower), polynomial, 0x00);
  return static_cast<std::uint32_t>(_mm_extract_epi32(_mm_xor_si128(a, quotient), 1));
}

}  // namespace detail
}  // namespace lightwatch

#endif

#endif

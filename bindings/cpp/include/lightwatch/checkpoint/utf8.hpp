// Strict UTF-8: a byte order mark is an ordinary character, and nothing is repaired.

#ifndef LIGHTWATCH_CHECKPOINT_UTF8_HPP
#define LIGHTWATCH_CHECKPOINT_UTF8_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace lightwatch {
namespace detail {

/// The character at the start of a text. Its length is 0 bytes if the text does not start with
/// valid UTF-8.
struct Utf8Character {
  char32_t code;
  std::size_t length;
};

/// Decodes the first character of a non-empty text. Rejects overlong forms, surrogates, characters
/// above U+10FFFF, and truncated sequences.
constexpr Utf8Character first_character(std::string_view text) {
  constexpr Utf8Character none{0, 0};
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return {first, 1};
  // The range of the second byte excludes overlong forms, surrogates and characters above U+10FFFF.
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  std::size_t length = 0;
  char32_t code = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
    code = first & 0x1fu;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    code = first & 0x0fu;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    code = first & 0x07u;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  } else {
    return none;
  }
  if (text.size() < length) return none;
  for (std::size_t i = 1; i < length; i++) {
    const auto next = static_cast<unsigned char>(text[i]);
    if (next < low || next > high) return none;
    low = 0x80;
    high = 0xbf;
    code = (code << 6) | (next & 0x3fu);
  }
  return {code, length};
}

/// Whether a whole text is valid UTF-8.
inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    // Most text is ASCII, so eight bytes are tested at a time.
    std::uint64_t eight = 0;
    while (text.size() >= sizeof eight) {
      std::memcpy(&eight, text.data(), sizeof eight);
      if ((eight & 0x8080808080808080u) != 0) break;
      text.remove_prefix(sizeof eight);
    }
    if (text.empty()) return true;
    const std::size_t length = first_character(text).length;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace detail
}  // namespace lightwatch

#endif

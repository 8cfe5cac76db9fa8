// Text from a file or a caller, made safe to print: a name in a file must not be able to steer a
// terminal or mislead a reader.

#ifndef LIGHTWATCH_CHECKPOINT_QUOTE_HPP
#define LIGHTWATCH_CHECKPOINT_QUOTE_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lightwatch/checkpoint/utf8.hpp"

namespace lightwatch {
namespace detail {

/// Longest text that a message quotes in full, in characters.
constexpr std::size_t quote_limit = 200;

struct CharacterRange {
  char32_t first;
  char32_t last;
};

/// Unicode's general categories Cc (controls), Cf (format characters: invisible, or reversing the
/// direction of text), Zl and Zp (separators of lines).
constexpr CharacterRange steering_characters[] = {
    {0x0000, 0x001f},   {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x0600, 0x0605},
    {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},   {0x0890, 0x0891},
    {0x08e2, 0x08e2},   {0x180e, 0x180e},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x2064},   {0x2066, 0x206f},   {0xfeff, 0xfeff},   {0xfff9, 0xfffb},
    {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f}};

/// Whether a character can steer what shows it.
constexpr bool steers(char32_t character) {
  for (const CharacterRange &range : steering_characters) {
    if (character >= range.first && character <= range.last) return true;
  }
  return false;
}

/// A number in lower-case hexadecimal digits, at least `digits` of them.
inline std::string hexadecimal(std::uint64_t number, std::size_t digits = 1) {
  std::string text;
  for (; number != 0 || text.size() < digits; number >>= 4) {
    text.insert(text.begin(), "0123456789abcdef"[number & 15]);
  }
  return text;
}

}  // namespace detail

/// Quotes a text, at most a line long. Each character that steers a terminal becomes `\u{...}`, and
/// each byte that is not UTF-8 (paths may have them) becomes `\x..`.
inline std::string quote(std::string_view text) {
  std::string quoted = "\"";
  std::size_t count = 0;
  while (!text.empty()) {
    if (count++ == detail::quote_limit) {
      quoted += "\xe2\x80\xa6";
      break;
    }
    const detail::Utf8Character character = detail::first_character(text);
    if (character.length == 0) {
      quoted += "\\x" + detail::hexadecimal(static_cast<unsigned char>(text.front()), 2);
      text.remove_prefix(1);
      continue;
    }
    if (character.code == U'"') {
      quoted += "\\\"";
    } else if (detail::steers(character.code)) {
      quoted += "\\u{" + detail::hexadecimal(character.code) + "}";
    } else {
      quoted += text.substr(0, character.length);
    }
    text.remove_prefix(character.length);
  }
  return quoted + "\"";
}

}  // namespace lightwatch

#endif

/// The one family of errors that a file can cause.
#pragma once

#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace lightwatch {

/// What is wrong with a file. `code` is stable, and the same in all languages (`CKPT_TENSOR_CHECKSUM`);
/// `rule` is the rule of the format that is broken (`tensor.offset`), empty where the code says it all.
class CheckpointError : public std::runtime_error {
 public:
  CheckpointError(std::string code, std::string rule, const std::string& message)
      : std::runtime_error(message), code_(std::move(code)), rule_(std::move(rule)) {}

  const std::string& code() const noexcept { return code_; }
  const std::string& rule() const noexcept { return rule_; }

 private:
  std::string code_;
  std::string rule_;
};

namespace detail {

/// Whether a character steers a terminal or a reader's eye: controls, format characters, separators.
inline bool is_unsafe(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || (c >= 0x600 && c <= 0x605) ||
         c == 0x61c || c == 0x6dd || c == 0x70f || (c >= 0x890 && c <= 0x891) || c == 0x8e2 ||
         c == 0x180e || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
         c == 0x110bd || c == 0x110cd || (c >= 0x13430 && c <= 0x1343f) ||
         (c >= 0x1bca0 && c <= 0x1bca3) || (c >= 0x1d173 && c <= 0x1d17a) ||
         (c >= 0xe0000 && c <= 0xe007f);
}

/// Length of the sound UTF-8 sequence at the start of `text`, or 0; its code point in `c`.
inline std::size_t utf8_sequence(std::string_view text, std::uint32_t& c) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) {
    c = first;
    return 1;
  }
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  c = first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; i++) {
    if ((byte(i) & 0xc0u) != 0x80) return 0;
    c = (c << 6) | (byte(i) & 0x3fu);
  }
  const bool overlong = (length == 3 && c < 0x800) || (length == 4 && c < 0x10000);
  return overlong || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : length;
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    std::uint32_t c = 0;
    const std::size_t length = utf8_sequence(text, c);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// A name from a file, quoted, safe to print, and not longer than a line.
inline std::string quote(std::string_view text) {
  std::string out = "\"";
  for (int shown = 0; !text.empty(); shown++) {
    if (shown == 200) return out + "...\"";
    std::uint32_t c = 0;
    const std::size_t length = utf8_sequence(text, c);
    if (length == 0 || is_unsafe(c)) {
      char escaped[16];
      const unsigned code = length == 0 ? static_cast<unsigned char>(text[0]) : c;
      std::snprintf(escaped, sizeof escaped, "\\u{%x}", code);
      out += escaped;
    } else if (c == '"') {
      out += "\\\"";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out + "\"";
}

[[noreturn]] inline void fail_format(const std::string& rule, const std::string& message) {
  throw CheckpointError("CKPT_FORMAT", rule, message);
}

}  // namespace detail
}  // namespace lightwatch

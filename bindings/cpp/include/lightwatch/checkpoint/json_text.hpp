// Whether a text is JSON (RFC 8259), as the config of a run must be.

#ifndef LIGHTWATCH_CHECKPOINT_JSON_TEXT_HPP
#define LIGHTWATCH_CHECKPOINT_JSON_TEXT_HPP

#include <cstddef>
#include <string_view>
#include <vector>

namespace lightwatch {
namespace detail {

/// Reads a text from its start to its end. Without recursion: a text can be nested as deep as it is
/// long.
class JsonText {
 public:
  /// `text` is UTF-8.
  explicit JsonText(std::string_view text) : rest_(text) {}

  bool is_valid() {
    std::vector<char> open;
    for (;;) {
      // A value.
      skip_space();
      if (take('{')) {
        skip_space();
        if (!take('}')) {
          open.push_back('}');
          if (!take_key()) return false;
          continue;
        }
      } else if (take('[')) {
        skip_space();
        if (!take(']')) {
          open.push_back(']');
          continue;
        }
      } else if (!take_scalar()) {
        return false;
      }
      // What may follow it.
      for (;;) {
        skip_space();
        if (open.empty()) return rest_.empty();
        if (take(',')) {
          if (open.back() == '}' && !take_key()) return false;
          break;
        }
        if (!take(open.back())) return false;
        open.pop_back();
      }
    }
  }

 private:
  void skip_space() {
    const std::size_t length = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(length == std::string_view::npos ? rest_.size() : length);
  }

  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool take(std::string_view wanted) {
    if (rest_.substr(0, wanted.size()) != wanted) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }

  bool take_key() {
    skip_space();
    if (!take_string()) return false;
    skip_space();
    return take(':');
  }

  bool take_scalar() {
    return take_string() || take("true") || take("false") || take("null") || take_number();
  }

  bool take_string() {
    if (!take('"')) return false;
    while (!rest_.empty()) {
      const char character = rest_.front();
      rest_.remove_prefix(1);
      if (character == '"') return true;
      if (static_cast<unsigned char>(character) < 0x20) return false;
      if (character == '\\' && !take_escape()) return false;
    }
    return false;
  }

  bool take_escape() {
    if (rest_.empty()) return false;
    const char kind = rest_.front();
    rest_.remove_prefix(1);
    if (kind != 'u') return std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos;
    const std::string_view digits = rest_.substr(0, 4);
    rest_.remove_prefix(digits.size());
    return digits.size() == 4 &&
           digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  }

  bool take_number() {
    take('-');
    // No digit follows a leading zero.
    if (!take('0') && !take_digits()) return false;
    if (take('.') && !take_digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return take_digits();
    }
    return true;
  }

  bool take_digits() {
    std::size_t length = rest_.find_first_not_of("0123456789");
    if (length == std::string_view::npos) length = rest_.size();
    rest_.remove_prefix(length);
    return length > 0;
  }

  std::string_view rest_;
};

/// Whether a text, which is UTF-8, is JSON.
inline bool is_json(std::string_view text) { return JsonText(text).is_valid(); }

}  // namespace detail
}  // namespace lightwatch

#endif

// A reader for JSON that supports what the expected values of the tests need.

#ifndef LIGHTWATCH_TEST_JSON_HPP
#define LIGHTWATCH_TEST_JSON_HPP

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct Json {
  enum class Type { null, boolean, number, string, array, object };

  Type type = Type::null;
  bool boolean = false;
  /// A string, or the digits of a number.
  std::string text{};
  std::vector<Json> items{};
  std::map<std::string, Json> members{};

  bool is_null() const { return type == Type::null; }
  const Json &operator[](const std::string &name) const { return members.at(name); }
  const Json &operator[](std::size_t i) const { return items.at(i); }

  bool operator==(const Json &other) const {
    return type == other.type && boolean == other.boolean && text == other.text &&
           items == other.items && members == other.members;
  }
};

class JsonReader {
 public:
  static Json read(std::string_view text) {
    JsonReader reader(text);
    Json value = reader.value();
    reader.space();
    if (!reader.rest_.empty()) reader.fail();
    return value;
  }

 private:
  explicit JsonReader(std::string_view text) : rest_(text) {}

  Json value() {
    space();
    Json json;
    switch (peek()) {
      case '{':
        json.type = Json::Type::object;
        list('}', [&] {
          space();
          const std::string name = string();
          expect(':');
          json.members[name] = value();
        });
        return json;
      case '[':
        json.type = Json::Type::array;
        list(']', [&] { json.items.push_back(value()); });
        return json;
      case '"':
        json.type = Json::Type::string;
        json.text = string();
        return json;
      default: break;
    }
    const std::size_t length = rest_.find_first_of(",]} \n\r\t");
    const std::string word(rest_.substr(0, length));
    rest_.remove_prefix(word.size());
    if (word == "null") return json;
    if (word == "true" || word == "false") {
      json.type = Json::Type::boolean;
      json.boolean = word == "true";
    } else {
      if (word.empty() || word.find_first_not_of("-+.eE0123456789") != word.npos) fail();
      json.type = Json::Type::number;
      json.text = word;
    }
    return json;
  }

  template <class Item>
  void list(char end, const Item &item) {
    rest_.remove_prefix(1);
    space();
    if (peek() != end) {
      item();
      for (space(); peek() == ','; space()) {
        rest_.remove_prefix(1);
        item();
      }
    }
    expect(end);
  }

  std::string string() {
    expect('"');
    std::string text;
    while (peek() != '"') {
      const char c = take();
      if (c != '\\') {
        text += c;
        continue;
      }
      switch (const char escaped = take()) {
        case 'b': text += '\b'; break;
        case 'f': text += '\f'; break;
        case 'n': text += '\n'; break;
        case 'r': text += '\r'; break;
        case 't': text += '\t'; break;
        case 'u': append(text, code_point()); break;
        default: text += escaped;
      }
    }
    rest_.remove_prefix(1);
    return text;
  }

  std::uint32_t four_digits() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
      const std::size_t digit = std::string_view("0123456789abcdef").find(take());
      if (digit > 15) fail();
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return code;
  }

  std::uint32_t code_point() {
    const std::uint32_t code = four_digits();
    if (code < 0xd800 || code > 0xdbff) return code;
    expect('\\');
    expect('u');
    return 0x10000 + ((code - 0xd800) << 10) + (four_digits() - 0xdc00);
  }

  static void append(std::string &text, std::uint32_t code) {
    const auto add = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
    const auto tail = [&](unsigned shift) { add(0x80 | ((code >> shift) & 0x3f)); };
    if (code < 0x80) {
      add(code);
    } else if (code < 0x800) {
      add(0xc0 | (code >> 6));
      tail(0);
    } else if (code < 0x10000) {
      add(0xe0 | (code >> 12));
      tail(6);
      tail(0);
    } else {
      add(0xf0 | (code >> 18));
      tail(12);
      tail(6);
      tail(0);
    }
  }

  char peek() const {
    if (rest_.empty()) fail();
    return rest_.front();
  }

  char take() {
    const char c = peek();
    rest_.remove_prefix(1);
    return c;
  }

  void expect(char c) {
    space();
    if (take() != c) fail();
  }

  void space() {
    while (!rest_.empty() && std::string_view(" \n\r\t").find(rest_.front()) != rest_.npos) {
      rest_.remove_prefix(1);
    }
  }

  [[noreturn]] void fail() const {
    throw std::runtime_error("this is no JSON: " + std::string(rest_.substr(0, 40)));
  }

  std::string_view rest_;
};

#endif
